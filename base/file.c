/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 16 };

static bool read_all(int fd, struct buf *out, struct err *e)
{
    char piece[PIECE];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "reading");
        if ((size_t)n > out->max - out->len)
            return err_set(e, ERR_LIMIT, "more than %zu bytes", out->max);
        buf_put(out, piece, (size_t)n);
    }
    return !out->failed || err_set(e, ERR_MEMORY, "no memory");
}

bool file_read(const char *path, struct buf *out, struct err *e)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "%s", path);
    bool ok = read_all(fd, out, e) || err_wrap(e, "%s", path);
    if (!standard)
        close(fd);
    return ok;
}

static bool write_all(int fd, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes.ptr += n;
        bytes.len -= (size_t)n;
    }
    return true;
}

static bool write_direct(const char *path, struct span bytes, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write_all(fd, bytes);
    if (!ok)
        err_sys(e, "%s", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool file_write(const char *path, struct span bytes, struct err *e)
{
    struct stat st;
    char *temp = NULL;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return write_direct(path, bytes, e);
    if (asprintf(&temp, "%s.%ld.tmp", path, (long)getpid()) < 0)
        return err_set(e, ERR_MEMORY, "no memory");
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && write_all(fd, bytes) && fsync(fd) == 0;
    if (fd >= 0 && close(fd) != 0)
        ok = false;
    ok = ok && rename(temp, path) == 0;
    if (!ok) {
        err_sys(e, "%s", path);
        if (fd >= 0)
            unlink(temp);
    }
    free(temp);
    return ok;
}
