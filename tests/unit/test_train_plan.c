/* SPDX-License-Identifier: Apache-2.0 */
/* Plans as arms of a classifier: heads, levels, and what the card says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "tests/unit/table_sample.h"
#include "trainer/card.h"
#include "trainer/plan.h"
#include "trainer/train.h"

enum { ROWS = 1500 };
#define PLAN "checked=verify(small,middle,large)"

/* Answers: a right one is the row's number, wrong ones differ by arm. */
static struct table *table_with_answers(void)
{
    struct table *t = sample_table(ROWS, 3, NULL);

    for (uint32_t a = 0; a < t->n_arms; a++)
        for (uint32_t i = 0; i < t->n; i++)
            t->arms[a].answer[i] =
                t->arms[a].score[i] > .5f ? 4 * i + 4 : 4 * i + 1 + a;
    return t;
}

static struct table *train(struct training *r, const struct train_options *how)
{
    struct table *t = table_with_answers();
    uint32_t index;
    struct err e = {0};

    if (!plan_add(t, SPAN(PLAN), &index, &e) || !train_run(r, t, how, &e))
        fail_msg("%s", e.msg);
    return t;
}

static const struct train_options usual = {
    .quality = .9, .confidence = .9, .seed = 1, .threads = 2};

static void levels_are_over_models_and_plans_and_over_models(void **state)
{
    struct training r;
    struct table *t = train(&r, &usual);
    const struct table_plan *p = &t->plans[0];
    uint64_t plan = UINT64_C(1) << p->arm;
    uint64_t escalates = UINT64_C(1) << p->escalates;
    unsigned with = 0, without = 0;

    (void)state;
    for (uint32_t k = 0; k < r.n_levels; k++) {
        assert_false(r.among[k] & escalates);
        with += (r.among[k] & plan) != 0;
        without += !(r.among[k] & plan);
        assert_true(r.levels[k].share[p->escalates] == 0);
    }
    assert_int_equal(with, without);
    assert_true(with > 0);
    training_free(&r);
    table_free(t);
}

/* What it costs on average is near what its members cost, of which `else` at
 * the rate that was seen. */
static void a_plan_is_expected_to_cost_what_its_members_do(void **state)
{
    struct training r;
    struct table *t = train(&r, &usual);
    const struct table_plan *p = &t->plans[0];
    const struct table_arm *seen = &t->arms[p->escalates];
    double cost = 0, rate = 0;

    (void)state;
    for (size_t i = 0; i < t->n; i++) {
        cost += (double)t->arms[p->arm].cost[i] / (double)t->n;
        rate += (double)seen->score[i] / (double)t->n;
    }
    assert_true(rate > .1 && rate < .9);
    assert_true(fabs(r.escalates[p->arm] - rate) < .03);
    assert_true(fabs(r.usd[p->arm] - cost) < .06 * cost);
    assert_true(isnan(r.escalates[p->member[0]]));
    training_free(&r);
    table_free(t);
}

static struct json at(const struct json *v, const char *key)
{
    struct json found = json_get(v, key);

    if (found.type == JSON_NONE)
        fail_msg("the card lacks %s", key);
    return found;
}

static void the_card_names_the_plans_members_and_its_cost(void **state)
{
    struct training r;
    struct table *t = train(&r, &usual);
    const struct card_about about = {"now", "weir train", &usual};
    struct json card, plans, text, basis, arms, arm;
    struct buf out;
    struct err e;

    (void)state;
    buf_init(&out, 1 << 20);
    assert_true(card_json(&r, &about, &out, &e));
    assert_true(json_parse(buf_view(&out), &card, &e));
    plans = at(&card, "plans");
    text = at(&plans, "checked");
    assert_true(json_is(&text, "verify(small,middle,large)"));
    basis = at(&card, "basis");
    arms = at(&basis, "arms");
    arm = at(&arms, "checked");
    (void)at(&arm, "usd");
    (void)at(&arm, "escalates");
    assert_int_equal(json_get(&arms, "escalates checked").type, JSON_NONE);
    arms = at(&card, "calibration");
    (void)at(&arms, "escalates checked");
    buf_free(&out);
    training_free(&r);
    table_free(t);
}

static void neither_a_plans_head_nor_a_member_is_a_reference(void **state)
{
    static const char *const wrong[] = {"escalates checked", "middle"};
    struct train_options how = usual;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct table *t = table_with_answers();
        struct training r;
        uint32_t index;
        struct err e = {0};

        assert_true(plan_add(t, SPAN(PLAN), &index, &e));
        t->arms[1].role = TABLE_MEMBER;
        how.reference = wrong[i];
        assert_false(train_run(&r, t, &how, &e));
        assert_non_null(strstr(e.msg, "wanted one of the arms"));
        table_free(t);
    }
}

/* A model that only plans ask is an arm of the file, but of no level, and
 * rows need no score of it. */
static void a_mere_member_is_in_no_level(void **state)
{
    struct table *t = table_with_answers();
    struct training r;
    uint32_t index;
    struct err e = {0};

    (void)state;
    assert_true(plan_add(t, SPAN(PLAN), &index, &e));
    t->arms[1].role = TABLE_MEMBER;
    for (size_t i = 0; i < t->n; i += 2)
        t->arms[1].score[i] = NAN;
    if (!train_run(&r, t, &usual, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(r.n_judged, ROWS);
    for (uint32_t k = 0; k < r.n_levels; k++)
        assert_false(r.among[k] & 2);
    training_free(&r);
    table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_over_models_and_plans_and_over_models),
        cmocka_unit_test(a_plan_is_expected_to_cost_what_its_members_do),
        cmocka_unit_test(the_card_names_the_plans_members_and_its_cost),
        cmocka_unit_test(neither_a_plans_head_nor_a_member_is_a_reference),
        cmocka_unit_test(a_mere_member_is_in_no_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
