/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fitting: rows of a table -> heads, calibration and length regressors, in
 * memory.  The evaluation fits on folds and predicts; `weir train` fits on
 * everything and writes the classifier file.
 *
 * Along the way every training row gets heads' values from a fit that has
 * not seen its group (inner folds).  Calibration is learnt on these, and
 * fit_oof gives them to whoever chooses a threshold, so that no further rows
 * need be set aside.
 */
#ifndef WEIR_TRAINER_FIT_H
#define WEIR_TRAINER_FIT_H

#include "models/classifier.h"
#include "trainer/table.h"

enum { FIT_BITS = 18, FIT_FOLDS = 5, FIT_FOLDS_MAX = 16 };

struct fit_options {
    uint32_t seed;
    unsigned bits;     /* hash space 2^bits; 0: FIT_BITS */
    unsigned min_rows; /* words in fewer rows get no weights; 0: 1, or 2 where
                          rows are many */
    unsigned folds;    /* inner folds; 0: FIT_FOLDS, 3 beyond 40,000 rows */
    unsigned threads;  /* worker processes; 0: as many as there are cores */
    bool ordered;      /* arms are tiers from low to high: a higher one's task
                          means are not below a lower one's unless the data
                          say so clearly */
    void (*progress)(void *ctx, double done); /* may be NULL */
    void *ctx;
};

/* What became of an arm's quality head. */
struct fit_arm {
    size_t labels;        /* rows with a score */
    double mean;          /* mean score; NAN without labels */
    bool constant;        /* too few labels, or all alike: no head */
    bool isotonic;        /* calibration: isotonic, else Platt's */
    double ece, log_loss; /* of the out-of-fold predictions; NAN */
    size_t gold;          /* labels that are not second-hand */
    bool by_gold;         /* ece and log_loss are by these alone */
};

enum { FIT_GOLD_MIN = 100 }; /* labels; fewer: by all */

struct fitted;

/* Arms are those of the table, in its order.  rows: [n_rows] indices into
 * the table, which must outlive the fit.  An arm with too few labels falls
 * back to its task and global means (shrinkage), never fails. */
MUST_USE struct fitted *fit_train(const struct table *t, const uint32_t *rows,
                                  size_t n_rows, const struct fit_options *o,
                                  struct err *e);
void fit_free(struct fitted *f); /* NULL: no-op */

/* Same numbers, to the bit, as classifier_predict on the file written from
 * this fit. */
void fit_predict(const struct fitted *f, const struct table *t, uint32_t row,
                 struct prediction *out);
/* The same with the row's task taken as known where it has one. */
void fit_predict_known(const struct fitted *f, const struct table *t,
                       uint32_t row, struct prediction *out);

/* Of the i-th training row (rows[i]), by heads and task means that have not
 * seen its group.  A row that could not be held out (one group only): by the
 * fit itself; see fit_held_out. */
void fit_oof(const struct fitted *f, size_t i, struct prediction *out);
bool fit_held_out(const struct fitted *f);

/* The table and rows it was made from. */
const struct table *fit_table(const struct fitted *f);
const uint32_t *fit_rows(const struct fitted *f, size_t *n);

const struct fit_arm *fit_arm(const struct fitted *f, uint32_t arm);

/* The classifier file's bytes; card is the JSON text that goes into it. */
struct buf;
MUST_USE bool fit_write(const struct fitted *f, struct span card,
                        struct buf *out, struct err *e);

#endif
