/* SPDX-License-Identifier: Apache-2.0 */
/* The savings report against logs whose truth is known. */
#include "trainer/savings.h"

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

#include "base/rng.h"

enum { ROWS = 1200, SEEDS = 25 };

static char path[64];
static struct ledger ledger;
static struct savings savings;

static sqlite3 *new_log(void)
{
    static char text[16384];
    FILE *f = fopen("docs/log-format.md", "r");
    char *from, *to;
    sqlite3 *db;

    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    from = strstr(text, "```sql\n") + 7;
    to = strstr(from, "```");
    *to = '\0';
    snprintf(path, sizeof path, "/tmp/weir-savings-%ld.db", (long)getpid());
    unlink(path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, from, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA user_version=1; BEGIN", NULL, NULL, NULL),
        SQLITE_OK);
    return db;
}

/* What always asking each arm would have cost, and been worth. */
struct truth {
    double spent, cost[2], score[2];
};

static double gauss(struct rng *r)
{
    return sqrt(-2 * log(1 - rng_unit(r))) * cos(6.2831853 * rng_unit(r));
}

/* One request: two arms, the dear one takes the hard half; a tenth of the
 * requests go to the other one.  Expected costs are off by 30 % and blind to
 * a part of the length. */
static void write_row(sqlite3 *db, struct rng *r, int i, struct truth *t)
{
    double size = exp(gauss(r) * 0.8), noise = exp(gauss(r) * 0.5);
    double hard = rng_unit(r);
    double cost[2] = {1e-5 * size * noise, 4e-4 * size * noise};
    double good[2] = {rng_unit(r) < 1 - 0.6 * hard, rng_unit(r) < 0.95};
    unsigned likely = hard > 0.5, explore = rng_unit(r) < 0.1;
    unsigned arm = likely ^ explore;
    char sql[1200];
    char *error = NULL;

    t->spent += cost[arm];
    for (unsigned a = 0; a < 2; a++) {
        t->cost[a] += cost[a];
        t->score[a] += good[a];
    }
    snprintf(
        sql, sizeof sql,
        "INSERT INTO requests(id,time_ms,route,session,task,key_name,arm,"
        "reason,status,propensity,cost_pico,arms) VALUES('r%d',%d,'auto',"
        "'s%d','%s','k','%s','%s',200,%g,%.0f,'[{\"arm\":\"small\","
        "\"quality\":%g,\"cost_usd\":%.9g,\"propensity\":%g,\"dropped\":null},"
        "{\"arm\":\"large\",\"quality\":0.9,\"cost_usd\":%.9g,"
        "\"propensity\":%g,\"dropped\":null}]');"
        "INSERT INTO labels VALUES('r%d',%d,'feedback',%g,1,NULL)",
        i, 1000 + i, i / 2, hard > 0.5 ? "hard" : "easy",
        arm ? "large" : "small", explore ? "explored" : "level",
        explore ? 0.1 : 0.9, cost[arm] * 1e12, 1 - 0.5 * hard, 1.3e-5 * size,
        likely ? 0.1 : 0.9, 5.2e-4 * size, likely ? 0.9 : 0.1, i, 2000 + i,
        good[arm]);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
}

static struct truth make_log(uint64_t seed, int rows)
{
    struct truth t = {0};
    sqlite3 *db = new_log();
    struct rng r;

    rng_seed(&r, seed);
    for (int i = 0; i < rows; i++)
        write_row(db, &r, i, &t);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    return t;
}

static void load(void)
{
    struct log_range all = {0};
    struct err e;

    if (!ledger_load(path, &all, &ledger, &e))
        fail_msg("%s", e.msg);
    unlink(path);
    if (!savings_compute(&ledger, 1, &savings, &e))
        fail_msg("%s", e.msg);
}

static unsigned arm_of(const char *name)
{
    for (unsigned a = 0; a < ledger.routes[0].n_arms; a++)
        if (span_is(ledger.routes[0].arms[a], name))
            return a;
    fail_msg("no arm %s", name);
    return 0;
}

static bool inside(const struct estimate *x, double truth)
{
    return x->lo <= truth && truth <= x->hi;
}

static void the_saving_is_in_its_interval(void **state)
{
    unsigned saving = 0, quality = 0;
    double width = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct truth t = make_log(seed, ROWS);
        const struct savings_arm *large;

        load();
        large = &savings.routes[0].arms[arm_of("large")];
        assert_true(savings_solid(&large->cost));
        saving += inside(&large->cost.less, 1 - t.spent / t.cost[1]);
        quality += inside(&large->score.dr, t.score[1] / ROWS);
        width += large->cost.less.hi - large->cost.less.lo;
        ledger_free(&ledger);
    }
    print_message("truth inside: saving %u, quality %u of %d; mean width of "
                  "the saving's interval %.3f\n",
                  saving, quality, SEEDS, width / SEEDS);
    assert_true(saving >= 0.9 * SEEDS);
    assert_true(quality >= 0.9 * SEEDS);
    assert_true(width / SEEDS < 0.2);
}

