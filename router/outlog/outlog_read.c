/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_read.h"

#include <stddef.h>

#include <sqlite3.h>

#include "router/outlog/sql.h"

static const char sql[] =
    "SELECT route,task,classifier,arm,reason,arms,question,features,purpose,"
    "error,task_given,status FROM requests WHERE id=?1";

static const size_t texts[] = {
    offsetof(struct logged, route),      offsetof(struct logged, task),
    offsetof(struct logged, classifier), offsetof(struct logged, arm),
    offsetof(struct logged, reason),     offsetof(struct logged, arms),
    offsetof(struct logged, question),   offsetof(struct logged, features),
    offsetof(struct logged, purpose),    offsetof(struct logged, error),
};

enum { TEXTS = sizeof texts / sizeof texts[0] };

static bool take(sqlite3_stmt *st, struct arena *a, struct logged *out,
                 struct err *e)
{
    for (int i = 0; i < TEXTS; i++) {
        struct span s = {sqlite3_column_blob(st, i),
                         (size_t)sqlite3_column_bytes(st, i)};
        struct span *to = (struct span *)(void *)((char *)out + texts[i]);

        if (s.len == 0)
            continue;
        *to = arena_copy(a, s);
        if (!to->ptr)
            return err_set(e, ERR_MEMORY, "no memory for the row");
    }
    out->task_given = sqlite3_column_int(st, TEXTS) != 0;
    out->status = sqlite3_column_int64(st, TEXTS + 1);
    return true;
}

bool outlog_read(const char *path, struct span id, struct arena *a,
                 struct logged *out, struct err *e)
{
    sqlite3 *h = NULL;
    sqlite3_stmt *st = NULL;
    bool ok;
    int rc;

    *out = (struct logged){.status = 0};
    ok = sqlite3_open_v2(path, &h, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
         sqlite3_prepare_v2(h, sql, -1, &st, NULL) == SQLITE_OK &&
         sqlite3_bind_text(st, 1, id.ptr, (int)id.len, SQLITE_STATIC) ==
             SQLITE_OK;
    rc = ok ? sqlite3_step(st) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        ok = take(st, a, out, e);
    else if (rc == SQLITE_DONE)
        ok = err_set(e, ERR_INPUT, "%s: no request of this id is in the log",
                     path);
    else
        ok = sql_fail(h, path, e);
    sqlite3_finalize(st);
    sqlite3_close(h);
    return ok;
}
