/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs of both shapes: rows by their numbers, as new ones are made, and rows
 * in the order of their ids, as older ones go on.  What is lost with a page
 * is counted page by page.
 */
#include "tests/unit/outlog_rig.h"

#include "router/outlog/outlog_care.h"

enum { ROWS = 3000, LABELLED = ROWS / 3, PAGE = 16384, PAGES_MAX = 4096 };

static bool is_old(const struct fixture *f)
{
    char got[128];

    return *ask(f->path,
                "SELECT sql LIKE '%WITHOUT ROWID' FROM sqlite_schema"
                " WHERE name='requests'",
                got) == '1';
}

static void begin(struct fixture *f, bool old)
{
    if (old)
        make_old_log(f, OUTLOG_VERSION);
    else
        outlog_close(open_log(f->path, NULL));
    assert_int_equal(is_old(f), old);
}

static void begin_anew(struct fixture *f)
{
    char line[160];

    snprintf(line, sizeof line, "rm -f '%s'*", f->path);
    assert_int_equal(system(line), 0);
}

static bool gather(void *ctx, struct span json)
{
    buf_span(ctx, json);
    return true;
}

/* ---- in service ---- */

static void push_label(struct outlog *log, const char *id, double score)
{
    const struct outlog_label l = {.request_id = span_of(id),
                                   .source = SPAN("feedback"),
                                   .time_ms = 7,
                                   .score = score,
                                   .confidence = 1};

    assert_true(outlog_push_label(log, &l));
}

static void serve(struct fixture *f)
{
    static const char *const ids[] = {"b", "a", "b", "c", "", "", "a"};
    struct outlog *log = open_log(f->path, NULL);

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_true(push_row(log, ids[i]));
    for (int i = 0; i < 2; i++)
        push_label(log, "a", 0.5);
    push_label(log, "nobody", 1);
    push_at(log, "old", 5);
    push_label(log, "old", 1);
    assert_true(outlog_flush(log, 5000));
    outlog_close(log);
    assert_answer(f->path,
                  "SELECT group_concat(id) FROM"
                  " (SELECT id FROM requests ORDER BY id)",
                  "a,b,c,old");
    assert_answer(f->path, "SELECT group_concat(request_id) FROM labels",
                  "a,old");
}

static void thin(struct fixture *f)
{
    const struct care_thin how = {.keep = {.max_age_ms = 1}, .shrink = true};
    const struct care_thin some = {
        .keep = {.max_age_ms = (uint64_t)clock_utc_ms() - 1000}};
    uint64_t n;
    struct err e;

    assert_true(care_prune(f->path, &some, &n, &e));
    assert_int_equal(n, 1);
    assert_answer(f->path, "SELECT group_concat(request_id) FROM labels", "a");
    assert_answer(f->path, "SELECT count(*) FROM requests", "3");
    assert_true(care_prune(f->path, &how, &n, &e));
    assert_int_equal(n, 3);
    assert_answer(f->path, "SELECT count(*) FROM labels", "0");
}

/* All of it in the order of time and id, whatever order rows came in. */
static void export(struct fixture *f, size_t newest, struct buf *out)
{
    const struct care_range r = {.until_ms = INT64_MAX, .newest = newest};
    struct err e;

    buf_init(out, 1 << 20);
    assert_true(care_export(f->path, &r, gather, out, &e));
}

static void look(struct fixture *f, const char *const wanted[], size_t newest)
{
    struct buf out;
    const char *at;

    export(f, newest, &out);
    at = buf_cstr(&out);
    for (; *wanted; wanted++) {
        at = strstr(at, *wanted);
        if (!at)
            fail_msg("no %s in its place", *wanted);
    }
    assert_null(strstr(at + 1, "\"id\""));
    buf_free(&out);
}

