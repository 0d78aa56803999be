/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's schema in the database: made, brought forward, or refused.
 *
 * How to change it: a new column is one row at the end of its table in
 * outlog_table.c with `since` one above the version that the last release
 * had; anything else (an index, another table) is one row of STEPS in
 * outlog_schema.c.  OUTLOG_VERSION (outlog_table.h), WEIR_LOG_SCHEMA
 * (datasets/weir_log.h) and docs/log-format.md follow; tests hold them
 * together.  Columns are never removed, renamed or given another meaning:
 * what an older program wrote stays readable.
 */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_SCHEMA_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_SCHEMA_H

#include "base/err.h"

struct sqlite3;

/*
 * In one transaction: an empty database becomes a log, an older log gets
 * what it lacks.  *fatal: a newer log, or another program's database.
 */
MUST_USE bool schema_ensure(struct sqlite3 *h, bool *fatal, struct err *e);

#endif
