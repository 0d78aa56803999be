/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of providers' health, kept across reloads by name and shared
 * by all workers: of each model at its provider ("openai/gpt-5.4") breaker and
 * load, of each key ("openai#main") and of each key for each model
 * ("openai/gpt-5.4#main") how long it rests.  On the path of a request there
 * are atomics only; the lock is taken where a configuration is bound and where
 * all is shown.
 */
#ifndef WEIR_ROUTER_HEALTH_HEALTH_H
#define WEIR_ROUTER_HEALTH_HEALTH_H

#include "base/err.h"
#include "router/health/allowance.h"
#include "router/health/breaker.h"
#include "router/health/load.h"

struct settings;

enum health_kind { HEALTH_PLACE, HEALTH_KEY, HEALTH_LANE, HEALTH_ROUTE };

struct health {
    struct health *next; /* (owned: book) */
    char *name;          /* (owned) */
    enum health_kind kind;
    struct breaker breaker; /* a place's */
    struct load load;       /* a place's */
    _Atomic uint64_t rest_until_ms;
    _Atomic int64_t tokens_left; /* a lane's; counts until tokens_until_ms */
    _Atomic uint64_t tokens_until_ms;
    _Atomic int64_t credit; /* a route's, for hedges: thousandths of one */
};

struct health_book;

MUST_USE struct health_book *health_book_new(void); /* NULL: no memory */
void health_book_free(struct health_book *b);       /* NULL: no-op */

/* Fills the settings' pointers; before any worker sees them. */
MUST_USE bool health_bind(struct health_book *b, struct settings *s,
                          struct err *e);
/* Calls back for each entry; from any thread. */
void health_each(struct health_book *b,
                 void (*row)(void *ctx, const struct health *h), void *ctx);

/* Monotonic milliseconds, as everything here counts. */
uint64_t health_now(void);

/* At least until then; NULL: no-op. */
void health_rest(struct health *h, uint64_t until_ms);
/* Milliseconds that it still rests; NULL: 0. */
uint64_t health_resting(const struct health *h, uint64_t now_ms);
/* What a lane's headers said. */
void health_allowance(struct health *lane, const struct allowance *a,
                      uint64_t now_ms, uint64_t most_ms);
/* The lane has not that many tokens left. */
bool health_short_of(const struct health *lane, uint64_t now_ms,
                     int64_t tokens);

/* A route's hedges: each request earns `share` of one, ten are kept at most;
 * taking is false where none is left. */
void health_earn(struct health *route, double share);
MUST_USE bool health_spend(struct health *route);

#endif
