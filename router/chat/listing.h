/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/models and /v1/models/{id}: routes and models as a client may name
 * them. */
#ifndef WEIR_ROUTER_CHAT_LISTING_H
#define WEIR_ROUTER_CHAT_LISTING_H

#include "router/http/http.h"

struct worker;

void listing_models(struct worker *w, struct http_exchange *x);
void listing_gemini(struct worker *w, struct http_exchange *x);
void listing_gemini_model(struct worker *w, struct http_exchange *x);
void listing_model(struct worker *w, struct http_exchange *x);

#endif
