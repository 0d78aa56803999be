/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/budget.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A request's step in log price at a cost of twice the budget: in the long
 * run, and besides in the beginning, falling with the requests so far. */
#define STEP 0.02
#define FIRST_STEP 0.2
#define FIRST_REQUESTS 40.0
/* A first guess: so much quality is worth one budget. */
#define FIRST_WORTH 0.05
/* A single request counts as at most so many budgets. */
#define RATIO_MAX 100.0

struct budget {
    struct budget *next;      /* (owned) */
    char *route;              /* (owned) */
    _Atomic double log_price; /* of quality per USD */
    _Atomic double credit;    /* USD; below 0: debt */
    _Atomic uint64_t n;       /* requests that are over */
};

struct budget_book {
    pthread_mutex_t lock;
    struct budget *first; /* (owned) under lock */
};

struct budget_book *budget_book_new(void)
{
    struct budget_book *b = calloc(1, sizeof *b);

    if (b)
        pthread_mutex_init(&b->lock, NULL);
    return b;
}

void budget_book_free(struct budget_book *b)
{
    if (!b)
        return;
    while (b->first) {
        struct budget *next = b->first->next;

        free(b->first->route);
        free(b->first);
        b->first = next;
    }
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static struct budget *add(struct budget_book *book, const char *route,
                          double usd)
{
    struct budget *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->route = strdup(route);
    if (!b->route) {
        free(b);
        return NULL;
    }
    atomic_store(&b->log_price, log(FIRST_WORTH / usd));
    atomic_store(&b->credit, (BUDGET_AHEAD - 1) * usd);
    b->next = book->first;
    book->first = b;
    return b;
}

struct budget *budget_of(struct budget_book *book, const char *route,
                         double usd)
{
    struct budget *b;

    pthread_mutex_lock(&book->lock);
    for (b = book->first; b; b = b->next) {
        if (!strcmp(b->route, route))
            break;
    }
    if (!b)
        b = add(book, route, usd);
    pthread_mutex_unlock(&book->lock);
    return b;
}

double budget_price(const struct budget *b)
{
    return exp(atomic_load_explicit(&b->log_price, memory_order_relaxed));
}

double budget_room(const struct budget *b, double target_usd)
{
    return atomic_load_explicit(&b->credit, memory_order_relaxed) + target_usd;
}

/* Adds to x, which stays at most `most`. */
static void add_to(_Atomic double *x, double more, double most)
{
    double was = atomic_load_explicit(x, memory_order_relaxed);

    while (!atomic_compare_exchange_weak(x, &was, fmin(was + more, most)))
        ;
}

void budget_reserve(struct budget *b, double expected, double target_usd)
{
    add_to(&b->credit, target_usd - expected, BUDGET_SAVED * target_usd);
}

void budget_settle(struct budget *b, const struct budget_item *i,
                   double target_usd)
{
    double n =
        (double)atomic_fetch_add_explicit(&b->n, 1, memory_order_relaxed);
    double step = STEP + FIRST_STEP / (1 + n / FIRST_REQUESTS);
    double cost = i->spent + fmax(i->wanted - i->expected, 0);

    add_to(&b->credit, i->expected - i->spent, BUDGET_SAVED * target_usd);
    add_to(&b->log_price, step * (fmin(cost / target_usd, RATIO_MAX) - 1),
           INFINITY);
}
