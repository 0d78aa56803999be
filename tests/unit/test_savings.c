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

enum { ROWS = 1200, SEEDS = 25, MONTH_ROWS = 1500, MONTHS = 100 };

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

/* ---- a month: nothing stays as it is ---- */

enum { MONTH_ARMS = 3 };
static double month_rate = .2; /* of shadows */
static const char *const month_arms[MONTH_ARMS] = {"small", "mid", "large"};

/* One request of the month and what each arm would do with it. */
struct request {
    double cost[MONTH_ARMS], expect[MONTH_ARMS], p[MONTH_ARMS];
    double score[MONTH_ARMS], hope[MONTH_ARMS];
    char classifier; /* A: large for all; B: small for what is easy; C: small */
    unsigned arm;
    bool shadow, explored;
};

struct month {
    double spent, learnt_for, cost[MONTH_ARMS], score[MONTH_ARMS];
};

/* 2 % of exploration between neighbours in cost: where small is chosen large
 * never answers. */
static void month_choose(struct request *q, struct rng *r, unsigned likely)
{
    double u = rng_unit(r);

    q->p[likely] = .98;
    if (likely == 1) {
        q->p[0] = q->p[2] = .01;
        q->arm = u < .01 ? 0 : u < .02 ? 2 : 1;
    } else {
        q->p[1] = .02;
        q->arm = u < .02 ? 1 : likely;
    }
    q->explored = q->arm != likely;
}

/* Classifiers err in their own ways: A takes large for twice as dear as it
 * is, B is right, C takes small for dear; at 1/3 a price changes, from 2/3 on
 * requests are longer and harder, and mid is worse than it was. */
static struct request month_draw(struct rng *r, double when)
{
    static const double usd[MONTH_ARMS] = {1e-5, 5e-5, 6e-4};
    static const double skill[MONTH_ARMS] = {.6, .3, .15};
    static const double off[3][MONTH_ARMS] = {
        {.6, .8, 1.9}, {1, 1, 1}, {1.3, .9, .95}};
    double late = when > 2. / 3, hard = fmin(1, rng_unit(r) + .2 * late);
    double size = exp(gauss(r) * .8 + .4 * late + hard);
    struct request q = {0};
    unsigned c = when < .4 ? 0 : when < .85 ? 1 : 2;

    q.classifier = (char)('A' + c);
    for (unsigned a = 0; a < MONTH_ARMS; a++) {
        double price = usd[a] * (a == 1 && when > 1. / 3 ? 2 : 1);

        q.cost[a] = price * size * exp(gauss(r) * .4);
        q.expect[a] = price * size * off[c][a];
        q.hope[a] = 1 - (skill[a] + .1 * c) * hard;
        q.score[a] = rng_unit(r) < 1 - skill[a] * hard - .2 * (a == 1) * late;
    }
    month_choose(&q, r, c == 0 ? 2 : c == 2 || hard < .4 ? 0 : 2);
    q.shadow = rng_unit(r) < (when < .1 ? 0 : month_rate); /* begun later */
    return q;
}

static void month_arm(struct buf *sql, const struct request *q, unsigned a)
{
    buf_printf(sql,
               "%s{\"arm\":\"%s\",\"quality\":%g,\"cost_usd\":%.9g,"
               "\"propensity\":%g,\"dropped\":null}",
               a ? "," : "", month_arms[a], q->hope[a], q->expect[a], q->p[a]);
}

static void month_label(struct buf *sql, const char *id, double score)
{
    buf_printf(sql, "INSERT INTO labels VALUES('%s',9,'feedback',%g,1,NULL);",
               id, score);
}

static void month_shadows(struct buf *sql, const struct request *q, int i,
                          struct month *t)
{
    for (unsigned a = 0; a < MONTH_ARMS; a++) {
        char id[32];

        if (a == q->arm || !q->shadow)
            continue;
        snprintf(id, sizeof id, "x%d-%u", i, a);
        t->learnt_for += q->cost[a];
        buf_printf(sql,
                   "INSERT INTO requests(id,time_ms,route,arm,reason,status,"
                   "cost_pico,purpose,parent) VALUES('%s',%d,'auto','%s',"
                   "'shadow',200,%.0f,'shadow','r%d');",
                   id, 1000 + i, month_arms[a], q->cost[a] * 1e12, i);
        month_label(sql, id, q->score[a]);
    }
}

