/* SPDX-License-Identifier: Apache-2.0 */
/* What operators and their programs ask: health, metrics, explanations,
 * feedback, reload. */
#ifndef WEIR_ROUTER_ADMIN_H
#define WEIR_ROUTER_ADMIN_H

#include "router/http/http.h"

struct place;
struct worker;

void admin_health(struct worker *w, struct http_exchange *x);
void admin_metrics(struct worker *w, struct http_exchange *x);
void admin_explain(struct worker *w, struct http_exchange *x);
void admin_feedback(struct worker *w, struct http_exchange *x,
                    const struct place *at);
void admin_reload(struct worker *w, struct http_exchange *x);

#endif
