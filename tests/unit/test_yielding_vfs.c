/* SPDX-License-Identifier: Apache-2.0 */
/* The log's threads and the core that others want: sched_yield() here is
 * ours. */
#include "tests/unit/outlog_rig.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "router/outlog/yielding_vfs.h"

enum { TIMES = 40, APART_NS = 100000, CALLS = 10000 };

static atomic_uint offered; /* ever */

int sched_yield(void);

int sched_yield(void)
{
    atomic_fetch_add(&offered, 1);
    return 0;
}

static void run(sqlite3 *h, const char *sql)
{
    assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void rest(void)
{
    nanosleep(&(struct timespec){0, APART_NS}, NULL);
}

/* Commits a page now and then; how often the core was offered meanwhile. */
static unsigned offers_of(const char *path, struct yielder *y)
{
    unsigned before;
    struct err e;
    struct yielding_vfs *v = yielding_vfs_new(y, &e);
    sqlite3 *h = NULL;

    assert_non_null(v);
    assert_int_equal(sqlite3_open_v2(path, &h,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                     yielding_vfs_name(v)),
                     SQLITE_OK);
    run(h, "PRAGMA journal_mode=WAL;"
           "CREATE TABLE IF NOT EXISTS t(x BLOB)");
    before = atomic_load(&offered);
    for (int i = 0; i < TIMES; i++) {
        rest();
        run(h, "INSERT INTO t VALUES (zeroblob(1000))");
    }
    before = atomic_load(&offered) - before;
    run(h, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(h);
    yielding_vfs_free(v);
    return before;
}

static int64_t rows_in(const char *path)
{
    sqlite3 *h = NULL;
    sqlite3_stmt *st = NULL;
    int64_t n;

    assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(h, "SELECT count(*) FROM t", -1, &st, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(h);
    return n;
}

static void the_core_is_offered_when_pages_were_written(void **state)
{
    struct fixture *f = *state;
    struct yielder y = {0};

    assert_true(offers_of(f->path, &y) >= TIMES);
    assert_int_equal(rows_in(f->path), TIMES);
}

static void who_is_in_a_hurry_or_late_keeps_the_core(void **state)
{
    struct fixture *f = *state;
    struct yielder hurried = {.hurry = true}, late = {.until = 1};
    struct yielder in_time = {.until = UINT64_MAX};

    assert_int_equal(offers_of(f->path, &hurried), 0);
    assert_int_equal(offers_of(f->path, &late), 0);
    assert_true(offers_of(f->path, &in_time) >= TIMES);
    assert_int_equal(rows_in(f->path), 3 * TIMES);
}

static void offers_are_50_us_apart(void **state)
{
    struct yielder y = {0};
    unsigned before = atomic_load(&offered), n;
    uint64_t from = clock_ns(), took;

    (void)state;
    for (int i = 0; i < CALLS; i++)
        yielder_offer(&y);
    took = clock_ns() - from;
    n = atomic_load(&offered) - before;
    assert_true(n >= 1 && n <= 1 + took / 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_core_is_offered_when_pages_were_written),
        TEST(who_is_in_a_hurry_or_late_keeps_the_core),
        cmocka_unit_test(offers_are_50_us_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
