/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that lives and dies together: one arena per request, freed in one
 * place.  Capped: beyond `cap` bytes an allocation gives NULL, and the caller
 * answers for it (the router with 503, a command with an error).
 * Not thread-safe; pointers die at arena_reset() and arena_free().
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "base/err.h"
#include "base/span.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* (owned) newest first */
    size_t used;                /* bytes handed out, with padding */
    size_t cap;                 /* bytes at the most */
};

/* Takes no memory yet.  cap in bytes. */
void arena_init(struct arena *a, size_t cap);
/* n bytes aligned to 16, not cleared; NULL when out of memory or cap. */
MUST_USE void *arena_alloc(struct arena *a, size_t n);
/* n * size bytes, cleared; NULL as above or on overflow. */
MUST_USE void *arena_zalloc(struct arena *a, size_t n, size_t size);
/* A NUL-terminated copy; NULL as above. */
MUST_USE char *arena_strdup(struct arena *a, struct span s);
/* A copy as a span; {NULL,0} as above (or where s is empty). */
struct span arena_copy(struct arena *a, struct span s);
/* Forgets all, keeps the newest block for use. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