static void month_row(struct buf *sql, struct rng *r, int i, struct month *t)
{
    struct request q = month_draw(r, (double)i / MONTH_ROWS);
    char id[32];

    t->spent += q.cost[q.arm];
    for (unsigned a = 0; a < MONTH_ARMS; a++) {
        t->cost[a] += q.cost[a];
        t->score[a] += q.score[a] / MONTH_ROWS;
    }
    snprintf(id, sizeof id, "r%d", i);
    buf_printf(sql,
               "INSERT INTO requests(id,time_ms,route,classifier,arm,reason,"
               "status,propensity,cost_pico,arms) VALUES('%s',%d,'auto',"
               "'%c','%s','%s',200,%g,%.0f,'[",
               id, 1000 + i, q.classifier, month_arms[q.arm],
               q.explored ? "explored" : "level", q.p[q.arm],
               q.cost[q.arm] * 1e12);
    for (unsigned a = 0; a < MONTH_ARMS; a++)
        month_arm(sql, &q, a);
    buf_str(sql, "]');");
    if (q.shadow || rng_unit(r) < .5)
        month_label(sql, id, q.score[q.arm]);
    month_shadows(sql, &q, i, t);
}

static struct month make_month(uint64_t seed)
{
    struct month t = {0};
    sqlite3 *db = new_log();
    struct buf sql;
    struct rng r;

    rng_seed(&r, seed);
    buf_init(&sql, 1 << 20);
    for (int i = 0; i < MONTH_ROWS; i++) {
        char *error = NULL;

        month_row(&sql, &r, i, &t);
        if (sqlite3_exec(db, buf_cstr(&sql), NULL, NULL, &error) != SQLITE_OK)
            fail_msg("%s", error);
        buf_reset(&sql);
    }
    buf_free(&sql);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    return t;
}

/* With shadows every arm is measured on any request, whoever served it. */
static void a_month_of_changes_is_reported_truly(void **state)
{
    unsigned saving[MONTH_ARMS] = {0}, quality[MONTH_ARMS] = {0};
    double width = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= MONTHS; seed++) {
        struct month t = make_month(seed);

        load();
        for (unsigned a = 0; a < MONTH_ARMS; a++) {
            const struct savings_arm *x =
                &savings.routes[0].arms[arm_of(month_arms[a])];
            double truth = 1 - (t.spent + t.learnt_for) / t.cost[a];

            saving[a] += inside(&x->cost.less, truth);
            quality[a] += inside(&x->score.dr, t.score[a]);
            width += (x->cost.less.hi - x->cost.less.lo) * (a == 2) / MONTHS;
        }
        ledger_free(&ledger);
    }
    for (unsigned a = 0; a < MONTH_ARMS; a++)
        print_message("%s: truth inside: saving %u, quality %u of %d\n",
                      month_arms[a], saving[a], quality[a], MONTHS);
    print_message("mean width of the saving's interval %.3f\n", width);
    for (unsigned a = 0; a < MONTH_ARMS; a++) {
        assert_true(saving[a] >= .93 * MONTHS);
        assert_true(quality[a] >= .93 * MONTHS);
    }
    assert_true(width < .2);
}

/* What large would have cost where it never answers is only expected. */
static void without_shadows_the_interval_is_wide_enough(void **state)
{
    unsigned saving = 0;

    (void)state;
    month_rate = 0;
    for (uint64_t seed = 1; seed <= MONTHS / 4; seed++) {
        struct month t = make_month(seed);
        const struct savings_arm *x;

        load();
        x = &savings.routes[0].arms[arm_of("large")];
        saving += inside(&x->cost.less, 1 - t.spent / t.cost[2]);
        assert_true(x->cost.unseen > .2);
        ledger_free(&ledger);
    }
    month_rate = .2;
    print_message("truth inside: %u of %d\n", saving, MONTHS / 4);
    assert_true(saving >= .93 * MONTHS / 4);
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
        cmocka_unit_test(a_month_of_changes_is_reported_truly),
        cmocka_unit_test(without_shadows_the_interval_is_wide_enough),
        cmocka_unit_test(the_totals_are_the_logs),
        cmocka_unit_test(too_little_is_not_claimed),
        cmocka_unit_test(costs_that_were_only_expected_are_said_to_be),
        cmocka_unit_test(own_calls_are_a_cost_of_learning_and_no_requests),
        cmocka_unit_test(a_bad_log_is_a_clear_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
