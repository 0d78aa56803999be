/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Active checks: providers with `check` are asked for their models now and
 * then, without a key; any answer below 500 says that they are up.  What is
 * left alone is tried as soon as they are; a provider that does not answer
 * counts as a failed call of each of its places.  One worker does it.
 */
#ifndef WEIR_ROUTER_HEALTH_CHECK_H
#define WEIR_ROUTER_HEALTH_CHECK_H

#include "base/err.h"

struct checks;
struct worker;

/* NULL with e.  Belongs to the worker's loop. */
MUST_USE struct checks *checks_new(struct worker *w, struct err *e);
void checks_free(struct checks *c); /* NULL: no-op; before the upstream's */

#endif
