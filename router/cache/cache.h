/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that were given before: a request of the same bytes, by the same
 * key, on the same route gets the same bytes back, until they are too old.
 * Bounded in bytes, shared by all workers; those longest unused go first.
 */
#ifndef WEIR_ROUTER_CACHE_CACHE_H
#define WEIR_ROUTER_CACHE_CACHE_H

#include "base/err.h"
#include "base/span.h"

enum { CACHE_KEY = 32 /* bytes: SHA-256 */ };

struct cache;

/* What was answered.  Immutable and counted. */
struct cached {
    struct span type;  /* content type */
    struct span body;  /* the client's bytes; of a stream all of its frames */
    struct span model; /* that answered, its name at the provider */
    struct span arm;
    int64_t time_ms;   /* UTC, when it was answered */
    int64_t cost_pico; /* what it cost then, and saves now */
    bool stream;
};

struct cache_stats {
    uint64_t entries, bytes, evicted;
};

/* most: bytes held, with what each entry takes beside them. */
MUST_USE struct cache *cache_new(uint64_t most, struct err *e);
void cache_free(struct cache *c); /* NULL: no-op; nothing may be borrowed */

/* The answer under the key, not older than ttl_ms; NULL: none.  To be given
 * back by cached_release. */
const struct cached *cache_get(struct cache *c, const uint8_t key[CACHE_KEY],
                               int64_t now_ms, uint64_t ttl_ms);
void cached_release(const struct cached *e); /* any thread; NULL: no-op */

/* Copies *e in, over what stood there.  False where it is larger than a
 * sixteenth of the cache, or there is no memory: it is then not kept. */
bool cache_put(struct cache *c, const uint8_t key[CACHE_KEY],
               const struct cached *e);
void cache_stats(struct cache *c, struct cache_stats *out);

#endif
