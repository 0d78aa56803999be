/* SPDX-License-Identifier: Apache-2.0 */
/* One row of a log, for `weir replay`; a server may run meanwhile. */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_READ_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_READ_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

/* All text: (arena); empty where the column is NULL. */
struct logged {
    struct span route, task, classifier, arm, reason, arms, question, features;
    struct span purpose, error;
    bool task_given;
    int64_t status;
};

/* False: no such database, no such row, a schema without `question`. */
MUST_USE bool outlog_read(const char *path, struct span id, struct arena *a,
                          struct logged *out, struct err *e);

#endif
