/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fitting: rows of a table -> heads, calibration and length regressors, in
 * memory.  The evaluation fits on folds and predicts; `weir train` fits on
 * everything and writes the classifier file.
 */
#ifndef WEIR_TRAINER_FIT_H
#define WEIR_TRAINER_FIT_H

#include "models/classifier.h"
#include "trainer/table.h"

struct fit_options {
    uint32_t seed;
    unsigned bits;  /* hash space 2^bits */
    unsigned folds; /* inner folds for stacking and calibration */
    unsigned threads;
    void (*progress)(void *ctx, double done); /* may be NULL */
    void *ctx;
};

struct fitted;

/* Arms are those of the table, in its order.  rows: [n_rows] indices into
 * the table.  An arm with too few labels falls back to its task and global
 * means (shrinkage), never fails. */
MUST_USE struct fitted *fit_train(const struct table *t, const uint32_t *rows,
                                  size_t n_rows, const struct fit_options *o,
                                  struct err *e);
void fit_free(struct fitted *f); /* NULL: no-op */

/* Same numbers, to the bit, as classifier_predict on the file written from
 * this fit. */
void fit_predict(const struct fitted *f, const struct table *t, uint32_t row,
                 struct prediction *out);

/* Out-of-fold predictions: out[i] is for rows[i], made by a fit that has not
 * seen its group. */
MUST_USE bool fit_crossfit(const struct table *t, const uint32_t *rows,
                           size_t n_rows, unsigned folds,
                           const struct fit_options *o, struct prediction *out,
                           struct err *e);

/* The classifier file's bytes; card is the JSON text that goes into it. */
struct buf;
MUST_USE bool fit_write(const struct fitted *f, struct span card,
                        struct buf *out, struct err *e);

#endif
