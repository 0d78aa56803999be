/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calibration: from a predicted share in (0,1) to the share that is really
 * adequate, learnt on predictions for rows that the predictor has not seen.
 * First Platt's curve (a logistic of the logit) with one slope for all arms:
 * arms are compared with each other, and slopes of their own would reorder
 * requests for no gain in likelihood worth having.  Then, for an arm that
 * this leaves clearly off by the log loss on rows not used for the curve, an
 * isotonic one over bins: a few knots joined by straight lines, strictly
 * ascending, so that it never makes two different predictions equal.
 *
 * Sources: Platt (1999); Zadrozny and Elkan (2002) for isotonic regression.
 */
#ifndef WEIR_TRAINER_CALIBRATE_H
#define WEIR_TRAINER_CALIBRATE_H

#include "base/err.h"

#include <stddef.h>

enum {
    CALIBRATE_KNOTS = 32,
    CALIBRATE_PLATT_MIN = 1000, /* fewer rows: slopes are wild */
    CALIBRATE_ISOTONIC_MIN = 4000,
    CALIBRATE_PULL = 4000, /* labels */
    CALIBRATE_ARMS_MAX = 64,
};

struct calibration {
    bool isotonic;
    float x[CALIBRATE_KNOTS]; /* strictly ascending, 0 ... 1 */
    float y[CALIBRATE_KNOTS]; /* strictly ascending, within 0 ... 1 */
};

/* p[n] predicted, y[n] scores in [0,1], w[n] what each counts.  The identity
 * where there are too few rows or an isotonic curve is not clearly better. */
void calibrate_fit(struct calibration *c, const float *p, const float *y,
                   const float *w, size_t n);

/* By rows, all arms of one side by side; y NAN where there is no label, w what
 * each counts. */
struct calibrate_rows {
    const float *p, *y, *w; /* [n * arms] */
    size_t n;
    unsigned arms;
};

/* Offsets are drawn to 0 as if by CALIBRATE_PULL rows.  Fewer than
 * CALIBRATE_PLATT_MIN labels: slope 1, offsets 0. */
struct calibrate_shared {
    double slope, offset[CALIBRATE_ARMS_MAX];
};
void calibrate_shared(const struct calibrate_rows *rows,
                      struct calibrate_shared *out);
void calibrate_identity(struct calibration *c);
float calibrate_apply(const struct calibration *c, float p);

/* y ~ logistic(slope * logit(p) + offset), the slope of any sign. */
MUST_USE bool calibrate_platt(const float *p, const float *y, size_t n,
                              double *slope, double *offset);

/* Expected calibration error: mean |mean predicted - mean score| over ten
 * bins of equally many rows. */
double calibrate_ece(const float *p, const float *y, size_t n);
/* Mean log loss (nats), p kept within 1e-6. */
double calibrate_log_loss(const float *p, const float *y, size_t n);

#endif
