/* SPDX-License-Identifier: Apache-2.0 */
#include "router/health/health.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "router/settings/settings.h"

enum { NAME_MAX_BYTES = 512, HEDGE = 1000, HEDGES_KEPT = 10 };

struct health_book {
    pthread_mutex_t lock;
    struct health *first; /* (owned) under lock */
};

struct health_book *health_book_new(void)
{
    struct health_book *b = calloc(1, sizeof *b);

    if (b)
        pthread_mutex_init(&b->lock, NULL);
    return b;
}

void health_book_free(struct health_book *b)
{
    if (!b)
        return;
    while (b->first) {
        struct health *next = b->first->next;

        free(b->first->name);
        free(b->first);
        b->first = next;
    }
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static struct health *add(struct health_book *b, enum health_kind kind,
                          const char *name)
{
    struct health *h = calloc(1, sizeof *h);

    if (!h)
        return NULL;
    h->name = strdup(name);
    if (!h->name) {
        free(h);
        return NULL;
    }
    h->kind = kind;
    atomic_init(&h->tokens_left, INT64_MAX);
    h->next = b->first;
    b->first = h;
    return h;
}

/* The entry of that name, made at the first call; under lock. */
static struct health *find(struct health_book *b, enum health_kind kind,
                           const char *name)
{
    for (struct health *h = b->first; h; h = h->next) {
        if (h->kind == kind && !strcmp(h->name, name))
            return h;
    }
    return add(b, kind, name);
}

/* ---- binding ---- */

static bool bind_provider(struct health_book *b, struct provider_settings *p)
{
    char name[NAME_MAX_BYTES];

    for (unsigned i = 0; i < p->n_keys; i++) {
        snprintf(name, sizeof name, "%s#%s", p->item.name,
                 p->keys[i].item.name);
        p->keys[i].health = find(b, HEALTH_KEY, name);
        if (!p->keys[i].health)
            return false;
    }
    return true;
}

static bool bind_place(struct health_book *b, struct model_settings *m)
{
    char name[NAME_MAX_BYTES];

    snprintf(name, sizeof name, "%s/%s", m->provider, m->upstream);
    m->health = find(b, HEALTH_PLACE, name);
    for (unsigned i = 0; m->health && i < m->at->n_keys; i++) {
        snprintf(name, sizeof name, "%s/%s#%s", m->provider, m->upstream,
                 m->at->keys[i].item.name);
        m->lanes[i] = find(b, HEALTH_LANE, name);
        if (!m->lanes[i])
            return false;
    }
    return m->health != NULL;
}

static bool bind_all(struct health_book *b, struct settings *s)
{
    struct provider_settings *p = s->providers.at;
    struct model_settings *m = s->models.at;
    struct route_settings *r = s->routes.at;

    for (unsigned i = 0; i < s->providers.n; i++) {
        if (!bind_provider(b, &p[i]))
            return false;
    }
    for (unsigned i = 0; i < s->models.n; i++) {
        for (unsigned j = 0; j < m[i].n_places; j++) {
            if (!bind_place(b, &m[i].places[j]))
                return false;
        }
    }
    for (unsigned i = 0; i < s->routes.n; i++) {
        r[i].health = find(b, HEALTH_ROUTE, r[i].item.name);
        if (!r[i].health)
            return false;
    }
    return true;
}

bool health_bind(struct health_book *b, struct settings *s, struct err *e)
{
    bool ok;

    pthread_mutex_lock(&b->lock);
    ok = bind_all(b, s);
    pthread_mutex_unlock(&b->lock);
    return ok || err_set(e, ERR_MEMORY, "health: out of memory");
}

void health_each(struct health_book *b,
                 void (*row)(void *ctx, const struct health *h), void *ctx)
{
    pthread_mutex_lock(&b->lock);
    for (const struct health *h = b->first; h; h = h->next)
        row(ctx, h);
    pthread_mutex_unlock(&b->lock);
}

/* ---- on the path ---- */

uint64_t health_now(void)
{
    return clock_ns() / 1000000;
}

void health_rest(struct health *h, uint64_t until_ms)
{
    uint64_t was;

    if (!h)
        return;
    was = atomic_load_explicit(&h->rest_until_ms, memory_order_relaxed);
    while (was < until_ms && !atomic_compare_exchange_weak_explicit(
                                 &h->rest_until_ms, &was, until_ms,
                                 memory_order_relaxed, memory_order_relaxed))
        ;
}

uint64_t health_resting(const struct health *h, uint64_t now_ms)
{
    uint64_t until;

    if (!h)
        return 0;
    until = atomic_load_explicit(&h->rest_until_ms, memory_order_relaxed);
    return until > now_ms ? until - now_ms : 0;
}

static uint64_t until(int64_t reset_ms, uint64_t now_ms, uint64_t most_ms)
{
    uint64_t ms = reset_ms < 0 ? 1000 : (uint64_t)reset_ms;

    return now_ms + (ms < most_ms ? ms : most_ms);
}

void health_allowance(struct health *lane, const struct allowance *a,
                      uint64_t now_ms, uint64_t most_ms)
{
    if (!lane)
        return;
    if (a->requests == 0)
        health_rest(lane, until(a->requests_reset_ms, now_ms, most_ms));
    if (a->tokens < 0)
        return;
    atomic_store_explicit(&lane->tokens_left, a->tokens, memory_order_relaxed);
    atomic_store_explicit(&lane->tokens_until_ms,
                          until(a->tokens_reset_ms, now_ms, most_ms),
                          memory_order_relaxed);
}

bool health_short_of(const struct health *lane, uint64_t now_ms, int64_t tokens)
{
    return lane &&
           atomic_load_explicit(&lane->tokens_left, memory_order_relaxed) <
               tokens &&
           atomic_load_explicit(&lane->tokens_until_ms, memory_order_relaxed) >
               now_ms;
}

void health_earn(struct health *route, double share)
{
    int64_t now;

    if (!route)
        return;
    now = atomic_fetch_add(&route->credit, (int64_t)(share * HEDGE));
    if (now > HEDGES_KEPT * HEDGE)
        atomic_store(&route->credit, HEDGES_KEPT * HEDGE);
}

bool health_spend(struct health *route)
{
    int64_t was = route ? atomic_load(&route->credit) : 0;

    while (was >= HEDGE) {
        if (atomic_compare_exchange_weak(&route->credit, &was, was - HEDGE))
            return true;
    }
    return false;
}
