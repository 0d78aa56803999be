/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/yielding_vfs.h"

#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "base/clock.h"

enum {
    OFFER_NS = 50000,
    PAGE = 4096,       /* less is the head of a page or of the file */
    PIECE = 128 << 10, /* bytes */
    FDS_LOOKED_AT = 1024,
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
    struct stat is;      /* the file */
    int fd;              /* (borrowed) SQLite's, of any of its connections */
    sqlite3_int64 fresh; /* bytes written since the last piece was begun */
    bool is_wal;
};

static struct methods *methods_of(sqlite3_file *f)
{
    return (struct methods *)((uintptr_t)f->pMethods -
                              offsetof(struct methods, as_seen));
}

/* ---- the core ---- */

void yielder_offer(struct yielder *y)
{
    uint64_t now = clock_ns();

    if (atomic_load_explicit(&y->hurry, memory_order_relaxed) ||
        (y->until && now > y->until) || now - y->last < OFFER_NS)
        return;
    sched_yield();
    y->last = clock_ns();
}

/* ---- the disk ---- */

static bool is_open(const struct methods *m, int fd)
{
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == m->is.st_ino &&
           st.st_dev == m->is.st_dev;
}

/*
 * SQLite tells nobody its descriptors.  One of our own could not be closed
 * again: that would drop the locks that SQLite holds on the file.  So one of
 * its own is looked for, and looked at again before each use.
 */
static bool find_fd(struct methods *m)
{
    if (is_open(m, m->fd))
        return true;
    for (m->fd = 0; m->fd < FDS_LOOKED_AT; m->fd++) {
        if (is_open(m, m->fd))
            return true;
    }
    m->fd = -1;
    m->yielder->early = false;
    return false;
}

/* The kernel begins to write n bytes (0: all there is) from `at` on.  A file
 * system that cannot waits for the fdatasync. */
static void begin_writing(struct methods *m, sqlite3_int64 at, sqlite3_int64 n)
{
    if (!m->yielder->early || !find_fd(m))
        return;
    if (sync_file_range(m->fd, at, n, SYNC_FILE_RANGE_WRITE) != 0)
        m->yielder->early = false;
    m->fresh = 0;
}

static int write_file(sqlite3_file *f, const void *from, int n,
                      sqlite3_int64 at)
{
    struct methods *m = methods_of(f);
    int rc = m->below->xWrite(f, from, n, at);

    m->fresh += n;
    if (m->fresh >= PIECE)
        begin_writing(m, 0, 0);
    if (n >= PAGE)
        yielder_offer(m->yielder);
    return rc;
}

/* The write-ahead log was written through another connection. */
static int sync_file(sqlite3_file *f, int flags)
{
    struct methods *m = methods_of(f);
    sqlite3_int64 size = 0;

    if (m->is_wal && m->yielder->early)
        m->below->xFileSize(f, &size);
    for (sqlite3_int64 at = 0; at < size; at += PIECE) {
        begin_writing(m, at, PIECE);
        yielder_offer(m->yielder);
    }
    return m->below->xSync(f, flags);
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
    *m = (struct methods){.as_seen = *f->pMethods,
                          .below = f->pMethods,
                          .yielder = v->yielder,
                          .fd = -1,
                          .is_wal = flags & SQLITE_OPEN_WAL};
    if (!path || stat(path, &m->is) != 0)
        m->is = (struct stat){.st_ino = 0};
    m->as_seen.xWrite = write_file;
    m->as_seen.xSync = sync_file;
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
