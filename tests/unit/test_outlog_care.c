/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/outlog_rig.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "router/outlog/outlog_care.h"
#include "router/outlog/outlog_guard.h"

static void wait_until_pruned(struct outlog *log, uint64_t rows)
{
    struct outlog_stats st;

    for (int i = 0; i < 500; i++) {
        outlog_stats(log, &st);
        if (st.pruned >= rows)
            return;
        usleep(10000);
    }
    fail_msg("%llu rows pruned", (unsigned long long)st.pruned);
}

static void rows_older_than_their_time_go_with_their_labels(void **state)
{
    struct fixture *f = *state;
    const struct outlog_options o = {.max_age_ms = 100 * 3600000 - 1800000,
                                     .prune_ms = 20};
    struct outlog *log;

    fill(f, 1500);
    log = open_log(f->path, &o);
    wait_until_pruned(log, 1400);
    outlog_close(log);
    assert_answer(f->path, "SELECT count(*) FROM requests", "100");
    assert_answer(f->path, "SELECT min(id) FROM requests", "req_001400");
    assert_answer(f->path, "SELECT count(*) FROM labels", "33");
}

/* No row has gone for half a second. */
static void wait_until_it_rests(struct outlog *log)
{
    struct outlog_stats st;
    uint64_t last = 0;

    for (int i = 0, same = 0; i < 1500 && same < 25; i++) {
        usleep(20000);
        outlog_stats(log, &st);
        same = st.pruned == last ? same + 1 : 0;
        last = st.pruned;
    }
}

static void the_oldest_rows_go_when_the_log_is_too_large(void **state)
{
    struct fixture *f = *state;
    const struct outlog_options o = {.max_bytes = 1000000, .prune_ms = 20};
    struct care_report r;
    struct outlog *log;
    struct err e;

    fill(f, 2000);
    log = open_log(f->path, &o);
    wait_until_pruned(log, 1000);
    wait_until_it_rests(log);
    outlog_close(log);
    assert_true(care_check(f->path, true, &r, &e));
    assert_true(r.sound);
    assert_true(r.used <= 1000000);
    assert_true(r.rows >= 100 && r.rows < 1000);
    assert_int_equal(r.orphans, 0);
    assert_answer(f->path, "SELECT max(id) FROM requests", "req_001999");
}

static void pruning_by_hand_can_shrink_the_file(void **state)
{
    struct fixture *f = *state;
    struct care_thin how = {.keep = {.max_age_ms = 50 * 3600000 - 1800000},
                            .dry = true};
    struct care_report before, after;
    uint64_t rows;
    struct err e;

    fill(f, 1200);
    assert_true(care_check(f->path, false, &before, &e));
    assert_true(care_prune(f->path, &how, &rows, &e));
    assert_int_equal(rows, 1150);
    assert_answer(f->path, "SELECT count(*) FROM requests", "1200");
    how.dry = false;
    how.shrink = true;
    assert_true(care_prune(f->path, &how, &rows, &e));
    assert_int_equal(rows, 1150);
    assert_true(care_check(f->path, false, &after, &e));
    assert_int_equal(after.rows, 50);
    assert_true(after.bytes < before.bytes / 4);
}

/* Bytes of the middle of the file become others. */
static void spoil(const char *path, int pages)
{
    static char other[16384];
    struct stat st;
    FILE *file = fopen(path, "r+");

    memset(other, 0x5a, sizeof other);
    assert_non_null(file);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(fseek(file, st.st_size / 2 / 16384 * 16384, SEEK_SET), 0);
    for (int i = 0; i < pages; i++)
        fwrite(other, 1, sizeof other, file);
    fclose(file);
}

static void a_spoilt_page_costs_only_the_rows_in_it(void **state)
{
    struct fixture *f = *state;
    struct care_report r;
    struct care_mended m;
    char line[400];
    struct err e;

    fill(f, 3000);
    spoil(f->path, 2);
    assert_true(care_check(f->path, true, &r, &e));
    assert_false(r.sound);
    assert_true(strlen(r.fault) > 0);
    if (!care_repair(f->path, &m, &e))
        fail_msg("%s", e.msg);
    assert_true(m.rows >= 2900);
    assert_true(m.rows < 3000);
    assert_true(m.labels >= 900);
    assert_true(care_check(f->path, true, &r, &e));
    assert_true(r.sound);
    assert_int_equal(r.rows, m.rows);
    assert_int_equal(access(m.kept, F_OK), 0);
    snprintf(line, sizeof line, "rm -f '%s'*", m.kept);
    assert_int_equal(system(line), 0);
}

static void a_server_goes_on_through_a_repair(void **state)
{
    static const struct outlog_options quick = {
        .flush_ms = 10, .busy_ms = 30, .retry_ms = 50};
    struct fixture *f = *state;
    struct outlog *log;
    struct outlog_stats st;
    struct care_mended m;
    char line[400];
    struct err e;

    fill(f, 3000);
    spoil(f->path, 80);
    log = open_log(f->path, &quick);
    for (int i = 0; i < 500; i++) {
        char id[24];

        snprintf(id, sizeof id, "req_%06d", i * 6 + 1);
        id[4] = 'n';
        push_at(log, id, clock_utc_ms());
    }
    assert_true(outlog_flush(log, 5000));
    outlog_stats(log, &st);
    if (st.healthy)
        skip(); /* the spoilt pages were not met: nothing to show */
    for (int i = 0; i < 100 && !care_repair(f->path, &m, &e); i++)
        usleep(5000);
    assert_int_equal(access(m.kept, F_OK), 0);
    wait_until_written(log, 500);
    outlog_close(log);
    assert_answer(
        f->path, "SELECT count(*) FROM requests WHERE id LIKE 'req_n%'", "500");
    snprintf(line, sizeof line, "rm -f '%s'*", m.kept);
    assert_int_equal(system(line), 0);
}

