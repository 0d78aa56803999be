/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/dataset.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/vec.h"
#include "datasets/log_plan.h"
#include "models/plan_form.h"
#include "tests/unit/log_rig.h"

static struct dataset_row row;

static struct dataset *open_log(struct dataset_options opt, struct err *e)
{
    return dataset_open(log_path, opt, e);
}

static const struct dataset_options none;

static void one_row_a_request_with_its_best_label(void **state)
{
    sqlite3 *db = log_new();
    struct dataset *d;
    struct err e;

    (void)state;
    log_run(
        db,
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
        "('r1',8000,'feedback',1,0.75,NULL),"
        "('r1',9999,'signal',0.2,1,NULL);");
    d = open_log(none, &e);
    assert_non_null(d);
    assert_int_equal(dataset_contradictory(d), 1); /* r1's feedback */
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_true(span_is(row.id, "r1") && span_is(row.session, "s"));
    assert_true(span_is(row.task, "math"));
    assert_int_equal(row.time_ms, 1000);
    assert_int_equal(row.n_outcomes, 1);
    assert_true(span_is(row.outcomes[0].arm, "nano"));
    assert_true(row.outcomes[0].score == 1);
    assert_true(row.outcomes[0].confidence == .75);
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

#define HI "'[{\"role\":\"user\",\"content\":\"hi\"}]'"

static void what_a_judge_said_stands_beside_feedback(void **state)
{
    sqlite3 *db = log_new();
    struct dataset *d;
    struct err e;

    (void)state;
    log_run(db, "INSERT INTO requests(id,time_ms,arm,status,messages) VALUES"
                "('a',1,'nano',200," HI "),('b',2,'nano',200," HI "),"
                "('c',3,'nano',200," HI ");"
                "INSERT INTO labels VALUES('a',9,'feedback',1,1,NULL),"
                "('a',8,'judge',0.25,0.6,NULL),('a',9,'signal',0,1,'retried'),"
                "('b',9,'judge',0.5,0.6,NULL),('b',9,'check',1,1,NULL),"
                "('c',9,'benchmark',0,1,NULL),('c',9,'signal',0,1,'retried')");
    d = open_log(none, &e);
    assert_non_null(d);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_true(row.outcomes[0].score == 1 && row.outcomes[0].beside == .25);
    assert_true(outcome_is_gold(&row.outcomes[0]));
    assert_int_equal(dataset_next(d, &row, &e), 1); /* a judge's alone */
    assert_true(row.outcomes[0].score == .5 && isnan(row.outcomes[0].beside));
    assert_false(outcome_is_gold(&row.outcomes[0]));
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_true(row.outcomes[0].score == 0 && isnan(row.outcomes[0].beside));
    assert_true(outcome_is_gold(&row.outcomes[0]));
    dataset_close(d);
    sqlite3_close(db);
}

/* ---- plans and shadows ---- */

static const struct outcome *outcome_of(const char *arm)
{
    for (uint32_t i = 0; i < row.n_outcomes; i++)
        if (span_is(row.outcomes[i].arm, arm))
            return &row.outcomes[i];
    fail_msg("no outcome of %s", arm);
    return NULL;
}

static void shadows_are_further_outcomes_of_their_parents_row(void **state)
{
    sqlite3 *db = log_new();
    struct dataset *d;
    struct err e;

    (void)state;
    log_run(
        db,
        "INSERT INTO requests(id,time_ms,arm,propensity,status,input_tokens,"
        " output_tokens,cost_pico,est_input,messages,purpose,parent) VALUES"
        "('r1',1000,'nano',0.9,200,12,34,4000000,11," HI ",NULL,NULL),"
        "('s1',1001,'opus',1,200,12,90,9000000,11," HI ",'shadow','r1'),"
        "('s2',1002,'qwen',1,200,12,50,0,11," HI ",'shadow','r1'),"
        "('s3',1003,'nano',1,200,12,99,1,11," HI ",'shadow','r1'),"
        "('j1',1004,'opus',1,200,500,9,7000000,11," HI ",'judge','s1'),"
        "('s4',1005,'opus',1,200,1,1,1,11," HI ",'shadow','gone');"
        "INSERT INTO labels VALUES('r1',2000,'judge',0,0.8,NULL),"
        "('s1',2000,'judge',1,0.8,NULL);");
    d = open_log(none, &e);
    assert_non_null(d);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_true(span_is(row.id, "r1"));
    assert_true(row.est_input == 11);
    assert_int_equal(row.n_outcomes, 3);
    assert_true(span_is(row.outcomes[0].arm, "nano")); /* what served */
    assert_true(row.outcomes[0].output_tokens == 34);
    assert_true(row.outcomes[0].propensity == 0.9);
    assert_true(row.outcomes[0].score == 0);
    assert_true(outcome_of("opus")->score == 1);
    assert_true(span_is(outcome_of("opus")->source, "judge"));
    assert_true(isnan(outcome_of("opus")->propensity));
    assert_true(outcome_of("opus")->output_tokens == 90);
    assert_true(isnan(outcome_of("qwen")->score));
    assert_true(outcome_of("qwen")->cost_usd == 0);
    assert_int_equal(dataset_next(d, &row, &e), 0); /* own calls are none */
    dataset_close(d);
    sqlite3_close(db);
}

#define MEMBER(role, arm, tokens)                                              \
    "{\"role\":\"" role "\",\"arm\":\"" arm "\",\"status\":200,"               \
    "\"input_tokens\":7,\"output_tokens\":" tokens ",\"cost_usd\":0.25,"       \
    "\"ms\":3}"
#define PLAN(kind, verdict, members)                                           \
    "{\"kind\":\"" kind "\",\"verdict\":\"" verdict "\",\"checks\":{},"        \
    "\"members\":[" members "]}"

static const struct {
    const char *plan;
    double escalates; /* NAN: no such outcome */
    const char *member;
    double tokens; /* of the member; NAN: no outcome of it */
} plan_rows[] = {
    {PLAN("verify", "accepted", MEMBER("draft", "a", "5")), 0, "a", 5},
    {PLAN("verify", "escalated",
          MEMBER("draft", "a", "5") "," MEMBER("else", "c", "8")),
     1, "c", 8},
    {PLAN("cascade", "deadline", MEMBER("draft", "a", "5")), 0, "a", 5},
    {PLAN("cascade", "failed", MEMBER("draft", "a", "5")), NAN, "a", 5},
    {PLAN("panel", "accepted",
          MEMBER("draft", "a", "5") "," MEMBER("review", "b", "6")),
     NAN, "b", NAN},
    {PLAN("panel", "failed", MEMBER("draft", "a", "5")), NAN, "b", NAN},
};

enum { PANEL_ROW = 4 };

static void a_plans_row_says_whether_it_escalated(void **state)
{
    sqlite3 *db = log_new();

    (void)state;
    for (size_t i = 0; i < sizeof plan_rows / sizeof plan_rows[0]; i++) {
        double want = plan_rows[i].escalates, tokens = plan_rows[i].tokens;
        struct dataset *d;
        struct err e;
        char sql[1024];

        snprintf(sql, sizeof sql,
                 "DELETE FROM requests; DELETE FROM labels;"
                 "INSERT INTO requests(id,time_ms,arm,status,cost_pico,"
                 "messages,plan) VALUES('p',1,'checked',200,500000000000," HI
                 ",'%s'); INSERT INTO labels VALUES"
                 "('p',2,'feedback',1,1,NULL)",
                 plan_rows[i].plan);
        log_run(db, sql);
        d = open_log(none, &e);
        assert_non_null(d);
        if (dataset_next(d, &row, &e) != 1)
            fail_msg("%s", e.msg);
        assert_true(span_is(row.outcomes[0].arm, "checked"));
        assert_true(row.outcomes[0].cost_usd == .5);
        assert_true(row.outcomes[0].score == 1);
        assert_true(span_is(row.outcomes[0].plan, plan_rows[i].plan));
        for (uint32_t k = 1; k < row.n_outcomes; k++) {
            const struct outcome *o = &row.outcomes[k];
            bool head = span_is(o->arm, "escalates checked");
            assert_true(!head || o->score == want);
            /* Members have no score, but a panel's model. */
            assert_true(head ||
                        (i == PANEL_ROW ? o->score == 1 : isnan(o->score)));
            assert_true(head || o->member);
            assert_false(span_is(o->arm, plan_rows[i].member) && isnan(tokens));
        }
        if (!isnan(want))
            assert_true(outcome_of("escalates checked")->score == want);
        if (!isnan(tokens))
            assert_true(outcome_of(plan_rows[i].member)->output_tokens ==
                        tokens);
        dataset_close(d);
    }
    sqlite3_close(db);
}

static void a_log_from_before_plans_is_read(void **state)
{
    static const char *const columns[] = {"plan", "purpose", "parent"};
    sqlite3 *db = log_new();
    struct dataset *d;
    struct err e;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "ALTER TABLE requests DROP COLUMN %s",
                 columns[i]);
        log_run(db, sql);
    }
    log_run(db, "INSERT INTO requests(id,time_ms,arm,status,messages) VALUES"
                "('old',1,'nano',200," HI ")");
    d = open_log(none, &e);
    assert_non_null(d);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_int_equal(row.n_outcomes, 1);
    assert_int_equal(row.outcomes[0].plan.len, 0);
    dataset_close(d);
    sqlite3_close(db);
}

