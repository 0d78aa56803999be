/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds a route's mean cost at its budget.  The knob is the price of quality
 * (models/choose.h): each finished request moves its logarithm by
 * STEP * (cost / budget - 1), so that over time the mean cost can only be
 * the budget (a dual gradient step).  Shared by all workers and kept across
 * reloads, by the route's name.  Thread-safe.
 */
#ifndef WEIR_ROUTER_ROUTE_BUDGET_H
#define WEIR_ROUTER_ROUTE_BUDGET_H

#include "base/err.h"

struct budget_book;
struct budget;

MUST_USE struct budget_book *budget_book_new(void); /* NULL: no memory */
void budget_book_free(struct budget_book *b);       /* NULL: no-op */

/* The state of a route's budget, made at the first call; lives as long as
 * the book.  NULL: no memory. */
struct budget *budget_of(struct budget_book *book, const char *route,
                         double usd);

/* Quality per USD, for choose_by_price. */
double budget_price(const struct budget *b);
/* A request of the route is over: what it cost, what it may in the mean. */
void budget_spent(struct budget *b, double usd, double target_usd);

#endif