static void a_log_that_a_server_has_open_is_not_repaired(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, NULL);
    struct care_mended m;
    struct err e;

    assert_false(care_repair(f->path, &m, &e));
    assert_non_null(strstr(e.msg, "a server has it open"));
    outlog_close(log);
}

static bool gather(void *ctx, struct span json)
{
    buf_span(ctx, json);
    return true;
}

static void an_exported_row_has_its_labels(void **state)
{
    struct fixture *f = *state;
    const struct care_range all = {.until_ms = INT64_MAX};
    struct outlog *log = open_log(f->path, NULL);
    struct outlog_label l = {.request_id = SPAN("req_1"),
                             .time_ms = 7,
                             .source = SPAN("judge"),
                             .score = 0.5,
                             .confidence = 1};
    struct buf out;
    struct err e;

    assert_true(push_row(log, "req_1"));
    assert_true(outlog_push_label(log, &l));
    outlog_close(log);
    buf_init(&out, 1 << 20);
    assert_true(care_export(f->path, &all, gather, &out, &e));
    assert_non_null(strstr(buf_cstr(&out), "{\"id\":\"req_1\",\"time_ms\":17"));
    assert_non_null(strstr(buf_cstr(&out), "\"features\":\"AAECAA==\""));
    assert_non_null(strstr(buf_cstr(&out),
                           "\"labels\":[{\"time_ms\":7,\"source\":\"judge\","
                           "\"score\":0.5,\"confidence\":1"));
    buf_free(&out);
}

static void the_newest_or_one_may_be_asked_for(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, NULL);
    const struct {
        struct care_range range;
        size_t lines;
    } asked[] = {
        {{.until_ms = INT64_MAX}, 3},
        {{.until_ms = INT64_MAX, .newest = 2}, 2},
        {{.until_ms = INT64_MAX, .newest = 9}, 3},
        {{.until_ms = 0, .newest = 2}, 0},
        {{.id = "req_2"}, 1},
        {{.id = "req_"}, 0},
    };
    struct buf out;
    struct err e;

    assert_true(push_row(log, "req_1"));
    assert_true(push_row(log, "req_2"));
    assert_true(push_row(log, "req_3"));
    outlog_close(log);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        size_t lines = 0;

        buf_init(&out, 1 << 20);
        assert_true(care_export(f->path, &asked[i].range, gather, &out, &e));
        for (size_t k = 0; k < out.len; k++)
            lines += out.ptr[k] == '\n';
        assert_int_equal(lines, asked[i].lines);
        buf_free(&out);
    }
}

static void a_killed_server_is_noticed_and_its_rows_are_counted(void **state)
{
    struct fixture *f = *state;
    struct outlog *log;
    struct outlog_stats st;
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        log = open_log(f->path, NULL);
        for (int i = 0; i < 25; i++) {
            char id[24];

            snprintf(id, sizeof id, "req_%d", i);
            push_at(log, id, clock_utc_ms());
        }
        if (outlog_flush(log, 5000))
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    log = open_log(f->path, NULL);
    outlog_stats(log, &st);
    assert_true(st.killed_ms > 0);
    assert_int_equal(st.found, 25);
    outlog_close(log);
    log = open_log(f->path, NULL);
    outlog_stats(log, &st);
    assert_int_equal(st.killed_ms, 0);
    outlog_close(log);
}

static void two_servers_do_not_share_a_spill(void **state)
{
    struct fixture *f = *state;
    struct outlog_guard a, b, c;
    struct err e;

    assert_true(guard_take(&a, f->path, 1, &e));
    assert_true(guard_take(&b, f->path, 2, &e));
    assert_int_equal(a.slot, 0);
    assert_int_equal(b.slot, 1);
    assert_int_equal(b.killed_ms, 0);
    guard_release(&a, false);
    assert_true(guard_take(&c, f->path, 3, &e));
    assert_int_equal(c.slot, 0);
    assert_int_equal(c.killed_ms, 1);
    guard_release(&b, false);
    guard_release(&c, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_older_than_their_time_go_with_their_labels),
        TEST(the_oldest_rows_go_when_the_log_is_too_large),
        TEST(pruning_by_hand_can_shrink_the_file),
        TEST(a_spoilt_page_costs_only_the_rows_in_it),
        TEST(a_server_goes_on_through_a_repair),
        TEST(a_log_that_a_server_has_open_is_not_repaired),
        TEST(the_newest_or_one_may_be_asked_for),
        TEST(an_exported_row_has_its_labels),
        TEST(a_killed_server_is_noticed_and_its_rows_are_counted),
        TEST(two_servers_do_not_share_a_spill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
