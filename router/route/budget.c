/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/budget.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* One request's step in log price at a cost of twice the budget. */
#define STEP 0.02
/* A first guess: so much quality is worth one budget. */
#define FIRST_WORTH 0.05
/* A single request counts as at most so many budgets. */
#define RATIO_MAX 100.0

struct budget {
    struct budget *next;      /* (owned) */
    char *route;              /* (owned) */
    _Atomic double log_price; /* of quality per USD */
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

void budget_spent(struct budget *b, double usd, double target_usd)
{
    double step = STEP * (fmin(usd / target_usd, RATIO_MAX) - 1);
    double was = atomic_load_explicit(&b->log_price, memory_order_relaxed);

    while (!atomic_compare_exchange_weak(&b->log_price, &was, was + step))
        ;
}
