/* SPDX-License-Identifier: Apache-2.0 */
#include "router/cache/cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 16, BUCKETS_MIN = 64, BYTES_A_BUCKET = 4096 };

/* Its texts stand behind it. */
struct entry {
    struct cached is; /* first: a const struct cached * is the entry */
    _Atomic unsigned refs;
    uint8_t key[CACHE_KEY];
    size_t size;
    struct entry *next;          /* of its bucket */
    struct entry *newer, *older; /* by use */
};

struct shard {
    pthread_mutex_t lock;
    struct entry **buckets; /* (owned) [n_buckets] */
    uint64_t n_buckets;     /* a power of two */
    struct entry *newest, *oldest;
    uint64_t bytes, most, entries, evicted;
};

struct cache {
    struct shard shards[SHARDS];
};

struct cache *cache_new(uint64_t most, struct err *e)
{
    struct cache *c = calloc(1, sizeof *c);
    uint64_t n = BUCKETS_MIN;

    while (n * BYTES_A_BUCKET * SHARDS < most)
        n *= 2;
    for (unsigned i = 0; c && i < SHARDS; i++) {
        struct shard *s = &c->shards[i];

        pthread_mutex_init(&s->lock, NULL);
        s->most = most / SHARDS;
        s->n_buckets = n;
        s->buckets = calloc(n, sizeof *s->buckets);
        if (!s->buckets) {
            cache_free(c);
            c = NULL;
        }
    }
    if (!c)
        err_set(e, ERR_MEMORY, "cache: no memory for its tables");
    return c;
}

void cached_release(const struct cached *is)
{
    /* What cache_get gave out is an entry of ours. */
    struct entry *e = (struct entry *)(uintptr_t)is;

    if (e && atomic_fetch_sub(&e->refs, 1) == 1)
        free(e);
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *s = &c->shards[i];

        for (struct entry *e = s->newest, *next; e; e = next) {
            next = e->older;
            cached_release(&e->is);
        }
        free(s->buckets);
        pthread_mutex_destroy(&s->lock);
    }
    free(c);
}

/* ---- one shard, under its lock ---- */

static struct shard *shard_of(struct cache *c, const uint8_t *key)
{
    return &c->shards[key[0] & (SHARDS - 1)];
}

static struct entry **bucket_of(struct shard *s, const uint8_t *key)
{
    uint64_t h;

    memcpy(&h, key + 8, sizeof h);
    return &s->buckets[h & (s->n_buckets - 1)];
}

static struct entry **find(struct shard *s, const uint8_t *key)
{
    struct entry **at = bucket_of(s, key);

    while (*at && memcmp((*at)->key, key, CACHE_KEY) != 0)
        at = &(*at)->next;
    return at;
}

static void unlink_use(struct shard *s, struct entry *e)
{
    *(e->newer ? &e->newer->older : &s->newest) = e->older;
    *(e->older ? &e->older->newer : &s->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void link_newest(struct shard *s, struct entry *e)
{
    e->older = s->newest;
    e->newer = NULL;
    *(s->newest ? &s->newest->newer : &s->oldest) = e;
    s->newest = e;
}

static void take_out(struct shard *s, struct entry **at)
{
    struct entry *e = *at;

    *at = e->next;
    unlink_use(s, e);
    s->bytes -= e->size;
    s->entries--;
    cached_release(&e->is);
}

const struct cached *cache_get(struct cache *c, const uint8_t key[CACHE_KEY],
                               int64_t now_ms, uint64_t ttl_ms)
{
    struct shard *s = shard_of(c, key);
    struct entry **at, *found;

    pthread_mutex_lock(&s->lock);
    at = find(s, key);
    found = *at;
    if (found && (now_ms < found->is.time_ms ||
                  (uint64_t)(now_ms - found->is.time_ms) > ttl_ms)) {
        take_out(s, at);
        found = NULL;
    }
    if (found) {
        atomic_fetch_add(&found->refs, 1);
        unlink_use(s, found);
        link_newest(s, found);
    }
    pthread_mutex_unlock(&s->lock);
    return found ? &found->is : NULL;
}

/* ---- filling ---- */

static struct span put_text(char **at, struct span text)
{
    struct span copy = {*at, text.len};

    if (text.len)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

static struct entry *copy_of(const uint8_t *key, const struct cached *is,
                             size_t size)
{
    struct entry *e = malloc(size);
    char *at;

    if (!e)
        return NULL;
    at = (char *)(e + 1);
    *e = (struct entry){.is = *is, .size = size};
    e->is.type = put_text(&at, is->type);
    e->is.body = put_text(&at, is->body);
    e->is.model = put_text(&at, is->model);
    e->is.arm = put_text(&at, is->arm);
    memcpy(e->key, key, CACHE_KEY);
    atomic_init(&e->refs, 1);
    return e;
}

bool cache_put(struct cache *c, const uint8_t key[CACHE_KEY],
               const struct cached *is)
{
    struct shard *s = shard_of(c, key);
    size_t size = sizeof(struct entry) + is->type.len + is->body.len +
                  is->model.len + is->arm.len;
    struct entry *e, **at;

    if (size > s->most)
        return false;
    e = copy_of(key, is, size);
    if (!e)
        return false;
    pthread_mutex_lock(&s->lock);
    at = find(s, key);
    if (*at)
        take_out(s, at);
    while (s->oldest && s->bytes + size > s->most) {
        take_out(s, find(s, s->oldest->key));
        s->evicted++;
    }
    at = bucket_of(s, key);
    e->next = *at;
    *at = e;
    link_newest(s, e);
    s->bytes += size;
    s->entries++;
    pthread_mutex_unlock(&s->lock);
    return true;
}

void cache_stats(struct cache *c, struct cache_stats *out)
{
    *out = (struct cache_stats){0};
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *s = &c->shards[i];

        pthread_mutex_lock(&s->lock);
        out->entries += s->entries;
        out->bytes += s->bytes;
        out->evicted += s->evicted;
        pthread_mutex_unlock(&s->lock);
    }
}
