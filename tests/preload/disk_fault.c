/* SPDX-License-Identifier: Apache-2.0 */
/* While the file that WEIR_DISK_FAULT names is there, writes to databases
 * (*.db, *.db-wal, *.db-journal) find the disk full. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int is_full(int fd)
{
    const char *mark = getenv("WEIR_DISK_FAULT");
    char link[40], path[4096];
    ssize_t n;

    if (!mark || access(mark, F_OK) != 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return 0;
    path[n] = '\0';
    return strstr(path, ".db") && !strstr(path, ".spill") &&
           !strstr(path, ".lock") && !strstr(path, "-shm");
}

typedef ssize_t pwrite_fn(int, const void *, size_t, off_t);
typedef ssize_t write_fn(int, const void *, size_t);

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
    static pwrite_fn *real;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    if (is_full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
    static write_fn *real;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "write");
    if (is_full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, p, n);
}
