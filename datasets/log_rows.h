/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of a server's log (docs/log-format.md) with its strongest label:
 * what accounts are made from.  For training see dataset.h, which leaves out
 * what cannot be learned from.
 */
#ifndef WEIR_DATASETS_LOG_ROWS_H
#define WEIR_DATASETS_LOG_ROWS_H

#include "base/err.h"
#include "base/span.h"

/* Spans live until the callback returns; what is NULL in the log is empty,
 * NAN or -1. */
struct log_row {
    struct span id, route, session, key_name, task, classifier;
    struct span arm, model, reason, error;
    struct span purpose;   /* empty: a client's request; else why weir asked */
    struct span parent;    /* then: the id of the request that it was about */
    struct span guarantee; /* the promise as its client was told it */
    struct span arms;      /* JSON: expectations and propensities of each arm */
    int64_t time_ms;
    int64_t status;
    double propensity;
    double cost_usd;
    double input_tokens, output_tokens;
    double latency_ms;
    double score;       /* of the label, or NAN */
    struct span source; /* of the label, or empty */
    int64_t label_ms;   /* UTC, when it came; -1 */
};

struct log_range {
    int64_t since_ms, until_ms; /* since <= time < until; 0: no limit */
    const char *route;          /* NULL: all */
    bool own; /* with what weir itself asked: shadows, judges */
};

/* By time; the log may be written meanwhile and is seen as it was when
 * reading began.  False also when row() returned false, which fills e. */
MUST_USE bool log_rows_each(const char *path, const struct log_range *range,
                            bool (*row)(void *ctx, const struct log_row *r,
                                        struct err *e),
                            void *ctx, struct err *e);

#endif
