/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is routing worth on these outcomes?  Every forecaster routes the same
 * held-out requests, with the policy's knob set on training rows; then the
 * figures of docs/evaluation.md with paired bootstrap intervals, and the
 * plain answer whether any of it beats a fixed arm.
 */
#ifndef WEIR_TRAINER_EVALUATE_H
#define WEIR_TRAINER_EVALUATE_H

#include "trainer/forecast.h"

enum { EVAL_TARGETS = 3 };
extern const double eval_targets[EVAL_TARGETS]; /* .95 .98 1.00 */

struct evaluate_options {
    unsigned folds; /* outer ones; used when train and test are one */
    bool by_task;   /* whole tasks are left out, not single groups */
    size_t labels;  /* training rows a fold; 0: all */
    uint64_t seed;
    unsigned resamples;    /* of the bootstrap */
    const char *reference; /* arm; NULL: the best single model here */
    void (*progress)(void *ctx, double done); /* may be NULL */
    void *ctx;
};

/* A value and its 95 % bootstrap interval; NAN where it has no meaning. */
struct figure {
    double value, lo, hi;
};

struct eval_arm {
    const char *name; /* (borrowed: contest) */
    bool is_plan;
    struct figure score, cost; /* means; cost in USD a request */
    struct figure quality;     /* score by the reference's */
    struct figure saving;      /* 1 - cost by the reference's */
    double latency_ms;         /* mean, NAN: not known */
    double ece;                /* of the learned head, on held-out rows */
};

/* One router at one target. */
struct eval_saving {
    struct figure saving, quality; /* against the reference arm, measured */
    /* Score above that of the best mix of fixed arms at the same cost. */
    struct figure edge;
    struct figure regret; /* score below the oracle's */
};

struct eval_router {
    const char *name, *about; /* (borrowed: forecasters) */
    bool is_router;
    struct figure apgr, cpt50, cpt80; /* two arms only */
    struct figure aiq;
    struct eval_saving at[EVAL_TARGETS];
};

struct evaluation {
    size_t n, n_groups;
    size_t n_left_out; /* rows without an outcome of every arm */
    size_t n_train;    /* mean training rows a fold */
    unsigned folds, resamples;
    uint64_t seed;
    bool priced;
    uint32_t n_arms, n_routers;
    uint32_t reference;          /* index in arms */
    struct eval_arm *arms;       /* (owned) [n_arms] */
    struct eval_router *routers; /* (owned) [n_routers], as forecasters[] */
    /* The answer: the router that beats every mix of fixed arms, -1: none;
     * and the arm to take when there is none. */
    int winner;
    unsigned winner_target; /* index in eval_targets */
    uint32_t fixed;
};

MUST_USE bool evaluate(const struct contest *c,
                       const struct evaluate_options *o, struct evaluation *out,
                       struct err *e);
void evaluation_free(struct evaluation *v);

#endif
