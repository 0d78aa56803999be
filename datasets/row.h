/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of the dataset format (docs/dataset-format.md) <-> one struct
 * dataset_row.  No I/O.
 */
#ifndef WEIR_DATASETS_ROW_H
#define WEIR_DATASETS_ROW_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "datasets/dataset.h"

/* Everything unknown: no outcomes, time -1. */
void row_clear(struct dataset_row *row);
struct outcome outcome_unknown(void);

/* Fills row, but for row->line.  Spans point into the line or the arena.
 * The message is "field: wanted ..., found ...". */
MUST_USE bool row_parse(struct span line, struct arena *a,
                        struct dataset_row *row, struct err *e);

/* At least one message, each an object with a role; fills *bad with what is
 * not (the array itself when it is empty or no array). */
bool row_messages_ok(const struct json *messages, struct json *bad);

/* Appends the row as one line with its LF.  Fails on what row_parse would
 * refuse (a score beyond [0,1], no outcome, no id ...); JSON texts of the row
 * have to be valid JSON. */
MUST_USE bool row_format(const struct dataset_row *row, struct buf *out,
                         struct err *e);

#endif
