/* SPDX-License-Identifier: Apache-2.0 */
/* A decision for people and programs: what each arm was expected to do, why
 * it was dropped or taken, and which features weighed most. */
#ifndef WEIR_ROUTER_EXPLAIN_H
#define WEIR_ROUTER_EXPLAIN_H

#include "router/judge.h"

/* The judge as judge_decide() left it for this request, as JSON. */
void explain_json(const struct judge *j, const struct snapshot *s,
                  const struct route *r, const struct request *request,
                  struct buf *out);
/* The same as a table for a terminal. */
void explain_text(const struct judge *j, const struct snapshot *s,
                  const struct route *r, const struct request *request,
                  struct buf *out);

#endif
