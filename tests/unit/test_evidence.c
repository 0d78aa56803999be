/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons of two policies on logs whose truth is known. */
#include "trainer/evidence.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "features/features.h"
#include "trainer/cycle_gate.h"

enum { ARMS = 3, ROWS = 900, RUNS = 200 };

static const char *const names[ARMS] = {"cheap", "middle", "dear"};
static double right[ARMS] = {.6, .75, .9};
static const double usd[ARMS] = {1e-5, 1e-4, 1e-3};

static struct table_outcome outcome_of(struct rng *r, uint32_t arm)
{
    return (struct table_outcome){.arm = arm,
                                  .score = rng_unit(r) < right[arm],
                                  .input_tokens = NAN,
                                  .output_tokens = NAN,
                                  .cost_usd = usd[arm] * (.5 + rng_unit(r)),
                                  .propensity = NAN};
}

static void log_new(struct offlog *l, size_t rows)
{
    struct err e;

    *l = (struct offlog){.t = table_new(&e), .n_arms = ARMS};
    for (uint32_t a = 0; a < ARMS; a++)
        assert_int_equal(table_add_arm(l->t, span_of(names[a]), &e), a);
    l->chosen = calloc(rows, 1);
    l->score = calloc(rows, sizeof *l->score);
    l->spent = calloc(rows, sizeof *l->spent);
    l->propensity = calloc(rows * ARMS, sizeof *l->propensity);
    l->expected = calloc(rows * ARMS, sizeof *l->expected);
}

/* Further rows: the dear arm answers eight of ten, a shadow of another one
 * `rate` of them. */
static void draw_into(struct offlog *l, struct rng *r, size_t rows, double rate)
{
    static struct vec v;
    size_t from = l->n;
    struct err e;

    l->n += rows;
    vec_clear(&v);
    v.version = FEATURES_VERSION;
    for (size_t i = from; i < l->n; i++) {
        static const float p[ARMS] = {.1f, .1f, .8f};
        uint32_t arm = (uint32_t)(rng_unit(r) < .8 ? 2 : rng_below(r, 2));
        struct table_outcome x[2] = {
            outcome_of(r, arm),
            outcome_of(r, (arm + 1 + (uint32_t)rng_below(r, 2)) % ARMS)};
        struct table_new_row row = {.vec = &v,
                                    .group = i / 2,
                                    .outcomes = x,
                                    .n_outcomes = rng_unit(r) < rate ? 2 : 1};

        assert_true(table_add(l->t, &row, &e));
        l->chosen[i] = (uint8_t)arm;
        l->score[i] = x[0].score;
        l->spent[i] = x[0].cost_usd;
        for (uint32_t a = 0; a < ARMS; a++) {
            l->propensity[i * ARMS + a] = p[a];
            l->expected[i * ARMS + a] = 2 * usd[a]; /* wrong by half */
        }
    }
}

static void draw(struct offlog *l, struct rng *r, size_t rows, double rate)
{
    log_new(l, rows);
    draw_into(l, r, rows, rate);
}

/* How often the 90 % interval of (cheap - dear) holds the truth. */
struct coverage {
    double quality, cost, error;
};

static struct coverage cover(double rate, uint64_t seed)
{
    struct evidence_policy old = {.reference = "dear", .price = NAN};
    struct evidence_policy fresh = {
        .reference = "cheap", .price = NAN, .quality = 1};
    struct coverage c = {0};
    struct rng r;

    rng_seed(&r, seed);
    for (int i = 0; i < RUNS; i++) {
        struct evidence found;
        struct offlog log;
        struct evidence_ask ask = {&log, &old,  &fresh, .95,
                                   .95,  false, NULL,   0};
        struct err e;

        draw(&log, &r, ROWS, rate);
        assert_true(evidence_compare(&ask, &found, &e));
        assert_true(found.quality.solid && found.cost.solid);
        c.quality +=
            (found.quality.lo <= -.3 && found.quality.hi >= -.3) / (double)RUNS;
        c.cost += (found.cost.lo <= usd[0] - usd[2] &&
                   found.cost.hi >= usd[0] - usd[2]) /
                  (double)RUNS;
        c.error += found.quality.error / RUNS;
        offlog_free(&log);
    }
    return c;
}

/* 90 % within three standard errors of 200 runs. */
static void intervals_hold_the_truth_with_and_without_shadows(void **state)
{
    struct coverage none = cover(0, 1), some = cover(.1, 2);

    (void)state;
    print_message("quality %.3f %.3f, cost %.3f %.3f, error %.4f %.4f\n",
                  none.quality, some.quality, none.cost, some.cost, none.error,
                  some.error);
    assert_true(none.quality > .83 && some.quality > .83);
    assert_true(none.cost > .83 && some.cost > .83);
    assert_true(some.error < none.error);
}

