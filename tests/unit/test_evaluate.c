/* SPDX-License-Identifier: Apache-2.0 */
/* The whole evaluation over synthetic tables whose truth is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/table_sample.h"
#include "trainer/contest.h"
#include "trainer/eval_report.h"
#include "trainer/evaluate.h"

enum { LEARNED, TASK_MEAN, LENGTH, RANDOM, ORACLE };

static const struct evaluate_options plain = {
    .folds = 3, .seed = 1, .resamples = 200};

static void must(bool ok, const struct err *e)
{
    if (!ok)
        fail_msg("%s", e->msg);
}

static void run(struct table *t, const char *arms,
                const struct evaluate_options *o, struct contest_set *s,
                struct evaluation *v)
{
    struct err e = {0};
    must(contest_over(s, t, t, arms, &e), &e);
    s->contest.folds = 3;
    s->contest.fit = (struct fit_options){.bits = 12, .threads = 1};
    must(evaluate(&s->contest, o, v, &e), &e);
}

static void done(struct contest_set *s, struct evaluation *v)
{
    evaluation_free(v);
    contest_free(s);
}

/* Scores that depend on nothing in the request: .6 and .8. */
static struct table *noise(size_t n)
{
    struct table *t = sample_table(n, 5, NULL);
    struct rng rng;
    rng_seed(&rng, 9);
    for (size_t i = 0; i < t->n; i++) {
        t->arms[0].score[i] = rng_unit(&rng) < .6;
        t->arms[1].score[i] = rng_unit(&rng) < .8;
    }
    return t;
}

static void where_there_is_signal_learning_beats_chance(void **state)
{
    struct contest_set s;
    struct evaluation v;
    (void)state;
    run(sample_table(1500, 3, NULL), "small,large", &plain, &s, &v);
    assert_int_equal(v.n_routers, 5);
    assert_true(v.routers[LEARNED].apgr.lo > .6);
    assert_true(v.routers[LEARNED].apgr.lo <= v.routers[LEARNED].apgr.value);
    assert_true(v.routers[LEARNED].apgr.value <= v.routers[LEARNED].apgr.hi);
    assert_true(fabs(v.routers[RANDOM].apgr.value - .5) < .08);
    assert_true(v.routers[ORACLE].apgr.value > v.routers[LEARNED].apgr.value);
    assert_true(v.routers[LEARNED].at[0].saving.lo >
                v.routers[RANDOM].at[0].saving.hi);
    assert_true(v.routers[LEARNED].at[0].quality.hi >= .95);
    assert_int_equal(v.winner, LEARNED);
    done(&s, &v);
}

static void where_there_is_none_it_recommends_a_fixed_arm(void **state)
{
    struct contest_set s;
    struct evaluation v;
    struct buf words;
    (void)state;
    run(noise(1500), "small,middle", &plain, &s, &v);
    assert_true(v.routers[LEARNED].apgr.lo < .5);
    assert_true(v.routers[LEARNED].apgr.hi > .5);
    assert_int_equal(v.winner, -1);
    buf_init(&words, 4096);
    eval_report_answer(&v, &words);
    assert_string_equal(buf_cstr(&words), "No router beats a fixed arm with "
                                          "confidence: use middle.");
    buf_free(&words);
    done(&s, &v);
}

static void the_oracle_is_the_cheapest_of_the_best(void **state)
{
    struct contest_set s;
    struct evaluation v;
    struct table *t = sample_table(600, 4, NULL);
    double score = 0, cost = 0;
    (void)state;
    for (size_t i = 0; i < t->n; i++) {
        int best = 0;
        for (int a = 1; a < SAMPLE_ARMS; a++)
            best = t->arms[a].score[i] > t->arms[best].score[i] ? a : best;
        score += (double)t->arms[best].score[i] / (double)t->n;
        cost += (double)t->arms[best].cost[i] / (double)t->n;
    }
    run(t, NULL, &plain, &s, &v);
    const struct eval_saving *at = &v.routers[ORACLE].at[1];
    const struct eval_arm *reference = &v.arms[v.reference];
    assert_true(fabs(at->quality.value - score / reference->score.value) <
                1e-6);
    assert_true(fabs(at->saving.value - (1 - cost / reference->cost.value)) <
                1e-6);
    assert_true(at->regret.value == 0);
    done(&s, &v);
}

