/* SPDX-License-Identifier: Apache-2.0 */
#include "router/gate/rate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60000000000ULL /* ns */

struct rate {
    struct rate *next; /* (owned) */
    char *key;         /* (owned) */
    /* When all that was taken is given back, ns monotonic. */
    _Atomic uint64_t requests, tokens;
};

struct rate_book {
    pthread_mutex_t lock;
    struct rate *first; /* (owned) under lock */
};

struct rate_book *rate_book_new(void)
{
    struct rate_book *b = calloc(1, sizeof *b);

    if (b)
        pthread_mutex_init(&b->lock, NULL);
    return b;
}

void rate_book_free(struct rate_book *b)
{
    if (!b)
        return;
    while (b->first) {
        struct rate *next = b->first->next;

        free(b->first->key);
        free(b->first);
        b->first = next;
    }
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static struct rate *add(struct rate_book *book, const char *key)
{
    struct rate *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->key = strdup(key);
    if (!r->key) {
        free(r);
        return NULL;
    }
    r->next = book->first;
    book->first = r;
    return r;
}

struct rate *rate_of(struct rate_book *book, const char *key)
{
    struct rate *r;

    pthread_mutex_lock(&book->lock);
    for (r = book->first; r && strcmp(r->key, key) != 0;)
        r = r->next;
    if (!r)
        r = add(book, key);
    pthread_mutex_unlock(&book->lock);
    return r;
}

/* Time that n of so many a minute take, at most a day. */
static uint64_t time_of(uint64_t n, uint64_t per_minute)
{
    double ns = (double)n * (double)MINUTE / (double)per_minute;

    return ns < 1440.0 * MINUTE ? (uint64_t)ns : 1440 * MINUTE;
}

static uint64_t ms_above(uint64_t at, uint64_t now)
{
    return at > now ? (at - now + 999999) / 1000000 : 0;
}

uint64_t rate_take_request(struct rate *r, uint64_t per_minute, uint64_t now_ns)
{
    uint64_t was = atomic_load_explicit(&r->requests, memory_order_relaxed);
    uint64_t next, wait;

    if (per_minute == 0)
        return 0;
    do {
        next = (was > now_ns ? was : now_ns) + time_of(1, per_minute);
        wait = ms_above(next, now_ns + MINUTE + 1000);
        if (wait)
            return wait;
    } while (!atomic_compare_exchange_weak(&r->requests, &was, next));
    return 0;
}

uint64_t rate_tokens_wait(const struct rate *r, uint64_t per_minute,
                          uint64_t now_ns)
{
    uint64_t at = atomic_load_explicit(&r->tokens, memory_order_relaxed);

    return per_minute ? ms_above(at + 1, now_ns + MINUTE) : 0;
}

void rate_use_tokens(struct rate *r, uint64_t tokens, uint64_t per_minute,
                     uint64_t now_ns)
{
    uint64_t was = atomic_load_explicit(&r->tokens, memory_order_relaxed);
    uint64_t next;

    if (per_minute == 0)
        return;
    do {
        next = (was > now_ns ? was : now_ns) + time_of(tokens, per_minute);
    } while (!atomic_compare_exchange_weak(&r->tokens, &was, next));
}

void rate_settle_tokens(struct rate *r, uint64_t reserved, uint64_t used,
                        uint64_t per_minute, uint64_t now_ns)
{
    uint64_t was = atomic_load_explicit(&r->tokens, memory_order_relaxed);
    uint64_t more = used > reserved ? used - reserved : 0;
    uint64_t less = used < reserved ? reserved - used : 0;
    uint64_t next;

    if (per_minute == 0)
        return;
    more = time_of(more, per_minute);
    less = time_of(less, per_minute);
    do {
        if (more)
            next = (was > now_ns ? was : now_ns) + more;
        else
            next = was > less ? was - less : 0;
    } while (!atomic_compare_exchange_weak(&r->tokens, &was, next));
}
