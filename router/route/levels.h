/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a classifier's arms stands for a route's arms, and which promises
 * of its card hold for them. */
#ifndef WEIR_ROUTER_ROUTE_LEVELS_H
#define WEIR_ROUTER_ROUTE_LEVELS_H

#include "router/route/decide.h"

/*
 * An arm is known to the classifier by its name, its model's key, its name
 * at the provider (with or without "vendor/"), or else its tier.  Fills
 * r->head, r->levels and r->fall_to_reference; c NULL: nothing is known.
 *
 * A promise is about the models and the traffic it was measured on: where an
 * arm is known by its tier only, or `foreign` (the classifier that comes with
 * weir), no level holds, and the route's `unproven` decides.
 */
void levels_bind(struct route *r, const struct classifier *c, bool foreign);

#endif
