/* SPDX-License-Identifier: Apache-2.0 */
#include "router/gate/purse.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "models/registry.h"

struct purse {
    struct purse *next; /* (owned) */
    char *name;         /* (owned) */
    enum purse_kind kind;
    pthread_mutex_t lock;
    int64_t day; /* that the rest is of */
    struct purse_state state;
};

enum { CHAINS = 256 }; /* a power of two */

struct purse_book {
    pthread_mutex_t lock;
    struct purse *chains[CHAINS]; /* (owned) under lock */
};

struct purse_book *purse_book_new(void)
{
    struct purse_book *b = calloc(1, sizeof *b);

    if (b)
        pthread_mutex_init(&b->lock, NULL);
    return b;
}

void purse_book_free(struct purse_book *b)
{
    if (!b)
        return;
    for (unsigned i = 0; i < CHAINS; i++) {
        struct purse *next;

        for (struct purse *p = b->chains[i]; p; p = next) {
            next = p->next;
            pthread_mutex_destroy(&p->lock);
            free(p->name);
            free(p);
        }
    }
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static struct purse *add(struct purse **chain, enum purse_kind kind,
                         struct span name)
{
    struct purse *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->name = strndup(name.len ? name.ptr : "", name.len);
    if (!p->name) {
        free(p);
        return NULL;
    }
    p->kind = kind;
    pthread_mutex_init(&p->lock, NULL);
    p->next = *chain;
    *chain = p;
    return p;
}

struct purse *purse_of(struct purse_book *book, enum purse_kind kind,
                       struct span name)
{
    struct purse **chain = &book->chains[span_hash(name, kind) & (CHAINS - 1)];
    struct purse *p;

    pthread_mutex_lock(&book->lock);
    for (p = *chain; p; p = p->next) {
        if (p->kind == kind && span_is(name, p->name))
            break;
    }
    if (!p)
        p = add(chain, kind, name);
    pthread_mutex_unlock(&book->lock);
    return p;
}

int64_t purse_limit(double usd)
{
    return isnan(usd) ? INT64_MAX : (int64_t)floor(usd * PICO_PER_USD);
}

static int64_t day_of(int64_t ms)
{
    return ms / PURSE_DAY_MS;
}

/* A new day begins with nothing spent; what calls of the day before still
 * hold is that day's. */
static void turn(struct purse *p, int64_t now_ms)
{
    int64_t day = day_of(now_ms);

    if (day <= p->day)
        return;
    p->day = day;
    p->state = (struct purse_state){0, 0};
}

bool purse_take(struct purse *p, int64_t pico, int64_t limit, int64_t now_ms,
                struct hold *h)
{
    int64_t had, left;
    bool ok;

    pthread_mutex_lock(&p->lock);
    turn(p, now_ms);
    had = h->purse == p && h->day == p->day ? h->pico : 0;
    left = limit - p->state.spent - (p->state.held - had);
    ok = pico >= 0 && pico <= left;
    if (ok) {
        p->state.held += pico - had;
        *h = (struct hold){p, p->day, pico};
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void purse_settle(struct hold *h, int64_t spent)
{
    struct purse *p = h->purse;

    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    if (p->day == h->day) {
        p->state.held -= h->pico;
        p->state.spent += spent > 0 ? spent : 0;
    }
    pthread_mutex_unlock(&p->lock);
    *h = (struct hold){.purse = NULL};
}

void purse_note(struct purse *p, int64_t spent, int64_t now_ms)
{
    pthread_mutex_lock(&p->lock);
    turn(p, now_ms);
    if (day_of(now_ms) == p->day && spent > 0)
        p->state.spent += spent;
    pthread_mutex_unlock(&p->lock);
}

struct purse_state purse_look(struct purse *p, int64_t now_ms)
{
    struct purse_state s;

    pthread_mutex_lock(&p->lock);
    turn(p, now_ms);
    s = p->state;
    pthread_mutex_unlock(&p->lock);
    return s;
}

uint64_t purse_day_left_ms(int64_t now_ms)
{
    return (uint64_t)(PURSE_DAY_MS - now_ms % PURSE_DAY_MS);
}

void purse_each(struct purse_book *book,
                void (*one)(void *ctx, enum purse_kind kind, struct span name,
                            struct purse_state s),
                void *ctx, int64_t now_ms)
{
    pthread_mutex_lock(&book->lock);
    for (unsigned i = 0; i < CHAINS; i++) {
        for (struct purse *p = book->chains[i]; p; p = p->next)
            one(ctx, p->kind, span_of(p->name), purse_look(p, now_ms));
    }
    pthread_mutex_unlock(&book->lock);
}

const char *purse_kind_name(enum purse_kind k)
{
    static const char *const names[PURSE_KINDS] = {"key", "explore", "shadow",
                                                   "judge"};

    return names[k];
}
