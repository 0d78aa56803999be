/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_read.h"

#include <stddef.h>
#include <string.h>

#include <sqlite3.h>

#include "router/outlog/sql.h"

#define COLUMNS                                                                \
    "SELECT route,task,classifier,arm,reason,arms,question,features,purpose,"  \
    "error,id,key_name,messages,tools,params,task_given,status FROM requests "

static const char one_sql[] = COLUMNS "WHERE id=?1";

static const char each_sql[] =
    COLUMNS "WHERE route=?1 AND purpose IS NULL AND question IS NOT NULL"
            " AND time_ms>=?2 AND time_ms<?3 ORDER BY time_ms,id";

static const size_t texts[] = {
    offsetof(struct logged, route),      offsetof(struct logged, task),
    offsetof(struct logged, classifier), offsetof(struct logged, arm),
    offsetof(struct logged, reason),     offsetof(struct logged, arms),
    offsetof(struct logged, question),   offsetof(struct logged, features),
    offsetof(struct logged, purpose),    offsetof(struct logged, error),
    offsetof(struct logged, id),         offsetof(struct logged, key),
    offsetof(struct logged, messages),   offsetof(struct logged, tools),
    offsetof(struct logged, params),
};

enum { TEXTS = sizeof texts / sizeof texts[0] };

/* Valid until the statement's next step. */
static void look(sqlite3_stmt *st, struct logged *out)
{
    *out = (struct logged){.status = sqlite3_column_int64(st, TEXTS + 1)};
    for (int i = 0; i < TEXTS; i++) {
        struct span s = {sqlite3_column_blob(st, i),
                         (size_t)sqlite3_column_bytes(st, i)};

        if (s.len)
            memcpy((char *)out + texts[i], &s, sizeof s);
    }
    out->task_given = sqlite3_column_int(st, TEXTS) != 0;
}

static bool take(sqlite3_stmt *st, struct arena *a, struct logged *out,
                 struct err *e)
{
    look(st, out);
    for (int i = 0; i < TEXTS; i++) {
        struct span *s = (struct span *)(void *)((char *)out + texts[i]);

        if (s->len == 0)
            continue;
        *s = arena_copy(a, *s);
        if (!s->ptr)
            return err_set(e, ERR_MEMORY, "no memory for the row");
    }
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
         sqlite3_prepare_v2(h, one_sql, -1, &st, NULL) == SQLITE_OK &&
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

static bool prepare_each(sqlite3 *h, const struct outlog_part *part,
                         sqlite3_stmt **st)
{
    int64_t until = part->until_ms ? part->until_ms : INT64_MAX;

    return sqlite3_prepare_v2(h, each_sql, -1, st, NULL) == SQLITE_OK &&
           sqlite3_bind_text(*st, 1, part->route, -1, SQLITE_STATIC) ==
               SQLITE_OK &&
           sqlite3_bind_int64(*st, 2, part->since_ms) == SQLITE_OK &&
           sqlite3_bind_int64(*st, 3, until) == SQLITE_OK;
}

bool outlog_each(const char *path, const struct outlog_part *part,
                 bool (*row)(void *ctx, const struct logged *row), void *ctx,
                 struct err *e)
{
    sqlite3 *h = NULL;
    sqlite3_stmt *st = NULL;
    struct logged one;
    int rc = SQLITE_ERROR;
    bool ok = true;

    if (sqlite3_open_v2(path, &h, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        prepare_each(h, part, &st))
        rc = sqlite3_step(st);
    for (; ok && rc == SQLITE_ROW; rc = sqlite3_step(st)) {
        look(st, &one);
        ok = row(ctx, &one);
    }
    if (ok && rc != SQLITE_DONE)
        ok = sql_fail(h, path, e);
    sqlite3_finalize(st);
    sqlite3_close(h);
    return ok;
}
