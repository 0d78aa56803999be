/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a rule's conditions hold for a request.  Pure. */
#ifndef WEIR_ROUTER_ROUTE_RULES_H
#define WEIR_ROUTER_ROUTE_RULES_H

#include "router/route/decide.h"

/* d: its task is known. */
bool rule_holds(const struct question *q, const struct decision *d,
                const struct when_settings *w);

/* The route's high_risk names it. */
bool risk_holds(const struct question *q, const struct decision *d);

#endif
