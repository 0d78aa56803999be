/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_spent.h"

#include <unistd.h>

#include "router/outlog/outlog.h"
#include "router/outlog/outlog_guard.h"
#include "router/outlog/outlog_spill.h"
#include "router/outlog/outlog_table.h"
#include "router/outlog/sql.h"

enum { RECORD_MAX = 1 << 30, PATH_BYTES = 8192, PURPOSE_SINCE = 6 };

struct reading {
    void (*one)(void *ctx, const struct spent_row *row);
    void *ctx;
};

static bool on_row(void *ctx, const struct sql_row *row)
{
    const struct reading *r = ctx;

    r->one(r->ctx, &(struct spent_row){.cost_pico = sql_row_int(row, 0),
                                       .key_name = sql_row_text(row, 1),
                                       .route = sql_row_text(row, 2),
                                       .reason = sql_row_text(row, 3),
                                       .arms = sql_row_text(row, 4),
                                       .arm = sql_row_text(row, 5),
                                       .purpose = sql_row_text(row, 6)});
    return true;
}

static bool read_db(const char *path, int64_t since_ms, struct reading *r,
                    struct err *e)
{
    struct sqlite3 *h = sql_open(path, e);
    int64_t version;
    struct buf sql;
    bool ok;

    if (!h)
        return false;
    buf_init(&sql, PATH_BYTES);
    ok = sql_int(h, "PRAGMA user_version", NULL, &version, e);
    /* An older log, not yet brought forward. */
    buf_printf(&sql,
               "SELECT cost_pico, key_name, route, reason,"
               " CASE reason WHEN 'explored' THEN arms END, arm, %s"
               " FROM requests WHERE time_ms>=%lld AND cost_pico>0",
               version >= PURPOSE_SINCE ? "purpose" : "NULL",
               (long long)since_ms);
    ok = ok && (version == 0 || sql_each(h, buf_cstr(&sql), on_row, r, e));
    buf_free(&sql);
    sql_close(h);
    return ok;
}

static void read_spill(const char *path, int64_t since_ms,
                       const struct reading *r)
{
    static const struct table *const t = &OUTLOG_TABLES[OUTLOG_ROW];
    struct err ignored;
    struct outlog_spill *s = spill_look(path, &ignored);
    struct outlog_row row;
    struct buf record;
    unsigned kind;

    buf_init(&record, RECORD_MAX);
    while (s && spill_next(s, &kind, &record)) {
        if (kind != OUTLOG_ROW || !table_unpack(t, buf_view(&record), &row) ||
            row.time_ms < since_ms || row.cost_pico <= 0)
            continue;
        r->one(r->ctx, &(struct spent_row){.purpose = row.purpose,
                                           .key_name = row.key_name,
                                           .route = row.route,
                                           .reason = row.reason,
                                           .arm = row.arm,
                                           .arms = row.arms,
                                           .cost_pico = row.cost_pico});
    }
    buf_free(&record);
    spill_close(s);
}

bool outlog_spent(const char *path, int64_t since_ms,
                  void (*one)(void *ctx, const struct spent_row *row),
                  void *ctx, struct err *e)
{
    struct reading r = {one, ctx};
    struct buf name;

    buf_init(&name, PATH_BYTES);
    for (unsigned i = 0; i < GUARD_SPILLS; i++) {
        buf_reset(&name);
        guard_spill_path(path, i, &name);
        read_spill(buf_cstr(&name), since_ms, &r);
    }
    buf_free(&name);
    return access(path, F_OK) != 0 || read_db(path, since_ms, &r, e);
}
