/* SPDX-License-Identifier: Apache-2.0 */
/* What the day so far has spent: from the log's rows into the purses. */
#ifndef WEIR_ROUTER_SPENDING_H
#define WEIR_ROUTER_SPENDING_H

#include "router/gate/purse.h"
#include "router/outlog/outlog_spent.h"

/* Before the log is opened.  now_ms: UTC. */
MUST_USE bool spending_begin(struct purse_book *book, const char *log,
                             int64_t now_ms, struct err *e);
/* One row's; for tests. */
void spending_note(struct purse_book *book, const struct spent_row *row,
                   int64_t now_ms);
/* What the explored arm was expected to cost beyond the one that was chosen,
 * pico-USD; `arms` as in the log.  0: it was cheaper. */
int64_t spending_explored(struct span arms, struct span explored);

#endif
