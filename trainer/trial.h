/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The raw result of an evaluation: what each router would have done with
 * each held-out request, before any figure is made of it.
 */
#ifndef WEIR_TRAINER_TRIAL_H
#define WEIR_TRAINER_TRIAL_H

#include "trainer/evaluate.h"
#include "trainer/policy.h"

enum { ROUTERS_MAX = 8 };

/* At this knob the row's choice changes, by so much. */
struct step {
    uint32_t row, knob;
    float score, cost;
};

struct course {         /* of one router */
    double *rank;       /* (owned) [n] place of the strong-arm score within
                           its fold, 0..1; two arms only, else NULL */
    uint8_t *choice;    /* (owned) [EVAL_TARGETS * n] contender */
    struct step *steps; /* (owned) [n_steps] the whole path of the knob */
    size_t n_steps, cap_steps;
};

struct trial {
    const struct contest *c;
    size_t n, n_left_out, n_train;
    uint32_t *row;    /* (owned) [n] of the test table */
    double *guess;    /* (owned) [n * n_arms] the learned heads' quality */
    double *expected; /* (owned) [n * n_arms] and cost, USD */
    double *score;    /* (owned) [n_arms * n] what was, arm by arm */
    double *cost;     /* (owned) [n_arms * n] */
    uint32_t reference, weak, strong;
    unsigned folds;
    bool by_task;                      /* folds of whole tasks */
    struct course course[ROUTERS_MAX]; /* as forecasters[] */
};

MUST_USE bool trial_run(struct trial *t, const struct contest *c,
                        const struct evaluate_options *o, struct err *e);
void trial_free(struct trial *t);

#endif
