/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a dataset: into a file with a temporary name beside the one that
 * is wanted, which takes its place only when all of it is on the disk.  What
 * is there already and is no regular file ("-", /dev/stdout, a pipe) is
 * written to as it is.
 */
#include "base/buf.h"
#include "datasets/dataset.h"
#include "datasets/row.h"
#include "datasets/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { FLUSH_AT = 256 << 10, GZIP_LEVEL = 6 };

struct dataset_writer {
    char *path; /* (owned) */
    char *temp; /* (owned) NULL: written to in place */
    int fd;
    bool owns_fd, gzip, z_open;
    struct buf out;    /* rows not yet written */
    struct buf packed; /* what zlib made of them */
    z_stream z;
};

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);

    return n >= m && !strcmp(path + n - m, end);
}

static bool in_place(const char *path)
{
    struct stat st;

    return !strcmp(path, "-") || (stat(path, &st) == 0 && !S_ISREG(st.st_mode));
}

static bool open_temp(struct dataset_writer *w, struct err *e)
{
    if (asprintf(&w->temp, "%s.tmp-%ld", w->path, (long)getpid()) < 0) {
        w->temp = NULL;
        return err_set(e, ERR_MEMORY, "%s: no memory", w->path);
    }
    w->fd = open(w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd >= 0)
        return true;
    err_sys(e, "%s: creating", w->temp);
    free(w->temp);
    w->temp = NULL;
    return false;
}

static bool open_file(struct dataset_writer *w, struct err *e)
{
    w->owns_fd = strcmp(w->path, "-") != 0;
    if (!w->owns_fd) {
        w->fd = STDOUT_FILENO;
        return true;
    }
    if (!in_place(w->path))
        return open_temp(w, e);
    w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
    return w->fd >= 0 || err_sys(e, "%s: opening", w->path);
}

static bool open_gzip(struct dataset_writer *w, struct err *e)
{
    w->gzip = ends_in(w->path, ".gz");
    if (!w->gzip)
        return true;
    if (deflateInit2(&w->z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(e, ERR_MEMORY, "%s: no memory to pack it", w->path);
    w->z_open = true;
    return true;
}

struct dataset_writer *dataset_create(const char *path, struct err *e)
{
    struct dataset_writer *w = calloc(1, sizeof *w);

    if (!w || !(w->path = strdup(path))) {
        free(w);
        err_set(e, ERR_MEMORY, "%s: no memory", path);
        return NULL;
    }
    w->fd = -1;
    buf_init(&w->out, (size_t)SOURCE_WINDOW_MAX + FLUSH_AT);
    buf_init(&w->packed, FLUSH_AT);
    if (open_file(w, e) && open_gzip(w, e))
        return w;
    dataset_abandon(w);
    return NULL;
}

static bool put_bytes(struct dataset_writer *w, struct span bytes,
                      struct err *e)
{
    while (bytes.len) {
        ssize_t n = write(w->fd, bytes.ptr, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "%s: writing", w->path);
        bytes.ptr += n;
        bytes.len -= (size_t)n;
    }
    return true;
}

/* Feeds zlib all of the rows; finish: and the end of the stream. */
static bool pack(struct dataset_writer *w, bool finish, struct err *e)
{
    w->z.next_in = (unsigned char *)w->out.ptr;
    w->z.avail_in = (uInt)w->out.len;
    for (;;) {
        char *room;
        int rc;

        buf_reset(&w->packed);
        room = buf_room(&w->packed, FLUSH_AT);
        if (!room)
            return err_set(e, ERR_MEMORY, "%s: no memory", w->path);
        w->z.next_out = (unsigned char *)room;
        w->z.avail_out = FLUSH_AT;
        rc = deflate(&w->z, finish ? Z_FINISH : Z_NO_FLUSH);
        w->packed.len = FLUSH_AT - w->z.avail_out;
        if (!put_bytes(w, buf_view(&w->packed), e))
            return false;
        if (rc == Z_STREAM_END || (!finish && w->z.avail_out > 0))
            return true;
    }
}

static bool flush_rows(struct dataset_writer *w, bool finish, struct err *e)
{
    bool ok = w->gzip ? pack(w, finish, e) : put_bytes(w, buf_view(&w->out), e);

    buf_reset(&w->out);
    return ok;
}

bool dataset_write(struct dataset_writer *w, const struct dataset_row *row,
                   struct err *e)
{
    size_t before = w->out.len;

    if (!row_format(row, &w->out, e)) {
        w->out.len = before;
        w->out.failed = false;
        return err_wrap(e, "%s", w->path);
    }
    return w->out.len < FLUSH_AT || flush_rows(w, false, e);
}

static bool settle(struct dataset_writer *w, struct err *e)
{
    if (!flush_rows(w, true, e))
        return false;
    if (!w->owns_fd)
        return true;
    if (w->temp && fsync(w->fd) < 0)
        return err_sys(e, "%s: writing", w->path);
    if (close(w->fd) < 0) {
        w->fd = -1;
        return err_sys(e, "%s: closing", w->path);
    }
    w->fd = -1;
    if (!w->temp)
        return true;
    if (rename(w->temp, w->path) < 0)
        return err_sys(e, "%s: putting it in place", w->path);
    free(w->temp);
    w->temp = NULL;
    return true;
}

bool dataset_finish(struct dataset_writer *w, struct err *e)
{
    bool ok = settle(w, e);

    dataset_abandon(w);
    return ok;
}

void dataset_abandon(struct dataset_writer *w)
{
    if (!w)
        return;
    if (w->z_open)
        deflateEnd(&w->z);
    if (w->owns_fd && w->fd >= 0)
        close(w->fd);
    if (w->temp)
        unlink(w->temp);
    free(w->temp);
    free(w->path);
    buf_free(&w->out);
    buf_free(&w->packed);
    free(w);
}
