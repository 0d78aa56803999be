/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exploration: with the route's small probability a request goes to the
 * neighbour in cost of the arm that was chosen, so that the log says
 * something about arms that are not chosen.  Where the question's `afford`
 * refuses what the dearer neighbour would cost more, nothing is explored.
 */
#ifndef WEIR_ROUTER_ROUTE_EXPLORE_H
#define WEIR_ROUTER_ROUTE_EXPLORE_H

#include "router/route/decide.h"

/* After the choice: fills the propensities and perhaps moves it.  The draw
 * is that of the question's seed. */
void explore(const struct question *q, struct decision *d);

#endif
