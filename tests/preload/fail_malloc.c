/* SPDX-License-Identifier: Apache-2.0 */
/* Fails the WEIR_FAIL_AT-th allocation after the file WEIR_FAIL_FROM came to
 * be; all before and behind it succeed. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t each);
extern void *__libc_realloc(void *p, size_t n);

static atomic_long seen;
static atomic_int armed;

static int fails(void)
{
    const char *from, *at;

    if (!atomic_load(&armed)) {
        from = getenv("WEIR_FAIL_FROM");
        if (!from || access(from, F_OK) != 0)
            return 0;
        atomic_store(&armed, 1);
    }
    at = getenv("WEIR_FAIL_AT");
    if (!at || atomic_fetch_add(&seen, 1) + 1 != strtol(at, NULL, 10))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t n)
{
    return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t each)
{
    return fails() ? NULL : __libc_calloc(n, each);
}

void *realloc(void *p, size_t n)
{
    return fails() ? NULL : __libc_realloc(p, n);
}
