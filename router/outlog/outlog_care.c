/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_care.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "router/outlog/outlog_db.h"
#include "router/outlog/outlog_guard.h"
#include "router/outlog/outlog_schema.h"
#include "router/outlog/outlog_spill.h"
#include "router/outlog/sql.h"

enum { BUSY_MS = 5000, PATH_BYTES = 8192, RECORD_MAX = 1 << 30 };

/* NULL with e; a database that is not there is not made. */
static sqlite3 *open_db(const char *path, int flags, struct err *e)
{
    sqlite3 *h = NULL;

    if (sqlite3_open_v2(path, &h, flags, NULL) == SQLITE_OK) {
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

/* ---- check ---- */

/* The first line of an integrity check; "ok" is none. */
static bool integrity(sqlite3 *h, bool whole, struct care_report *r)
{
    const char *sql =
        whole ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)";
    sqlite3_stmt *st = NULL;
    const char *text = NULL;

    if (sqlite3_prepare_v2(h, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        text = (const char *)sqlite3_column_text(st, 0);
    r->sound = text && !strcmp(text, "ok");
    if (!r->sound)
        span_copy(r->fault, sizeof r->fault,
                  span_of(text ? text : sqlite3_errmsg(h)));
    sqlite3_finalize(st);
    return r->sound;
}

static bool count_all(sqlite3 *h, struct care_report *r, struct err *e)
{
    const struct {
        const char *sql;
        int64_t *to;
    } asks[] = {
        {"PRAGMA user_version", &r->version},
        {"SELECT count(*) FROM requests", &r->rows},
        {"SELECT count(*) FROM labels", &r->labels},
        {"SELECT count(*) FROM labels WHERE request_id NOT IN"
         " (SELECT id FROM requests)",
         &r->orphans},
        {"SELECT min(time_ms) FROM requests", &r->oldest_ms},
        {"SELECT max(time_ms) FROM requests", &r->newest_ms},
    };

    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        if (!sql_int(h, asks[i].sql, NULL, asks[i].to, e))
            return false;
    }
    return prune_used(h, &r->used, e);
}

static uint64_t count_spills(const char *path)
{
    struct outlog_spill *s;
    struct buf name;
    uint64_t n = 0;
    struct err e;

    buf_init(&name, PATH_BYTES);
    for (unsigned i = 0; i < GUARD_SPILLS; i++) {
        buf_reset(&name);
        guard_spill_path(path, i, &name);
        s = spill_look(buf_cstr(&name), &e);
        n += s ? spill_waiting(s) : 0;
        spill_close(s);
    }
    buf_free(&name);
    return n;
}

bool care_check(const char *path, bool whole, struct care_report *r,
                struct err *e)
{
    sqlite3 *h;
    struct stat st;
    struct err inside;

    memset(r, 0, sizeof *r);
    if (stat(path, &st) < 0)
        return err_sys(e, "%s", path);
    h = open_db(path, SQLITE_OPEN_READWRITE, e);
    if (!h)
        return false;
    r->bytes = st.st_size;
    r->spilled = count_spills(path);
    if (integrity(h, whole, r) && !count_all(h, r, &inside)) {
        r->sound = false;
        span_copy(r->fault, sizeof r->fault, span_of(inside.msg));
    }
    sqlite3_close(h);
    return true;
}

/* ---- repair ---- */

/* Two connections: a broken page must not spoil the other's transaction. */
struct mend {
    sqlite3 *from, *to; /* (owned) */
};

static sqlite3_stmt *prepare(sqlite3 *h, const char *sql)
{
    sqlite3_stmt *st = NULL;

    return sqlite3_prepare_v2(h, sql, -1, &st, NULL) == SQLITE_OK ? st : NULL;
}

/*
 * Each way to meet a table's keys, there and back: what one walk cannot pass,
 * another may reach from behind or through an index.  Logs from before the
 * rows had numbers have their rows in the order of id, and the id as the key.
 */
static const struct walk {
    enum outlog_kind kind;
    const char *key, *by, *order;
} WALKS[] = {
    {OUTLOG_ROW, "rowid", "NOT INDEXED", "rowid"},
    {OUTLOG_ROW, "rowid", "INDEXED BY sqlite_autoindex_requests_1", "id"},
    {OUTLOG_ROW, "rowid", "INDEXED BY requests_time", "time_ms"},
    {OUTLOG_ROW, "id", "NOT INDEXED", "id"},
    {OUTLOG_ROW, "id", "INDEXED BY requests_time", "time_ms"},
    {OUTLOG_LABEL, "rowid", "NOT INDEXED", "rowid"},
    {OUTLOG_LABEL, "rowid", "INDEXED BY labels_request", "request_id"},
};

static const char *key_of(struct mend *m, const struct table *t)
{
    const char *key = "id";
    sqlite3_stmt *st;
    struct buf sql;

    buf_init(&sql, PATH_BYTES);
    buf_printf(&sql, "SELECT rowid FROM %s", t->name);
    st = prepare(m->from, buf_cstr(&sql));
    if (st)
        key = "rowid";
    sqlite3_finalize(st);
    buf_free(&sql);
    return key;
}

/* Adds the keys that a walk over the old table meets until it fails. */
static void collect(struct mend *m, const struct walk *w, const char *turn)
{
    const char *name = OUTLOG_TABLES[w->kind].name;
    sqlite3_stmt *from, *to;
    struct buf sql;

    buf_init(&sql, PATH_BYTES);
    buf_printf(&sql, "SELECT %s FROM %s %s ORDER BY %s %s", w->key, name, w->by,
               w->order, turn);
    from = prepare(m->from, buf_cstr(&sql));
    buf_reset(&sql);
    buf_printf(&sql, "INSERT OR IGNORE INTO temp.%s_keys VALUES (?1)", name);
    to = prepare(m->to, buf_cstr(&sql));
    while (from && to && sqlite3_step(from) == SQLITE_ROW) {
        sqlite3_bind_value(to, 1, sqlite3_column_value(from, 0));
        sqlite3_step(to);
        sqlite3_reset(to);
    }
    sqlite3_finalize(from);
    sqlite3_finalize(to);
    buf_free(&sql);
}

static void collect_all(struct mend *m, enum outlog_kind kind, const char *key)
{
    for (size_t i = 0; i < sizeof WALKS / sizeof *WALKS; i++) {
        if (WALKS[i].kind != kind || strcmp(WALKS[i].key, key) != 0)
            continue;
        collect(m, &WALKS[i], "ASC");
        collect(m, &WALKS[i], "DESC");
    }
}

struct copier {
    sqlite3_stmt *keys, *get, *put; /* (owned) */
};

/* One row by its key; false: it cannot be read, or is no row of a log. */
static bool copy_one(struct copier *c)
{
    int n = sqlite3_column_count(c->get);
    bool ok;

    sqlite3_bind_value(c->get, 1, sqlite3_column_value(c->keys, 0));
    ok = sqlite3_step(c->get) == SQLITE_ROW;
    for (int i = 0; ok && i < n; i++)
        sqlite3_bind_value(c->put, i + 1, sqlite3_column_value(c->get, i));
    ok = ok && sqlite3_step(c->put) == SQLITE_DONE &&
         sqlite3_changes(sqlite3_db_handle(c->put)) > 0;
    sqlite3_reset(c->put);
    sqlite3_reset(c->get);
    return ok;
}

/* The old table's columns: it may be of an older schema. */
static void put_names(struct mend *m, const struct table *t, struct buf *names,
                      struct buf *marks)
{
    struct buf sql;
    struct err ignored;
    int64_t there;
    int n = 0;

    buf_init(&sql, PATH_BYTES);
    for (size_t i = 0; i < t->n; i++) {
        buf_reset(&sql);
        buf_printf(&sql,
                   "SELECT count(*) FROM pragma_table_info('%s')"
                   " WHERE name=?1",
                   t->name);
        if (!sql_int(m->from, buf_cstr(&sql), t->columns[i].name, &there,
                     &ignored) ||
            !there)
            continue;
        buf_printf(names, "%s%s", n ? "," : "", t->columns[i].name);
        buf_str(marks, n++ ? ",?" : "?");
    }
    buf_free(&sql);
}

static void save_table(struct mend *m, enum outlog_kind kind, uint64_t *good,
                       uint64_t *lost)
{
    const struct table *t = &OUTLOG_TABLES[kind];
    const char *key = key_of(m, t);
    struct buf sql, names, marks;
    struct copier c;

    buf_init(&sql, PATH_BYTES);
    buf_init(&names, PATH_BYTES);
    buf_init(&marks, PATH_BYTES);
    collect_all(m, kind, key);
    put_names(m, t, &names, &marks);
    buf_printf(&sql, "SELECT %s FROM %s WHERE %s=?1", buf_cstr(&names), t->name,
               key);
    c.get = prepare(m->from, buf_cstr(&sql));
    buf_reset(&sql);
    buf_printf(&sql, "INSERT OR IGNORE INTO %s (%s) VALUES (%s)", t->name,
               buf_cstr(&names), buf_cstr(&marks));
    c.put = prepare(m->to, buf_cstr(&sql));
    buf_reset(&sql);
    buf_printf(&sql, "SELECT k FROM temp.%s_keys", t->name);
    c.keys = prepare(m->to, buf_cstr(&sql));
    while (c.keys && c.get && c.put && sqlite3_step(c.keys) == SQLITE_ROW)
        (*(copy_one(&c) ? good : lost))++;
    sqlite3_finalize(c.keys);
    sqlite3_finalize(c.get);
    sqlite3_finalize(c.put);
    buf_free(&sql);
    buf_free(&names);
    buf_free(&marks);
}

/* The new file beside the old one, written and closed. */
static bool write_new(const char *path, const char *fresh,
                      struct care_mended *out, struct err *e)
{
    static const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    struct mend m = {open_db(path, SQLITE_OPEN_READWRITE, e), NULL};
    bool fatal = false, ok;

    unlink(fresh);
    m.to = m.from ? open_db(fresh, flags, e) : NULL;
    ok = m.to &&
         sql_run(m.to, "PRAGMA page_size=16384; PRAGMA journal_mode=DELETE",
                 e) &&
         schema_ensure(m.to, &fatal, e) &&
         sql_run(m.to,
                 "CREATE TEMP TABLE requests_keys (k PRIMARY KEY)"
                 " WITHOUT ROWID;"
                 "CREATE TEMP TABLE labels_keys (k INTEGER PRIMARY KEY);"
                 "BEGIN",
                 e);
    if (ok) {
        save_table(&m, OUTLOG_ROW, &out->rows, &out->lost_rows);
        save_table(&m, OUTLOG_LABEL, &out->labels, &out->lost_labels);
    }
    ok = ok && sql_run(m.to, "COMMIT", e);
    sqlite3_close(m.to);
    sqlite3_close(m.from);
    if (!ok)
        unlink(fresh);
    return ok;
}

/* PATH, PATH-wal and PATH-shm to the same ends of another name. */
static bool move_all(const char *from, const char *to, struct err *e)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct buf a, b;
    bool ok = true;

    buf_init(&a, PATH_BYTES);
    buf_init(&b, PATH_BYTES);
    for (size_t i = 0; ok && i < sizeof ends / sizeof *ends; i++) {
        buf_reset(&a);
        buf_reset(&b);
        buf_printf(&a, "%s%s", from, ends[i]);
        buf_printf(&b, "%s%s", to, ends[i]);
        ok = rename(buf_cstr(&a), buf_cstr(&b)) == 0 || i > 0;
    }
    buf_free(&a);
    buf_free(&b);
    return ok || err_sys(e, "%s", from);
}

bool care_repair(const char *path, struct care_mended *m, struct err *e)
{
    struct outlog_guard g;
    char stamp[32];
    struct buf fresh;
    bool ok;

    memset(m, 0, sizeof *m);
    if (access(path, R_OK | W_OK) < 0)
        return err_sys(e, "%s", path);
    if (!guard_whole(&g, path, e))
        return false;
    clock_format(clock_utc_ms(), stamp);
    snprintf(m->kept, sizeof m->kept, "%s.broken-%s", path, stamp);
    buf_init(&fresh, PATH_BYTES);
    buf_printf(&fresh, "%s.mended", path);
    ok = write_new(path, buf_cstr(&fresh), m, e) &&
         move_all(path, m->kept, e) &&
         (rename(buf_cstr(&fresh), path) == 0 || err_sys(e, "%s", path));
    buf_free(&fresh);
    guard_release(&g, false);
    return ok;
}

/* ---- prune ---- */

static bool count_old(sqlite3 *h, const struct retention *r, uint64_t *rows,
                      struct err *e)
{
    char limit[24];
    int64_t n;

    snprintf(limit, sizeof limit, "%lld",
             (long long)(clock_utc_ms() - (int64_t)r->max_age_ms));
    if (!sql_int(h, "SELECT count(*) FROM requests WHERE time_ms<?1+0", limit,
                 &n, e))
        return false;
    *rows = r->max_age_ms ? (uint64_t)n : 0;
    return true;
}

static bool prune_all(sqlite3 *h, const struct care_thin *how, uint64_t *rows,
                      struct err *e)
{
    uint64_t n;

    if (how->dry)
        return count_old(h, &how->keep, rows, e);
    do {
        if (!prune_rows(h, &how->keep, clock_utc_ms(), &n, e))
            return false;
        *rows += n;
    } while (n > 0);
    return !how->shrink ||
           sql_run(h, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", e);
}

bool care_prune(const char *path, const struct care_thin *how, uint64_t *rows,
                struct err *e)
{
    sqlite3 *h = open_db(path, SQLITE_OPEN_READWRITE, e);
    bool fatal = false, ok;

    *rows = 0;
    ok = h && schema_ensure(h, &fatal, e) && prune_all(h, how, rows, e);
    sqlite3_close(h);
    return ok || err_wrap(e, "%s", path);
}
