/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/dataset.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/vec.h"

static char path[64];
static struct dataset_row row;

/* The schema as docs/log-format.md has it: the manual is what is tested. */
static char *schema(void)
{
    static char text[8192];
    FILE *f = fopen("docs/log-format.md", "r");
    char *from, *to;
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    from = strstr(text, "```sql\n");
    assert_non_null(from);
    to = strstr(from + 7, "```");
    assert_non_null(to);
    *to = '\0';
    return from + 7;
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
}

static void remove_log(void)
{
    static const char *const ends[] = {"", "-wal", "-shm"};

    for (int i = 0; i < 3; i++) {
        char name[80];

        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static sqlite3 *new_log(void)
{
    sqlite3 *db;

    snprintf(path, sizeof path, "/tmp/weir-log-%ld.db", (long)getpid());
    remove_log();
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run(db, "PRAGMA journal_mode=WAL; PRAGMA user_version=1;");
    run(db, schema());
    return db;
}

static struct dataset *open_log(struct dataset_options opt, struct err *e)
{
    return dataset_open(path, opt, e);
}

static const struct dataset_options none;

static void one_row_a_request_with_its_best_label(void **state)
{
    sqlite3 *db = new_log();
    struct dataset *d;
    struct err e;

    (void)state;
    run(db,
        "INSERT INTO requests(id,time_ms,route,session,task,task_given,arm,"
        " propensity,status,input_tokens,output_tokens,cost_pico,latency_us,"
        " messages,tools,params,answer) VALUES"
        "('r1',1000,'auto','s','math',1,'nano',0.9,200,12,34,4000000,420000,"
        " '[{\"role\":\"user\",\"content\":\"hi\"}]','[]','{}','42'),"
        "('r2',2000,'auto',NULL,'guessed',0,'opus',1,200,5,NULL,NULL,NULL,"
        " '[{\"role\":\"user\",\"content\":\"yo\"}]',NULL,NULL,NULL),"
        "('r3',3000,'other',NULL,NULL,0,'opus',1,502,5,3,NULL,10,"
        " '[{\"role\":\"user\",\"content\":\"no\"}]',NULL,NULL,NULL),"
        "('r4',4000,'auto',NULL,NULL,0,NULL,NULL,400,NULL,NULL,NULL,NULL,"
        " '[{\"role\":\"user\",\"content\":\"bad\"}]',NULL,NULL,NULL),"
        "('r5',5000,'auto',NULL,NULL,0,'nano',1,200,1,1,1,1,NULL,NULL,NULL,"
        " NULL);"
        "INSERT INTO labels VALUES('r1',9000,'judge',0.1,1,NULL),"
        "('r1',7000,'feedback',0,1,NULL),"
        "('r1',8000,'feedback',1,1,NULL),"
        "('r1',9999,'signal',0.2,1,NULL);");
    d = open_log(none, &e);
    assert_non_null(d);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_true(span_is(row.id, "r1") && span_is(row.session, "s"));
    assert_true(span_is(row.task, "math"));
    assert_int_equal(row.time_ms, 1000);
    assert_int_equal(row.n_outcomes, 1);
    assert_true(span_is(row.outcomes[0].arm, "nano"));
    assert_true(row.outcomes[0].score == 1);
    assert_true(span_is(row.outcomes[0].source, "feedback"));
    assert_true(row.outcomes[0].propensity == 0.9);
    assert_true(fabs(row.outcomes[0].cost_usd - 4e-6) < 1e-15);
    assert_true(fabs(row.outcomes[0].latency_ms - 420) < 1e-9);
    assert_true(span_is(row.outcomes[0].answer, "42"));
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_true(span_is(row.id, "r2"));
    assert_int_equal(row.task.len, 0); /* it was only guessed */
    assert_true(isnan(row.outcomes[0].score));
    assert_true(isnan(row.outcomes[0].output_tokens));
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_true(isnan(row.outcomes[0].output_tokens)); /* it failed */
    assert_int_equal(dataset_next(d, &row, &e), 0);
    dataset_close(d);
    sqlite3_close(db);
}

static void put_features(sqlite3 *db, const void *bytes, size_t n)
{
    sqlite3_stmt *st;

    assert_int_equal(sqlite3_prepare_v2(db,
                                        "INSERT INTO requests(id,time_ms,arm,"
                                        "status,features) VALUES"
                                        "('f',1,'nano',200,?1)",
                                        -1, &st, NULL),
                     SQLITE_OK);
    sqlite3_bind_blob(st, 1, bytes, (int)n, SQLITE_TRANSIENT);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    run(db, "INSERT INTO labels VALUES('f',1,'check',0.5,1,NULL)");
}

static void features_alone_are_enough(void **state)
{
    static struct vec v;
    char bytes[256];
    sqlite3 *db = new_log();
    struct dataset *d;
    struct err e;
    size_t n;

    (void)state;
    vec_clear(&v);
    v.version = 1;
    n = vec_pack(&v, bytes, sizeof bytes);
    put_features(db, bytes, n);
    d = open_log(none, &e);
    assert_non_null(d);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_int_equal(row.messages.len, 0);
    assert_true(span_eq(row.features, (struct span){bytes, n}));
    assert_true(row.outcomes[0].score == 0.5);
    dataset_close(d);
    run(db, "UPDATE requests SET features = x'00112233'");
    d = open_log(none, &e);
    assert_int_equal(dataset_next(d, &row, &e), -1);
    assert_non_null(strstr(e.msg, "row 1, request 'f': features: "));
    dataset_close(d);
    sqlite3_close(db);
}

static void a_bad_row_is_named_and_can_be_skipped(void **state)
{
    static const struct {
        const char *sql, *says;
    } cases[] = {
        {"UPDATE labels SET score = 7", "score: wanted a number in [0,1]"},
        {"UPDATE labels SET score = 1;"
         "UPDATE requests SET messages = '{}'",
         "messages: wanted objects"},
        {"UPDATE requests SET messages = '['", "messages: JSON"},
        {"UPDATE requests SET messages = '[{\"role\":\"user\"}]',"
         " cost_pico = -1",
         "cost: wanted"},
    };
    struct dataset_options skip = {.skip_bad = true};
    sqlite3 *db = new_log();
    struct dataset *d;
    struct err e;

    (void)state;
    run(db, "INSERT INTO requests(id,time_ms,arm,status,messages) VALUES"
            "('a',1,'nano',200,'[{\"role\":\"user\"}]');"
            "INSERT INTO labels VALUES('a',1,'check',0.5,1,NULL)");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run(db, cases[i].sql);
        d = open_log(none, &e);
        assert_int_equal(dataset_next(d, &row, &e), -1);
        if (!strstr(e.msg, cases[i].says))
            fail_msg("wanted '%s' in '%s'", cases[i].says, e.msg);
        dataset_close(d);
        d = open_log(skip, &e);
        assert_int_equal(dataset_next(d, &row, &e), 0);
        assert_int_equal(dataset_bad(d, NULL), 1);
        dataset_close(d);
    }
    sqlite3_close(db);
}

static void rows_are_chosen_by_time_and_route(void **state)
{
    struct dataset_options opt = {
        .since_ms = 2000, .until_ms = 4000, .route = "b"};
    sqlite3 *db = new_log();
    struct dataset *d;
    struct err e;

    (void)state;
    run(db, "INSERT INTO requests(id,time_ms,route,arm,latency_us,messages)"
            "SELECT value, value * 1000, CASE value % 2 WHEN 0 THEN 'a' ELSE"
            " 'b' END, 'nano', 1, '[{\"role\":\"user\"}]'"
            "FROM json_each('[1,2,3,4,5]')");
    d = open_log(opt, &e);
    assert_non_null(d);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_true(span_is(row.id, "3"));
    assert_int_equal(dataset_next(d, &row, &e), 0);
    dataset_close(d);
    sqlite3_close(db);
}

static void the_server_may_write_meanwhile(void **state)
{
    sqlite3 *db = new_log();
    struct dataset *d;
    struct err e;

    (void)state;
    run(db, "INSERT INTO requests(id,time_ms,arm,messages) VALUES"
            "('1',1,'a','[{\"role\":\"user\"}]'),"
            "('2',2,'a','[{\"role\":\"user\"}]')");
    run(db, "BEGIN IMMEDIATE; INSERT INTO requests(id,time_ms,arm,messages)"
            " VALUES('3',3,'a','[{\"role\":\"user\"}]')");
    d = open_log(none, &e);
    assert_non_null(d);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    run(db, "COMMIT; DELETE FROM requests WHERE id = '2'");
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_true(span_is(row.id, "2"));
    assert_int_equal(dataset_next(d, &row, &e), 0);
    dataset_close(d);
    sqlite3_close(db);
}

static void what_is_no_log_of_ours_is_refused(void **state)
{
    sqlite3 *db = new_log();
    struct err e;
    FILE *f;

    (void)state;
    run(db, "PRAGMA user_version=99");
    assert_null(open_log(none, &e));
    assert_non_null(strstr(e.msg, "written by a newer weir"));
    run(db, "PRAGMA user_version=1; DROP TABLE labels");
    assert_null(open_log(none, &e));
    assert_non_null(strstr(e.msg, "found another SQLite database"));
    sqlite3_close(db);
    remove_log();
    f = fopen(path, "w");
    assert_non_null(f);
    fwrite("SQLite format 3", 1, 16, f);
    for (int i = 0; i < 5000; i++)
        fputc(i * 7 & 0xff, f);
    fclose(f);
    assert_null(open_log(none, &e));
    assert_non_null(strstr(e.msg, path));
}

static int clean_up(void **state)
{
    (void)state;
    remove_log();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_row_a_request_with_its_best_label),
        cmocka_unit_test(features_alone_are_enough),
        cmocka_unit_test(a_bad_row_is_named_and_can_be_skipped),
        cmocka_unit_test(rows_are_chosen_by_time_and_route),
        cmocka_unit_test(the_server_may_write_meanwhile),
        cmocka_unit_test(what_is_no_log_of_ours_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, clean_up);
}
