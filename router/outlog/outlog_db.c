/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_db.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "router/outlog/outlog.h"
#include "router/outlog/outlog_schema.h"
#include "router/outlog/outlog_settle.h"
#include "router/outlog/sql.h"

enum {
    SQL_MAX = 16384,
    SETTLE_AT = 1024, /* pages of the write-ahead log */
    HURRY_AT = 2048,
    WAL_MAX = 8192,
};

struct outlog_db {
    struct yielding_vfs *vfs;            /* (owned) */
    sqlite3 *h;                          /* (owned) */
    sqlite3_stmt *insert[OUTLOG_KINDS];  /* (owned) */
    sqlite3_stmt *find, *same, *earlier; /* (owned) */
    struct settle *settle;               /* (owned) */
    int pages;                           /* in the write-ahead log */
};

static bool fail(struct outlog_db *db, const char *what, struct err *e)
{
    return sql_fail(db->h, what, e);
}

static bool run(struct outlog_db *db, const char *sql, struct err *e)
{
    return sql_run(db->h, sql, e);
}

static void columns(const struct table *t, struct buf *sql)
{
    for (size_t i = 0; i < t->n; i++)
        buf_printf(sql, "%s%s", i ? "," : "", t->columns[i].name);
}

static void marks(const struct table *t, struct buf *sql)
{
    for (size_t i = 0; i < t->n; i++)
        buf_printf(sql, "%s?%zu", i ? "," : "", i + 1);
}

static void insert_sql(enum outlog_kind kind, struct buf *sql)
{
    const struct table *t = &OUTLOG_TABLES[kind];

    buf_printf(sql, "INSERT OR IGNORE INTO %s (", t->name);
    columns(t, sql);
    buf_str(sql, ") VALUES (");
    marks(t, sql);
    buf_str(sql, ")");
}

static bool prepare(struct outlog_db *db, const char *sql, sqlite3_stmt **st,
                    struct err *e)
{
    return sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, st,
                              NULL) == SQLITE_OK ||
           fail(db, "the log's tables", e);
}

static bool prepare_all(struct outlog_db *db, struct err *e)
{
    struct buf sql;
    bool ok = true;

    buf_init(&sql, SQL_MAX);
    for (unsigned k = 0; k < OUTLOG_KINDS && ok; k++) {
        buf_reset(&sql);
        insert_sql((enum outlog_kind)k, &sql);
        ok = prepare(db, buf_cstr(&sql), &db->insert[k], e);
    }
    buf_free(&sql);
    return ok &&
           prepare(db, "SELECT key_name FROM requests WHERE id=?1", &db->find,
                   e) &&
           prepare(db,
                   "SELECT 1 FROM labels WHERE request_id=?1 AND time_ms=?2"
                   " AND source=?3 AND score=?4",
                   &db->same, e) &&
           prepare(db,
                   "SELECT count(*) OVER (), score FROM labels WHERE"
                   " request_id=?1 AND source=?2"
                   " ORDER BY time_ms DESC, rowid DESC LIMIT 1",
                   &db->earlier, e);
}

static int on_commit(void *ctx, sqlite3 *h, const char *name, int pages)
{
    struct outlog_db *db = ctx;

    (void)h;
    (void)name;
    db->pages = pages;
    return SQLITE_OK;
}

/*
 * 16 kB pages: rows with their features lie several in a leaf instead of in
 * overflow pages of their own.  The cache holds what one batch writes.  Some
 * builds of SQLite wipe what they free by default: with rows that are only
 * ever added, that wipes whole pages to be written over at once.
 */
static bool set_up(struct outlog_db *db, unsigned busy_ms, bool *fatal,
                   struct err *e)
{
    sqlite3_busy_timeout(db->h, (int)busy_ms);
    sqlite3_wal_hook(db->h, on_commit, db);
    return run(db, "PRAGMA page_size=16384", e) &&
           run(db, "PRAGMA cache_size=-1024", e) &&
           run(db, "PRAGMA secure_delete=OFF", e) &&
           run(db, "PRAGMA journal_mode=WAL", e) &&
           run(db, "PRAGMA synchronous=NORMAL", e) &&
           run(db, "PRAGMA journal_size_limit=16777216", e) &&
           schema_ensure(db->h, fatal, e) && prepare_all(db, e);
}

