/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request without log-probabilities, for a route none of whose arms gives
 * any, where its `unsupported` lets what cannot be had be left out: the body
 * that a client would have sent that had not asked for them.  All that comes
 * after reads and passes on that body.
 */
#ifndef WEIR_ROUTER_CHAT_ASK_PLAIN_H
#define WEIR_ROUTER_CHAT_ASK_PLAIN_H

#include "base/arena.h"
#include "base/span.h"
#include "router/route/decide.h"

/* No arm was left, log-probabilities are what some of them lack, and the route
 * may leave them out. */
bool ask_may_be_plain(const struct route *r, const struct decision *d);

/* The body of a request of any dialect without them (arena); empty: no
 * memory.  It must be JSON. */
struct span ask_plain_body(struct span body, struct arena *a);

#endif
