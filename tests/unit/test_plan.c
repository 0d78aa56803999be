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
        struct plan_form p;
        struct err e = {0};
        bool ok = plan_form_parse(span_of(forms[i].text), &p, &e);
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
    assert_true(span_is(plan_form_cut(&rest), "a"));
    assert_true(span_is(plan_form_cut(&rest), "verify(b,c,d)"));
    assert_true(span_is(plan_form_cut(&rest), "e"));
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
    uint32_t index;
    struct err e;
    if (!plan_add(t, span_of(plan), &index, &e))
        fail_msg("%s", e.msg);
    const struct table_plan p = t->plans[index];
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

static void a_plan_takes_the_name_before_the_equals_sign(void **state)
{
    static const struct {
        const char *item, *name, *text;
    } list[] = {
        {"checked=verify(a,b,c)", "checked", "verify(a,b,c)"},
        {" checked = verify(a,b,c) ", "checked", "verify(a,b,c)"},
        {"verify(a,b,c)", "verify(a,b,c)", "verify(a,b,c)"},
        {"verify(a=1,b,c)", "verify(a=1,b,c)", "verify(a=1,b,c)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct span name, text;
        plan_form_split(span_of(list[i].item), &name, &text);
        assert_true(span_is(name, list[i].name));
        assert_true(span_is(text, list[i].text));
    }
}

static void a_named_plan_is_an_arm_of_that_name(void **state)
{
    struct table *t = table_of(true);
    char text[PLAN_TEXT_MAX];
    uint32_t index;
    struct err e;
    (void)state;
    assert_true(
        plan_add(t, SPAN("twice=verify(draft,check,last)"), &index, &e));
    assert_int_equal(table_find_arm(t, SPAN("twice")), t->plans[index].arm);
    assert_int_equal(table_find_arm(t, SPAN("escalates twice")),
                     t->plans[index].escalates);
    assert_true(table_may_choose(t, t->plans[index].arm));
    assert_false(table_may_choose(t, t->plans[index].escalates));
    plan_text(t, &t->plans[index], text, sizeof text);
    assert_string_equal(text, "verify(draft,check,last)");
    assert_false(plan_add(t, SPAN("twice=cascade(draft,last)"), &index, &e));
    assert_non_null(strstr(e.msg, "twice"));
    table_free(t);
}

/* A log's own words about a plan stand; only what it lacks is derived. */
static void what_is_known_of_a_plan_is_not_derived(void **state)
{
    struct table *t = table_of(true);
    int arm, head;
    uint32_t index;
    struct err e;
    (void)state;
    arm = table_add_arm(t, SPAN("p"), &e);
    head = table_add_arm(t, SPAN("escalates p"), &e);
    assert_true(arm > 0 && head > arm);
    t->arms[arm].score[0] = 0;
    t->arms[head].score[0] = 1;
    assert_true(plan_add(t, SPAN("p=verify(draft,check,last)"), &index, &e));
    same((double)t->arms[arm].score[0], 0, "score", 0);
    same((double)t->arms[head].score[0], 1, "escalates", 0);
    same((double)t->arms[arm].score[1], 0, "score", 1);
    same((double)t->arms[head].score[1], 0, "escalates", 1);
    table_free(t);
}

static void without_recorded_answers_there_is_no_plan(void **state)
{
    struct table *t = table_of(false);
    uint32_t index;
    struct err e;
    (void)state;
    assert_false(plan_add(t, SPAN("cascade(draft,last)"), &index, &e));
    assert_non_null(strstr(e.msg, "answers that it could be"));
    table_free(t);
}

static void an_unknown_member_is_named(void **state)
{
    struct table *t = table_of(true);
    uint32_t index;
    struct err e;
    (void)state;
    assert_false(plan_add(t, SPAN("cascade(draft,gpt-9)"), &index, &e));
    assert_non_null(strstr(e.msg, "gpt-9"));
    table_free(t);
}

static void expected_cost_counts_else_by_its_probability(void **state)
{
    const struct table_plan v = {.kind = PLAN_FORM_VERIFY, .n_members = 3};
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
        cmocka_unit_test(a_plan_takes_the_name_before_the_equals_sign),
        cmocka_unit_test(a_named_plan_is_an_arm_of_that_name),
        cmocka_unit_test(what_is_known_of_a_plan_is_not_derived),
        cmocka_unit_test(without_recorded_answers_there_is_no_plan),
        cmocka_unit_test(an_unknown_member_is_named),
        cmocka_unit_test(expected_cost_counts_else_by_its_probability),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