static void check_sound(struct fixture *f, int64_t rows, int64_t labels)
{
    struct care_report r;
    struct err e;

    assert_true(care_check(f->path, true, &r, &e));
    if (!r.sound)
        fail_msg("%s", r.fault);
    assert_int_equal(r.rows, rows);
    assert_int_equal(r.labels, labels);
    assert_int_equal(r.orphans, 0);
}

static void mend(struct fixture *f, struct care_mended *m)
{
    struct err e;

    if (!care_repair(f->path, m, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(unlink(m->kept), 0);
    assert_false(is_old(f));
}

static void go_through_its_life(struct fixture *f, bool old)
{
    static const char *const all[] = {
        "\"id\":\"old\"", "\"id\":\"a\"", "\"labels\":[{\"time_ms\":7",
        "\"id\":\"b\"",   "\"id\":\"c\"", NULL};
    struct care_mended m;

    begin(f, old);
    serve(f);
    assert_int_equal(is_old(f), old);
    check_sound(f, 4, 2);
    look(f, all, 0);
    look(f, all + 3, 2);
    mend(f, &m);
    assert_int_equal(m.rows, 4);
    assert_int_equal(m.labels, 2);
    assert_int_equal(m.lost_rows + m.lost_labels, 0);
    check_sound(f, 4, 2);
    look(f, all, 0);
    begin_anew(f);
    begin(f, old);
    serve(f);
    thin(f);
    assert_int_equal(is_old(f), old);
    check_sound(f, 0, 0);
}

static void a_new_log_has_rows_with_numbers(void **state)
{
    go_through_its_life(*state, false);
}

static void a_log_of_the_old_shape_goes_on(void **state)
{
    go_through_its_life(*state, true);
}

/* ---- broken pages ---- */

struct leaves {
    unsigned page[PAGES_MAX], cells[PAGES_MAX];
    size_t n;
};

/* The leaves of a table's or an index's tree, from left to right. */
static void leaves_of(const char *path, const char *tree, struct leaves *l)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;

    l->n = 0;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db,
                           "SELECT pageno, ncell FROM dbstat WHERE name=?1"
                           " AND pagetype='leaf' ORDER BY path",
                           -1, &st, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_bind_text(st, 1, tree, -1, SQLITE_STATIC);
    while (sqlite3_step(st) == SQLITE_ROW) {
        assert_true(l->n < PAGES_MAX);
        l->page[l->n] = (unsigned)sqlite3_column_int(st, 0);
        l->cells[l->n++] = (unsigned)sqlite3_column_int(st, 1);
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
    assert_true(l->n > 0);
}

/* The leaves [from, to); their cells. */
static unsigned spoil(const char *path, const struct leaves *l, size_t from,
                      size_t to)
{
    static char other[PAGE];
    FILE *file = fopen(path, "r+");
    unsigned cells = 0;

    memset(other, 0x5a, sizeof other);
    assert_non_null(file);
    for (size_t i = from; i < to; i++) {
        assert_int_equal(fseek(file, ((long)l->page[i] - 1) * PAGE, SEEK_SET),
                         0);
        assert_int_equal(fwrite(other, 1, PAGE, file), PAGE);
        cells += l->cells[i];
    }
    assert_int_equal(fclose(file), 0);
    return cells;
}

#define BY_ID "sqlite_autoindex_requests_1"

/* Two leaves stand apart: what lies between is met from neither end. */
static const struct damage {
    const char *tree; /* leaves of it are broken, or NULL */
    size_t leaves;
    const char *all[2]; /* every leaf of these is */
    bool old;
} DAMAGES[] = {
    {"requests", 2, {NULL}, false},
    {"requests", 2, {BY_ID}, false},
    {"requests", 2, {"requests_time"}, false},
    {"requests", 1, {BY_ID, "requests_time"}, false},
    {"requests", 2, {"labels", "labels_request"}, false},
    {"requests_time", 2, {NULL}, false},
    {BY_ID, 2, {NULL}, false},
    {NULL, 0, {BY_ID, "requests_time"}, false},
    {"labels", 2, {NULL}, false},
    {"labels", 2, {BY_ID, "requests_time"}, false},
    {"labels", 1, {"labels_request"}, false},
    {NULL, 0, {"labels_request"}, false},
    {"requests", 2, {NULL}, true},
    {"requests", 1, {"requests_time"}, true},
    {"requests", 2, {"labels", "labels_request"}, true},
    {"requests_time", 2, {NULL}, true},
    {NULL, 0, {"requests_time"}, true},
    {"labels", 2, {NULL}, true},
    {"labels", 1, {"requests_time", "labels_request"}, true},
};

static unsigned spoil_part(const char *path, const struct leaves *l, size_t n)
{
    unsigned cells = 0;

    assert_true(l->n > n);
    for (size_t i = 1; i <= n; i++) {
        size_t at = l->n * i / (n + 1);

        cells += spoil(path, l, at, at + 1);
    }
    return cells;
}

static bool is(const char *tree, const char *name)
{
    return tree && !strcmp(tree, name);
}

/* What the broken pages held of rows and labels. */
static void spoil_log(const char *path, const struct damage *d,
                      unsigned lost[2])
{
    static struct leaves part, all[2];
    unsigned cells;

    if (d->tree)
        leaves_of(path, d->tree, &part);
    for (int i = 0; i < 2; i++)
        if (d->all[i])
            leaves_of(path, d->all[i], &all[i]);
    cells = d->tree ? spoil_part(path, &part, d->leaves) : 0;
    lost[0] = is(d->tree, "requests") ? cells : 0;
    lost[1] = is(d->tree, "labels") ? cells : 0;
    for (int i = 0; i < 2; i++) {
        cells = d->all[i] ? spoil(path, &all[i], 0, all[i].n) : 0;
        if (is(d->all[i], "labels"))
            lost[1] = cells;
    }
}

/* In the old shape the row behind a page stands in the page above it, and is
 * looked for through the broken one: it may go with it. */
static void assert_lost(const struct damage *d, const struct care_mended *m,
                        const unsigned lost[2])
{
    unsigned rows = ROWS - (unsigned)m->rows;
    unsigned labels = LABELLED - (unsigned)m->labels;
    unsigned more = d->old && lost[0] ? (unsigned)d->leaves : 0;

    if (rows < lost[0] || rows > lost[0] + more || labels != lost[1])
        fail_msg("%s, %s: wanted to lose %u rows and %u labels, lost %u and %u",
                 d->old ? "old" : "new", d->tree ? d->tree : d->all[0], lost[0],
                 lost[1], rows, labels);
    /* Without an index nothing knows of the rows in a broken leaf. */
    assert_int_equal(m->lost_rows, d->leaves == 1 ? rows - lost[0] : rows);
}

static void check_damage(struct fixture *f, const struct damage *d)
{
    const char *what = d->tree ? d->tree : d->all[0];
    struct care_report r;
    struct care_mended m;
    unsigned lost[2];
    struct err e;

    begin(f, d->old);
    fill(f, ROWS);
    spoil_log(f->path, d, lost);
    assert_true(care_check(f->path, true, &r, &e));
    if (r.sound)
        fail_msg("%s, %s: no fault is seen", d->old ? "old" : "new", what);
    mend(f, &m);
    assert_lost(d, &m, lost);
    assert_true(care_check(f->path, true, &r, &e));
    assert_true(r.sound);
    assert_int_equal(r.rows, m.rows);
    assert_int_equal(r.labels, m.labels);
    begin_anew(f);
}

static void broken_pages_cost_their_own_rows_only(void **state)
{
    for (size_t i = 0; i < sizeof DAMAGES / sizeof *DAMAGES; i++)
        check_damage(*state, &DAMAGES[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_log_has_rows_with_numbers),
        TEST(a_log_of_the_old_shape_goes_on),
        TEST(broken_pages_cost_their_own_rows_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
