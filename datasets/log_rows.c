/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/log_rows.h"

#include <math.h>
#include <sqlite3.h>

#include "datasets/reader.h"

enum { BUSY_MS = 5000 };

/* The label of the strongest source, of those the newest: two columns by one
 * sub-select would be two searches, so its row's number is searched for. */
static const char rows_sql[] =
    "SELECT r.id, r.route, r.session, r.key_name, r.task, r.classifier,"
    "  r.arm, r.model, r.reason, r.error, r.arms,"
    "  r.time_ms, r.status, r.propensity, r.cost_pico, r.input_tokens,"
    "  r.output_tokens, r.latency_us, l.score, l.source, l.time_ms"
    " FROM requests r LEFT JOIN labels l ON l.rowid ="
    "  (SELECT rowid FROM labels WHERE request_id = r.id"
    "   AND source <> 'signal'"
    "   ORDER BY CASE source WHEN 'feedback' THEN 0 WHEN 'benchmark' THEN 1"
    "    WHEN 'judge' THEN 2 WHEN 'check' THEN 3 ELSE 4"
    "    END, time_ms DESC, rowid DESC LIMIT 1)"
    " WHERE r.time_ms >= ?1 AND r.time_ms < ?2 AND (?3 IS NULL OR r.route = ?3)"
    " ORDER BY r.time_ms, r.id";

static struct span text(sqlite3_stmt *st, int column)
{
    const void *p = sqlite3_column_blob(st, column);

    return (struct span){p, (size_t)sqlite3_column_bytes(st, column)};
}

static double number(sqlite3_stmt *st, int column, double unit)
{
    if (sqlite3_column_type(st, column) == SQLITE_NULL)
        return NAN;
    return sqlite3_column_double(st, column) * unit;
}

static int64_t whole(sqlite3_stmt *st, int column)
{
    if (sqlite3_column_type(st, column) == SQLITE_NULL)
        return -1;
    return sqlite3_column_int64(st, column);
}

static void fill(sqlite3_stmt *st, struct log_row *r)
{
    struct span *const texts[] = {
        &r->id,  &r->route, &r->session, &r->key_name, &r->task, &r->classifier,
        &r->arm, &r->model, &r->reason,  &r->error,    &r->arms};
    int c = 0;

    for (; c < (int)(sizeof texts / sizeof texts[0]); c++)
        *texts[c] = text(st, c);
    r->time_ms = whole(st, c++);
    r->status = whole(st, c++);
    r->propensity = number(st, c++, 1);
    r->cost_usd = number(st, c++, 1e-12);
    r->input_tokens = number(st, c++, 1);
    r->output_tokens = number(st, c++, 1);
    r->latency_ms = number(st, c++, 1e-3);
    r->score = number(st, c++, 1);
    r->source = text(st, c++);
    r->label_ms = whole(st, c);
}

static bool fail(sqlite3 *db, const char *path, const char *doing,
                 struct err *e)
{
    return err_set(e, ERR_INPUT, "%s: %s: %s", path, doing, sqlite3_errmsg(db));
}

static bool check_version(sqlite3 *db, const char *path, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int64_t version = 0;

    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) !=
            SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        fail(db, path, "reading", e);
        sqlite3_finalize(st);
        return false;
    }
    version = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    if (version > WEIR_LOG_SCHEMA)
        return err_set(e, ERR_INPUT,
                       "%s: wanted a log of schema %d, found schema %lld: it "
                       "was written by a newer weir",
                       path, WEIR_LOG_SCHEMA, (long long)version);
    return true;
}

struct reading {
    const char *path;
    sqlite3 *db;
    sqlite3_stmt *st;
    bool (*row)(void *ctx, const struct log_row *r, struct err *e);
    void *ctx;
};

static bool read_all(struct reading *d, const struct log_range *g,
                     struct err *e)
{
    struct log_row r;
    int rc;

    if (sqlite3_prepare_v2(d->db, rows_sql, -1, &d->st, NULL) != SQLITE_OK)
        return fail(d->db, d->path, "wanted the tables of a weir log", e);
    sqlite3_bind_int64(d->st, 1, g->since_ms ? g->since_ms : INT64_MIN);
    sqlite3_bind_int64(d->st, 2, g->until_ms ? g->until_ms : INT64_MAX);
    if (g->route)
        sqlite3_bind_text(d->st, 3, g->route, -1, SQLITE_TRANSIENT);
    while ((rc = sqlite3_step(d->st)) == SQLITE_ROW) {
        fill(d->st, &r);
        if (!d->row(d->ctx, &r, e))
            return false;
    }
    return rc == SQLITE_DONE || fail(d->db, d->path, "reading", e);
}

bool log_rows_each(const char *path, const struct log_range *range,
                   bool (*row)(void *ctx, const struct log_row *r,
                               struct err *e),
                   void *ctx, struct err *e)
{
    struct reading d = {.path = path, .row = row, .ctx = ctx};
    bool ok;

    if (sqlite3_open_v2(path, &d.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        ok = fail(d.db, path, "opening", e);
    else
        ok = check_version(d.db, path, e) && read_all(&d, range, e);
    sqlite3_finalize(d.st);
    sqlite3_close(d.db);
    return ok;
}
