/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/yielding_vfs.h"

#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "base/clock.h"

enum {
    OFFER_NS = 50000,
    PAGE = 4096, /* less is the head of a page or of the file */
};

struct yielding_vfs {
    sqlite3_vfs vfs;         /* as SQLite sees it; first */
    sqlite3_vfs *below;      /* (borrowed) SQLite's default */
    struct yielder *yielder; /* (borrowed) */
    char name[32];
};

/* Stands behind the default's own part of an open file. */
struct methods {
    sqlite3_io_methods as_seen; /* the default's, but for the writing */
    const sqlite3_io_methods *below;
    struct yielder *yielder;
};

void yielder_offer(struct yielder *y)
{
    uint64_t now = clock_ns();

    if (atomic_load_explicit(&y->hurry, memory_order_relaxed) ||
        (y->until && now > y->until) || now - y->last < OFFER_NS)
        return;
    sched_yield();
    y->last = clock_ns();
}

static int write_file(sqlite3_file *f, const void *from, int n,
                      sqlite3_int64 at)
{
    const struct methods *m = (const void *)((const char *)f->pMethods -
                                             offsetof(struct methods, as_seen));
    int rc = m->below->xWrite(f, from, n, at);

    if (n >= PAGE)
        yielder_offer(m->yielder);
    return rc;
}

/* callback: SQLite's */
static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *f,
                     int flags, int *out_flags)
{
    struct yielding_vfs *v = (struct yielding_vfs *)vfs;
    int own = vfs->szOsFile - (int)sizeof(struct methods);
    struct methods *m = (void *)((char *)f + own);
    int rc = v->below->xOpen(v->below, path, f, flags, out_flags);

    if (!f->pMethods)
        return rc;
    *m = (struct methods){*f->pMethods, f->pMethods, v->yielder};
    m->as_seen.xWrite = write_file;
    f->pMethods = &m->as_seen;
    return rc;
}

struct yielding_vfs *yielding_vfs_new(struct yielder *y, struct err *e)
{
    struct yielding_vfs *v = calloc(1, sizeof *v);
    int align = _Alignof(struct methods);

    if (!v) {
        err_set(e, ERR_MEMORY, "no memory for the log's files");
        return NULL;
    }
    v->below = sqlite3_vfs_find(NULL);
    v->yielder = y;
    v->vfs = *v->below;
    v->vfs.szOsFile = (v->below->szOsFile + align - 1) / align * align +
                      (int)sizeof(struct methods);
    v->vfs.xOpen = open_file;
    v->vfs.pNext = NULL;
    snprintf(v->name, sizeof v->name, "yielding-%p", (void *)v);
    v->vfs.zName = v->name;
    if (sqlite3_vfs_register(&v->vfs, 0) == SQLITE_OK)
        return v;
    err_set(e, ERR_MEMORY, "no memory for the log's files");
    free(v);
    return NULL;
}

const char *yielding_vfs_name(const struct yielding_vfs *v)
{
    return v->name;
}

void yielding_vfs_free(struct yielding_vfs *v)
{
    if (!v)
        return;
    sqlite3_vfs_unregister(&v->vfs);
    free(v);
}
