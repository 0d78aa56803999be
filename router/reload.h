/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/weir/reload goes to the main thread, which loads, and comes back
 * to the worker, which answers. */
#ifndef WEIR_ROUTER_RELOAD_H
#define WEIR_ROUTER_RELOAD_H

#include "router/router.h"

/* Main thread: does what waits. */
void reload_do_jobs(struct router *r);
/* Worker's thread: answers what is done. */
void reload_answer(struct worker *w);
/* At the end, when all threads are gone. */
void reload_forget(struct router *r);

#endif
