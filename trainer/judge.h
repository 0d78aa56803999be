/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predictions beside outcomes: what a fit says of rows that it has not seen,
 * as the server would see it (expected cost from estimated input tokens,
 * expected output tokens and prices), and what really came out.
 */
#ifndef WEIR_TRAINER_JUDGE_H
#define WEIR_TRAINER_JUDGE_H

#include "models/domain.h"
#include "models/mix.h"
#include "trainer/fit.h"
#include "trainer/gold.h"
#include "trainer/guarantee.h"

/* Rows with score and cost of all choices; of other arms (members of plans)
 * these may be NAN. */
struct judged {
    struct guarantee_rows rows; /* its arrays: (owned here) */
    size_t left_out;            /* rows without score and cost of all choices,
                                   or without gold where that is looked at */
    const struct gold *gold;    /* (borrowed) set by the caller; NULL: scores
                                   count as they stand, whoever's they are */
    uint8_t *second;            /* (owned) [n * n_arms] */
    float low[CLASSIFIER_ARMS_MAX], high[CLASSIFIER_ARMS_MAX];
    float *quality, *score; /* (owned) */
    double *cost, *spent;   /* (owned) */
    uint64_t *group;        /* (owned) */
    uint8_t *outside;       /* (owned) [n] */
    struct domain domain;   /* by which they are */
    struct mix mix;         /* of the judged rows */
    struct mix rest;        /* of those left out: a log's, mostly */
    double input_tokens;    /* means over the judged rows: estimated, */
    double output_tokens[CLASSIFIER_ARMS_MAX]; /* and expected of each arm */
};

/* The fit's own rows, by the predictions of other folds.  Scores that are
 * second-hand are moved by their mean error, where gold measured it. */
MUST_USE bool judge_own(struct judged *j, const struct fitted *f,
                        struct err *e);
/* Rows of its table that it has not seen. */
MUST_USE bool judge_rows(struct judged *j, const struct fitted *f,
                         const uint32_t *rows, size_t n, struct err *e);
void judged_free(struct judged *j);

/* Of the arms (a bit set) the one with the best mean score on the judged rows
 * (the dearer of equal ones). */
uint32_t judged_best(const struct judged *j, uint64_t arms);
double judged_score(const struct judged *j, uint32_t arm); /* means */
double judged_spent(const struct judged *j, uint32_t arm);
double judged_cost(const struct judged *j, uint32_t arm);    /* predicted */
double judged_quality(const struct judged *j, uint32_t arm); /* predicted */

/* The cheapest of the asked arms that alone keeps the promise; the reference
 * itself where no other does. */
uint32_t judged_fixed(const struct judged *j, const struct guarantee_ask *ask);

#endif
