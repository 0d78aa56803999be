/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log says of the classifiers that serve: how many labels are new,
 * whether the canary is worse than what serves beside it, whether outcomes
 * fall short of predictions, whether the traffic has drifted.
 *
 * Everything is taken in the order of its arrival, labels by the time they
 * came, so that a later look goes the same way again and only further.
 */
#ifndef WEIR_TRAINER_CYCLE_WATCH_H
#define WEIR_TRAINER_CYCLE_WATCH_H

#include "models/page_hinkley.h"
#include "trainer/cycle_config.h"
#include "trainer/cycle_state.h"
#include "trainer/sequential.h"

enum watch_test { WATCH_QUALITY, WATCH_ERRORS, WATCH_COST, WATCH_TESTS };

struct watch_arm {
    char name[64];
    struct page_hinkley residuals; /* predicted - label */
    int64_t calm_ms; /* when they last were as predicted: before an alarm, the
                        time of the change */
    int64_t alarm_ms;
};

struct watch {
    /* All rows of the route. */
    uint64_t rows, labels, new_labels;
    uint64_t
        labels_since_cut; /* of requests that the challenger has not seen */
    int64_t first_ms, last_ms; /* of rows; 0 without any */
    /* Since the stage began. */
    uint64_t rows_since;            /* by whomever */
    uint64_t served, canary_served; /* by the running one, by the canary */
    uint64_t labelled;              /* of the running one's */
    double score;                   /* sum of these labels */
    struct sequential tests[WATCH_TESTS];
    int stopped; /* enum watch_test that stopped first; -1: none */
    /* Of the running one's labels since state.watch_ms. */
    struct watch_arm arms[CLASSIFIER_ARMS_MAX];
    uint32_t n_arms;
    /* Of its newest requests. */
    unsigned newest, drifted; /* drifted: its promise was void for that */
};

enum { WATCH_NEWEST = 200 };

const char *watch_test_name(enum watch_test t);

MUST_USE bool watch_read(const struct cycle_config *set,
                         const struct cycle_state *state, struct watch *out,
                         struct err *e);
/* An arm whose residuals raised the alarm, NULL: none. */
const struct watch_arm *watch_alarm(const struct watch *w);
bool watch_drifted(const struct watch *w);

/* A cut for training: the time before which all but the newest `held` of the
 * labelled rows since since_ms came; *n: how many these are.  0 without any. */
MUST_USE bool watch_cut(const struct cycle_config *set, int64_t since_ms,
                        size_t *n, int64_t *cut_ms, struct err *e);

#endif
