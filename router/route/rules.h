/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a rule's conditions hold for a request.  Pure.  Of a request on
 * record headers are compared by their hashes. */
#ifndef WEIR_ROUTER_ROUTE_RULES_H
#define WEIR_ROUTER_ROUTE_RULES_H

#include "router/route/decide.h"

/* d: its task is known. */
bool rule_holds(const struct question *q, const struct decision *d,
                const struct when_settings *w);

/* The route's high_risk names it. */
bool risk_holds(const struct question *q, const struct decision *d);

/* What a mark says of a value. */
uint64_t header_mark(struct span value);
/* Of the request's header, asked or on record; 0: not sent or not known. */
uint64_t header_mark_of(const struct question *q, const char *lower_name);

#endif
