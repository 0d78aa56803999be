/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/sql.h"

#include <math.h>
#include <sqlite3.h>

void sql_lean(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

bool sql_fail(struct sqlite3 *h, const char *what, struct err *e)
{
    int code = sqlite3_extended_errcode(h);

    return err_set(e, ERR_IO, "%s: %s (SQLite %d)", what, sqlite3_errmsg(h),
                   code);
}

bool sql_run(struct sqlite3 *h, const char *sql, struct err *e)
{
    return sqlite3_exec(h, sql, NULL, NULL, NULL) == SQLITE_OK ||
           sql_fail(h, sql, e);
}

bool sql_int(struct sqlite3 *h, const char *sql, const char *arg, int64_t *out,
             struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(h, sql, -1, &st, NULL);

    *out = 0;
    if (rc == SQLITE_OK && arg)
        rc = sqlite3_bind_text(st, 1, arg, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    else if (rc != SQLITE_DONE)
        sql_fail(h, sql, e);
    sqlite3_finalize(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

bool sql_run2(struct sqlite3 *h, const char *sql, const int64_t args[2],
              uint64_t *changes, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(h, sql, -1, &st, NULL);

    for (int i = 0; i < 2 && rc == SQLITE_OK; i++)
        rc = sqlite3_bind_int64(st, i + 1, args[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_DONE && changes)
        *changes = (uint64_t)sqlite3_changes(h);
    if (rc != SQLITE_DONE)
        sql_fail(h, sql, e);
    sqlite3_finalize(st);
    return rc == SQLITE_DONE;
}

/* ---- for readers ---- */

enum { BUSY_MS = 5000 };

struct sqlite3 *sql_open(const char *path, struct err *e)
{
    return sql_open_by(path, NULL, e);
}

struct sqlite3 *sql_open_by(const char *path, const char *vfs, struct err *e)
{
    sqlite3 *h = NULL;

    if (sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, vfs) == SQLITE_OK) {
        sqlite3_busy_timeout(h, BUSY_MS);
        return h;
    }
    if (h)
        sql_fail(h, path, e);
    else
        err_set(e, ERR_MEMORY, "%s: no memory", path);
    sqlite3_close(h);
    return NULL;
}

void sql_close(struct sqlite3 *h)
{
    sqlite3_close(h);
}

struct sql_row {
    sqlite3_stmt *st; /* (borrowed) */
};

bool sql_each(struct sqlite3 *h, const char *sql,
              bool (*row)(void *ctx, const struct sql_row *row), void *ctx,
              struct err *e)
{
    struct sql_row r = {NULL};
    int rc = sqlite3_prepare_v2(h, sql, -1, &r.st, NULL);

    if (rc == SQLITE_OK) {
        while ((rc = sqlite3_step(r.st)) == SQLITE_ROW && row(ctx, &r))
            ;
    }
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        sql_fail(h, sql, e);
    sqlite3_finalize(r.st);
    return rc == SQLITE_DONE || rc == SQLITE_ROW;
}

struct span sql_row_text(const struct sql_row *row, int i)
{
    const char *text = sqlite3_column_blob(row->st, i);

    return (struct span){text, (size_t)sqlite3_column_bytes(row->st, i)};
}

int64_t sql_row_int(const struct sql_row *row, int i)
{
    return sqlite3_column_int64(row->st, i);
}

double sql_row_real(const struct sql_row *row, int i)
{
    return sqlite3_column_type(row->st, i) == SQLITE_NULL
               ? (double)NAN
               : sqlite3_column_double(row->st, i);
}

bool sql_carry(struct sqlite3 *h)
{
    int rc = sqlite3_wal_checkpoint_v2(h, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                       NULL);

    return rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED;
}
