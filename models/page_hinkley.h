/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Page-Hinkley test for residuals: has the mean of what was predicted
 * less what came of it risen above 0?  (E. S. Page, "Continuous inspection
 * schemes", Biometrika 41, 1954; with the mean known to be 0 it is his
 * one-sided cumulative sum.)
 *
 *   excess = max(0, excess + residual - slack);  alarm: excess > limit
 *
 * A residual lies in [-1, 1]: predicted quality - label, so what is above 0
 * is worse than predicted.  A calibrated prediction has the mean 0, whatever
 * is predicted; the running mean that the test is often given would take a
 * classifier that was wrong from the beginning for right.
 *
 * With the default slack and limit and labels of variance s, some
 * exp(2 x slack x limit / s) labels pass between false alarms (270,000 at
 * s = .16), and a fall of d is seen after about limit / (d - slack) labels.
 */
#ifndef WEIR_MODELS_PAGE_HINKLEY_H
#define WEIR_MODELS_PAGE_HINKLEY_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_HINKLEY_SLACK .05
#define PAGE_HINKLEY_LIMIT 20.

struct page_hinkley {
    double slack, limit;
    uint64_t n;    /* residuals since the last reset */
    double sum;    /* of them: sum / n is how far off predictions are */
    double excess; /* the statistic */
    bool alarm;    /* stands until a reset */
};

/* Begins anew; slack and limit above 0. */
void page_hinkley_reset(struct page_hinkley *p, double slack, double limit);
/* One more residual; true when it raises the alarm, once.  What is not a
 * number counts for nothing, what is outside [-1, 1] for the bound. */
bool page_hinkley_note(struct page_hinkley *p, double residual);
/* Mean residual, 0 without any. */
double page_hinkley_mean(const struct page_hinkley *p);

#endif
