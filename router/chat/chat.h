/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations in any dialect: one exchange from its body to its row. */
#ifndef WEIR_ROUTER_CHAT_CHAT_H
#define WEIR_ROUTER_CHAT_CHAT_H

#include "router/paths.h"

struct worker;

/* For gate.c, which has counted it: gate_leave() is called at its end. */
void chat_start(struct worker *w, struct http_exchange *x,
                const struct place *at);
/* A chat request that was refused before it was whole has its row too. */
void chat_refused(struct worker *w, const struct place *at, int status,
                  const char *why);

/* Pings to streams of the worker that have waited for long. */
void chat_ping(struct worker *w);

/* A place is left alone from now on: calls that still wait for a connection
 * there go on elsewhere. */
void chat_leave_dead(struct worker *w);

#endif
