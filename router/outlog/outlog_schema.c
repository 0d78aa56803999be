/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_schema.h"

#include "router/outlog/outlog_table.h"
#include "router/outlog/sql.h"

enum { SQL_MAX = 16384 };

/* What is no column, by the version it came in with. */
static const struct {
    int since;
    const char *sql;
} STEPS[] = {
    {1, "CREATE INDEX requests_time ON requests(time_ms)"},
    {1, "CREATE INDEX labels_request ON labels(request_id)"},
};

enum { N_STEPS = sizeof STEPS / sizeof STEPS[0] };

static bool run_buf(struct sqlite3 *h, struct buf *sql, struct err *e)
{
    bool ok = sql->failed ? err_set(e, ERR_MEMORY, "no memory for the schema")
                          : sql_run(h, buf_cstr(sql), e);

    buf_reset(sql);
    return ok;
}

static bool ensure_columns(struct sqlite3 *h, const struct table *t,
                           struct buf *sql, struct err *e)
{
    int64_t there;

    for (size_t i = 0; i < t->n; i++) {
        const struct column *c = &t->columns[i];

        buf_printf(sql,
                   "SELECT count(*) FROM pragma_table_info('%s')"
                   " WHERE name=?1",
                   t->name);
        if (!sql_int(h, buf_cstr(sql), c->name, &there, e))
            return false;
        buf_reset(sql);
        if (there)
            continue;
        table_add_column(t, c, sql);
        if (!run_buf(h, sql, e))
            return false;
    }
    return true;
}

static bool ensure_table(struct sqlite3 *h, const struct table *t,
                         struct buf *sql, struct err *e)
{
    int64_t there;

    if (!sql_int(h,
                 "SELECT count(*) FROM sqlite_schema WHERE type='table'"
                 " AND name=?1",
                 t->name, &there, e))
        return false;
    if (there)
        return ensure_columns(h, t, sql, e);
    table_create(t, sql);
    return run_buf(h, sql, e);
}

static bool check_version(struct sqlite3 *h, int64_t *version, bool *fatal,
                          struct err *e)
{
    int64_t tables;

    if (!sql_int(h, "PRAGMA user_version", NULL, version, e) ||
        !sql_int(h, "SELECT count(*) FROM sqlite_schema", NULL, &tables, e))
        return false;
    if (*version > OUTLOG_VERSION) {
        *fatal = true;
        return err_set(e, ERR_STATE,
                       "the log has schema version %lld, this program knows "
                       "up to %d: use a newer weir",
                       (long long)*version, OUTLOG_VERSION);
    }
    if (*version > 0 || tables == 0)
        return true;
    *fatal = true;
    return err_set(e, ERR_STATE,
                   "wanted an empty database or a weir log, found another "
                   "program's database");
}

static bool bring_forward(struct sqlite3 *h, int64_t version, struct err *e)
{
    struct buf sql;
    bool ok = true;

    buf_init(&sql, SQL_MAX);
    for (int k = 0; ok && k < OUTLOG_KINDS; k++)
        ok = ensure_table(h, &OUTLOG_TABLES[k], &sql, e);
    for (int i = 0; ok && i < N_STEPS; i++)
        ok = STEPS[i].since <= version || sql_run(h, STEPS[i].sql, e);
    buf_printf(&sql, "PRAGMA user_version=%d", OUTLOG_VERSION);
    ok = ok && run_buf(h, &sql, e);
    buf_free(&sql);
    return ok;
}

bool schema_ensure(struct sqlite3 *h, bool *fatal, struct err *e)
{
    int64_t version;
    struct err ignored;

    if (!sql_run(h, "BEGIN IMMEDIATE", e))
        return false;
    if (check_version(h, &version, fatal, e) && bring_forward(h, version, e) &&
        sql_run(h, "COMMIT", e))
        return true;
    (void)!sql_run(h, "ROLLBACK", &ignored);
    return false;
}
