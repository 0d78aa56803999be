/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_guard.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { DATABASE = GUARD_SPILLS, PATH_BYTES = 8192 };

static bool lock(int fd, short kind, unsigned byte)
{
    struct flock l = {.l_type = kind,
                      .l_whence = SEEK_SET,
                      .l_start = (off_t)byte,
                      .l_len = 1};

    return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

static int open_file(const char *path)
{
    struct buf name;
    int fd;

    buf_init(&name, PATH_BYTES);
    buf_printf(&name, "%s.lock", path);
    fd = open(buf_cstr(&name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    buf_free(&name);
    return fd;
}

void guard_spill_path(const char *path, unsigned slot, struct buf *out)
{
    buf_printf(out, "%s.spill", path);
    if (slot)
        buf_printf(out, ".%u", slot);
}

static bool has_spill(const char *path, unsigned slot)
{
    struct buf name;
    bool there;

    buf_init(&name, PATH_BYTES);
    guard_spill_path(path, slot, &name);
    there = access(buf_cstr(&name), F_OK) == 0;
    buf_free(&name);
    return there;
}

/* A free spill that has rows, or has none. */
static bool take_slot(struct outlog_guard *g, const char *path, bool rows)
{
    for (unsigned i = 0; i < GUARD_SPILLS; i++) {
        if (has_spill(path, i) != rows || !lock(g->fd, F_WRLCK, i))
            continue;
        g->slot = i;
        return true;
    }
    return false;
}

/* Slot 0 writes the text: who has it was alone when it began. */
static void note_start(struct outlog_guard *g, int64_t now_ms)
{
    char text[32] = {0};
    ssize_t n = pread(g->fd, text, sizeof text - 1, 0);
    uint64_t was = 0;
    int len;

    for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
        was = was * 10 + (uint64_t)(text[i] - '0');
    g->killed_ms = was < INT64_MAX ? (int64_t)was : 0;
    len = snprintf(text, sizeof text, "%lld\n", (long long)now_ms);
    if (pwrite(g->fd, text, (size_t)len, 0) == len)
        (void)!ftruncate(g->fd, len);
}

bool guard_take(struct outlog_guard *g, const char *path, int64_t now_ms,
                struct err *e)
{
    *g = (struct outlog_guard){.fd = open_file(path)};
    if (g->fd < 0)
        return true; /* a full or read-only disk: serving goes on */
    if (!take_slot(g, path, true) && !take_slot(g, path, false)) {
        guard_release(g, false);
        return err_set(e, ERR_STATE,
                       "%s: wanted one of %d spill files, all are in use by "
                       "other servers",
                       path, GUARD_SPILLS);
    }
    if (lock(g->fd, F_WRLCK, 0))
        note_start(g, now_ms);
    if (g->slot != 0)
        (void)!lock(g->fd, F_UNLCK, 0);
    return true;
}

void guard_release(struct outlog_guard *g, bool clean)
{
    if (g->fd < 0)
        return;
    if (clean && lock(g->fd, F_WRLCK, 0))
        (void)!ftruncate(g->fd, 0);
    close(g->fd);
    g->fd = -1;
}

bool guard_share(struct outlog_guard *g)
{
    return g->fd < 0 || lock(g->fd, F_RDLCK, DATABASE);
}

void guard_unshare(struct outlog_guard *g)
{
    if (g->fd >= 0)
        (void)!lock(g->fd, F_UNLCK, DATABASE);
}

bool guard_whole(struct outlog_guard *g, const char *path, struct err *e)
{
    *g = (struct outlog_guard){.fd = open_file(path)};
    if (g->fd < 0)
        return err_sys(e, "%s.lock", path);
    if (lock(g->fd, F_WRLCK, DATABASE))
        return true;
    guard_release(g, false);
    return err_set(e, ERR_STATE, "%s: a server has it open; stop that first",
                   path);
}
