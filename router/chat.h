/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/chat/completions: one exchange from its body to its row. */
#ifndef WEIR_ROUTER_CHAT_H
#define WEIR_ROUTER_CHAT_H

#include "router/http.h"

struct worker;

void chat_start(struct worker *w, struct http_exchange *x);
/* A chat request that was refused before it was whole has its row too. */
void chat_refused(struct worker *w, int status, const char *why);

#endif
