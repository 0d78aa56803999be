/* SPDX-License-Identifier: Apache-2.0 */
/* How long rows are kept, and the oldest ones' end. */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_PRUNE_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_PRUNE_H

#include "base/err.h"

#include <stdint.h>

enum { PRUNE_ROWS = 512 };

struct sqlite3;

struct retention {
    uint64_t max_age_ms; /* 0: for ever */
    uint64_t max_bytes;  /* of pages in use; 0: no limit */
};

/*
 * Removes at most PRUNE_ROWS rows with their labels, the oldest first, in one
 * transaction; *n of them.  None: nothing is left to be removed.
 * Freed pages are used again; the file does not shrink by itself.
 */
MUST_USE bool prune_rows(struct sqlite3 *h, const struct retention *r,
                         int64_t now_ms, uint64_t *n, struct err *e);

/* Bytes of pages in use. */
MUST_USE bool prune_used(struct sqlite3 *h, int64_t *bytes, struct err *e);

#endif
