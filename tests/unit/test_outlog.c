/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/outlog_rig.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "base/clock.h"

static void a_row_keeps_every_column(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, NULL);

    assert_true(push_row(log, "req_1"));
    assert_true(outlog_flush(log, 5000));
    outlog_close(log);
    assert_answer(f->path, "SELECT count(*) FROM requests", "1");
    assert_answer(f->path, "SELECT cost_pico FROM requests", "1234567890123");
    assert_answer(f->path, "SELECT propensity FROM requests", "0.25");
    assert_answer(f->path, "SELECT hex(features) FROM requests", "00010200");
    assert_answer(f->path, "SELECT input_tokens FROM requests", "0");
    assert_answer(f->path, "SELECT output_tokens FROM requests", "NULL");
    assert_answer(f->path, "SELECT price FROM requests", "NULL");
    assert_answer(f->path, "SELECT session FROM requests", "NULL");
    assert_answer(f->path, "SELECT stream||task_given FROM requests", "10");
    assert_answer(f->path, "PRAGMA user_version", version());
    assert_answer(f->path, "PRAGMA journal_mode", "wal");
    assert_answer(f->path,
                  "SELECT count(*) FROM sqlite_master WHERE name IN"
                  " ('requests_time', 'labels_request')",
                  "2");
}

static void the_columns_are_those_of_the_manual(void **state)
{
    static char text[1 << 14];
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, NULL);
    FILE *doc = fopen("docs/log-format.md", "r");
    size_t n;

    outlog_close(log);
    assert_non_null(doc);
    n = fread(text, 1, sizeof text - 1, doc);
    fclose(doc);
    text[n] = '\0';
    for (int k = 0; k < OUTLOG_KINDS; k++) {
        for (size_t i = 0; i < OUTLOG_TABLES[k].n; i++) {
            char want[64];

            snprintf(want, sizeof want, "%s ",
                     OUTLOG_TABLES[k].columns[i].name);
            if (!strstr(text, want))
                fail_msg("%s is not in docs/log-format.md", want);
        }
    }
    snprintf(text, sizeof text, "%zu", OUTLOG_TABLES[OUTLOG_ROW].n);
    assert_answer(f->path,
                  "SELECT count(*) FROM pragma_table_info"
                  "('requests')",
                  text);
}

struct pusher {
    struct outlog *log;
    int first, n;
};

static void *push_many(void *arg)
{
    struct pusher *p = arg;
    char id[32];

    for (int i = 0; i < p->n; i++) {
        snprintf(id, sizeof id, "req_%08d", p->first + i);
        if (!push_row(p->log, id))
            return p;
    }
    return NULL;
}

static void push_from_two_threads(struct outlog *log, int n)
{
    struct pusher p[2] = {{log, 0, n}, {log, n, n}};
    pthread_t t[2];

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, push_many, &p[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *failed;

        pthread_join(t[i], &failed);
        assert_null(failed);
    }
}

static void two_threads_lose_nothing(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, NULL);
    struct outlog_stats st;

    push_from_two_threads(log, 10000);
    assert_true(outlog_flush(log, 20000));
    wait_until_written(log, 20000);
    outlog_stats(log, &st);
    assert_int_equal(st.written, 20000);
    assert_int_equal(st.lost, 0);
    assert_int_equal(st.queued, 0);
    assert_true(st.healthy);
    outlog_close(log);
    assert_answer(f->path, "SELECT count(*) FROM requests", "20000");
}

static void a_full_queue_spills_and_is_taken_up(void **state)
{
    static const struct outlog_options small = {.queue_rows = 64,
                                                .batch_rows = 64};
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, &small);
    struct outlog_stats st;

    push_from_two_threads(log, 2000);
    wait_until_written(log, 4000);
    outlog_stats(log, &st);
    assert_true(st.spilled > 0);
    assert_int_equal(st.recovered, st.spilled);
    assert_int_equal(st.lost, 0);
    outlog_close(log);
    assert_answer(f->path, "SELECT count(*) FROM requests", "4000");
    assert_int_equal(access(f->spill, F_OK), -1);
}

static const struct outlog_options QUICK = {
    .flush_ms = 20, .busy_ms = 30, .retry_ms = 50};

static void a_locked_database_does_not_stop_the_rows(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, &QUICK);
    struct outlog_stats st;
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_true(push_row(log, "req_1"));
    assert_true(push_row(log, "req_2"));
    assert_true(outlog_flush(log, 5000));
    outlog_stats(log, &st);
    assert_false(st.healthy);
    assert_int_equal(st.written, 0);
    assert_int_equal(st.spilled, 2);
    assert_true(st.errors > 0);
    assert_non_null(strstr(st.last_error, "locked"));
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    wait_until_written(log, 2);
    outlog_stats(log, &st);
    assert_true(st.healthy);
    assert_int_equal(st.recovered, 2);
    outlog_close(log);
    assert_answer(f->path, "SELECT count(*) FROM requests", "2");
}

