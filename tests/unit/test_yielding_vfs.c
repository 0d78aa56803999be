/* SPDX-License-Identifier: Apache-2.0 */
/* The log's threads and the core that others want: sched_yield(),
 * sync_file_range() and fdatasync() here are ours. */
#include "tests/unit/outlog_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "router/outlog/yielding_vfs.h"

enum {
    TIMES = 40,
    APART_NS = 100000,
    CALLS = 10000,
    PIECE = 128 << 10,
    BIG = 3 << 20,
};

static atomic_uint offered; /* ever */

int sched_yield(void);

int sched_yield(void)
{
    atomic_fetch_add(&offered, 1);
    return 0;
}

/* ---- what is asked of the disk ---- */

static struct {
    struct stat wal_is, db_is;
    off_t wal_to;            /* begun so far without a gap */
    unsigned wal, db, other; /* calls by file */
    unsigned syncs,
        carried; /* of the files, in the end and when all was over */
    int fails;   /* errno that sync_file_range() answers with; 0: none */
} disk;

int fdatasync(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    disk.syncs += !S_ISDIR(st.st_mode);
    return (int)syscall(SYS_fdatasync, fd);
}

int sync_file_range(int fd, off64_t at, off64_t n, unsigned flags)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    assert_true(flags != 0);
    if (st.st_ino == disk.wal_is.st_ino) {
        assert_true(n > 0 && n <= PIECE);
        assert_int_equal(disk.syncs, 0);
        if (at == disk.wal_to)
            disk.wal_to = at + n;
        disk.wal++;
    } else if (st.st_ino == disk.db_is.st_ino) {
        disk.db++;
    } else {
        disk.other++;
    }
    errno = disk.fails;
    return disk.fails ? -1 : 0;
}

/* ---- */

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

/* A transaction of BIG bytes, carried into the database by a connection of a
 * thread like the log's; its size in the write-ahead log. */
static off_t carry(const char *path, struct yielder *y)
{
    char wal[512];
    struct err e;
    struct yielding_vfs *v = yielding_vfs_new(y, &e);
    sqlite3 *writer = NULL, *h = NULL;

    assert_non_null(v);
    assert_int_equal(sqlite3_open(path, &writer), SQLITE_OK);
    run(writer, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
                "CREATE TABLE IF NOT EXISTS t(x BLOB);"
                "INSERT INTO t VALUES (zeroblob(3 << 20))");
    snprintf(wal, sizeof wal, "%s-wal", path);
    assert_int_equal(stat(wal, &disk.wal_is), 0);
    assert_int_equal(stat(path, &disk.db_is), 0);
    disk.wal_to = 0;
    disk.wal = disk.db = disk.other = disk.syncs = 0;
    assert_int_equal(
        sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, yielding_vfs_name(v)),
        SQLITE_OK);
    run(h, "SELECT count(*) FROM sqlite_schema; PRAGMA wal_checkpoint");
    disk.carried = disk.syncs;
    sqlite3_close(h);
    sqlite3_close(writer);
    yielding_vfs_free(v);
    return disk.wal_is.st_size;
}

static void files_are_written_in_pieces_before_they_are_waited_for(void **state)
{
    struct fixture *f = *state;
    struct yielder y = {.early = true};
    off_t size = carry(f->path, &y);

    assert_true(size > BIG);
    assert_true(disk.wal_to >= size);
    assert_true(disk.db >= BIG / PIECE - 1 && disk.db <= disk.wal);
    assert_int_equal(disk.other, 0);
    assert_int_equal(disk.carried, 2);
    assert_int_equal(rows_in(f->path), 1);
}

static void who_does_not_ask_or_may_not_waits_for_the_whole(void **state)
{
    struct fixture *f = *state;
    struct yielder y = {0};

    carry(f->path, &y);
    assert_int_equal(disk.wal + disk.db + disk.other, 0);
    assert_int_equal(disk.carried, 2);
    y.early = true;
    disk.fails = ENOSYS;
    carry(f->path, &y);
    disk.fails = 0;
    assert_int_equal(disk.wal, 1); /* and no more */
    assert_int_equal(disk.db + disk.other, 0);
    assert_false(y.early);
    assert_int_equal(disk.carried, 2);
    assert_int_equal(rows_in(f->path), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_core_is_offered_when_pages_were_written),
        TEST(who_is_in_a_hurry_or_late_keeps_the_core),
        cmocka_unit_test(offers_are_50_us_apart),
        TEST(files_are_written_in_pieces_before_they_are_waited_for),
        TEST(who_does_not_ask_or_may_not_waits_for_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
