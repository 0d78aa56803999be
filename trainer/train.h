/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training, whole: rows -> a part kept back -> a fit that is judged on it ->
 * a fit on everything -> levels with their guarantee -> what the card says.
 */
#ifndef WEIR_TRAINER_TRAIN_H
#define WEIR_TRAINER_TRAIN_H

#include "trainer/acceptance.h"
#include "trainer/fit.h"
#include "trainer/judge.h"
#include "trainer/signals.h"

#define TRAIN_HOLDOUT .2 /* share of the rows that is kept back */

enum { TRAIN_LEVELS_MAX = 32, TRAIN_HELD_MIN = 30, TRAIN_NOTES_MAX = 24 };

struct train_options {
    const char *reference;      /* arm; NULL: the best one here */
    double quality, confidence; /* of the promise that is reported */
    uint32_t seed;
    unsigned threads;
    unsigned bits, min_rows; /* of the fit: trainer/fit.h; 0: its own */
    bool ordered;            /* arms are tiers from low to high */
    bool ladder;             /* what a later test of the promise begins with */
    void (*progress)(void *ctx, double done); /* may be NULL */
    void *ctx;
};

/* A fixed arm on the rows kept back, and how right its head is there. */
struct train_arm {
    double score, cost;   /* means; NAN without rows */
    double ece, log_loss; /* of the predictions; NAN without rows */
    size_t labels;        /* of the arm among the rows kept back */
    bool gold;            /* errors are measured on gold labels alone */
};

struct training {
    const struct table *t; /* (borrowed) */
    struct fitted *fit;    /* (owned) on all rows */
    uint32_t reference;
    struct guarantee_level levels[TRAIN_LEVELS_MAX];
    double qualities[TRAIN_LEVELS_MAX]; /* of the levels */
    uint64_t among[TRAIN_LEVELS_MAX];   /* bit sets: their arms */
    uint32_t n_levels;
    uint64_t choices;               /* bit set: the arms that may be chosen */
    struct guarantee_ladder ladder; /* over all choices, if asked for */
    /* What the levels rest on: the judged rows' mix, and their mean request
     * (input tokens; of each arm the output tokens and the USD). */
    struct mix mix;
    double input_tokens, output_tokens[CLASSIFIER_ARMS_MAX];
    double usd[CLASSIFIER_ARMS_MAX];
    double escalates[CLASSIFIER_ARMS_MAX]; /* plans: mean P; else NAN */
    struct domain domain; /* outside of it the reference answers */
    struct gold gold;     /* whose labels the levels rest on */
    bool voided;          /* other rows are of another mix: no level holds */
    size_t n_judged;      /* rows with score and cost of all choices */
    /* On rows kept back: price from the other rows' level at `quality`. */
    bool held, by_time;
    size_t n_train, n_held;
    struct guarantee_level on_held;
    struct train_arm arms[CLASSIFIER_ARMS_MAX];
    struct signals signals; /* as the table was loaded with; or all zero */
    struct acceptance_set acceptance; /* (owned) the caller may fill it */
    /* The fixed arm to take instead of a router; -1: route. */
    int use_fixed;
    char *notes[TRAIN_NOTES_MAX]; /* (owned) sentences for the card */
    uint32_t n_notes;
};

/* The table must outlive the result. */
MUST_USE bool train_run(struct training *r, const struct table *t,
                        const struct train_options *o, struct err *e);
void training_free(struct training *r);

#endif
