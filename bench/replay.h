/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends labelled requests through a running gateway and looks up, for the
 * model that answered, what the dataset says its answer was worth.
 */
#ifndef WEIR_BENCH_REPLAY_H
#define WEIR_BENCH_REPLAY_H

#include "base/progress.h"
#include "bench/rows.h"

enum { REPLAY_ERRORS_MAX = 12 };

struct replay_options {
    const char *url;     /* base URL, "http://127.0.0.1:8080/v1" */
    const char *api_key; /* or NULL */
    unsigned concurrency;
    double timeout; /* seconds a request */
    bool feedback;  /* send each score back to weir as a label */
};

struct replay_error {
    char kind[40]; /* "429 rate_limit_exceeded", "connect" */
    uint64_t n;
};

/* One way to ask: a route, perhaps with a wish for quality; and what came of
 * it.  A request without an answer has score 0. */
struct replay_way {
    const char *route; /* (borrowed) sent as `model` */
    const char *url;   /* (borrowed) of another gateway, or NULL */
    double quality;    /* x-weir-quality, NAN: not sent */
    char label[64];
    size_t n;
    double *score, *cost;          /* (owned) [n] */
    double *seconds, *decision_us; /* (owned) [n] NAN: not known */
    int *model;                    /* (owned) [n] in the pool, -1: none */
    uint64_t answered, labelled;
    uint64_t chosen[TALLY_MODELS_MAX];
    struct replay_error error[REPLAY_ERRORS_MAX];
    unsigned n_errors;
    double expected_cost; /* USD: what the dataset says for these choices */
    char sample_id[64];   /* of one request, for a look at its log */
};

/* w->route and w->quality are set; the rest is filled. */
MUST_USE bool replay_run(struct replay_way *w, const struct rows *rows,
                         const struct pool *pool,
                         const struct replay_options *o, struct err *e);
void replay_free(struct replay_way *w);

#endif
