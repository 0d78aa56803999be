/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and a disk that takes its time: fdatasync() and sync_file_range() here
 * are ours. */
#include "tests/unit/outlog_rig.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/clock.h"

/* More bytes than the write-ahead log gathers before it is carried over. */
enum {
    ROWS = 1500,
    ROW_BYTES = 16000,
    DB_BYTES = ROWS * ROW_BYTES / 2,
    PIECE = 128 << 10
};

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static bool gate_closed;
static unsigned at_gate; /* ever */

int fdatasync(int fd);

int fdatasync(int fd)
{
    pthread_mutex_lock(&gate_lock);
    at_gate += gate_closed;
    while (gate_closed)
        pthread_cond_wait(&gate_moved, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
    return (int)syscall(SYS_fdatasync, fd);
}

static atomic_uint begun; /* pieces, ever */

int sync_file_range(int fd, off64_t at, off64_t n, unsigned flags)
{
    atomic_fetch_add(&begun, 1);
    return (int)syscall(SYS_sync_file_range, fd, at, n, flags);
}

static unsigned gate(bool closed)
{
    unsigned n;

    pthread_mutex_lock(&gate_lock);
    gate_closed = closed;
    n = at_gate;
    pthread_cond_broadcast(&gate_moved);
    pthread_mutex_unlock(&gate_lock);
    return n;
}

static void push_large(struct outlog *log, int n)
{
    static const char bytes[ROW_BYTES] = {1};
    struct outlog_row row;
    char id[32];

    outlog_row_init(&row);
    snprintf(id, sizeof id, "req_%06d", n);
    row.id = span_of(id);
    row.time_ms = 1700000000000;
    row.features = (struct span){bytes, sizeof bytes};
    assert_true(outlog_push(log, &row));
}

static void push_all(struct outlog *log, int first)
{
    for (int i = 0; i < ROWS; i++) {
        push_large(log, first + i);
        if (i % 100 < 99 || outlog_flush(log, 10000))
            continue;
        gate(false);
        fail_msg("row %d waits for the disk", i);
    }
}

static off_t bytes_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_size : 0;
}

static void rows_do_not_wait_for_a_disk_that_syncs_slowly(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, NULL);
    struct outlog_stats st;
    unsigned waited;

    push_large(log, ROWS);
    assert_true(outlog_flush(log, 30000));
    gate(true);
    push_all(log, 0);
    outlog_stats(log, &st);
    for (int i = 0; i < 1000 && gate(true) == 0; i++)
        usleep(10000);
    waited = gate(false);
    assert_int_equal(st.written, ROWS + 1);
    assert_int_equal(st.spilled, 0);
    assert_true(waited > 0); /* somebody else, that is */
    outlog_close(log);
}

static void rows_reach_the_database_itself_while_it_is_open(void **state)
{
    struct fixture *f = *state;
    struct outlog *log = open_log(f->path, NULL);
    unsigned before = atomic_load(&begun);

    push_all(log, 0);
    for (int i = 0; i < 1000 && bytes_of(f->path) < DB_BYTES; i++)
        usleep(10000);
    assert_true(bytes_of(f->path) >= DB_BYTES);
    assert_true(atomic_load(&begun) - before >= DB_BYTES / PIECE);
    outlog_close(log);
    assert_answer(f->path, "SELECT count(*) FROM requests", "1500");
    assert_answer(f->path, "PRAGMA integrity_check", "ok");
}

static void a_log_ends_while_its_rows_are_being_carried(void **state)
{
    struct fixture *f = *state;
    char want[24];

    for (int i = 0; i < 3; i++) {
        struct outlog *log = open_log(f->path, NULL);

        push_all(log, i * ROWS);
        outlog_close(log);
        snprintf(want, sizeof want, "%d", (i + 1) * ROWS);
        assert_answer(f->path, "SELECT count(*) FROM requests", want);
    }
    assert_answer(f->path, "PRAGMA integrity_check", "ok");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_do_not_wait_for_a_disk_that_syncs_slowly),
        TEST(rows_reach_the_database_itself_while_it_is_open),
        TEST(a_log_ends_while_its_rows_are_being_carried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