/* Few shadows while the cheap arm is bad, many when it is good. */
static void a_rate_of_shadows_that_changes_is_no_bias(void **state)
{
    struct evidence_policy old = {.reference = "dear", .price = NAN};
    struct evidence_policy fresh = {
        .reference = "cheap", .price = NAN, .quality = 1};
    double before = right[0], mean = 0;
    struct rng r;

    (void)state;
    rng_seed(&r, 6);
    for (int i = 0; i < RUNS; i++) {
        struct evidence found;
        struct offlog log;
        struct evidence_ask ask = {&log, &old,  &fresh, .95,
                                   .95,  false, NULL,   0};
        struct err e;

        log_new(&log, 2 * ROWS);
        right[0] = .3;
        draw_into(&log, &r, ROWS, .02);
        right[0] = .9;
        draw_into(&log, &r, ROWS, .5);
        assert_true(evidence_compare(&ask, &found, &e));
        mean += found.quality.value / RUNS;
        offlog_free(&log);
    }
    right[0] = before;
    print_message("difference %.3f, true -0.300\n", mean);
    assert_true(fabs(mean + .3) < .03);
}

/* One log, looked at again whenever a third more rows are there: does ever a
 * look find the cheap arm better, which is as good? */
static bool ever_better(struct offlog *log, const struct evidence_ask *ask,
                        bool spending)
{
    struct evidence_ask one = *ask;
    size_t all = log->n;
    bool found = false;

    log->n = 150;
    for (unsigned look = 1; log->n <= all && !found; look++) {
        struct evidence f;
        struct err e;

        one.confidence = gate_confidence(.95, spending ? look : 0);
        assert_true(evidence_compare(&one, &f, &e));
        found = f.quality.solid && f.quality.lo > 0;
        log->n += log->n / 3;
    }
    log->n = all;
    return found;
}

static void looks_that_are_repeated_share_one_chance_to_err(void **state)
{
    struct evidence_policy old = {.reference = "dear", .price = NAN};
    struct evidence_policy fresh = {
        .reference = "cheap", .price = NAN, .quality = 1};
    unsigned plain = 0, shared = 0;
    double before = right[0];
    struct rng r;

    (void)state;
    rng_seed(&r, 4);
    right[0] = right[2];
    for (int i = 0; i < 2 * RUNS; i++) {
        struct offlog log;
        struct evidence_ask ask = {&log, &old,  &fresh, .95,
                                   .95,  false, NULL,   0};

        draw(&log, &r, 2 * ROWS, .2);
        plain += ever_better(&log, &ask, false);
        shared += ever_better(&log, &ask, true);
        offlog_free(&log);
    }
    right[0] = before;
    print_message("found better that is as good: %u of %d, with the chance "
                  "shared %u\n",
                  plain, 2 * RUNS, shared);
    assert_true(plain > .07 * 2 * RUNS);
    assert_true(shared <= .05 * 2 * RUNS);
}

static void too_few_answers_of_an_arm_say_nothing(void **state)
{
    struct evidence_policy old = {.reference = "dear", .price = NAN};
    struct evidence_policy fresh = {
        .reference = "cheap", .price = NAN, .quality = 1};
    struct evidence found;
    struct offlog log;
    struct evidence_ask ask = {&log, &old, &fresh, .95, .95, false, NULL, 0};
    struct rng r;
    struct err e;

    (void)state;
    rng_seed(&r, 3);
    draw(&log, &r, 150, 0);
    assert_true(evidence_compare(&ask, &found, &e));
    assert_false(found.quality.solid);
    offlog_free(&log);
    draw(&log, &r, 600, 0);
    ask.old = &fresh; /* the same policy twice */
    assert_true(evidence_compare(&ask, &found, &e));
    assert_true(found.quality.solid && found.quality.differ == 0);
    assert_true(fabs(found.quality.value) < 1e-12);
    offlog_free(&log);
}

/* Scores at 95 %, costs at 80 %: 1.645 and .842 errors. */
static void costs_have_a_confidence_of_their_own(void **state)
{
    struct evidence_policy old = {.reference = "dear", .price = NAN};
    struct evidence_policy fresh = {
        .reference = "cheap", .price = NAN, .quality = 1};
    struct evidence found;
    struct offlog log;
    struct evidence_ask ask = {&log, &old, &fresh, .95, .8, false, NULL, 0};
    struct rng r;
    struct err e;

    (void)state;
    rng_seed(&r, 8);
    draw(&log, &r, ROWS, .2);
    assert_true(evidence_compare(&ask, &found, &e));
    assert_true(
        fabs((found.quality.hi - found.quality.value) / found.quality.error -
             1.645) < .001);
    assert_true(fabs((found.cost.hi - found.cost.value) / found.cost.error -
                     .8416) < .001);
    offlog_free(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_hold_the_truth_with_and_without_shadows),
        cmocka_unit_test(a_rate_of_shadows_that_changes_is_no_bias),
        cmocka_unit_test(looks_that_are_repeated_share_one_chance_to_err),
        cmocka_unit_test(costs_have_a_confidence_of_their_own),
        cmocka_unit_test(too_few_answers_of_an_arm_say_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
