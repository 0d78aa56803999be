/* SPDX-License-Identifier: Apache-2.0 */
/* Providers' health for people and scrapers: /healthz and /metrics. */
#ifndef WEIR_ROUTER_HEALTH_SHOWN_H
#define WEIR_ROUTER_HEALTH_SHOWN_H

#include "router/health/health.h"
#include "router/metrics.h"

/* "places":[...],"resting":[...], without the braces around them. */
void health_write(struct health_book *b, struct buf *out);
void health_measure(struct health_book *b, struct metrics *m);

#endif