static void a_file_that_may_not_grow_loses_only_what_it_counts(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, &QUICK);
    struct rlimit was, tight = {300000, 0};
    struct outlog_stats st;
    char id[32];
    int kept = 0;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    tight.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    for (int i = 0; i < 6000; i++) {
        snprintf(id, sizeof id, "req_%08d", i);
        kept += push_row(log, id);
        if (i % 500 == 0)
            assert_true(outlog_flush(log, 5000));
    }
    assert_true(outlog_flush(log, 5000));
    outlog_stats(log, &st);
    assert_false(st.healthy);
    assert_true(st.lost > 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    wait_until_written(log, 6000 - st.lost);
    outlog_stats(log, &st);
    assert_true(st.healthy);
    assert_int_equal(st.written + st.lost, 6000);
    assert_true(kept >= (int)st.written);
    outlog_close(log);
}

static void a_corrupt_database_spills_until_it_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct outlog *log;
    struct outlog_stats st;
    FILE *out = fopen(f->path, "w");

    assert_non_null(out);
    for (int i = 0; i < 5000; i++)
        fputs("this is no database ", out);
    fclose(out);
    log = open_log(f->path, &QUICK);
    outlog_stats(log, &st);
    assert_false(st.healthy);
    assert_true(push_row(log, "req_1"));
    assert_true(outlog_flush(log, 5000));
    outlog_stats(log, &st);
    assert_int_equal(st.spilled, 1);
    unlink(f->path);
    wait_until_written(log, 1);
    outlog_close(log);
    assert_answer(f->path, "SELECT id FROM requests", "req_1");
}

static void a_spill_left_behind_is_taken_up_at_the_start(void **state)
{
    static const struct outlog_options patient = {
        .flush_ms = 20, .busy_ms = 30, .retry_ms = 60000};
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, NULL);
    struct outlog_stats st;
    struct stat file;
    sqlite3 *db = NULL;

    outlog_close(log);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    log = open_log(f->path, &patient);
    for (int i = 0; i < 3; i++)
        assert_true(push_row(log, (const char *[]){"a", "b", "c"}[i]));
    assert_true(outlog_flush(log, 5000));
    outlog_close(log);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    /* What a crash tore: the last record lacks bytes. */
    assert_int_equal(stat(f->spill, &file), 0);
    assert_int_equal(truncate(f->spill, file.st_size - 5), 0);
    log = open_log(f->path, NULL);
    wait_until_written(log, 2);
    outlog_stats(log, &st);
    assert_int_equal(st.recovered, 2);
    outlog_close(log);
    assert_answer(f->path, "SELECT group_concat(id) FROM requests", "a,b");
}

static void a_spill_that_is_none_is_put_aside(void **state)
{
    struct fixture *f = *state;
    char bad[128];
    FILE *out = fopen(f->spill, "w");

    assert_non_null(out);
    fputs("somebody's shopping list", out);
    fclose(out);
    outlog_close(open_log(f->path, NULL));
    snprintf(bad, sizeof bad, "%s.bad", f->spill);
    assert_int_equal(access(bad, F_OK), 0);
    assert_int_equal(access(f->spill, F_OK), -1);
}

static void a_path_that_cannot_be_is_refused(void **state)
{
    struct err e;

    (void)state;
    assert_null(outlog_open("/nonexistent/dir/log.db", NULL, &e));
    assert_non_null(strstr(e.msg, "/nonexistent/dir/log.db"));
}

static void a_row_pushed_twice_is_there_once(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, NULL);

    assert_true(push_row(log, "req_1"));
    assert_true(push_row(log, "req_1"));
    assert_true(outlog_flush(log, 5000));
    outlog_close(log);
    assert_answer(f->path, "SELECT count(*) FROM requests", "1");
}

struct answer {
    struct event_base *base;
    const char *owner; /* of the next label */
    int later;         /* ms, likewise */
    int n;
    enum outlog_label_end end;
    struct outlog_earlier earlier;
};

static void on_answer(void *ctx, enum outlog_label_end end,
                      const struct outlog_earlier *earlier)
{
    struct answer *a = ctx;

    a->earlier = *earlier;
    a->n++;
    a->end = end;
    event_base_loopbreak(a->base);
}

static enum outlog_label_end label(struct outlog_port *port, const char *id,
                                   struct answer *a)
{
    struct outlog_label l = {.request_id = span_of(id),
                             .owner = span_of(a->owner),
                             .time_ms = 1700000000001 + a->later,
                             .source = SPAN("feedback"),
                             .score = 0.5,
                             .confidence = 1,
                             .comment = SPAN("fair")};
    struct timeval limit = {10, 0};
    int before = a->n;

