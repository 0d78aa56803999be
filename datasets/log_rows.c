/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/log_rows.h"

#include <sqlite3.h>
#include <stdio.h>

#include "datasets/log_db.h"

enum { SQL_MAX = 1024 };

/* The best label: two columns by one sub-select would be two searches, so its
 * row's number is searched for.  A log from before purposes has client's
 * requests only. */
static const char rows_sql[] =
    "SELECT r.id, r.route, r.session, r.key_name, r.task, r.classifier,"
    "  r.arm, r.model, r.reason, r.error, r.arms, %s, %s, %s,"
    "  r.time_ms, r.status, r.propensity, r.cost_pico, r.input_tokens,"
    "  r.output_tokens, r.latency_us, l.score, l.source, l.time_ms"
    " FROM requests r LEFT JOIN labels l ON l.rowid ="
    "  (SELECT rowid FROM labels WHERE request_id = r.id"
    "   AND" LOG_DB_BEST_LABEL ")"
    " WHERE r.time_ms >= ?1 AND r.time_ms < ?2 AND (?3 IS NULL OR r.route = ?3)"
    "%s ORDER BY r.time_ms, r.id";

static int64_t whole(sqlite3_stmt *st, int column)
{
    if (sqlite3_column_type(st, column) == SQLITE_NULL)
        return -1;
    return sqlite3_column_int64(st, column);
}

static void fill(sqlite3_stmt *st, struct log_row *r)
{
    struct span *const texts[] = {
        &r->id,         &r->route,   &r->session, &r->key_name, &r->task,
        &r->classifier, &r->arm,     &r->model,   &r->reason,   &r->error,
        &r->arms,       &r->purpose, &r->parent,  &r->guarantee};
    int c = 0;

    for (; c < (int)(sizeof texts / sizeof texts[0]); c++)
        *texts[c] = log_db_text(st, c);
    r->time_ms = whole(st, c++);
    r->status = whole(st, c++);
    r->propensity = log_db_number(st, c++, 1);
    r->cost_usd = log_db_number(st, c++, 1e-12);
    r->input_tokens = log_db_number(st, c++, 1);
    r->output_tokens = log_db_number(st, c++, 1);
    r->latency_ms = log_db_number(st, c++, 1e-3);
    r->score = log_db_number(st, c++, 1);
    r->source = log_db_text(st, c++);
    r->label_ms = whole(st, c);
}

static bool read_all(struct log_db *l, sqlite3_stmt *st,
                     bool (*row)(void *ctx, const struct log_row *r,
                                 struct err *e),
                     void *ctx, struct err *e)
{
    struct log_row r;
    int rc;

    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        fill(st, &r);
        if (!row(ctx, &r, e))
            return false;
    }
    return rc == SQLITE_DONE || log_db_fail(l, "reading", e);
}

bool log_rows_each(const char *path, const struct log_range *range,
                   bool (*row)(void *ctx, const struct log_row *r,
                               struct err *e),
                   void *ctx, struct err *e)
{
    struct log_db l;
    sqlite3_stmt *st = NULL;
    char sql[SQL_MAX];
    bool ok = log_db_open(&l, path, e);

    snprintf(sql, sizeof sql, rows_sql, l.has_plans ? "r.purpose" : "NULL",
             l.has_plans ? "r.parent" : "NULL",
             l.has_plans ? "r.guarantee" : "NULL",
             l.has_plans && !range->own ? " AND r.purpose IS NULL" : "");
    ok = ok && log_db_prepare(&l, sql, &st, e);
    if (ok)
        log_db_bind(st, (struct log_db_range){range->since_ms, range->until_ms,
                                              range->route});
    ok = ok && read_all(&l, st, row, ctx, e);
    sqlite3_finalize(st);
    log_db_close(&l);
    return ok;
}
