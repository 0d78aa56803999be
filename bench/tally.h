/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What routing was worth: the same requests as each fixed model would have
 * answered them, as an all-knowing chooser would have sent them, and as the
 * gateway did.  Pure arithmetic; every interval is a paired 95 % bootstrap
 * over groups of equal questions.
 */
#ifndef WEIR_BENCH_TALLY_H
#define WEIR_BENCH_TALLY_H

#include "base/err.h"
#include "trainer/metrics.h"

enum { TALLY_MODELS_MAX = 32, TALLY_WAYS_MAX = 16 };

/* A value and its 95 % interval; NAN where it has no meaning. */
struct estimate {
    double value, lo, hi;
};

/* One way to have the requests answered. */
struct entrant {
    const double *score;                   /* (borrowed) [n] in [0,1] */
    const double *cost;                    /* (borrowed) [n] USD */
    struct estimate mean_score, mean_cost; /* cost: USD a request */
    /* Score above that of the best mix of fixed models at the same cost. */
    struct estimate edge;
    struct estimate saving[TALLY_MODELS_MAX]; /* 1 - cost by that model's */
    struct estimate ratio[TALLY_MODELS_MAX];  /* score by that model's */
    /* Against the first way: saving, and score above its score. */
    struct estimate saving_first, gain_first;
};

struct tally {
    size_t n;              /* requests */
    const uint64_t *group; /* (borrowed) [n] equal: drawn together */
    unsigned n_models, n_ways;
    struct entrant model[TALLY_MODELS_MAX]; /* [n_models] fixed */
    struct entrant way[TALLY_WAYS_MAX];     /* [n_ways] the gateway's */
    struct entrant oracle;
    double *oracle_rows; /* (owned) its scores and costs */
    /* The fixed models' mixes: a hull by rising cost. */
    struct point hull[TALLY_MODELS_MAX];
    size_t n_hull;
    unsigned resamples;
};

/* The models' and ways' scores and costs are set, the rest is filled. */
MUST_USE bool tally_run(struct tally *t, unsigned resamples, uint64_t seed,
                        struct err *e);
void tally_free(struct tally *t);

/* Index of the fixed model of the best mean score (the cheapest of equals),
 * once tally_run() has been. */
unsigned tally_best(const struct tally *t);

/* Fills score and cost [n] with the best score's cheapest model, row by row. */
void tally_oracle(const struct tally *t, double *score, double *cost);

#endif
