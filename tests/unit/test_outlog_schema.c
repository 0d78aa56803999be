/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/outlog_rig.h"

#include "datasets/reader.h"

static void an_old_log_is_brought_forward_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct outlog *log;
    char n[24];

    make_old_log(f, 1);
    run_sql(f->path, "INSERT INTO requests (id, time_ms, arm)"
                     " VALUES ('old', 5, 'nano')");
    log = open_log(f->path, NULL);
    assert_true(push_row(log, "new"));
    assert_true(outlog_flush(log, 5000));
    outlog_close(log);
    assert_answer(f->path, "SELECT count(*) FROM requests", "2");
    assert_answer(f->path, "SELECT arm FROM requests WHERE id='old'", "nano");
    assert_answer(f->path, "PRAGMA user_version", version());
    snprintf(n, sizeof n, "%zu", OUTLOG_TABLES[OUTLOG_ROW].n);
    assert_answer(f->path, "SELECT count(*) FROM pragma_table_info('requests')",
                  n);
    outlog_close(open_log(f->path, NULL));
}

static void an_old_programs_packed_row_is_read(void **state)
{
    const struct table *t = &OUTLOG_TABLES[OUTLOG_ROW];
    struct table old = *t;
    struct outlog_row row, back;
    char bytes[1024];
    size_t size;

    (void)state;
    outlog_row_init(&row);
    row.id = SPAN("old");
    row.answer = SPAN("text");
    row.queue_us = 5;
    while (old.columns[old.n - 1].since > 1)
        old.n--;
    size = table_size(&old, &row);
    assert_true(size <= sizeof bytes);
    table_pack(&old, &row, bytes);
    memset(&back, 'x', sizeof back);
    assert_true(table_unpack(t, (struct span){bytes, size}, &back));
    assert_true(span_is(back.answer, "text"));
    assert_int_equal(back.queue_us, -1);
    assert_false(table_unpack(t, (struct span){bytes, size - 3}, &back));
}

static void columns_come_in_order_of_version(void **state)
{
    int newest = 1;

    (void)state;
    for (int k = 0; k < OUTLOG_KINDS; k++) {
        int last = 1;

        for (size_t i = 0; i < OUTLOG_TABLES[k].n; i++) {
            int since = OUTLOG_TABLES[k].columns[i].since;

            if (since < last)
                fail_msg("%s stands behind a later column",
                         OUTLOG_TABLES[k].columns[i].name);
            last = since;
        }
        newest = last > newest ? last : newest;
    }
    assert_true(OUTLOG_VERSION >= newest);
    assert_int_equal(OUTLOG_VERSION, WEIR_LOG_SCHEMA);
}

static void another_programs_database_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err e;

    run_sql(f->path, "CREATE TABLE customers (name TEXT)");
    assert_null(outlog_open(f->path, NULL, &e));
    assert_non_null(strstr(e.msg, "another program's database"));
    assert_answer(f->path, "SELECT group_concat(name) FROM sqlite_schema",
                  "customers");
}

static void a_newer_schema_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err e;

    run_sql(f->path, "PRAGMA user_version=70");
    assert_null(outlog_open(f->path, NULL, &e));
    assert_non_null(strstr(e.msg, "schema version 70"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_old_log_is_brought_forward_and_loses_nothing),
        TEST(an_old_programs_packed_row_is_read),
        TEST(columns_come_in_order_of_version),
        TEST(another_programs_database_is_refused),
        TEST(a_newer_schema_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
