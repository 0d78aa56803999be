/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures by which routers are judged, as pure functions on arrays.
 * docs/evaluation.md defines each and says what it does not tell.
 *
 * Rows may carry weights: how often each counts, so that a bootstrap
 * resample is a vector of counts and nothing is sorted twice.  A NULL weight
 * counts every row once.
 */
#ifndef WEIR_TRAINER_METRICS_H
#define WEIR_TRAINER_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Two arms, and a score by which requests go to the strong one first. */
struct ranking {
    size_t n;
    const uint32_t *order; /* [n] rows by falling score (metrics_order) */
    const double *score;   /* [n] */
    const double *weak;    /* [n] the weak arm's quality, [0,1] */
    const double *strong;  /* [n] */
    const double *weight;  /* [n] or NULL */
};

/* Rows by falling score; equal scores stay in their order. */
void metrics_order(const double *score, size_t n, uint32_t *order);

/* Performance gap recovered: (router - weak) / (strong - weak); NAN where
 * the strong arm is not better. */
double metrics_pgr(double router, double weak, double strong);

/*
 * Mean PGR over the share of strong calls (RouteLLM, arXiv 2406.18665):
 * thresholds at the ten deciles of the score, trapezoids between them.  Rows
 * of equal score move together.  Random scores give .5, NAN as above.
 */
double metrics_apgr(const struct ranking *r);

/* The least share of strong calls with PGR >= x, on the whole curve; inside
 * a run of equal scores the expected value of a random order. */
double metrics_cpt(const struct ranking *r, double x);

/* Mean cost (USD) and mean quality of one way to route. */
struct point {
    double cost, quality;
};

/* Keeps, sorted by cost, the points of the non-decreasing upper convex hull
 * (RouterBench, arXiv 2403.12031); returns how many. */
size_t metrics_hull(struct point *p, size_t n);
/* Quality of the best mix of hull points at that mean cost: flat right of
 * the last point, 0 left of the first. */
double metrics_hull_at(const struct point *hull, size_t n, double cost);
/* Average improvement in quality: area under the hull from cost lo to hi, by
 * (hi - lo).  p is sorted and thinned in place. */
double metrics_aiq(struct point *p, size_t n, double lo, double hi);

/* Expected calibration error over `bins` bins of equal width: the weighted
 * mean of |mean prediction - mean outcome|.  NAN rows are left out. */
double metrics_ece(const double *predicted, const double *outcome, size_t n,
                   unsigned bins);

/* Weighted mean of x; NAN when the weights sum to 0. */
double metrics_mean(const double *x, const double *weight, size_t n);

struct interval {
    double lo, hi;
};

/* The middle `level` of the values (sorted in place; NANs left out):
 * percentile interval of a bootstrap. */
struct interval metrics_interval(double *values, size_t n, double level);
/* p-quantile of sorted values, linear between neighbours. */
double metrics_quantile(const double *sorted, size_t n, double p);

#endif
