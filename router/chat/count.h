/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of a conversation's tokens, before it is sent. */
#ifndef WEIR_ROUTER_CHAT_COUNT_H
#define WEIR_ROUTER_CHAT_COUNT_H

#include "router/paths.h"

struct worker;

void count_start(struct worker *w, struct http_exchange *x,
                 const struct place *at);

#endif
