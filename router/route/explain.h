/* SPDX-License-Identifier: Apache-2.0 */
/* A decision for people and programs: what each arm was expected to do, why
 * it was dropped or taken, and which features weighed most. */
#ifndef WEIR_ROUTER_ROUTE_EXPLAIN_H
#define WEIR_ROUTER_ROUTE_EXPLAIN_H

#include "router/route/judge.h"

/* A request, how it was judged, and with what; all borrowed. */
struct explained {
    const struct judge *judge; /* as judge_decide() left it */
    const struct snapshot *snapshot;
    const struct route *route;
    const struct request *request;
};

void explain_json(const struct explained *x, struct buf *out);
/* The same as a table for a terminal. */
void explain_text(const struct explained *x, struct buf *out);

#endif
