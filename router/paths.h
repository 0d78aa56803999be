/* SPDX-License-Identifier: Apache-2.0 */
/* What is answered where: one row a path. */
#ifndef WEIR_ROUTER_PATHS_H
#define WEIR_ROUTER_PATHS_H

#include "router/http.h"

struct worker;

/* Finds the row of the exchange's path and method and calls its handler;
 * else 404, 405 or 403 in OpenAI's shape. */
void paths_serve(struct worker *w, struct http_exchange *x);
/* A request for `path` was refused before it was whole. */
void paths_refused(struct worker *w, struct span path, int status,
                   const char *why);

#endif
