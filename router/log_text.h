/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row of the outcome log for a person at a terminal.  row: an object as
 * care_export() gives it (router/outlog/outlog_care.h).  Pure.
 */
#ifndef WEIR_ROUTER_LOG_TEXT_H
#define WEIR_ROUTER_LOG_TEXT_H

#include "base/buf.h"
#include "base/json.h"

/* One line of a list; head: what its columns are called. */
void log_text_head(struct buf *out);
void log_text_line(const struct json *row, struct buf *out);
/* Everything that explains it: why it went where it did, what each arm was
 * expected to do, what was called, what came of it. */
void log_text_row(const struct json *row, struct buf *out);

#endif