    assert_non_null(outlog_label(port, &l, on_answer, a));
    event_base_loopexit(a->base, &limit);
    event_base_dispatch(a->base);
    assert_int_equal(a->n, before + 1);
    return a->end;
}

static void feedback_hears_what_became_of_it(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, &QUICK);
    struct answer a = {.base = event_base_new()};
    struct outlog_port *port;
    struct err e;
    sqlite3 *db = NULL;

    port = outlog_port_new(log, a.base, &e);
    assert_non_null(port);
    assert_int_equal(label(port, "req_1", &a), OUTLOG_LABEL_UNKNOWN);
    assert_true(push_row(log, "req_1"));
    assert_int_equal(label(port, "req_1", &a), OUTLOG_LABEL_WRITTEN);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    assert_int_equal(label(port, "req_1", &a), OUTLOG_LABEL_LATER);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    outlog_port_free(port);
    outlog_close(log);
    assert_answer(f->path, "SELECT count(*) FROM labels", "1");
    assert_answer(f->path, "SELECT score||source||comment FROM labels",
                  "0.5feedbackfair");
    event_base_free(a.base);
}

static void
a_label_is_for_requests_of_its_owner_and_hears_of_earlier_ones(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, &QUICK);
    struct answer a = {.base = event_base_new()};
    struct outlog_row row;
    struct outlog_port *port;
    struct err e;
    sqlite3 *db = NULL;

    port = outlog_port_new(log, a.base, &e);
    assert_non_null(port);
    outlog_row_init(&row);
    row.id = SPAN("req_1");
    row.time_ms = 1700000000000;
    row.key_name = SPAN("ci");
    assert_true(outlog_push(log, &row));
    assert_true(push_row(log, "req_2")); /* without a key */
    a.owner = "team";
    assert_int_equal(label(port, "req_1", &a), OUTLOG_LABEL_UNKNOWN);
    assert_int_equal(label(port, "req_2", &a), OUTLOG_LABEL_UNKNOWN);
    a.owner = "ci";
    assert_int_equal(label(port, "req_2", &a), OUTLOG_LABEL_UNKNOWN);
    for (a.later = 0; a.later < 3; a.later++) {
        assert_int_equal(label(port, "req_1", &a), OUTLOG_LABEL_WRITTEN);
        assert_int_equal(a.earlier.n, a.later);
        assert_true(a.later ? a.earlier.score == .5 : isnan(a.earlier.score));
    }
    a.owner = NULL;
    assert_int_equal(label(port, "req_1", &a), OUTLOG_LABEL_WRITTEN);
    assert_int_equal(a.earlier.n, 3);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    a.owner = "team"; /* nobody can say whose it is: not kept for later */
    assert_int_equal(label(port, "req_1", &a), OUTLOG_LABEL_AWAY);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    outlog_port_free(port);
    outlog_close(log);
    assert_answer(f->path, "SELECT count(*) FROM labels", "4");
    event_base_free(a.base);
}

static void a_port_may_go_before_its_answers(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, &QUICK);
    struct answer a = {.base = event_base_new()};
    struct outlog_label l = {.request_id = SPAN("x"), .source = SPAN("judge")};
    struct err e;

    for (int i = 0; i < 50; i++) {
        struct outlog_port *port = outlog_port_new(log, a.base, &e);
        struct outlog_ticket *t;

        assert_non_null(port);
        t = outlog_label(port, &l, on_answer, &a);
        assert_non_null(t);
        if (i % 2)
            outlog_forget(t);
        if (i % 3 == 0)
            event_base_loop(a.base, EVLOOP_NONBLOCK);
        outlog_port_free(port);
    }
    assert_true(outlog_flush(log, 5000));
    outlog_close(log);
    event_base_free(a.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_keeps_every_column),
        TEST(the_columns_are_those_of_the_manual),
        TEST(two_threads_lose_nothing),
        TEST(a_full_queue_spills_and_is_taken_up),
        TEST(a_locked_database_does_not_stop_the_rows),
        TEST(a_file_that_may_not_grow_loses_only_what_it_counts),
        TEST(a_corrupt_database_spills_until_it_is_replaced),
        TEST(a_spill_left_behind_is_taken_up_at_the_start),
        TEST(a_spill_that_is_none_is_put_aside),
        TEST(a_path_that_cannot_be_is_refused),
        TEST(a_row_pushed_twice_is_there_once),
        TEST(feedback_hears_what_became_of_it),
        TEST(a_label_is_for_requests_of_its_owner_and_hears_of_earlier_ones),
        TEST(a_port_may_go_before_its_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
