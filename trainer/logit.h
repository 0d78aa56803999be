/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logistic regression over a few named numbers (the feature heads are of
 * trainer/heads.h): P = 1 / (1 + exp(-(intercept + sum w x))), L2 on the
 * weights of standardised numbers, not on the intercept.  Newton's method;
 * no randomness.
 */
#ifndef WEIR_TRAINER_LOGIT_H
#define WEIR_TRAINER_LOGIT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { LOGIT_MAX = 64, LOGIT_FOLDS = 5 };
#define LOGIT_RIDGE 1. /* as if each weight had been seen to be 0 once */

struct logit_rows {
    size_t n;
    unsigned k;            /* numbers of a row, at most LOGIT_MAX */
    unsigned base_k;       /* of them the first ones: what the model that a
                              check compares with may look at; 0: nothing */
    const double *x;       /* [n * k] */
    const double *y;       /* [n] in [0,1] */
    const double *weight;  /* [n] of their losses, 0 or more; NULL: all 1 */
    const uint64_t *group; /* [n] never divided between folds */
};

/* For numbers as they are, not standardised. */
struct logit {
    unsigned k;
    double intercept, w[LOGIT_MAX];
};

/* A number that is the same in all rows has weight 0.  Without rows of both
 * kinds the intercept alone speaks (within 1e-4). */
void logit_fit(const struct logit_rows *rows, struct logit *out);
double logit_p(const struct logit *m, const double *x);

/* Mean log loss by fits on other folds, and by fits of the first base_k
 * numbers alone (none: the mean). */
struct logit_check {
    double loss, base;
    double error; /* standard error of base - loss, by rows */
};
MUST_USE bool logit_check(const struct logit_rows *rows, uint64_t seed,
                          struct logit_check *out, struct err *e);

#endif
