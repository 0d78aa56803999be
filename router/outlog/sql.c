/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/sql.h"

#include <sqlite3.h>

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
