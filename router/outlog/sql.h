/* SPDX-License-Identifier: Apache-2.0 */
/* The few SQLite calls that the log's files share. */
#ifndef WEIR_ROUTER_OUTLOG_SQL_H
#define WEIR_ROUTER_OUTLOG_SQL_H

#include "base/err.h"
#include "base/span.h"

struct sqlite3;

/* Before the process opens its first database: SQLite counts no memory, for
 * which all its threads would share a lock.  Later it changes nothing. */
void sql_lean(void);

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

/* ---- for readers, and for those that write a little ---- */

/* An existing database, read and written; NULL with e. */
MUST_USE struct sqlite3 *sql_open(const char *path, struct err *e);
/* Likewise, through a VFS of that name. */
MUST_USE struct sqlite3 *sql_open_by(const char *path, const char *vfs,
                                     struct err *e);
void sql_close(struct sqlite3 *h); /* NULL: no-op */

struct sql_row;
/* Each row of a statement, until the callback wants no more. */
MUST_USE bool sql_each(struct sqlite3 *h, const char *sql,
                       bool (*row)(void *ctx, const struct sql_row *row),
                       void *ctx, struct err *e);
/* Columns from 0; texts (and blobs) are valid during the callback, NULL is
 * empty, 0 and NaN. */
struct span sql_row_text(const struct sql_row *row, int i);
int64_t sql_row_int(const struct sql_row *row, int i);
double sql_row_real(const struct sql_row *row, int i);

/* From the write-ahead log into the database, as far as nobody is waited for;
 * false: the connection is of no use any more. */
MUST_USE bool sql_carry(struct sqlite3 *h);

#endif
