/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries what has been committed from the write-ahead log into the database,
 * in a thread and by a connection of its own: that waits for the disk, some
 * milliseconds or a second for each fdatasync, and who writes rows may not.
 * One object belongs to one outlog_db.
 */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_SETTLE_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_SETTLE_H

#include "base/err.h"

struct settle;

/* The database must be in WAL mode by now; it is opened when it is first
 * needed.  NULL with e: no memory, no thread. */
MUST_USE struct settle *settle_new(const char *path, struct err *e);
/* There is something to carry, in a hurry or as others leave the core to it;
 * does not wait. */
void settle_wake(struct settle *s, bool hurry);
/* Waits, and not for long, until nothing is being carried. */
void settle_wait(struct settle *s);
/* Likewise; NULL: no-op. */
void settle_free(struct settle *s);

#endif
