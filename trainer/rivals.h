/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One class against the rest, for up to RIVALS_LANES classes at a time: L2
 * regularised squared hinge in the dual, the problem that liblinear's -s 1
 * solves for one class after the other (Hsieh et al., ICML 2008).  The rows
 * are the same for every class, so their weights stand side by side and one
 * walk through a row serves all of them.
 */
#ifndef WEIR_TRAINER_RIVALS_H
#define WEIR_TRAINER_RIVALS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { RIVALS_LANES = 16 }; /* floats in a cache line */

#define RIVALS_NONE UINT32_MAX /* the row is of no class: left out */

struct solve_data;

struct rivals_task {
    const uint32_t *class; /* [rows of the data] or RIVALS_NONE */
    double C;              /* weight of one row's loss */
    double eps;            /* liblinear's stopping criterion */
    uint32_t seed;
    size_t max_rows; /* a random choice of about this many; 0: all */
};

struct rivals; /* the chosen rows, compact; for all classes */

/* class must outlive it. */
MUST_USE struct rivals *rivals_new(const struct solve_data *d,
                                   const struct rivals_task *t, struct err *e);
void rivals_free(struct rivals *r); /* NULL: no-op */

/* Classes first ... first + n - 1, n <= RIVALS_LANES. */
MUST_USE bool rivals_run(struct rivals *r, uint32_t first, uint32_t n,
                         struct err *e);
/* Of the last run: the weights of class first + lane, w: [columns + 1], the
 * last one the intercept (regularised like the rest). */
void rivals_weights(const struct rivals *r, uint32_t lane, double *w);

#endif
