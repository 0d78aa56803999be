/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has a log's files: locks on bytes of PATH.lock, which the kernel
 * releases with the process, however it ends.
 *
 *   byte 0..7  the spill file of that number belongs to one process (an old
 *              and a new program overlap while a server is upgraded)
 *   byte 8     shared: has the database open; whole: repairs it
 *
 * The file's text is the start (UTC ms) of the process that has the first
 * spill, and is emptied at a clean end: text that is found there is a process
 * that was killed.
 */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_GUARD_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_GUARD_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum { GUARD_SPILLS = 8 };

struct outlog_guard {
    int fd;            /* -1: the lock file could not be made; nothing is
                          locked then */
    unsigned slot;     /* of the spill that is ours */
    int64_t killed_ms; /* when a process started that was killed; 0: none */
};

/* Takes a spill that nobody has, one that has rows first.  False when all
 * are taken. */
MUST_USE bool guard_take(struct outlog_guard *g, const char *path,
                         int64_t now_ms, struct err *e);
/* clean: the process ends with nothing left undone. */
void guard_release(struct outlog_guard *g, bool clean);

/* The database: shared by those who write, whole for repair.  False: the
 * other kind has it. */
MUST_USE bool guard_share(struct outlog_guard *g);
void guard_unshare(struct outlog_guard *g);
MUST_USE bool guard_whole(struct outlog_guard *g, const char *path,
                          struct err *e);

/* "PATH.spill", "PATH.spill.1", ... */
void guard_spill_path(const char *path, unsigned slot, struct buf *out);

#endif