struct outlog_db *outlog_db_open(const char *path, unsigned busy_ms,
                                 struct yielder *y, bool *fatal, struct err *e)
{
    static const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    struct outlog_db *db = calloc(1, sizeof *db);
    int rc;

    *fatal = false;
    if (!db) {
        err_set(e, ERR_MEMORY, "no memory for the log's database");
        return NULL;
    }
    db->vfs = y ? yielding_vfs_new(y, e) : NULL;
    if (y && !db->vfs) {
        outlog_db_close(db);
        return NULL;
    }
    rc = sqlite3_open_v2(path, &db->h, flags,
                         db->vfs ? yielding_vfs_name(db->vfs) : NULL);
    if (rc != SQLITE_OK) {
        *fatal = true;
        fail(db, "open", e);
    } else if (set_up(db, busy_ms, fatal, e) &&
               (db->settle = settle_new(path, e))) {
        return db;
    }
    rc = sqlite3_errcode(db->h);
    if (rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY || rc == SQLITE_PERM)
        *fatal = true;
    outlog_db_close(db);
    err_wrap(e, "%s", path);
    return NULL;
}

void outlog_db_close(struct outlog_db *db)
{
    if (!db)
        return;
    settle_free(db->settle);
    for (int k = 0; k < OUTLOG_KINDS; k++)
        sqlite3_finalize(db->insert[k]);
    sqlite3_finalize(db->find);
    sqlite3_finalize(db->same);
    sqlite3_finalize(db->earlier);
    sqlite3_close(db->h); /* rolls back what is open */
    yielding_vfs_free(db->vfs);
    free(db);
}

bool outlog_db_begin(struct outlog_db *db, struct err *e)
{
    return run(db, "BEGIN IMMEDIATE", e);
}

/*
 * The write-ahead log starts again from its beginning only when all of it has
 * been carried over before the next transaction begins.  That does not happen
 * while rows come without a pause: then it is waited for, rarely.
 */
static void begin_anew(struct outlog_db *db)
{
    settle_wait(db->settle);
    sqlite3_wal_checkpoint_v2(db->h, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                              NULL);
}

bool outlog_db_commit(struct outlog_db *db, struct err *e)
{
    if (!run(db, "COMMIT", e))
        return false;
    if (db->pages >= WAL_MAX)
        begin_anew(db);
    else if (db->pages >= SETTLE_AT)
        settle_wake(db->settle, db->pages >= HURRY_AT);
    return true;
}

void outlog_db_rollback(struct outlog_db *db)
{
    sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
}

static int bind_span(sqlite3_stmt *st, int at, enum column_kind kind,
                     const struct span *s)
{
    if (s->len == 0)
        return sqlite3_bind_null(st, at);
    if (kind == COLUMN_BLOB)
        return sqlite3_bind_blob(st, at, s->ptr, (int)s->len, SQLITE_STATIC);
    return sqlite3_bind_text(st, at, s->ptr, (int)s->len, SQLITE_STATIC);
}

static int bind_one(sqlite3_stmt *st, int at, const struct column *c,
                    const void *row)
{
    const void *from = (const char *)row + c->offset;

    switch (c->kind) {
    case COLUMN_TEXT:
    case COLUMN_BLOB:
        return bind_span(st, at, c->kind, from);
    case COLUMN_INT:
        if (*(const int64_t *)from < 0)
            return sqlite3_bind_null(st, at);
        return sqlite3_bind_int64(st, at, *(const int64_t *)from);
    case COLUMN_BOOL:
        return sqlite3_bind_int(st, at, *(const bool *)from);
    case COLUMN_REAL:
        return sqlite3_bind_double(st, at, *(const double *)from);
    }
    return SQLITE_MISUSE;
}

static enum db_step step(struct outlog_db *db, sqlite3_stmt *st, struct err *e)
{
    int rc = sqlite3_step(st);

    sqlite3_reset(st);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        return rc == SQLITE_ROW ? DB_OK : DB_NONE;
    fail(db, "write", e);
    return DB_FAIL;
}

