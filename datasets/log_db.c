/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/log_db.h"

#include <math.h>
#include <sqlite3.h>
#include <stdint.h>

#include "datasets/reader.h"

enum { BUSY_MS = 5000 };

bool log_db_fail(const struct log_db *l, const char *doing, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s: %s: %s", l->path, doing,
                   sqlite3_errmsg(l->sql));
}

bool log_db_prepare(struct log_db *l, const char *sql, sqlite3_stmt **out,
                    struct err *e)
{
    return sqlite3_prepare_v2(l->sql, sql, -1, out, NULL) == SQLITE_OK ||
           log_db_fail(l, "wanted the tables of a weir log", e);
}

bool log_db_ask(struct log_db *l, const char *sql, int64_t *out, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool ok = log_db_prepare(l, sql, &st, e);

    if (ok && sqlite3_step(st) == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    else if (ok)
        ok = log_db_fail(l, "reading", e);
    sqlite3_finalize(st);
    return ok;
}

static bool check_schema(struct log_db *l, struct err *e)
{
    int64_t version, tables;

    if (!log_db_ask(l, "PRAGMA user_version", &version, e) ||
        !log_db_ask(l,
                    "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                    " AND name IN ('requests', 'labels')",
                    &tables, e))
        return false;
    if (version > WEIR_LOG_SCHEMA)
        return err_set(e, ERR_INPUT,
                       "%s: wanted a log of schema %d, found schema %lld: it "
                       "was written by a newer weir",
                       l->path, WEIR_LOG_SCHEMA, (long long)version);
    return (version >= 1 && tables == 2) ||
           err_set(e, ERR_INPUT,
                   "%s: wanted a weir log, found another SQLite database",
                   l->path);
}

static bool look_at_columns(struct log_db *l, struct err *e)
{
    int64_t plans, signals;

    if (!log_db_ask(l,
                    "SELECT count(*) FROM pragma_table_info('requests')"
                    " WHERE name IN ('plan', 'purpose', 'parent')",
                    &plans, e) ||
        !log_db_ask(l,
                    "SELECT count(*) FROM pragma_table_info('requests')"
                    " WHERE name = 'signals'",
                    &signals, e))
        return false;
    l->has_plans = plans == 3;
    l->has_signals = signals == 1;
    return true;
}

bool log_db_open(struct log_db *l, const char *path, struct err *e)
{
    *l = (struct log_db){.path = path};
    if (sqlite3_open_v2(path, &l->sql, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        return log_db_fail(l, "opening", e);
    sqlite3_busy_timeout(l->sql, BUSY_MS);
    if (sqlite3_exec(l->sql, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return log_db_fail(l, "beginning to read", e);
    return check_schema(l, e) && look_at_columns(l, e);
}

void log_db_close(struct log_db *l)
{
    sqlite3_close(l->sql);
    l->sql = NULL;
}

void log_db_bind(sqlite3_stmt *st, struct log_db_range r)
{
    sqlite3_bind_int64(st, 1, r.since_ms ? r.since_ms : INT64_MIN);
    sqlite3_bind_int64(st, 2, r.until_ms ? r.until_ms : INT64_MAX);
    if (r.route && sqlite3_bind_parameter_count(st) > 2)
        sqlite3_bind_text(st, 3, r.route, -1, SQLITE_TRANSIENT);
}

struct span log_db_text(sqlite3_stmt *st, int column)
{
    const void *p = sqlite3_column_blob(st, column);

    return (struct span){p, (size_t)sqlite3_column_bytes(st, column)};
}

double log_db_number(sqlite3_stmt *st, int column, double unit)
{
    int type = sqlite3_column_type(st, column);

    if (type == SQLITE_NULL)
        return NAN;
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
        return HUGE_VAL;
    return sqlite3_column_double(st, column) * unit;
}
