/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 256 << 10 };

struct source {
    char *name; /* (owned) for messages */
    int fd;
    bool owns_fd;
    uint64_t read, size; /* bytes of the file on disk */
    char head[SOURCE_HEAD];
    size_t n_head;

    unsigned char *in; /* (owned) [CHUNK] as read: the first chunk, or gzip */
    size_t in_at, in_end;
    bool gzip, z_open, z_member; /* z_member: inside a member */
    z_stream z;

    char *window; /* (owned) [cap] */
    size_t start, end, cap;
    uint64_t line;
    size_t scanned; /* bytes of the view without a line end */
    bool skipping;  /* inside a line that was too long */
};

static bool read_chunk(struct source *s, void *dst, size_t size, size_t *n,
                       struct err *e)
{
    ssize_t got;

    do
        got = read(s->fd, dst, size);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_sys(e, "%s: reading", s->name);
    *n = (size_t)got;
    s->read += *n;
    return true;
}

static bool begin_gzip(struct source *s, struct err *e)
{
    if (inflateInit2(&s->z, 15 + 16) != Z_OK)
        return err_set(e, ERR_MEMORY, "%s: no memory to unpack it", s->name);
    s->gzip = s->z_open = true;
    return true;
}

/* The first chunk decides what the file is. */
static bool begin(struct source *s, const char *path, struct err *e)
{
    struct stat st;
    bool std_in = !strcmp(path, "-");

    s->fd = std_in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    s->owns_fd = !std_in;
    if (s->fd < 0)
        return err_sys(e, "%s: opening", path);
    if (fstat(s->fd, &st) < 0)
        return err_sys(e, "%s: looking at it", s->name);
    if (S_ISDIR(st.st_mode))
        return err_set(e, ERR_INPUT, "%s: wanted a file, found a directory",
                       path);
    if (S_ISREG(st.st_mode))
        s->size = (uint64_t)st.st_size;
    while (s->in_end < SOURCE_HEAD) {
        size_t n;

        if (!read_chunk(s, s->in + s->in_end, CHUNK - s->in_end, &n, e))
            return false;
        if (n == 0)
            break;
        s->in_end += n;
    }
    s->n_head = s->in_end < SOURCE_HEAD ? s->in_end : SOURCE_HEAD;
    memcpy(s->head, s->in, s->n_head);
    if (s->n_head >= 2 && !memcmp(s->head, "\x1f\x8b", 2))
        return begin_gzip(s, e);
    return true;
}

struct source *source_open(const char *path, struct err *e)
{
    struct source *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(e, ERR_MEMORY, "%s: no memory", path);
        return NULL;
    }
    s->fd = -1;
    s->name = strdup(!strcmp(path, "-") ? "standard input" : path);
    s->in = malloc(CHUNK);
    s->window = malloc(CHUNK);
    s->cap = CHUNK;
    if (!s->name || !s->in || !s->window) {
        err_set(e, ERR_MEMORY, "%s: no memory", path);
    } else if (begin(s, path, e)) {
        return s;
    }
    source_close(s);
    return NULL;
}

void source_close(struct source *s)
{
    if (!s)
        return;
    if (s->z_open)
        inflateEnd(&s->z);
    if (s->owns_fd && s->fd >= 0)
        close(s->fd);
    free(s->window);
    free(s->in);
    free(s->name);
    free(s);
}

const char *source_name(const struct source *s)
{
    return s->name;
}

struct span source_head(const struct source *s)
{
    return (struct span){s->head, s->n_head};
}

void source_progress(const struct source *s, uint64_t *read, uint64_t *size)
{
    *read = s->read;
    *size = s->size;
}

struct span source_view(const struct source *s)
{
    return (struct span){s->window + s->start, s->end - s->start};
}

void source_take(struct source *s, size_t n)
{
    s->start += n;
    s->scanned = s->scanned > n ? s->scanned - n : 0;
}

/* ---- filling the window ---- */

static bool plain(struct source *s, size_t *n, struct err *e)
{
    size_t room = s->cap - s->end;

    if (s->in_at == s->in_end)
        return read_chunk(s, s->window + s->end, room, n, e);
    *n = s->in_end - s->in_at < room ? s->in_end - s->in_at : room;
    memcpy(s->window + s->end, s->in + s->in_at, *n);
    s->in_at += *n;
    return true;
}

/* Makes sure that there is packed input; *n = 0 at the end of the file. */
static bool packed(struct source *s, size_t *n, struct err *e)
{
    if (s->in_at == s->in_end) {
        if (!read_chunk(s, s->in, CHUNK, &s->in_end, e))
            return false;
        s->in_at = 0;
    }
    *n = s->in_end - s->in_at;
    return true;
}

