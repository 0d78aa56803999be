/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_FIRST = 3328, BLOCK_MIN = 512, BLOCK_MAX = 1 << 20, ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes of data */
    size_t used;
    size_t pad; /* keeps data aligned to 16 */
    char data[];
};

void arena_init(struct arena *a, size_t cap)
{
    *a = (struct arena){.cap = cap};
}

static struct arena_block *block_new(struct arena *a, size_t n)
{
    /* A quarter of what is there: little of it is ever unused, and there are
     * tens of thousands of these while as many streams are open. */
    size_t size = a->blocks ? a->used / 4 : BLOCK_FIRST;
    struct arena_block *b;

    if (size < BLOCK_MIN)
        size = BLOCK_MIN;
    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    if (size < n)
        size = n;
    b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->next = a->blocks;
    b->size = size;
    b->used = 0;
    a->blocks = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_block *b = a->blocks;
    void *p;

    if (n > a->cap || a->cap - n < a->used)
        return NULL;
    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (n == 0)
        n = ALIGN;
    /* Something small may find room behind something large. */
    if (b && b->size - b->used < n && b->next &&
        b->next->size - b->next->used >= n)
        b = b->next;
    if (!b || b->size - b->used < n)
        b = block_new(a, n);
    if (!b)
        return NULL;
    p = b->data + b->used;
    b->used += n;
    a->used += n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    void *p;

    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    p = arena_alloc(a, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

char *arena_strdup(struct arena *a, struct span s)
{
    char *p = s.len + 1 ? arena_alloc(a, s.len + 1) : NULL;

    if (!p)
        return NULL;
    if (s.len)
        memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    return p;
}

struct span arena_copy(struct arena *a, struct span s)
{
    char *p = s.len ? arena_strdup(a, s) : NULL;

    return (struct span){p, p ? s.len : 0};
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = a->blocks;

    a->used = 0;
    if (!keep)
        return;
    while (keep->next) {
        struct arena_block *b = keep->next;

        keep->next = b->next;
        free(b);
    }
    keep->used = 0;
}

void arena_free(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;

        a->blocks = b->next;
        free(b);
    }
    a->used = 0;
}