static enum db_step find(struct outlog_db *db, struct span id, struct err *e)
{
    bind_span(db->find, 1, COLUMN_TEXT, &id);
    return step(db, db->find, e);
}

/* A label that is there already.  Its own statement: one INSERT that looks
 * into its own table would copy what it finds through a table for that. */
static enum db_step find_same(struct outlog_db *db,
                              const struct outlog_label *l, struct err *e)
{
    bind_span(db->same, 1, COLUMN_TEXT, &l->request_id);
    sqlite3_bind_int64(db->same, 2, l->time_ms);
    bind_span(db->same, 3, COLUMN_TEXT, &l->source);
    sqlite3_bind_double(db->same, 4, l->score);
    return step(db, db->same, e);
}

enum db_step outlog_db_insert(struct outlog_db *db, enum outlog_kind kind,
                              struct span packed, struct err *e)
{
    union {
        struct outlog_row row;
        struct outlog_label label;
    } u;
    const struct table *t = &OUTLOG_TABLES[kind];
    enum db_step found;
    int rc = SQLITE_OK;

    if (!table_unpack(t, packed, &u))
        return DB_NONE; /* no such row: cannot come from us */
    if (kind == OUTLOG_LABEL) {
        found = find(db, u.label.request_id, e);
        if (found != DB_OK)
            return found;
        found = find_same(db, &u.label, e);
        if (found != DB_NONE)
            return found;
    }
    for (size_t i = 0; i < t->n && rc == SQLITE_OK; i++)
        rc = bind_one(db->insert[kind], (int)i + 1, &t->columns[i], &u);
    if (rc != SQLITE_OK) {
        fail(db, "bind", e);
        return DB_FAIL;
    }
    return step(db, db->insert[kind], e) == DB_FAIL ? DB_FAIL : DB_OK;
}

static bool is_owner(struct outlog_db *db, struct span id, struct span owner)
{
    bool ok = false;

    bind_span(db->find, 1, COLUMN_TEXT, &id);
    if (sqlite3_step(db->find) == SQLITE_ROW)
        ok = owner.len == 0 ||
             span_eq(owner, (struct span){
                                (const char *)sqlite3_column_text(db->find, 0),
                                (size_t)sqlite3_column_bytes(db->find, 0)});
    sqlite3_reset(db->find);
    return ok;
}

static void look_earlier(struct outlog_db *db, const struct outlog_label *l,
                         struct outlog_earlier *out)
{
    bind_span(db->earlier, 1, COLUMN_TEXT, &l->request_id);
    bind_span(db->earlier, 2, COLUMN_TEXT, &l->source);
    if (sqlite3_step(db->earlier) == SQLITE_ROW)
        *out = (struct outlog_earlier){sqlite3_column_int64(db->earlier, 0),
                                       sqlite3_column_double(db->earlier, 1)};
    sqlite3_reset(db->earlier);
}

enum db_step outlog_db_label(struct outlog_db *db, struct span packed,
                             struct span owner, struct outlog_earlier *earlier,
                             struct err *e)
{
    struct outlog_label l;

    *earlier = (struct outlog_earlier){0, NAN};
    if (!table_unpack(&OUTLOG_TABLES[OUTLOG_LABEL], packed, &l) ||
        !is_owner(db, l.request_id, owner))
        return DB_NONE;
    look_earlier(db, &l, earlier);
    return outlog_db_insert(db, OUTLOG_LABEL, packed, e);
}

bool outlog_db_prune(struct outlog_db *db, const struct retention *r,
                     int64_t now_ms, uint64_t *n, struct err *e)
{
    return prune_rows(db->h, r, now_ms, n, e);
}

bool outlog_db_since(struct outlog_db *db, int64_t time_ms, uint64_t *n,
                     int64_t *newest_ms, struct err *e)
{
    char text[24];
    int64_t count = 0;
    bool ok;

    snprintf(text, sizeof text, "%lld", (long long)time_ms);
    ok =
        sql_int(db->h, "SELECT count(*) FROM requests WHERE time_ms>=?1+0",
                text, &count, e) &&
        sql_int(db->h, "SELECT max(time_ms) FROM requests", NULL, newest_ms, e);
    *n = (uint64_t)count;
    return ok;
}
