/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds a route's mean cost at its budget, from the first request on.
 *
 * Credit: each request brings the route one budget of credit and takes its
 * expected cost, corrected when its cost is known.  A request may expect to
 * cost at most the credit there is (budget_room), the cheapest arm excepted,
 * so that after n requests no more is spent than n + BUDGET_AHEAD budgets,
 * what the cheapest arm costs beyond, and what requests under way cost more
 * than expected.  Saved credit is kept up to BUDGET_SAVED budgets.
 *
 * Price: the knob is the price of quality (models/choose.h); each finished
 * request moves its logarithm by a step times (cost / budget - 1), where cost
 * is what the request would have cost without the bound above: a dual
 * gradient step, larger in the beginning.  So the bound seldom binds, and
 * dear arms go to the requests that gain most.
 *
 * Shared by all workers and kept across reloads, by the route's name.
 * Thread-safe.
 */
#ifndef WEIR_ROUTER_ROUTE_BUDGET_H
#define WEIR_ROUTER_ROUTE_BUDGET_H

#include "base/err.h"

enum { BUDGET_AHEAD = 1, BUDGET_SAVED = 500 };

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
/* USD that a request may expect to cost now. */
double budget_room(const struct budget *b, double target_usd);

/* One request, in USD: what the chosen arm and what the arm wanted without
 * the bound were expected to cost, and what it did cost. */
struct budget_item {
    double expected, wanted, spent;
};
/* A request has been decided: `expected` is taken from the credit. */
void budget_reserve(struct budget *b, double expected, double target_usd);
/* It is over. */
void budget_settle(struct budget *b, const struct budget_item *i,
                   double target_usd);

#endif
