/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's log as a database that is only read: opening, what is checked
 * then, and what its two readers (weir_log.c: outcomes to learn from;
 * log_rows.c: every row, for accounts) ask alike.
 */
#ifndef WEIR_DATASETS_LOG_DB_H
#define WEIR_DATASETS_LOG_DB_H

#include "base/err.h"
#include "base/span.h"

struct sqlite3;
struct sqlite3_stmt;

struct log_db {
    const char *path; /* (borrowed) for messages */
    struct sqlite3 *sql;
    /* Columns that older logs lack. */
    bool has_plans;   /* plan, purpose, parent */
    bool has_signals; /* signals */
};

/* Begins to read: all is seen as it is now, whatever the server writes
 * meanwhile.  On failure too, log_db_close() is to be called. */
MUST_USE bool log_db_open(struct log_db *l, const char *path, struct err *e);
void log_db_close(struct log_db *l); /* zeroed: no-op */

bool log_db_fail(const struct log_db *l, const char *doing, struct err *e);
MUST_USE bool log_db_prepare(struct log_db *l, const char *sql,
                             struct sqlite3_stmt **out, struct err *e);
/* One whole number that a statement without parameters gives. */
MUST_USE bool log_db_ask(struct log_db *l, const char *sql, int64_t *out,
                         struct err *e);

/* Limits of time and route into parameters 1, 2 and, where there is one, 3;
 * 0 and NULL: none. */
struct log_db_range {
    int64_t since_ms, until_ms;
    const char *route;
};
void log_db_bind(struct sqlite3_stmt *st, struct log_db_range range);

/* Valid until the statement's next step. */
struct span log_db_text(struct sqlite3_stmt *st, int column);
/* Times `unit`; NAN where it is NULL; infinite where it is no number. */
double log_db_number(struct sqlite3_stmt *st, int column, double unit);

/* Of one request's labels the newest of the strongest source, which is the
 * only one that makes its score: behind "... FROM labels WHERE". */
#define LOG_DB_BEST_LABEL                                                      \
    " source <> 'signal'"                                                      \
    " ORDER BY CASE source WHEN 'feedback' THEN 0 WHEN 'benchmark' THEN 1"     \
    "  WHEN 'judge' THEN 2 WHEN 'check' THEN 3 ELSE 4 END,"                    \
    "  time_ms DESC, rowid DESC LIMIT 1"

#endif