static void heads_are_called_as_the_classifier_calls_them(void **state)
{
    (void)state;
    assert_string_equal(LOG_ESCALATES, PLAN_FORM_ESCALATES);
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
    log_run(db, "INSERT INTO labels VALUES('f',1,'check',0.5,1,NULL)");
}

static void features_alone_are_enough(void **state)
{
    static struct vec v;
    char bytes[256];
    sqlite3 *db = log_new();
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
    log_run(db, "UPDATE requests SET features = x'00112233'");
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
        {"UPDATE labels SET score = 'fine'", "score: wanted a number"},
        {"UPDATE labels SET score = 1;"
         "UPDATE requests SET messages = '{}'",
         "messages: wanted objects"},
        {"UPDATE requests SET messages = '['", "messages: JSON"},
        {"UPDATE requests SET messages = '[{\"role\":\"user\"}]',"
         " cost_pico = -1",
         "cost: wanted"},
        {"UPDATE requests SET cost_pico = 1, est_input = -1",
         "est_input: wanted"},
        {"UPDATE requests SET est_input = 1, plan = '['", "plan: JSON"},
        {"UPDATE requests SET plan = '{\"kind\":\"verify\"}'",
         "plan: wanted an object with a kind and members"},
        {"UPDATE requests SET plan = '{\"kind\":\"verify\",\"members\":[{}]}'",
         "plan: members: wanted a role and an arm"},
    };
    struct dataset_options skip = {.skip_bad = true};
    sqlite3 *db = log_new();
    struct dataset *d;
    struct err e;

    (void)state;
    log_run(db, "INSERT INTO requests(id,time_ms,arm,status,messages) VALUES"
                "('a',1,'nano',200,'[{\"role\":\"user\"}]');"
                "INSERT INTO labels VALUES('a',1,'check',0.5,1,NULL)");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        log_run(db, cases[i].sql);
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
    sqlite3 *db = log_new();
    struct dataset *d;
    struct err e;

    (void)state;
    log_run(db,
            "INSERT INTO requests(id,time_ms,route,arm,latency_us,messages)"
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

static void rows_of_one_instant_come_by_id(void **state)
{
    static const char *const order[] = {"9", "1", "5", "7"};
    sqlite3 *db = log_new();
    struct dataset *d;
    struct err e;

    (void)state;
    log_run(db, "INSERT INTO requests(id,time_ms,arm,messages)"
                "SELECT value, CASE value WHEN 9 THEN 1 ELSE 2 END, 'nano',"
                " '[{\"role\":\"user\"}]' FROM json_each('[7,1,9,5]')");
    d = open_log(none, &e);
    assert_non_null(d);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(dataset_next(d, &row, &e), 1);
        assert_true(span_is(row.id, order[i]));
    }
    dataset_close(d);
    sqlite3_close(db);
}

