/* SPDX-License-Identifier: Apache-2.0 */
/* The few SQLite calls that the log's files share. */
#ifndef WEIR_ROUTER_OUTLOG_SQL_H
#define WEIR_ROUTER_OUTLOG_SQL_H

#include "base/err.h"
#include "base/span.h"

struct sqlite3;

/* "what: SQLite's message (SQLite code)"; false. */
bool sql_fail(struct sqlite3 *h, const char *what, struct err *e);
/* Statements without parameters and without an answer. */
MUST_USE bool sql_run(struct sqlite3 *h, const char *sql, struct err *e);
/* The first column of the first row, 0 when there is none; arg (or NULL) is
 * bound to ?1. */
MUST_USE bool sql_int(struct sqlite3 *h, const char *sql, const char *arg,
                      int64_t *out, struct err *e);

/* With ?1 and ?2; *changes (or NULL): the rows it changed. */
MUST_USE bool sql_run2(struct sqlite3 *h, const char *sql,
                       const int64_t args[2], uint64_t *changes, struct err *e);

#endif
