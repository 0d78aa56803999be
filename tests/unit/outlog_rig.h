/* SPDX-License-Identifier: Apache-2.0 */
/* A log in a directory of its own, for the tests of the outcome log. */
#ifndef WEIR_TESTS_UNIT_OUTLOG_RIG_H
#define WEIR_TESTS_UNIT_OUTLOG_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/clock.h"
#include "router/outlog/outlog.h"
#include "router/outlog/outlog_db.h"
#include "router/outlog/outlog_table.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

struct fixture {
    char dir[64], path[96], spill[112];
};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/weir-outlog-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/log.db", f->dir);
    snprintf(f->spill, sizeof f->spill, "%s.spill", f->path);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    static const char *const ends[] = {
        "", "-wal", "-shm", ".spill", ".lock", ".spill.1", ".spill.bad"};
    struct fixture *f = *state;
    char path[160];

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(path, sizeof path, "%s%s", f->path, ends[i]);
        unlink(path);
    }
    rmdir(f->dir);
    free(f);
    return 0;
}

static inline struct outlog *open_log(const char *path,
                                      const struct outlog_options *o)
{
    struct err e;
    struct outlog *log = outlog_open(path, o, &e);

    if (!log)
        fail_msg("%s", e.msg);
    return log;
}

static inline bool push_row(struct outlog *log, const char *id)
{
    struct outlog_row row;

    outlog_row_init(&row);
    row.id = span_of(id);
    row.time_ms = 1700000000000;
    row.route = SPAN("auto");
    row.arm = SPAN("nano");
    row.status = 200;
    row.stream = true;
    row.propensity = 0.25;
    row.cost_pico = 1234567890123;
    row.input_tokens = 0;
    row.features = (struct span){"\0\1\2\0", 4};
    return outlog_push(log, &row);
}

/* The first column of the first row of a query, as text in dst. */
static inline const char *ask(const char *path, const char *sql, char dst[128])
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    const unsigned char *text = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(st) == SQLITE_ROW)
        text = sqlite3_column_text(st, 0);
    snprintf(dst, 128, "%s", text ? (const char *)text : "NULL");
    sqlite3_finalize(st);
    sqlite3_close(db);
    return dst;
}

static inline void assert_answer(const char *path, const char *sql,
                                 const char *want)
{
    char got[128];

    if (strcmp(ask(path, sql, got), want) != 0)
        fail_msg("%s: wanted %s, got %s", sql, want, got);
}

static inline void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static inline void wait_until_written(struct outlog *log, uint64_t rows)
{
    struct outlog_stats st;

    for (int i = 0; i < 1000; i++) {
        outlog_stats(log, &st);
        if (st.written >= rows && st.waiting == 0)
            return;
        usleep(10000);
    }
    fail_msg("%llu rows written, %llu waiting, last error: %s",
             (unsigned long long)st.written, (unsigned long long)st.waiting,
             st.last_error);
}

static inline void push_at(struct outlog *log, const char *id, int64_t time_ms)
{
    static char filler[2000];
    struct outlog_row row;

    memset(filler, 'x', sizeof filler);
    outlog_row_init(&row);
    row.id = span_of(id);
    row.time_ms = time_ms;
    row.arm = SPAN("nano");
    row.answer = (struct span){filler, sizeof filler};
    assert_true(outlog_push(log, &row));
}

/* n rows, an hour apart, the newest now; each third one has a label. */
static inline void fill(const struct fixture *f, int n)
{
    static char comment[400];
    struct outlog *log = open_log(f->path, NULL);
    char id[24];

    memset(comment, 'x', sizeof comment);
    for (int i = 0; i < n; i++) {
        struct outlog_label l = {.comment = {comment, sizeof comment},
                                 .source = SPAN("feedback"),
                                 .time_ms = 1,
                                 .score = 1,
                                 .confidence = 1};

        snprintf(id, sizeof id, "req_%06d", i);
        push_at(log, id, clock_utc_ms() - (int64_t)(n - 1 - i) * 3600000);
        l.request_id = span_of(id);
        if (i % 3 == 0)
            assert_true(outlog_push_label(log, &l));
        if (i % 500 == 0)
            assert_true(outlog_flush(log, 5000));
    }
    assert_true(outlog_flush(log, 5000));
    wait_until_written(log, (uint64_t)n);
    outlog_close(log);
}

/* A log as programs made it before its rows had numbers: the table in the
 * order of its ids, with the columns up to a version. */
static inline void make_old_log(const struct fixture *f, int up_to)
{
    struct buf sql;

    buf_init(&sql, 16384);
    buf_str(&sql, "PRAGMA page_size=16384;");
    for (int k = 0; k < OUTLOG_KINDS; k++) {
        struct table t = OUTLOG_TABLES[k];

        for (size_t i = 0; i < t.n; i++)
            if (t.columns[i].since > up_to)
                t.n = i;
        table_create(&t, &sql);
        if (k == OUTLOG_ROW) {
            sql.len--; /* its semicolon */
            buf_str(&sql, " WITHOUT ROWID;");
        }
    }
    buf_printf(&sql,
               "CREATE INDEX requests_time ON requests(time_ms);"
               "CREATE INDEX labels_request ON labels(request_id);"
               "PRAGMA user_version=%d",
               up_to);
    run_sql(f->path, buf_cstr(&sql));
    buf_free(&sql);
}

static inline const char *version(void)
{
    static char text[24];

    snprintf(text, sizeof text, "%d", OUTLOG_VERSION);
    return text;
}

#endif
