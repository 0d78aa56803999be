/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where requests may be computed: `regions` of the route and of the client's
 * key, both of which hold.  A provider's region is among them where it is one
 * of the names, or begins with one and a dash ("eu" allows eu-west-1); a
 * provider that says no region is in none.  Pure.
 */
#ifndef WEIR_ROUTER_ROUTE_REGION_H
#define WEIR_ROUTER_ROUTE_REGION_H

#include "router/settings/settings.h"

/* May this place get requests of the route and key (NULL: none)?  Asked
 * before every call of a provider. */
bool region_allows(const struct route_settings *r, const struct key_settings *k,
                   const struct model_settings *place);

/* Bit mask of the route's arms that have no place that may. */
uint32_t region_mask(const struct route_settings *r,
                     const struct key_settings *k);

#endif
