/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows of a time on cost, from the database and the spills: read
 * before the log is opened, and without changing anything. */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_SPENT_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_SPENT_H

#include "base/err.h"
#include "base/span.h"

struct spent_row {
    struct span purpose; /* empty: a client's request */
    struct span key_name, route, reason, arm;
    struct span arms; /* JSON of explored rows, else empty */
    int64_t cost_pico;
};

/* A row may come twice (from both), never not at all.  Spans are valid during
 * the call.  No database there: no rows, no error. */
MUST_USE bool outlog_spent(const char *path, int64_t since_ms,
                           void (*one)(void *ctx, const struct spent_row *row),
                           void *ctx, struct err *e);

#endif
