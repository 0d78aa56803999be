/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear models from sparse rows, by liblinear; the only user of <linear.h>.
 * Deterministic: libc's rand() is seeded before each run, so a process must
 * not run two at a time (see workers.h).
 *
 * liblinear 2.3 knows no weights of single rows.  A target between 0 and 1
 * of a logistic model is meant as a weighted pair (adequate with weight y,
 * not adequate with 1 - y); the pair becomes up to `copies` unweighted
 * rows that share one vector, as many as all targets together need; where
 * that is not enough, y is rounded up or down at random so that its mean is
 * kept.
 */
#ifndef WEIR_TRAINER_SOLVE_H
#define WEIR_TRAINER_SOLVE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum solve_kind {
    SOLVE_LOGISTIC, /* L2-regularised logistic regression, dual */
    SOLVE_SVR,      /* squared epsilon-insensitive (.1), dual: any y */
};

enum { SOLVE_WHOLE = 4 };

struct solve_value {
    uint32_t column;
    float value;
};

struct solve_data;

/* Room for `rows` rows of together `values` values. */
MUST_USE struct solve_data *solve_data_new(size_t rows, size_t values,
                                           uint32_t columns, struct err *e);
void solve_data_free(struct solve_data *d); /* NULL: no-op */
/* Appends a row: columns ascending, none twice. */
void solve_data_add(struct solve_data *d, const struct solve_value *v,
                    size_t n);
/* After the last row: puts the frequent columns side by side, so that most of
 * what a solver touches stays in the cache.  Callers see no difference. */
MUST_USE bool solve_data_pack(struct solve_data *d, struct err *e);
size_t solve_data_rows(const struct solve_data *d);
uint32_t solve_data_columns(const struct solve_data *d);
/* A row's values, the intercept's among them, columns as they were packed;
 * returns how many.  to: that many, or NULL to count. */
size_t solve_data_row(const struct solve_data *d, size_t row,
                      struct solve_value *to);
/* Where packing put a column; the intercept's is solve_data_columns(). */
uint32_t solve_data_place(const struct solve_data *d, uint32_t column);

struct solve_task {
    enum solve_kind kind;
    const float *y; /* [rows] NAN: left out */
    /* [rows] of a logistic model: how many SOLVE_WHOLE-ths of a row each
     * counts, 0 to SOLVE_WHOLE, by so many copies; NULL: all are whole. */
    const uint8_t *weight;
    double C;        /* weight of one row's loss */
    double eps;      /* liblinear's stopping criterion */
    unsigned copies; /* of a row with a soft target, at most; 0: 1 */
    uint32_t seed;
    size_t max_rows; /* a random choice of about this many; 0: all */
};

/*
 * w: [columns + 1], the last one is the intercept (regularised like the
 * rest).  Where all targets are of one class, or there is none, w is all
 * zero and *degenerate is set.
 */
MUST_USE bool solve_run(const struct solve_data *d, const struct solve_task *t,
                        double *w, bool *degenerate, struct err *e);

#endif
