/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of served requests, as it becomes known: labels as they come
 * into the log (feedback through this server, judges, other programs), each
 * with what was predicted of the arm that answered, shadows by their request's
 * predictions.  A connection of its own
 * that only reads: it never keeps the writer waiting.  One thread.
 */
#ifndef WEIR_ROUTER_OUTLOG_LABEL_FEED_H
#define WEIR_ROUTER_OUTLOG_LABEL_FEED_H

#include "base/err.h"
#include "base/span.h"

enum {
    LABEL_FEED_BATCH = 1000,  /* labels of one look */
    LABEL_FEED_BEFORE = 5000, /* labels of before that the first looks see */
    LABEL_FEED_ROWS = 2000,   /* newest rows that label_feed_void() looks at */
};

struct label_feed;

struct fed_label {
    struct span route, classifier; /* (borrowed) until the call is over */
    struct span arm;               /* (borrowed) that answered */
    bool shadow;             /* beside the one that the request was given */
    double predicted, score; /* of that arm */
};

/* NULL: no memory.  The database is opened at the first look. */
MUST_USE struct label_feed *label_feed_new(const char *path);
void label_feed_free(struct label_feed *f); /* NULL: no-op */

/* Each request's first label that came since the last look, where the row
 * has a prediction; signals do not count, they only speak against answers.
 * False where the database is away: the next look begins there. */
MUST_USE bool label_feed_look(struct label_feed *f,
                              void (*label)(void *ctx,
                                            const struct fed_label *l),
                              void *ctx, struct err *e);

/* Routes and classifiers whose newest rows say that a promise is void by
 * drift (`cause`: its word), newest first; perhaps more than once. */
MUST_USE bool label_feed_void(struct label_feed *f,
                              void (*is_void)(void *ctx, struct span route,
                                              struct span classifier,
                                              struct span cause),
                              void *ctx, struct err *e);

#endif
