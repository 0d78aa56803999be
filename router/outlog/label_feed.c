/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/label_feed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/json.h"
#include "router/outlog/sql.h"

enum { BUSY_MS = 100 };

#define VOID_WORDS "void: drift in "

struct label_feed {
    char *path;   /* (owned) */
    sqlite3 *h;   /* (owned) NULL: not open */
    int64_t seen; /* rowid of the last label; -1: not begun */
};

struct label_feed *label_feed_new(const char *path)
{
    struct label_feed *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    f->seen = -1;
    f->path = strdup(path);
    if (f->path)
        return f;
    free(f);
    return NULL;
}

static void close_db(struct label_feed *f)
{
    sqlite3_close(f->h);
    f->h = NULL;
}

void label_feed_free(struct label_feed *f)
{
    if (!f)
        return;
    close_db(f);
    free(f->path);
    free(f);
}

static bool open_db(struct label_feed *f, struct err *e)
{
    static const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;

    if (f->h)
        return true;
    if (sqlite3_open_v2(f->path, &f->h, flags, NULL) != SQLITE_OK)
        return sql_fail(f->h, f->path, e);
    sqlite3_busy_timeout(f->h, BUSY_MS);
    return sql_run(f->h, "PRAGMA cache_size=-256", e);
}

static struct span column(sqlite3_stmt *st, int i)
{
    const unsigned char *text = sqlite3_column_text(st, i);

    return (struct span){(const char *)text,
                         (size_t)sqlite3_column_bytes(st, i)};
}

/* Of the arm in the row's `arms`; NAN: none. */
static double predicted_of(struct span arms, struct span arm)
{
    struct json list, one;
    struct json_iter it;
    double p;

    if (!arms.len || !json_parse(arms, &list, NULL) || list.type != JSON_ARRAY)
        return NAN;
    it = json_begin(&list);
    while (json_next(&it, NULL, &one)) {
        struct json name = json_get(&one, "arm");
        struct json quality = json_get(&one, "quality");

        if (name.type == JSON_STRING && span_eq(json_inner(&name), arm))
            return json_double(&quality, &p) ? p : NAN;
    }
    return NAN;
}

static bool begin(struct label_feed *f, struct err *e)
{
    int64_t last;

    if (f->seen >= 0)
        return true;
    if (!sql_int(f->h, "SELECT max(rowid) FROM labels", NULL, &last, e))
        return false;
    f->seen = last > LABEL_FEED_BEFORE ? last - LABEL_FEED_BEFORE : 0;
    return true;
}

/* A shadow was not routed: what was predicted of it stands in its parent. */
static const char labels_sql[] =
    "SELECT l.rowid,l.score,p.route,p.classifier,r.arm,p.arms,r.purpose"
    " FROM labels l LEFT JOIN requests r ON r.id=l.request_id"
    " AND (r.purpose IS NULL OR r.purpose='shadow') AND l.source<>'signal'"
    " AND NOT EXISTS (SELECT 1 FROM labels o WHERE o.request_id=l.request_id"
    " AND o.source<>'signal' AND o.rowid<l.rowid)"
    " LEFT JOIN requests p ON p.id=coalesce(r.parent,r.id)"
    " WHERE l.rowid>?1 ORDER BY l.rowid LIMIT ?2";

static void take(struct label_feed *f, sqlite3_stmt *st,
                 void (*label)(void *ctx, const struct fed_label *l), void *ctx)
{
    struct fed_label l = {.route = column(st, 2),
                          .classifier = column(st, 3),
                          .arm = column(st, 4),
                          .shadow = column(st, 6).len > 0,
                          .score = sqlite3_column_double(st, 1)};

    f->seen = sqlite3_column_int64(st, 0);
    if (!l.route.len || !l.classifier.len)
        return;
    l.predicted = predicted_of(column(st, 5), column(st, 4));
    if (!isnan(l.predicted))
        label(ctx, &l);
}

/* The statement's end: what failed begins anew at the next look. */
static bool finish(struct label_feed *f, sqlite3_stmt *st, int rc,
                   struct err *e)
{
    bool ok = rc == SQLITE_DONE;

    if (!ok)
        sql_fail(f->h, f->path, e);
    sqlite3_finalize(st);
    if (!ok)
        close_db(f);
    return ok;
}

bool label_feed_look(struct label_feed *f,
                     void (*label)(void *ctx, const struct fed_label *l),
                     void *ctx, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc;

    if (!open_db(f, e) || !begin(f, e)) {
        close_db(f);
        return false;
    }
    rc = sqlite3_prepare_v2(f->h, labels_sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, 1, f->seen);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(st, 2, LABEL_FEED_BATCH);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            take(f, st, label, ctx);
    }
    return finish(f, st, rc, e);
}

static const char void_sql[] =
    "SELECT DISTINCT route,classifier,guarantee FROM (SELECT route,classifier,"
    "guarantee FROM requests ORDER BY time_ms DESC LIMIT ?1)"
    " WHERE guarantee LIKE '" VOID_WORDS "%'";

bool label_feed_void(struct label_feed *f,
                     void (*is_void)(void *ctx, struct span route,
                                     struct span classifier, struct span cause),
                     void *ctx, struct err *e)
{
    const size_t behind = sizeof VOID_WORDS - 1;
    sqlite3_stmt *st = NULL;
    int rc;

    if (!open_db(f, e)) {
        close_db(f);
        return false;
    }
    rc = sqlite3_prepare_v2(f->h, void_sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(st, 1, LABEL_FEED_ROWS);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        struct span said;

        rc = sqlite3_step(st);
        if (rc != SQLITE_ROW)
            continue;
        said = column(st, 2);
        is_void(ctx, column(st, 0), column(st, 1),
                (struct span){said.ptr + behind, said.len - behind});
    }
    return finish(f, st, rc, e);
}
