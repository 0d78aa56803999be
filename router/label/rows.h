/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows of the log are to be judged, in which order, and their texts. */
#ifndef WEIR_ROUTER_LABEL_ROWS_H
#define WEIR_ROUTER_LABEL_ROWS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum { LABEL_ID = 64 };

struct label_todo {
    char id[LABEL_ID]; /* the row; of a pair the shadow one */
    double key;        /* the larger, the sooner */
};

struct label_wanted {
    const char *judge, *route; /* route NULL: all */
    bool pairs;
    int64_t since_ms;
};

/* Rows with texts that this judge has not judged so yet, those where the
 * predictions of arms disagree most the likelier to come first; the order is
 * the same at every call.  *list is (owned), [*n]. */
MUST_USE bool label_todos(const char *log, const struct label_wanted *w,
                          struct label_todo **list, size_t *n, struct err *e);
/* Requests that an arm answered well, with texts or without. */
MUST_USE bool label_served(const char *log, int64_t *n, struct err *e);

/* A row's texts; spans into `all`. */
struct label_texts {
    struct buf all; /* (owned) */
    struct span messages, answer, other, arm, other_arm;
    struct span request; /* the client's id: its own, or its parent's */
    bool found;
};
MUST_USE bool label_read(const char *log, const char *id,
                         struct label_texts *out, struct err *e);

/* The share by which predictions of quality in `arms` (JSON of the log)
 * differ, 0 where fewer than two are known. */
double label_disagreement(struct span arms);

#endif
