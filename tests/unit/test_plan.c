/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/plan.h"

static const struct {
    const char *text;
    const char *error; /* a part of it; NULL: a plan */
    unsigned members;
} forms[] = {
    {"verify(a,b,c)", NULL, 3},
    {" verify( a , b , c ) ", NULL, 3},
    {"cascade(a,b)", NULL, 2},
    {"verify(a,b)", "found 2 models", 0},
    {"cascade(a,b,c)", "more models", 0},
    {"cascade(a,a)", "twice", 0},
    {"cascade(a,)", "name of a model", 0},
    {"cascade()", "name of a model", 0},
    {"cascade(a,cascade(b,c))", "name of a model", 0},
    {"cascade(a,b", "wanted cascade", 0},
    {"panel(a,b)", "wanted a plan such as", 0},
    {"", "wanted a plan such as", 0},
};

static void plans_are_parsed_or_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct plan p;
        struct err e = {0};
        bool ok = plan_parse(span_of(forms[i].text), &p, &e);
        assert_int_equal(ok, forms[i].error == NULL);
        if (ok)
            assert_int_equal(p.n_members, forms[i].members);
        else if (!strstr(e.msg, forms[i].error))
            fail_msg("%s: said: %s", forms[i].text, e.msg);
    }
}

static void a_list_is_cut_at_commas_outside_parentheses(void **state)
{
    struct span rest = SPAN("a, verify(b,c,d),e");
    (void)state;
    assert_true(span_is(plan_list_cut(&rest), "a"));
    assert_true(span_is(plan_list_cut(&rest), "verify(b,c,d)"));
    assert_true(span_is(plan_list_cut(&rest), "e"));
    assert_null(rest.ptr);
}

/* Three models over six rows; costs 1, 2, 100; latencies 10, 30, 500. */
enum { D, C, E, ARMS, ROWS = 6 };
static const double score_of[ROWS][ARMS] = {
    {1, 1, 1},   /* same answers, right */
    {0, 0, 1},   /* same answers, wrong */
    {1, 0, 0},   /* different answers */
    {0, 1, 1},   /* the draft gave none */
    {1, NAN, 1}, /* the check was never asked */
    {1, 0, NAN}, /* different, and `else` was never asked */
};
static const uint32_t answer_of[ROWS][ARMS] = {
    {7, 7, 7}, {8, 8, 9}, {7, 8, 9}, {0, 7, 7}, {7, 0, 7}, {7, 8, 0},
};

static struct table *table_of(bool answers)
{
    static const char *const names[] = {"draft", "check", "last"};
    static const double cost[] = {1, 2, 100}, ms[] = {10, 30, 500};
    static struct vec v; /* no features are needed */
    struct err e;
    struct table *t = table_new(&e);
    assert_non_null(t);
    for (unsigned a = 0; a < ARMS; a++)
        assert_int_equal(table_add_arm(t, span_of(names[a]), &e), a);
    for (unsigned i = 0; i < ROWS; i++) {
        struct table_outcome o[ARMS];
        struct table_new_row r = {.vec = &v,
                                  .group = i,
                                  .time_ms = -1,
                                  .task = SPAN("t"),
                                  .outcomes = o,
                                  .n_outcomes = ARMS};
        for (unsigned a = 0; a < ARMS; a++)
            o[a] =
                (struct table_outcome){.arm = a,
                                       .score = score_of[i][a],
                                       .cost_usd = cost[a],
                                       .input_tokens = 10,
                                       .output_tokens = 5,
                                       .propensity = NAN,
                                       .answer = answers ? answer_of[i][a] : 0,
                                       .latency_ms = ms[a]};
        assert_true(table_add(t, &r, &e));
    }
    return t;
}

struct expected {
    double score, cost, latency, escalates;
};

static void same(double got, double want, const char *what, unsigned row)
{
    if (isnan(want) ? !isnan(got) : got != want)
        fail_msg("row %u: %s %f, wanted %f", row, what, got, want);
}

static void check(const char *plan, const struct expected *want)
{
    struct table *t = table_of(true);
    struct plan_arm p;
    struct err e;
    if (!plan_add(t, span_of(plan), &p, &e))
        fail_msg("%s", e.msg);
    const struct table_arm *arm = &t->arms[p.arm];
    for (unsigned i = 0; i < ROWS; i++) {
        same(arm->score[i], want[i].score, "score", i);
        same(arm->cost[i], want[i].cost, "cost", i);
        same(arm->latency_ms[i], want[i].latency, "latency", i);
        same(t->arms[p.escalates].score[i], want[i].escalates, "escalates", i);
    }
    table_free(t);
}

static void verify_accepts_on_agreement_right_or_wrong(void **state)
{
    static const struct expected want[ROWS] = {
        {1, 3, 30, 0},    {0, 3, 30, 0},        {0, 103, 530, 1},
        {1, 103, 530, 1}, {NAN, NAN, NAN, NAN}, {NAN, NAN, NAN, 1},
    };
    (void)state;
    check("verify(draft,check,last)", want);
}

static void cascade_accepts_any_final_answer(void **state)
{
    static const struct expected want[ROWS] = {
        {1, 1, 10, 0},    {0, 1, 10, 0}, {1, 1, 10, 0},
        {1, 101, 510, 1}, {1, 1, 10, 0}, {1, 1, 10, 0},
    };
    (void)state;
    check("cascade(draft,last)", want);
}

static void without_recorded_answers_there_is_no_plan(void **state)
{
    struct table *t = table_of(false);
    struct plan_arm p;
    struct err e;
    (void)state;
    assert_false(plan_add(t, SPAN("cascade(draft,last)"), &p, &e));
    assert_non_null(strstr(e.msg, "answers that it needs"));
    table_free(t);
}

static void an_unknown_member_is_named(void **state)
{
    struct table *t = table_of(true);
    struct plan_arm p;
    struct err e;
    (void)state;
    assert_false(plan_add(t, SPAN("cascade(draft,gpt-9)"), &p, &e));
    assert_non_null(strstr(e.msg, "gpt-9"));
    table_free(t);
}

static void expected_cost_counts_else_by_its_probability(void **state)
{
    const struct plan_arm v = {.kind = PLAN_VERIFY, .n_members = 3};
    static const double cost[] = {1, 2, 100};
    (void)state;
    assert_true(fabs(plan_cost(&v, cost, .25) - 28) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_are_parsed_or_explained),
        cmocka_unit_test(a_list_is_cut_at_commas_outside_parentheses),
        cmocka_unit_test(verify_accepts_on_agreement_right_or_wrong),
        cmocka_unit_test(cascade_accepts_any_final_answer),
        cmocka_unit_test(without_recorded_answers_there_is_no_plan),
        cmocka_unit_test(an_unknown_member_is_named),
        cmocka_unit_test(expected_cost_counts_else_by_its_probability),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
