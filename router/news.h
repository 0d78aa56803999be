/* SPDX-License-Identifier: Apache-2.0 */
/* The main thread looks now and then at what the log says of promises: new
 * labels go to the drift of the route and classifier that they are about. */
#ifndef WEIR_ROUTER_NEWS_H
#define WEIR_ROUTER_NEWS_H

#include "router/route/drift.h"

struct event_base;
struct news;

/* Alarms and labels of before are taken up at once.  NULL: no memory. */
MUST_USE struct news *news_start(struct event_base *base, const char *log_path,
                                 struct drift_book *drifts);
void news_stop(struct news *n); /* NULL: no-op */

/* The warning in the log that a route's promises are void. */
void news_say_drift(const char *route, const struct drift *d);

#endif
