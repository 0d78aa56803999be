/* SPDX-License-Identifier: Apache-2.0 */
#include "models/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

static bool path_of(const char *classifier, char dst[PATH_MAX], struct err *e)
{
    int n = snprintf(dst, PATH_MAX, "%s.journal", classifier);

    return (n > 0 && n < PATH_MAX) ||
           err_set(e, ERR_USAGE, "%s: the path is too long", classifier);
}

/* A line that a loss of power cut off must not swallow the next one. */
static bool is_open_line(int fd)
{
    char last = '\n';
    off_t end = lseek(fd, 0, SEEK_END);

    return end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n';
}

bool journal_append(const char *classifier, struct span entry, struct err *e)
{
    char path[PATH_MAX];
    struct buf line;
    int fd;
    bool ok;

    if (!path_of(classifier, path, e))
        return false;
    fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(e, "%s", path);
    buf_init(&line, entry.len + 2);
    if (is_open_line(fd))
        buf_char(&line, '\n');
    buf_span(&line, entry);
    buf_char(&line, '\n');
    ok = !line.failed && write(fd, line.ptr, line.len) == (ssize_t)line.len &&
         fsync(fd) == 0;
    if (!ok)
        err_sys(e, "%s", path);
    buf_free(&line);
    close(fd);
    return ok;
}

static bool tail(const char *path, struct buf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    off_t from = size > JOURNAL_TAIL ? size - JOURNAL_TAIL : 0;
    char *room;
    ssize_t n = -1;

    if (fd < 0)
        return errno == ENOENT || err_sys(e, "%s", path);
    room = size >= 0 ? buf_room(out, JOURNAL_TAIL) : NULL;
    if (room)
        n = pread(fd, room, JOURNAL_TAIL, from);
    if (n >= 0)
        out->len += (size_t)n;
    else
        err_sys(e, "%s", path);
    close(fd);
    return n >= 0;
}

static bool is_wanted(struct span line, const char *member)
{
    struct json v, m;

    if (!line.len || !json_parse(line, &v, NULL) || v.type != JSON_OBJECT)
        return false;
    m = member ? json_get(&v, member) : v;
    return m.type != JSON_NONE;
}

bool journal_last(const char *classifier, const char *member, struct buf *out,
                  struct err *e)
{
    char path[PATH_MAX];
    struct buf all;
    struct span rest, found = {NULL, 0};

    if (!path_of(classifier, path, e))
        return false;
    buf_init(&all, JOURNAL_TAIL + 1);
    if (!tail(path, &all, e)) {
        buf_free(&all);
        return false;
    }
    /* What stands behind the last newline is not whole. */
    rest = buf_view(&all);
    while (rest.len && memchr(rest.ptr, '\n', rest.len)) {
        struct span line = span_cut(&rest, '\n');

        if (is_wanted(line, member))
            found = line;
    }
    buf_span(out, found);
    buf_free(&all);
    return true;
}
