/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_care.h"

#include <math.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "base/base64.h"
#include "base/buf.h"
#include "router/outlog/sql.h"

enum { LINE_MAX_BYTES = 1 << 30 };

struct dump {
    sqlite3 *h;            /* (owned) */
    sqlite3_stmt *rows;    /* (owned) */
    sqlite3_stmt *labels;  /* (owned) of request ?1 */
    struct buf line, text; /* (owned) */
};

static void put_blob(struct dump *d, struct span bytes)
{
    char *to;

    buf_reset(&d->text);
    to = buf_room(&d->text, BASE64_SIZE(bytes.len));
    if (to)
        d->text.len += base64_encode(bytes, to);
    d->line.failed = d->line.failed || d->text.failed;
    buf_json_str(&d->line, buf_view(&d->text));
}

static void put_value(struct dump *d, sqlite3_stmt *st, int i)
{
    struct span bytes;

    switch (sqlite3_column_type(st, i)) {
    case SQLITE_INTEGER:
        buf_printf(&d->line, "%lld", (long long)sqlite3_column_int64(st, i));
        return;
    case SQLITE_FLOAT:
        buf_json_num(&d->line, sqlite3_column_double(st, i));
        return;
    default:
        bytes.ptr = sqlite3_column_blob(st, i);
        bytes.len = (size_t)sqlite3_column_bytes(st, i);
        if (sqlite3_column_type(st, i) == SQLITE_BLOB)
            put_blob(d, bytes);
        else
            buf_json_str(&d->line, bytes);
    }
}

/* The columns that are not NULL, without the closing brace. */
static void put_columns(struct dump *d, sqlite3_stmt *st)
{
    bool first = true;

    buf_char(&d->line, '{');
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        if (sqlite3_column_type(st, i) == SQLITE_NULL)
            continue;
        if (!first)
            buf_char(&d->line, ',');
        first = false;
        buf_json_str(&d->line, span_of(sqlite3_column_name(st, i)));
        buf_char(&d->line, ':');
        put_value(d, st, i);
    }
}

static void put_labels(struct dump *d)
{
    bool first = true;

    sqlite3_bind_value(d->labels, 1, sqlite3_column_value(d->rows, 0));
    while (sqlite3_step(d->labels) == SQLITE_ROW) {
        buf_str(&d->line, first ? ",\"labels\":[" : ",");
        first = false;
        put_columns(d, d->labels);
        buf_char(&d->line, '}');
    }
    if (!first)
        buf_char(&d->line, ']');
    sqlite3_reset(d->labels);
}

#define IN_TIME "FROM requests WHERE time_ms>=?1 AND time_ms<?2"

static const char *select_of(const struct care_range *r)
{
    if (r->id)
        return "SELECT * FROM requests WHERE id=?1";
    if (r->newest)
        return "SELECT * FROM (SELECT * " IN_TIME
               " ORDER BY time_ms DESC, id DESC LIMIT ?3)"
               " ORDER BY time_ms, id";
    return "SELECT * " IN_TIME " ORDER BY time_ms, id";
}

static bool bind_range(sqlite3_stmt *st, const struct care_range *r)
{
    if (r->id)
        return sqlite3_bind_text(st, 1, r->id, -1, SQLITE_STATIC) == SQLITE_OK;
    return sqlite3_bind_int64(st, 1, r->since_ms) == SQLITE_OK &&
           sqlite3_bind_int64(st, 2, r->until_ms) == SQLITE_OK &&
           (!r->newest ||
            sqlite3_bind_int64(st, 3, (int64_t)r->newest) == SQLITE_OK);
}

static bool prepare(struct dump *d, const char *path,
                    const struct care_range *r, struct err *e)
{
    if (sqlite3_open_v2(path, &d->h, SQLITE_OPEN_READWRITE, NULL) !=
            SQLITE_OK ||
        sqlite3_busy_timeout(d->h, 5000) != SQLITE_OK ||
        sqlite3_prepare_v2(d->h, select_of(r), -1, &d->rows, NULL) !=
            SQLITE_OK ||
        !bind_range(d->rows, r) ||
        sqlite3_prepare_v2(d->h,
                           "SELECT time_ms, source, score, confidence,"
                           " comment FROM labels WHERE request_id=?1"
                           " ORDER BY time_ms",
                           -1, &d->labels, NULL) != SQLITE_OK)
        return sql_fail(d->h, path, e);
    return true;
}

static bool put_rows(struct dump *d, bool (*line)(void *ctx, struct span json),
                     void *ctx, struct err *e)
{
    int rc;

    while ((rc = sqlite3_step(d->rows)) == SQLITE_ROW) {
        buf_reset(&d->line);
        put_columns(d, d->rows);
        put_labels(d);
        buf_str(&d->line, "}\n");
        if (d->line.failed)
            return err_set(e, ERR_MEMORY, "no memory for a row");
        if (!line(ctx, buf_view(&d->line)))
            return err_sys(e, "write");
    }
    return rc == SQLITE_DONE || sql_fail(d->h, "read", e);
}

bool care_export(const char *path, const struct care_range *r,
                 bool (*line)(void *ctx, struct span json), void *ctx,
                 struct err *e)
{
    struct dump d = {0};
    bool ok;

    buf_init(&d.line, LINE_MAX_BYTES);
    buf_init(&d.text, LINE_MAX_BYTES);
    ok = prepare(&d, path, r, e) && put_rows(&d, line, ctx, e);
    sqlite3_finalize(d.rows);
    sqlite3_finalize(d.labels);
    sqlite3_close(d.h);
    buf_free(&d.line);
    buf_free(&d.text);
    return ok;
}