static void one_seed_gives_one_report(void **state)
{
    char *text[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct contest_set s;
        struct evaluation v;
        struct buf b;
        buf_init(&b, 1 << 20);
        run(sample_table(400, 8, NULL), NULL, &plain, &s, &v);
        eval_report_json(&v, &s, &b);
        text[i] = strdup(buf_cstr(&b));
        buf_free(&b);
        done(&s, &v);
    }
    assert_string_equal(text[0], text[1]);
    assert_non_null(strstr(text[0], "\"routers\":[{\"name\":\"learned\","));
    assert_non_null(strstr(text[0], "\"savings\":[{\"target\":0.95,"));
    free(text[0]);
    free(text[1]);
}

/* Without labels of its own task there is nothing a task mean could know. */
static void whole_tasks_left_out_leave_task_means_at_chance(void **state)
{
    struct evaluate_options o = plain;
    struct contest_set s;
    struct evaluation v;
    (void)state;
    o.by_task = true;
    run(sample_table(900, 3, NULL), "small,large", &o, &s, &v);
    assert_true(fabs(v.routers[TASK_MEAN].apgr.value - .5) < 1e-9);
    assert_true(v.routers[LEARNED].apgr.lo > .55); /* hard words are known */
    done(&s, &v);
}

static void a_limit_of_labels_is_kept(void **state)
{
    struct evaluate_options o = plain;
    struct contest_set s;
    struct evaluation v;
    (void)state;
    o.labels = 100;
    run(sample_table(600, 3, NULL), "small,large", &o, &s, &v);
    assert_int_equal(v.n_train, 100);
    assert_int_equal(v.n, 600);
    done(&s, &v);
}

static void without_costs_there_are_ranks_but_no_savings(void **state)
{
    struct table *t = sample_table(400, 3, NULL);
    struct contest_set s;
    struct evaluation v;
    (void)state;
    for (size_t i = 0; i < t->n; i++)
        t->arms[0].cost[i] = NAN;
    run(t, "small,large", &plain, &s, &v);
    assert_false(v.priced);
    assert_false(isnan(v.routers[LEARNED].apgr.value));
    assert_true(isnan(v.routers[LEARNED].at[0].saving.value));
    done(&s, &v);
}

static void a_plan_is_judged_like_any_arm(void **state)
{
    struct table *t = sample_table(800, 3, NULL);
    struct contest_set s;
    struct evaluation v;
    (void)state;
    /* Right answers agree, wrong ones do not. */
    for (unsigned a = 0; a < SAMPLE_ARMS; a++)
        for (size_t i = 0; i < t->n; i++)
            t->arms[a].answer[i] = t->arms[a].score[i] > .5f ? 7 : 100 + a;
    run(t, "small,large,verify(small,middle,large)", &plain, &s, &v);
    assert_int_equal(v.n_arms, 3);
    assert_true(v.arms[2].is_plan);
    assert_true(v.arms[2].score.value >= v.arms[1].score.value);
    assert_true(v.arms[2].cost.value < v.arms[1].cost.value);
    assert_false(v.arms[v.reference].is_plan);
    done(&s, &v);
}

static void what_cannot_be_judged_is_refused(void **state)
{
    struct table *t = sample_table(60, 3, NULL);
    struct evaluate_options o = plain;
    struct contest_set s;
    struct evaluation v;
    struct err e = {0};
    (void)state;
    assert_false(contest_over(&s, t, t, "small,nobody", &e));
    assert_non_null(strstr(e.msg, "nobody"));
    must(contest_over(&s, t, t, "small", &e), &e);
    s.contest.folds = 3;
    assert_false(evaluate(&s.contest, &o, &v, &e));
    assert_non_null(strstr(e.msg, "at least two arms"));
    s.test = NULL; /* keep the table */
    contest_free(&s);
    must(contest_over(&s, t, t, "small,large", &e), &e);
    s.contest.folds = 3;
    o.reference = "nobody";
    assert_false(evaluate(&s.contest, &o, &v, &e));
    assert_non_null(strstr(e.msg, "wanted a reference"));
    contest_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_there_is_signal_learning_beats_chance),
        cmocka_unit_test(where_there_is_none_it_recommends_a_fixed_arm),
        cmocka_unit_test(the_oracle_is_the_cheapest_of_the_best),
        cmocka_unit_test(one_seed_gives_one_report),
        cmocka_unit_test(whole_tasks_left_out_leave_task_means_at_chance),
        cmocka_unit_test(a_limit_of_labels_is_kept),
        cmocka_unit_test(without_costs_there_are_ranks_but_no_savings),
        cmocka_unit_test(a_plan_is_judged_like_any_arm),
        cmocka_unit_test(what_cannot_be_judged_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