/* One step of zlib; *n: bytes that came out. */
static bool inflate_step(struct source *s, size_t *n, struct err *e)
{
    size_t room = s->cap - s->end;
    int rc;

    s->z.next_in = s->in + s->in_at;
    s->z.avail_in = (uInt)(s->in_end - s->in_at);
    s->z.next_out = (unsigned char *)s->window + s->end;
    s->z.avail_out = (uInt)room;
    rc = inflate(&s->z, Z_NO_FLUSH);
    s->in_at = s->in_end - s->z.avail_in;
    *n = room - s->z.avail_out;
    if (rc == Z_STREAM_END) {
        s->z_member = false;
        inflateReset(&s->z);
        return true;
    }
    s->z_member = true;
    if (rc == Z_OK || rc == Z_BUF_ERROR)
        return true;
    return err_set(e, ERR_INPUT, "%s: damaged gzip data before byte %llu (%s)",
                   s->name, (unsigned long long)(s->read - s->z.avail_in),
                   s->z.msg ? s->z.msg : "no reason given");
}

static bool unpack(struct source *s, size_t *n, struct err *e)
{
    size_t in;

    *n = 0;
    while (*n == 0) {
        if (!packed(s, &in, e))
            return false;
        if (in == 0 && !s->z_member)
            return true;
        if (in == 0)
            return err_set(e, ERR_INPUT,
                           "%s: wanted the rest of the gzip data, found the "
                           "end of the file",
                           s->name);
        if (!inflate_step(s, n, e))
            return false;
    }
    return true;
}

static enum source_end make_room(struct source *s, struct err *e)
{
    char *bigger;
    size_t cap;

    if (s->start > 0) {
        memmove(s->window, s->window + s->start, s->end - s->start);
        s->end -= s->start;
        s->start = 0;
    }
    if (s->cap - s->end >= CHUNK / 4)
        return SOURCE_MORE;
    cap = s->cap * 2 < SOURCE_WINDOW_MAX ? s->cap * 2 : SOURCE_WINDOW_MAX;
    if (cap == s->cap)
        return s->end < s->cap ? SOURCE_MORE : SOURCE_LIMIT;
    bigger = realloc(s->window, cap);
    if (!bigger) {
        err_set(e, ERR_MEMORY, "%s: no memory for a record of %zu bytes",
                s->name, s->end);
        return SOURCE_FAIL;
    }
    s->window = bigger;
    s->cap = cap;
    return SOURCE_MORE;
}

enum source_end source_more(struct source *s, struct err *e)
{
    enum source_end room = make_room(s, e);
    size_t n;

    if (room != SOURCE_MORE)
        return room;
    if (!(s->gzip ? unpack(s, &n, e) : plain(s, &n, e)))
        return SOURCE_FAIL;
    s->end += n;
    return n ? SOURCE_MORE : SOURCE_END;
}

/* ---- lines ---- */

static void skip_bom(struct source *s)
{
    struct span v = source_view(s);

    if (s->line == 0 && v.len >= 3 && !memcmp(v.ptr, "\xef\xbb\xbf", 3))
        source_take(s, 3);
}

/* Looks for a line end in what was not looked at yet. */
static bool cut_line(struct source *s, struct span *line)
{
    struct span v = source_view(s);
    const char *lf = memchr(v.ptr + s->scanned, '\n', v.len - s->scanned);

    if (!lf) {
        s->scanned = v.len;
        return false;
    }
    *line = (struct span){v.ptr, (size_t)(lf - v.ptr)};
    source_take(s, line->len + 1);
    s->scanned = 0;
    return true;
}

static int too_long(struct source *s, struct err *e)
{
    source_take(s, source_view(s).len);
    s->skipping = true;
    s->line++;
    err_set(e, ERR_LIMIT,
            "%s:%llu: wanted a line of at most %d MiB, found a longer one",
            s->name, (unsigned long long)s->line, SOURCE_WINDOW_MAX >> 20);
    return -1;
}

static int finish_line(struct source *s, struct span *line)
{
    if (s->skipping) {
        s->skipping = false;
        return 2;
    }
    if (line->len && line->ptr[line->len - 1] == '\r')
        line->len--;
    s->line++;
    return 1;
}

/* As source_line; 2: the end of a line that was too long was passed. */
static int line_step(struct source *s, struct span *line, struct err *e)
{
    for (;;) {
        enum source_end end;

        skip_bom(s);
        if (cut_line(s, line))
            return finish_line(s, line);
        if (s->skipping)
            source_take(s, source_view(s).len);
        end = source_more(s, e);
        if (end == SOURCE_FAIL)
            return -2;
        if (end == SOURCE_LIMIT)
            return too_long(s, e);
        if (end == SOURCE_END)
            break;
    }
    *line = source_view(s);
    if (line->len == 0)
        return 0;
    source_take(s, line->len);
    return finish_line(s, line);
}

int source_line(struct source *s, struct span *line, struct err *e)
{
    int got;

    do
        got = line_step(s, line, e);
    while (got == 2);
    return got;
}

uint64_t source_line_number(const struct source *s)
{
    return s->line;
}
