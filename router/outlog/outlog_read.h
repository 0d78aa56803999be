/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a log, for `weir replay`; a server may run meanwhile. */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_READ_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_READ_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

/* All text: (arena); empty where the column is NULL. */
struct logged {
    struct span route, task, classifier, arm, reason, arms, question, features;
    struct span purpose, error;
    struct span id, key, messages, tools, params;
    bool task_given;
    int64_t status;
};

/* False: no such database, no such row, a schema without `question`. */
MUST_USE bool outlog_read(const char *path, struct span id, struct arena *a,
                          struct logged *out, struct err *e);

/* Which rows: the clients' requests of a route that were decided. */
struct outlog_part {
    const char *route;
    int64_t since_ms, until_ms; /* UTC, until excluded; 0: no limit */
};
/* Each of them by time, as the log was at the beginning, until the callback
 * wants no more, which is then a failure and filled e.  Texts are valid during
 * the callback. */
MUST_USE bool outlog_each(const char *path, const struct outlog_part *part,
                          bool (*row)(void *ctx, const struct logged *row),
                          void *ctx, struct err *e);

#endif
