/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the log's threads share a core with those that serve: after 50 us of
 * work they offer it (sched_yield), between two rows or two pages that SQLite
 * writes.  For the latter SQLite has a virtual file system; this one is its
 * default but for that and what follows (https://sqlite.org/vfs.html).
 *
 * An fdatasync of many pages is up to some milliseconds in the kernel, in
 * which nobody else gets that core, and so is the device's report that they
 * are written.  Who asks for it has the kernel begin to write each 128 kB of
 * its own accord (sync_file_range), so that there is little left for the
 * fdatasync but to wait.
 *
 * Who is in a hurry offers nothing: a thread that yields gives up its share of
 * a busy core, and would fall behind there.
 */
#ifndef WEIR_ROUTER_OUTLOG_YIELDING_VFS_H
#define WEIR_ROUTER_OUTLOG_YIELDING_VFS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"

/* Of one thread. */
struct yielder {
    atomic_bool hurry; /* any thread may set it */
    uint64_t until;    /* ns, monotonic: then it is in a hurry, too; 0: never */
    uint64_t last;     /* ns, monotonic: when the core was last offered */
    bool early;        /* files are written in pieces, before their fdatasync;
                        * that may wait for a busy disk */
};

/* Between two pieces of work. */
void yielder_offer(struct yielder *y);

struct yielding_vfs;

/* For one connection of that thread.  y is borrowed.  NULL with e: no
 * memory. */
MUST_USE struct yielding_vfs *yielding_vfs_new(struct yielder *y,
                                               struct err *e);
/* For sqlite3_open_v2(). */
const char *yielding_vfs_name(const struct yielding_vfs *v);
/* After the connection was closed; NULL: no-op. */
void yielding_vfs_free(struct yielding_vfs *v);

#endif
