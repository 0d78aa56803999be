/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded (LD_PRELOAD): counts the allocations of a program, which asks
 * for the number by dlsym("count_malloc_calls"). */
#include <stdatomic.h>
#include <stddef.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
unsigned long count_malloc_calls(void);
void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);

static atomic_ulong calls;

unsigned long count_malloc_calls(void)
{
    return atomic_load(&calls);
}

void *malloc(size_t n)
{
    atomic_fetch_add(&calls, 1);
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    atomic_fetch_add(&calls, 1);
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    atomic_fetch_add(&calls, 1);
    return __libc_realloc(p, n);
}
