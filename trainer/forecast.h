/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who says before a request what each arm would be worth: the learned heads,
 * the simple rules they have to beat, and the oracle that they cannot reach.
 * All are asked alike: learn from some rows, then guess quality and cost of
 * every arm for others.
 */
#ifndef WEIR_TRAINER_FORECAST_H
#define WEIR_TRAINER_FORECAST_H

#include "trainer/fit.h"
#include "trainer/plan.h"

/* An arm that may be chosen.  Tables of one contest hold the same arms at
 * the same indices. */
struct contender {
    const char *name; /* (borrowed: test table) */
    uint32_t arm;     /* index in both tables */
    bool is_plan;
    struct table_plan plan; /* of a plan */
};

struct contest {
    const struct table *train, *test; /* may be one and the same */
    const struct contender *arm;      /* [n_arms] */
    uint32_t n_arms;
    bool priced;    /* every contender's cost is known */
    unsigned folds; /* inner folds that calibration rows are guessed by */
    struct fit_options fit;
};

/* One fold: train rows to learn from, test rows to guess. */
struct fold {
    const uint32_t *train, *test;
    size_t n_train, n_test;
    uint64_t seed;
};

struct guesses {
    size_t n;
    uint32_t n_arms;
    double *quality; /* (owned) [n * n_arms] expected score */
    double *cost;    /* (owned) [n * n_arms] expected USD; 0: not priced */
};

MUST_USE bool guesses_init(struct guesses *g, size_t n, uint32_t n_arms,
                           struct err *e);
void guesses_free(struct guesses *g);

/* Fills guesses for the training rows, each made without its own fold, and
 * for the test rows, made from all training rows.  Both are initialised. */
typedef bool forecast_run(const struct contest *c, const struct fold *f,
                          struct guesses *calibration, struct guesses *test,
                          struct err *e);

struct forecaster {
    const char *name;
    const char *about; /* one line for the manual and the table */
    bool is_router;    /* false: knows what no router can know */
    forecast_run *run;
};

extern const struct forecaster forecasters[]; /* "learned" is the first */
extern const unsigned n_forecasters;

forecast_run forecast_learned, forecast_task_mean, forecast_length,
    forecast_random, forecast_oracle;

#endif
