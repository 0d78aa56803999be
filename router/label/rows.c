/* SPDX-License-Identifier: Apache-2.0 */
#include "router/label/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "router/outlog/sql.h"

enum { SQL_MAX = 1 << 16, TEXTS_MAX = 64 << 20 };

/* A row without a disagreement comes too, seldom. */
#define LEAST_WEIGHT 0.05

double label_disagreement(struct span arms)
{
    struct json list, arm;
    struct json_iter it;
    double least = INFINITY, most = -INFINITY;

    if (!json_parse(arms, &list, NULL) || list.type != JSON_ARRAY)
        return 0;
    it = json_begin(&list);
    while (json_next(&it, NULL, &arm)) {
        struct json quality = json_get(&arm, "quality");
        struct json dropped = json_get(&arm, "dropped");
        double q;

        if (dropped.type == JSON_STRING || !json_double(&quality, &q))
            continue;
        least = fmin(least, q);
        most = fmax(most, q);
    }
    return most > least ? most - least : 0;
}

/* Drawn without replacement, by weight (Efraimidis, Spirakis 2006); the draw
 * is the id's. */
static double key_of(struct span id, double weight)
{
    double u = (double)(span_hash(id, 11) >> 11) * 0x1p-53;

    return pow(u, 1 / (LEAST_WEIGHT + weight));
}

/* 'text' with its quotes doubled. */
static void put_literal(struct buf *sql, const char *text)
{
    buf_char(sql, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_char(sql, '\'');
        buf_char(sql, *text);
    }
    buf_char(sql, '\'');
}

/* ---- which ---- */

static void todo_sql(const struct label_wanted *w, struct buf *sql)
{
    buf_str(sql, "SELECT r.id, coalesce(p.arms, r.arms) FROM requests r"
                 " LEFT JOIN requests p ON p.id=r.parent"
                 " WHERE r.status=200 AND r.answer IS NOT NULL"
                 " AND coalesce(r.messages, p.messages) IS NOT NULL"
                 " AND r.arm IS NOT NULL AND r.reason<>'cache'");
    buf_printf(sql, " AND r.time_ms>=%lld", (long long)w->since_ms);
    if (w->pairs)
        buf_str(sql, " AND r.purpose='shadow' AND p.status=200"
                     " AND p.answer IS NOT NULL AND p.arm<>r.arm");
    else
        buf_str(sql, " AND (r.purpose IS NULL OR r.purpose='shadow')");
    if (w->route) {
        buf_str(sql, " AND coalesce(p.route, r.route)=");
        put_literal(sql, w->route);
    }
    buf_str(sql, " AND NOT EXISTS (SELECT 1 FROM labels l WHERE"
                 " l.request_id=r.id AND l.source='judge'"
                 " AND instr(l.comment, 'judge='||");
    put_literal(sql, w->judge);
    buf_printf(sql, "||'; %s')=1)", w->pairs ? "pair" : "alone");
}

struct collecting {
    struct label_todo *list; /* (owned) [room] */
    size_t n, room;
    bool failed;
};

static bool on_todo(void *ctx, const struct sql_row *row)
{
    struct collecting *c = ctx;
    struct span id = sql_row_text(row, 0);
    struct label_todo *t;

    if (c->n == c->room) {
        size_t room = c->room ? c->room * 2 : 256;

        t = realloc(c->list, room * sizeof *t);
        c->failed = !t;
        if (!t)
            return false;
        c->list = t;
        c->room = room;
    }
    t = &c->list[c->n];
    if (!span_copy(t->id, sizeof t->id, id))
        return true;
    t->key = key_of(id, label_disagreement(sql_row_text(row, 1)));
    c->n++;
    return true;
}

static int later(const void *x, const void *y)
{
    const struct label_todo *a = x, *b = y;

    return a->key > b->key ? -1 : a->key < b->key ? 1 : strcmp(a->id, b->id);
}

bool label_todos(const char *log, const struct label_wanted *w,
                 struct label_todo **list, size_t *n, struct err *e)
{
    struct sqlite3 *h = sql_open(log, e);
    struct collecting c = {.n = 0};
    struct buf sql;
    bool ok;

    buf_init(&sql, SQL_MAX);
    todo_sql(w, &sql);
    ok = h && sql_each(h, buf_cstr(&sql), on_todo, &c, e);
    if (ok && (c.failed || sql.failed))
        ok = err_set(e, ERR_MEMORY, "no memory for the rows to be judged");
    buf_free(&sql);
    sql_close(h);
    if (ok && c.n)
        qsort(c.list, c.n, sizeof *c.list, later);
    if (!ok)
        free(c.list);
    *list = ok ? c.list : NULL;
    *n = ok ? c.n : 0;
    return ok;
}

bool label_served(const char *log, int64_t *n, struct err *e)
{
    struct sqlite3 *h = sql_open(log, e);
    bool ok = h && sql_int(h,
                           "SELECT count(*) FROM requests WHERE status=200 AND"
                           " arm IS NOT NULL AND purpose IS NULL",
                           NULL, n, e);

    sql_close(h);
    return ok;
}

/* ---- their texts ---- */

enum { TEXTS = 6 };

struct reading {
    struct label_texts *out;
    size_t from[TEXTS + 1];
};

static bool on_texts(void *ctx, const struct sql_row *row)
{
    struct reading *r = ctx;

    r->out->found = true;
    for (int i = 0; i < TEXTS; i++) {
        r->from[i] = r->out->all.len;
        buf_span(&r->out->all, sql_row_text(row, i));
    }
    r->from[TEXTS] = r->out->all.len;
    return false;
}

bool label_read(const char *log, const char *id, struct label_texts *out,
                struct err *e)
{
    struct span *const to[TEXTS] = {&out->messages,  &out->answer,
                                    &out->other,     &out->arm,
                                    &out->other_arm, &out->request};
    struct sqlite3 *h = sql_open(log, e);
    struct reading r = {.out = out};
    struct buf sql;
    bool ok;

    *out = (struct label_texts){.found = false};
    buf_init(&out->all, TEXTS_MAX);
    buf_init(&sql, SQL_MAX);
    buf_str(&sql, "SELECT coalesce(r.messages, p.messages), r.answer, p.answer,"
                  " r.arm, p.arm, coalesce(r.parent, r.id) FROM requests r"
                  " LEFT JOIN requests p ON p.id=r.parent WHERE r.id=");
    put_literal(&sql, id);
    ok = h && sql_each(h, buf_cstr(&sql), on_texts, &r, e);
    for (int i = 0; ok && out->found && !out->all.failed && i < TEXTS; i++)
        *to[i] =
            (struct span){out->all.ptr + r.from[i], r.from[i + 1] - r.from[i]};
    out->found = out->found && !out->all.failed;
    buf_free(&sql);
    sql_close(h);
    return ok;
}
