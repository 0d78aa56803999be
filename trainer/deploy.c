/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/deploy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool suffixed(const char *path, const char *suffix, char *dst,
                     size_t size)
{
    int n = snprintf(dst, size, "%s.%s", path, suffix);

    return n > 0 && (size_t)n < size;
}

bool deploy_kept(const char *path, unsigned number, char *dst, size_t size)
{
    char digits[16];

    snprintf(digits, sizeof digits, "%u", number);
    return suffixed(path, digits, dst, size);
}

static bool too_long(const char *path, struct err *e)
{
    return err_set(e, ERR_USAGE, "%s: the path is too long", path);
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

static bool write_beside(const char *temp, struct span bytes, struct err *e)
{
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write_all(fd, bytes) && fsync(fd) == 0;

    if (!ok)
        err_sys(e, "%s", temp);
    if (fd >= 0 && close(fd) != 0 && ok)
        ok = err_sys(e, "%s", temp);
    if (!ok && fd >= 0)
        unlink(temp);
    return ok;
}

/* FILE.4 -> FILE.5 ... FILE.1 -> FILE.2; what is not there is skipped. */
static bool shift_up(const char *path, struct err *e)
{
    char from[PATH_MAX], to[PATH_MAX];

    for (unsigned k = DEPLOY_KEPT; k-- > 1;) {
        if (!deploy_kept(path, k, from, sizeof from) ||
            !deploy_kept(path, k + 1, to, sizeof to))
            return too_long(path, e);
        if (rename(from, to) != 0 && errno != ENOENT)
            return err_sys(e, "%s", from);
    }
    return true;
}

/* Gives the file a second name, so that the first is never missing; a file
 * system without links has it moved instead. */
static bool keep_as(const char *path, const char *name, struct err *e)
{
    unlink(name);
    if (link(path, name) == 0 || errno == ENOENT)
        return true;
    if (rename(path, name) == 0)
        return true;
    return err_sys(e, "keeping %s as %s", path, name);
}

bool deploy_write(const char *path, struct span bytes, struct err *e)
{
    char temp[PATH_MAX], kept[PATH_MAX], suffix[32];

    snprintf(suffix, sizeof suffix, "tmp%ld", (long)getpid());
    if (!suffixed(path, suffix, temp, sizeof temp) ||
        !deploy_kept(path, 1, kept, sizeof kept))
        return too_long(path, e);
    if (!write_beside(temp, bytes, e))
        return false;
    if (access(path, F_OK) == 0 &&
        (!shift_up(path, e) || !keep_as(path, kept, e))) {
        unlink(temp);
        return false;
    }
    if (rename(temp, path) == 0)
        return true;
    err_sys(e, "%s", path);
    unlink(temp);
    return false;
}

bool deploy_rollback(const char *path, struct err *e)
{
    char from[PATH_MAX], to[PATH_MAX];

    if (!suffixed(path, "undone", to, sizeof to) ||
        !deploy_kept(path, 1, from, sizeof from))
        return too_long(path, e);
    if (access(from, F_OK) != 0)
        return err_sys(e, "%s", from);
    if (!keep_as(path, to, e))
        return false;
    if (rename(from, path) != 0)
        return err_sys(e, "%s", from);
    for (unsigned k = 1; k < DEPLOY_KEPT; k++) {
        if (!deploy_kept(path, k + 1, from, sizeof from) ||
            !deploy_kept(path, k, to, sizeof to))
            return too_long(path, e);
        if (rename(from, to) != 0 && errno != ENOENT)
            return err_sys(e, "%s", from);
    }
    return true;
}