static void the_server_may_write_meanwhile(void **state)
{
    sqlite3 *db = log_new();
    struct dataset *d;
    struct err e;

    (void)state;
    log_run(db, "INSERT INTO requests(id,time_ms,arm,messages) VALUES"
                "('1',1,'a','[{\"role\":\"user\"}]'),"
                "('2',2,'a','[{\"role\":\"user\"}]')");
    log_run(db, "BEGIN IMMEDIATE; INSERT INTO requests(id,time_ms,arm,messages)"
                " VALUES('3',3,'a','[{\"role\":\"user\"}]')");
    d = open_log(none, &e);
    assert_non_null(d);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    log_run(db, "COMMIT; DELETE FROM requests WHERE id = '2'");
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_true(span_is(row.id, "2"));
    assert_int_equal(dataset_next(d, &row, &e), 0);
    dataset_close(d);
    sqlite3_close(db);
}

static void what_is_no_log_of_ours_is_refused(void **state)
{
    sqlite3 *db = log_new();
    struct err e;
    FILE *f;

    (void)state;
    log_run(db, "PRAGMA user_version=99");
    assert_null(open_log(none, &e));
    assert_non_null(strstr(e.msg, "written by a newer weir"));
    log_run(db, "PRAGMA user_version=1; DROP TABLE labels");
    assert_null(open_log(none, &e));
    assert_non_null(strstr(e.msg, "found another SQLite database"));
    sqlite3_close(db);
    log_remove();
    f = fopen(log_path, "w");
    assert_non_null(f);
    fwrite("SQLite format 3", 1, 16, f);
    for (int i = 0; i < 5000; i++)
        fputc(i * 7 & 0xff, f);
    fclose(f);
    assert_null(open_log(none, &e));
    assert_non_null(strstr(e.msg, log_path));
}

static int clean_up(void **state)
{
    (void)state;
    log_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_row_a_request_with_its_best_label),
        cmocka_unit_test(what_a_judge_said_stands_beside_feedback),
        cmocka_unit_test(shadows_are_further_outcomes_of_their_parents_row),
        cmocka_unit_test(a_plans_row_says_whether_it_escalated),
        cmocka_unit_test(a_log_from_before_plans_is_read),
        cmocka_unit_test(heads_are_called_as_the_classifier_calls_them),
        cmocka_unit_test(features_alone_are_enough),
        cmocka_unit_test(a_bad_row_is_named_and_can_be_skipped),
        cmocka_unit_test(rows_are_chosen_by_time_and_route),
        cmocka_unit_test(rows_of_one_instant_come_by_id),
        cmocka_unit_test(the_server_may_write_meanwhile),
        cmocka_unit_test(what_is_no_log_of_ours_is_refused),
    };

    int failed = cmocka_run_group_tests(tests, NULL, clean_up);

    log_is_old = true;
    return failed +
           cmocka_run_group_tests_name("old logs", tests, NULL, clean_up);
}
