/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_spill.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <zlib.h>

#include "base/clock.h"

static const char MAGIC[8] = "WEIRSPL1";

/* While the disk is behind every row comes this way: records are written
 * some dozens at a time, a system call for each costs more than the row. */
enum {
    RECORD_MAX = 1 << 30,
    PENDING_MAX = 64 << 10, /* bytes */
    PENDING_MS = 100,
};

struct record {
    uint32_t len, crc, kind;
};

struct outlog_spill {
    pthread_mutex_t lock; /* everything below */
    char *path;           /* (owned) */
    int fd;               /* -1: no file */
    uint64_t max, size;   /* bytes of the file, allowed and used */
    uint64_t safe, read;  /* taken up before safe, handed out before read */
    uint64_t n, n_read;   /* records behind safe; of these handed out */
    uint64_t torn;
    struct buf pending; /* (owned) records behind size, not in the file yet */
    uint64_t since;     /* ns, monotonic: when the first of them came */
};

static uint32_t checksum(uint32_t kind, const void *bytes, size_t n)
{
    uLong crc = crc32(0, (const Bytef *)&kind, sizeof kind);

    return (uint32_t)crc32_z(crc, bytes, n);
}

/* Reads exactly n bytes. */
static bool read_at(int fd, void *to, size_t n, uint64_t at)
{
    char *p = to;

    while (n) {
        ssize_t got = pread(fd, p, n, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

/* The record at `at`; its bytes replace out's.  Returns the bytes it takes
 * in the file, 0 when there is no whole one. */
static uint64_t load(const struct outlog_spill *s, uint64_t at, uint32_t *kind,
                     struct buf *out)
{
    struct record r;
    char *to;

    if (at + sizeof r > s->size || !read_at(s->fd, &r, sizeof r, at))
        return 0;
    if (r.len > RECORD_MAX || at + sizeof r + r.len > s->size)
        return 0;
    buf_reset(out);
    to = buf_room(out, r.len);
    if (!to || !read_at(s->fd, to, r.len, at + sizeof r))
        return 0;
    if (checksum(r.kind, to, r.len) != r.crc)
        return 0;
    out->len = r.len;
    *kind = r.kind;
    return sizeof r + r.len;
}

static void forget_file(struct outlog_spill *s)
{
    if (s->fd >= 0) {
        unlink(s->path);
        close(s->fd);
    }
    s->fd = -1;
    s->size = s->safe = s->read = 0;
    s->n = s->n_read = 0;
}

/* A file without one whole record is put aside for somebody to look at. */
static void put_aside(struct outlog_spill *s)
{
    struct buf to;

    buf_init(&to, 8192);
    buf_printf(&to, "%s.bad", s->path);
    if (s->torn && !to.failed && rename(s->path, to.ptr) == 0) {
        close(s->fd);
        s->fd = -1;
    }
    buf_free(&to);
    forget_file(s);
}

/* Counts the whole records of a file that is there; returns where they end. */
static uint64_t count_records(struct outlog_spill *s)
{
    char magic[sizeof MAGIC];
    struct buf bytes;
    uint32_t kind;
    uint64_t took, at = sizeof MAGIC;

    buf_init(&bytes, RECORD_MAX);
    if (read_at(s->fd, magic, sizeof magic, 0) &&
        memcmp(magic, MAGIC, sizeof magic) == 0)
        for (; (took = load(s, at, &kind, &bytes)); at += took)
            s->n++;
    buf_free(&bytes);
    s->torn = s->size > at ? s->size - at : 0;
    return at;
}

/* Counts, and cuts off what is no whole record. */
static void survey(struct outlog_spill *s)
{
    uint64_t at = count_records(s);

    if (s->n == 0) {
        put_aside(s);
        return;
    }
    if (s->torn && ftruncate(s->fd, (off_t)at) == 0)
        s->size = at;
    s->safe = s->read = sizeof MAGIC;
}

struct outlog_spill *spill_look(const char *path, struct err *e)
{
    struct outlog_spill *s = calloc(1, sizeof *s);
    struct stat st;

    if (!s) {
        err_set(e, ERR_MEMORY, "no memory for the spill");
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st) < 0) {
        err_sys(e, "%s", path);
        spill_close(s);
        return NULL;
    }
    s->size = (uint64_t)st.st_size;
    count_records(s);
    return s;
}

struct outlog_spill *spill_open(const char *path, uint64_t max, struct err *e)
{
    struct outlog_spill *s = calloc(1, sizeof *s);
    struct stat st;

    if (!s || !(s->path = strdup(path))) {
        free(s);
        err_set(e, ERR_MEMORY, "no memory for the spill");
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    buf_init(&s->pending, PENDING_MAX);
    s->max = max;
    s->fd = open(path, O_RDWR | O_CLOEXEC);
    if (s->fd < 0 && errno != ENOENT) {
        err_sys(e, "%s", path);
        spill_close(s);
        return NULL;
    }
    if (s->fd >= 0 && fstat(s->fd, &st) == 0) {
        s->size = (uint64_t)st.st_size;
        survey(s);
    }
    return s;
}

static bool make_file(struct outlog_spill *s)
{
    s->fd = open(s->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (s->fd < 0)
        return false;
    if (pwrite(s->fd, MAGIC, sizeof MAGIC, 0) != sizeof MAGIC) {
        forget_file(s);
        return false;
    }
    s->size = s->safe = s->read = sizeof MAGIC;
    return true;
}

/* All of it or nothing: behind a torn record nothing could be read. */
static bool write_end(struct outlog_spill *s, struct span bytes)
{
    if (s->fd < 0 && !make_file(s))
        return false;
    if (pwrite(s->fd, bytes.ptr, bytes.len, (off_t)s->size) !=
        (ssize_t)bytes.len) {
        if (ftruncate(s->fd, (off_t)s->size) != 0)
            s->max = s->size;
        return false;
    }
    s->size += bytes.len;
    return true;
}

/* What cannot be written now stays, and nothing more is taken meanwhile. */
static bool flush(struct outlog_spill *s)
{
    if (s->pending.len == 0)
        return true;
    if (!write_end(s, buf_view(&s->pending)))
        return false;
    buf_reset(&s->pending);
    return true;
}

static bool put_direct(struct outlog_spill *s, const struct record *r,
                       struct span bytes)
{
    struct buf all;
    bool ok;

    buf_init(&all, RECORD_MAX + sizeof *r);
    buf_put(&all, r, sizeof *r);
    buf_span(&all, bytes);
    ok = !all.failed && write_end(s, buf_view(&all));
    buf_free(&all);
    return ok;
}

static bool put_pending(struct outlog_spill *s, const struct record *r,
                        struct span bytes)
{
    size_t before = s->pending.len;
    uint64_t now = clock_ns();

    buf_put(&s->pending, r, sizeof *r);
    buf_span(&s->pending, bytes);
    if (s->pending.failed) {
        s->pending.failed = false;
        s->pending.len = before;
        return false;
    }
    if (before == 0)
        s->since = now;
    else if (now - s->since >= (uint64_t)PENDING_MS * 1000000)
        (void)!flush(s);
    return true;
}

static bool put(struct outlog_spill *s, uint32_t kind, struct span bytes)
{
    struct record r = {(uint32_t)bytes.len,
                       checksum(kind, bytes.ptr, bytes.len), kind};
    size_t want = sizeof r + bytes.len;
    bool ok;

    if (bytes.len > RECORD_MAX || s->size + s->pending.len + want > s->max)
        return false;
    if (s->fd < 0 && !make_file(s))
        return false;
    if (s->pending.len + want > PENDING_MAX && !flush(s))
        return false;
    ok = want > PENDING_MAX ? put_direct(s, &r, bytes)
                            : put_pending(s, &r, bytes);
    s->n += ok;
    return ok;
}

void spill_close(struct outlog_spill *s)
{
    if (!s)
        return;
    (void)!flush(s);
    if (s->fd >= 0)
        close(s->fd);
    buf_free(&s->pending);
    pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}

bool spill_flush(struct outlog_spill *s)
{
    bool ok;

    pthread_mutex_lock(&s->lock);
    ok = flush(s);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool spill_put(struct outlog_spill *s, unsigned kind, struct span bytes)
{
    bool ok;

    pthread_mutex_lock(&s->lock);
    ok = put(s, kind, bytes);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool spill_next(struct outlog_spill *s, unsigned *kind, struct buf *out)
{
    uint32_t k = 0;
    uint64_t took;

    pthread_mutex_lock(&s->lock);
    if (s->read >= s->size)
        (void)!flush(s);
    took = s->fd >= 0 ? load(s, s->read, &k, out) : 0;
    s->read += took;
    s->n_read += took > 0;
    pthread_mutex_unlock(&s->lock);
    *kind = k;
    return took > 0;
}

void spill_accept(struct outlog_spill *s)
{
    pthread_mutex_lock(&s->lock);
    s->safe = s->read;
    s->n -= s->n_read;
    s->n_read = 0;
    if (s->fd >= 0 && s->safe >= s->size && s->pending.len == 0)
        forget_file(s);
    pthread_mutex_unlock(&s->lock);
}

void spill_rewind(struct outlog_spill *s)
{
    pthread_mutex_lock(&s->lock);
    s->read = s->safe;
    s->n_read = 0;
    pthread_mutex_unlock(&s->lock);
}

uint64_t spill_waiting(struct outlog_spill *s)
{
    uint64_t n;

    pthread_mutex_lock(&s->lock);
    n = s->n;
    pthread_mutex_unlock(&s->lock);
    return n;
}

uint64_t spill_torn(struct outlog_spill *s)
{
    return s->torn;
}
