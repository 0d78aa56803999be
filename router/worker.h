/* SPDX-License-Identifier: Apache-2.0 */
/* A worker thread's making and end; for router.c. */
#ifndef WEIR_ROUTER_WORKER_H
#define WEIR_ROUTER_WORKER_H

#include "router/router.h"

/* Takes its listening sockets from the router.  Fills what worker_free
 * releases, also on failure. */
MUST_USE bool worker_init(struct worker *w, struct router *r, unsigned index,
                          struct err *e);
MUST_USE bool worker_start(struct worker *w, struct err *e);
/* From any thread: drain, then end. */
void worker_stop(struct worker *w);
void worker_free(struct worker *w); /* after its thread was joined */

#endif
