/* SPDX-License-Identifier: Apache-2.0 */
/* Training from a server's log: shadows, plans, and what goes wrong. */
#include "base/json.h"
#include "tests/unit/plan_log.h"
#include "trainer/card.h"
#include "trainer/plan_seen.h"
#include "trainer/train.h"
#include "trainer/wanted.h"

enum { ROWS = 900 };

static const char *const other_check =
    PLAN("accepted", MEMBERS("nano", "gemma"));

static struct table *load(const char *arms, struct err *e)
{
    const char *files[] = {log_path};
    struct table_options o = {.files = files, .n_files = 1};
    struct table *t = NULL;
    struct wanted w;

    if (wanted_parse(&w, arms, e))
        t = wanted_load(&w, &o, e);
    wanted_free(&w);
    return t;
}

static const struct train_options usual = {
    .quality = .9, .confidence = .9, .seed = 1, .threads = 2};

static void shadow_sampling_carries_promises_without_a_pilot(void **state)
{
    sqlite3 *db = made_log(ROWS);
    struct training r;
    struct err e = {0};
    struct table *t = load(NULL, &e);
    unsigned valid = 0;

    (void)state;
    if (!t || !train_run(&r, t, &usual, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(t->n_plans, 1);
    assert_string_equal(t->arms[t->plans[0].arm].name, "checked");
    assert_string_equal(t->arms[t->plans[0].member[1]].name, "qwen");
    assert_int_equal(r.n_judged, ROWS);
    for (uint32_t k = 0; k < r.n_levels; k++)
        valid += r.levels[k].valid && (r.among[k] >> t->plans[0].arm & 1);
    assert_true(valid > 0);
    assert_false(r.voided);
    training_free(&r);
    table_free(t);
    sqlite3_close(db);
}

static void the_plans_costs_and_escalations_are_the_logs(void **state)
{
    sqlite3 *db = made_log(200);
    struct err e = {0};
    struct table *t = load(NULL, &e);
    double cost = 0, score = 0;

    (void)state;
    assert_non_null(t);
    for (size_t i = 0; i < t->n; i++) {
        const struct table_plan *p = &t->plans[0];
        float up = t->arms[p->escalates].score[i];
        float usd = t->arms[p->arm].cost[i];
        assert_true(fabs((double)usd - (up > 0 ? .102 : .002)) < 1e-6);
        cost += (double)usd;
        score += (double)up;
        /* A check that never answers alone is no choice, and has no score. */
        assert_true(isnan(t->arms[p->member[1]].score[i]));
        assert_int_equal(t->arms[p->member[1]].role, TABLE_MEMBER);
        assert_true(t->arms[p->member[1]].output_tokens[i] == 50);
    }
    assert_true(score > 20 && score < 180 && cost > 0);
    table_free(t);
    sqlite3_close(db);
}

static void a_panels_answers_are_its_models(void **state)
{
    static const char *const sql =
        "DELETE FROM requests WHERE arm = 'checked';"
        "UPDATE requests SET arm = 'watched', plan = '{\"kind\":\"panel\","
        "\"verdict\":\"accepted\",\"members\":[" MEMBER(
            "draft", "opus", "0.1") "," MEMBER("review", "qwen",
                                               "0.01") "]}'"
                                                       " WHERE arm = 'opus'";
    sqlite3 *db = made_log(ROWS);
    struct training r;
    struct err e = {0};
    struct table *t;

    (void)state;
    log_run(db, sql);
    t = load(NULL, &e);
    if (!t || !train_run(&r, t, &usual, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(t->n_arms, 2);
    assert_int_equal(table_find_arm(t, SPAN("watched")), -1);
    assert_int_equal(t->arms[table_find_arm(t, SPAN("opus"))].n_scores, ROWS);
    assert_int_equal(r.n_judged, ROWS);
    training_free(&r);
    table_free(t);
    t = load("nano,watched", &e); /* by name it is an arm like a model */
    if (!t)
        fail_msg("%s", e.msg);
    assert_int_equal(t->arms[1].n_scores, ROWS);
    table_free(t);
    sqlite3_close(db);
}

static void a_plan_of_other_members_is_another_plan(void **state)
{
    sqlite3 *db = made_log(200);
    struct err e = {0};
    struct table *t;
    size_t known = 0;

    (void)state;
    /* The first ten were checked by another model. */
    char sql[512];
    snprintf(sql, sizeof sql,
             "UPDATE requests SET plan = '%s', time_ms = 0 WHERE id IN ("
             "'c0','c1','c2','c3','c4','c5','c6','c7','c8','c9');"
             "UPDATE requests SET time_ms = 0 WHERE id IN ("
             "'r0','r1','r2','r3','r4','r5','r6','r7','r8','r9')",
             other_check);
    log_run(db, sql);
    t = load(NULL, &e);
    if (!t)
        fail_msg("%s", e.msg);
    assert_string_equal(t->arms[t->plans[0].member[1]].name, "qwen");
    for (size_t i = 0; i < t->n; i++)
        known += !isnan(t->arms[t->plans[0].arm].score[i]);
    /* Four rows by the new one are not believed yet. */
    assert_int_equal(known, 190 - (PLAN_SEEN_ROWS - 1));
    assert_int_equal(t->seen[0].others, 10 + PLAN_SEEN_ROWS - 1);
    table_free(t);
    /* As the list has it: only the others. */
    t = load("nano,opus,checked=verify(nano,gemma,opus)", &e);
    if (!t)
        fail_msg("%s", e.msg);
    known = 0;
    for (size_t i = 0; i < t->n; i++)
        known += !isnan(t->arms[t->plans[0].arm].score[i]) &&
                 !isnan(t->arms[t->plans[0].escalates].score[i]);
    assert_int_equal(known, 10);
    assert_int_equal(t->arms[t->plans[0].escalates].n_scores, 10);
    table_free(t);
    sqlite3_close(db);
}

/* An `else` that was down: another arm answered in its place. */
static void a_failover_is_no_other_plan(void **state)
{
    sqlite3 *db = made_log(200);
    struct err e = {0};
    struct table *t;
    size_t known = 0;

    (void)state;
    log_run(db, "UPDATE requests SET plan = replace(plan, '\"else\",\"arm\":"
                "\"opus\"', '\"else\",\"arm\":\"spare\"') WHERE id IN"
                " (SELECT id FROM requests WHERE plan LIKE '%else%'"
                "  ORDER BY id LIMIT 3 OFFSET 20)");
    t = load("nano,opus,checked,qwen", &e);
    if (!t)
        fail_msg("%s", e.msg);
    for (size_t i = 0; i < t->n; i++)
        known += !isnan(t->arms[t->plans[0].arm].score[i]);
    assert_int_equal(known, 197);
    assert_int_equal(t->seen[0].others, 3);
    table_free(t);
    sqlite3_close(db);
}

/* ---- acceptance heads ---- */

/* Accepted answers: adequate where they overlap; every fifth was escalated. */
static sqlite3 *log_of_checks(unsigned rows, double strength)
{
    sqlite3 *db = log_new();
    static struct asked q;
    struct rng r;

    rng_seed(&r, 11);
    log_run(db, "BEGIN");
    for (unsigned i = 0; i < rows; i++) {
        double overlap = rng_unit(&r);
        double p = 1 / (1 + exp(-strength * (overlap - .4)));
        bool up = i % 5 == 4;
        char id[32], plan[1024];

        ask(&r, &q);
        snprintf(id, sizeof id, "r%u", i);
        snprintf(plan, sizeof plan,
                 "{\"kind\":\"verify\",\"verdict\":\"accepted\",\"checks\":"
                 "{\"overlap\":%.4f,\"always\":1},\"members\":[" MEMBERS(
                     "nano", "qwen") "%s]}",
                 overlap, up ? "," MEMBER("else", "opus", "0.1") : "");
        write_row(db, &q,
                  &(struct written){id, "checked", NULL, NULL, .002,
                                    up || rng_unit(&r) < p, plan});
    }
    log_run(db, "COMMIT");
    return db;
}

static struct acceptance_set learn_checks(unsigned rows, double strength)
{
    sqlite3 *db = log_of_checks(rows, strength);
    struct acceptance_set s;
    struct err e = {0};
    struct table *t = load(NULL, &e);

    if (!t || !acceptance_learn(&s, t, 1, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.at[0].plan, "checked");
    s.at[0].plan = "checked"; /* the table goes */
    table_free(t);
    sqlite3_close(db);
    return s;
}

static void accepted_answers_teach_an_acceptance_head(void **state)
{
    struct acceptance_set s = learn_checks(500, 8);
    const struct acceptance *a = &s.at[0];

    (void)state;
    assert_int_equal(a->rows, 400);
    assert_true(a->good);
    assert_int_equal(a->fit.k, 2);
    assert_string_equal(a->name[0], "overlap");
    assert_true(a->fit.w[0] > 4 && a->fit.w[1] == 0);
    assert_true(a->check.loss < a->check.base);
    acceptance_free(&s);
}

static void the_card_holds_plain_weights(void **state)
{
    sqlite3 *db = log_of_checks(500, 8);
    const struct card_about about = {"now", "weir train", &usual};
    struct training r;
    struct err e = {0};
    struct table *t = load(NULL, &e);
    struct json card, all, head, weights, value;
    struct buf out;
    double w;

    (void)state;
    buf_init(&out, 1 << 20);
    if (!t || !train_run(&r, t, &usual, &e) ||
        !acceptance_learn(&r.acceptance, t, 1, &e) ||
        !card_json(&r, &about, &out, &e) ||
        !json_parse(buf_view(&out), &card, &e))
        fail_msg("%s", e.msg);
    all = json_get(&card, "acceptance");
    head = json_get(&all, "checked");
    value = json_get(&head, "rows");
    assert_true(json_double(&value, &w) && w == 400);
    value = json_get(&head, "intercept");
    assert_true(json_double(&value, &w) && w < 0);
    weights = json_get(&head, "weights");
    value = json_get(&weights, "overlap");
    assert_true(json_double(&value, &w) && w > 4);
    assert_int_equal(json_get(&weights, "always").type, JSON_NONE);
    buf_free(&out);
    training_free(&r);
    table_free(t);
    sqlite3_close(db);
}

static void too_few_or_idle_checks_leave_the_built_in_rule(void **state)
{
    static const struct {
        unsigned rows;
        double strength;
    } cases[] = {{60, 8}, {500, 0}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct acceptance_set s =
            learn_checks(cases[i].rows, cases[i].strength);
        struct buf out;

        buf_init(&out, 4096);
        assert_false(s.at[0].good);
        acceptance_text(&s, &out);
        assert_non_null(strstr(buf_cstr(&out), "built-in rule holds"));
        buf_free(&out);
        acceptance_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shadow_sampling_carries_promises_without_a_pilot),
        cmocka_unit_test(the_plans_costs_and_escalations_are_the_logs),
        cmocka_unit_test(a_panels_answers_are_its_models),
        cmocka_unit_test(a_plan_of_other_members_is_another_plan),
        cmocka_unit_test(a_failover_is_no_other_plan),
        cmocka_unit_test(accepted_answers_teach_an_acceptance_head),
        cmocka_unit_test(the_card_holds_plain_weights),
        cmocka_unit_test(too_few_or_idle_checks_leave_the_built_in_rule),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    log_remove();
    return failed;
}
