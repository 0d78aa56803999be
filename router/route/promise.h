/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is promised of an answer, in words: x-weir-guarantee, the log's column
 * `guarantee`, /healthz.  One of
 *   holds; quality>=0.97 of opus; confidence=0.95
 *   void: drift in quality     (or task, unseen, length, outcomes)
 *   void: out of domain
 *   none: WHY                  (not proven, asked for by name, failover, ...)
 * Only routes of the policy cheapest_adequate promise anything.
 */
#ifndef WEIR_ROUTER_ROUTE_PROMISE_H
#define WEIR_ROUTER_ROUTE_PROMISE_H

#include "router/route/decide.h"

enum { PROMISE_MAX = 160 };

enum promise_state { PROMISE_HOLDS, PROMISE_VOID, PROMISE_NONE };

/* True where the route is one that promises at all. */
bool promise_of(const struct route *r);

/* Of one decided request whose decided arm answered, NUL-terminated. */
enum promise_state promise_text(const struct route *r, const struct decision *d,
                                char dst[PROMISE_MAX]);
/* Of the route's requests that wish nothing of their own, while `drifted`. */
enum promise_state promise_route(const struct route *r,
                                 enum drift_cause drifted);
/* The same, in words. */
enum promise_state promise_route_text(const struct route *r,
                                      enum drift_cause drifted,
                                      char dst[PROMISE_MAX]);
const char *promise_state_name(enum promise_state s); /* "holds" */

#endif
