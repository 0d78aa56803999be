/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A threshold that keeps its promise: "mean quality is at least q times the
 * reference arm's, with confidence 1 - delta".
 *
 * The knob is the price of models/choose.h.  Prices are tried from 0 upwards,
 * in an order fixed beforehand; at each the hypothesis "the promise is broken
 * at this price" is tested at level delta, and the first one that cannot be
 * rejected ends the search (fixed-sequence Learn-then-Test: Angelopoulos et
 * al., arXiv 2110.01052).  So the chance that the returned price breaks the
 * promise is at most delta, for any distribution and any number of rows.
 *
 * The test bets against the hypothesis (Waudby-Smith and Ramdas, "Estimating
 * means of bounded random variables by betting", 2024): per conversation the
 * loss is q * score(reference) - score(chosen), within [-1, q]; the capital
 * of a bettor who believes the loss is below 0 has expectation at most 1 if
 * it is not, so capital >= 1 / delta rejects.
 *
 * Conversations, joined where they ask the same (trainer/table_group.h), are
 * taken as drawn independently from the traffic to come; within such a group
 * rows count by their mean.
 */
#ifndef WEIR_TRAINER_GUARANTEE_H
#define WEIR_TRAINER_GUARANTEE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    GUARANTEE_MIN = 500, /* conversations; fewer: no promise is made */
    GUARANTEE_PRICES = 96,
    GUARANTEE_ARMS_MAX = 32,
    GUARANTEE_RUNGS = 96,
};

/* Rows that were predicted by a fit that had not seen them. */
struct guarantee_rows {
    size_t n;
    uint32_t n_arms;
    const float *quality; /* [n * n_arms] predicted */
    const double *cost;   /* [n * n_arms] predicted, USD */
    /* Of the arms that may be chosen none is NAN. */
    const float *score;  /* [n * n_arms] what was */
    const double *spent; /* [n * n_arms] what it cost, USD */
    const uint64_t *group;
    /* [n] or NULL: rows outside the training data, which the policy gives to
     * the reference whatever is predicted (models/domain.h). */
    const uint8_t *outside;
    /* [n * n_arms] or NULL: scores that are second-hand (trainer/gold.h), and
     * [n_arms] between what and what they are wrong on average, for which
     * GOLD_SHARE of the chance of an error is spent. */
    const uint8_t *second;
    const float *low, *high;
    double reach; /* how far from [0,1] a score may be by that */
};

struct guarantee_ask {
    uint64_t arms; /* bit set of the arms that may be chosen */
    uint32_t reference;
    double quality, confidence;
    uint64_t seed;
};

struct guarantee_level {
    bool valid;      /* a price keeps the promise; else use the reference */
    double price;    /* quality per USD */
    size_t n;        /* rows */
    size_t groups;   /* conversations that were tested on */
    double measured; /* quality on these rows, by the reference's */
    double saving;   /* 1 - cost by the reference's, on these rows */
    double lo, hi;   /* 95 % interval of saving, paired bootstrap */
    double measured_lo, measured_hi;  /* of measured */
    double share[GUARANTEE_ARMS_MAX]; /* of requests that go to each arm */
};

/* Never fails for lack of evidence (then valid is false); only for lack of
 * memory. */
MUST_USE bool guarantee_find(const struct guarantee_rows *r,
                             const struct guarantee_ask *ask,
                             struct guarantee_level *out, struct err *e);

/* The figures of a given price on these rows; nothing is tested. */
MUST_USE bool guarantee_measure(const struct guarantee_rows *r,
                                const struct guarantee_ask *ask, double price,
                                struct guarantee_level *out, struct err *e);

/*
 * What the rows say of the promise at a row of prices that predictions alone
 * fix: as a part of what is tested later, with rows that came after them
 * (trainer/evidence.h).  The rungs are closest where few requests change
 * their arm, and end where the promise is plainly broken.
 */
struct guarantee_rung {
    double price;
    double mean;  /* of score - q * score(reference), by row */
    double error; /* its standard error, by conversation */
    double share; /* of rows that do not go to the reference */
};

struct guarantee_ladder {
    size_t n, groups; /* rows, conversations */
    uint32_t n_rungs; /* upwards, no price twice; 0: there is nothing to say */
    struct guarantee_rung rung[GUARANTEE_RUNGS];
};

MUST_USE bool guarantee_ladder_make(const struct guarantee_rows *r,
                                    const struct guarantee_ask *ask,
                                    struct guarantee_ladder *out,
                                    struct err *e);

/*
 * The test alone: a p-value for "the mean of x is at least 0", no x[n] above
 * high, which is above 0, in an order that does not depend on them.
 * delta tunes the bets; the p-value is valid for any.
 */
double guarantee_p(const double *x, size_t n, double high, double delta);

#endif