static void the_totals_are_the_logs(void **state)
{
    struct truth t = make_log(7, 300);
    const struct savings_route *r = &savings.routes[0];
    struct buf text;

    (void)state;
    load();
    assert_int_equal(ledger.requests, 300);
    assert_true(fabs(ledger.spent - t.spent) < 1e-9);
    assert_int_equal(r->labelled, 300);
    assert_int_equal(r->ledger->tasks.n, 2);
    assert_true(r->explored > 10 && r->explored < 60);
    assert_true(r->ece > 0 && r->ece < 0.3);
    buf_init(&text, 1 << 20);
    savings_json(&savings, &text);
    assert_false(text.failed);
    buf_reset(&text);
    savings_page(&savings, &text);
    assert_non_null(strstr(buf_cstr(&text), "<svg"));
    buf_free(&text);
    ledger_free(&ledger);
}

static void too_little_is_not_claimed(void **state)
{
    struct buf text;

    (void)state;
    make_log(3, 20);
    load();
    buf_init(&text, 1 << 20);
    savings_text(&savings, &text);
    assert_non_null(
        strstr(buf_cstr(&text), "20 requests are too few for any claim"));
    assert_non_null(strstr(buf_cstr(&text), "too little to say"));
    buf_free(&text);
    ledger_free(&ledger);
}

static void costs_that_were_only_expected_are_said_to_be(void **state)
{
    struct buf text;
    sqlite3 *db;

    (void)state;
    make_log(3, 400);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    /* As if nothing had ever been explored. */
    assert_int_equal(
        sqlite3_exec(db,
                     "DELETE FROM requests WHERE reason='explored';"
                     "UPDATE requests SET propensity=1, arms="
                     "replace(replace(arms,'\"propensity\":0.1',"
                     "'\"propensity\":0'),'\"propensity\":0.9',"
                     "'\"propensity\":1')",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    load();
    buf_init(&text, 1 << 20);
    savings_text(&savings, &text);
    assert_non_null(strstr(buf_cstr(&text), "Exploration would measure it"));
    assert_non_null(strstr(buf_cstr(&text), "is not measured"));
    buf_free(&text);
    ledger_free(&ledger);
}

/* Half of what was spent, once more, for a shadow and a judge. */
static void own_calls_are_a_cost_of_learning_and_no_requests(void **state)
{
    struct truth t = make_log(3, ROWS);
    struct off_policy before, after;
    double whole;
    char sql[600];
    sqlite3 *db;

    (void)state;
    load();
    before = savings.routes[0].arms[1].cost;
    ledger_free(&ledger);
    t = make_log(3, ROWS);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    snprintf(sql, sizeof sql,
             "INSERT INTO requests(id,time_ms,route,arm,status,cost_pico,"
             "purpose,parent,arms) VALUES('x1',1,'auto','large',200,%.0f,"
             "'shadow','r1','[{\"arm\":\"large\"}]'),('x2',1,'auto','large',"
             "200,%.0f,'judge','x1',NULL)",
             .4e12 * t.spent, .1e12 * t.spent);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
    load();
    assert_int_equal(ledger.requests, ROWS);
    assert_int_equal(ledger.routes[0].n, ROWS);
    assert_true(fabs(ledger.spent - t.spent) < 1e-6 * t.spent);
    assert_true(fabs(ledger.learnt_for - .5 * t.spent) < 1e-6 * t.spent);
    assert_int_equal(ledger.learning.n, 2);
    after = savings.routes[0].arms[1].cost;
    whole = before.ratio.value * (double)before.n;
    assert_true(fabs(before.less.value - after.less.value -
                     .5 * t.spent / whole) < 1e-6);
    assert_true(after.less.lo < before.less.lo);
    ledger_free(&ledger);
}

static void a_bad_log_is_a_clear_error(void **state)
{
    struct log_range all = {0};
    struct err e;
    sqlite3 *db;

    (void)state;
    assert_false(ledger_load("/nonexistent/x.db", &all, &ledger, &e));
    assert_non_null(strstr(e.msg, "/nonexistent/x.db"));
    ledger_free(&ledger);
    make_log(1, 5);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_false(ledger_load(path, &all, &ledger, &e));
    assert_non_null(strstr(e.msg, "newer weir"));
    ledger_free(&ledger);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_saving_is_in_its_interval),
        cmocka_unit_test(the_totals_are_the_logs),
        cmocka_unit_test(too_little_is_not_claimed),
        cmocka_unit_test(costs_that_were_only_expected_are_said_to_be),
        cmocka_unit_test(own_calls_are_a_cost_of_learning_and_no_requests),
        cmocka_unit_test(a_bad_log_is_a_clear_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
