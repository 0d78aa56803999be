/* SPDX-License-Identifier: Apache-2.0 */
/* Off-policy estimates against a truth that is known because it was made. */
#include "trainer/off_policy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

enum { ROWS = 1500, ARMS = 3, RUNS = 200 };

/* A world: requests with a hardness; arms that are right with a chance that
 * falls with it; a model that is off by a factor. */
struct world {
    struct logged log;
    uint8_t chosen[ROWS];
    double reward[ROWS], expected[ROWS * ARMS], truth[ROWS * ARMS];
    float propensity[ROWS * ARMS], target[ROWS * ARMS];
    uint64_t group[ROWS];
};

static void make(struct world *w, uint64_t seed, double explore, double off)
{
    struct rng r;

    rng_seed(&r, seed);
    for (size_t i = 0; i < ROWS; i++) {
        double hard = rng_unit(&r), u = rng_unit(&r);
        unsigned likely = hard > 0.5 ? 2 : 0, a;

        for (a = 0; a < ARMS; a++) {
            double p = 0.95 - hard * (0.6 - 0.25 * a);

            w->truth[i * ARMS + a] = p;
            w->expected[i * ARMS + a] = p * off;
            w->propensity[i * ARMS + a] =
                (float)(a == likely ? 1 - explore : explore / (ARMS - 1));
            w->target[i * ARMS + a] = hard > 0.3 ? a == 1 : a == 0;
        }
        for (a = 0; a + 1 < ARMS && u >= (double)w->propensity[i * ARMS + a];
             a++)
            u -= (double)w->propensity[i * ARMS + a];
        w->chosen[i] = (uint8_t)a;
        w->reward[i] = rng_unit(&r) < w->truth[i * ARMS + a];
        w->group[i] = i;
    }
    w->log = (struct logged){.n = ROWS,
                             .n_arms = ARMS,
                             .chosen = w->chosen,
                             .reward = w->reward,
                             .propensity = w->propensity,
                             .expected = w->expected,
                             .group = w->group};
}

static double truth_of(const struct world *w)
{
    double sum = 0;

    for (size_t i = 0; i < ROWS * ARMS; i++)
        sum += (double)w->target[i] * w->truth[i];
    return sum / ROWS;
}

static bool inside(struct estimate e, double truth)
{
    return e.lo <= truth && truth <= e.hi;
}

static void the_truth_is_in_the_interval_and_the_model_helps(void **state)
{
    static struct world w;
    unsigned dr = 0, snips = 0;
    double wide_dr = 0, wide_ips = 0;
    struct err e;

    (void)state;
    for (uint64_t run = 0; run < RUNS; run++) {
        struct off_policy o;
        double truth;

        make(&w, run + 1, 0.2, 0.8);
        truth = truth_of(&w);
        assert_true(off_policy_estimate(&w.log, w.target, run, &o, &e));
        dr += inside(o.dr, truth);
        snips += inside(o.snips, truth);
        wide_dr += o.dr.hi - o.dr.lo;
        wide_ips += o.ips.hi - o.ips.lo;
    }
    print_message("truth inside: DR %u, SNIPS %u of %d; width DR %.3f, "
                  "IPS %.3f\n",
                  dr, snips, RUNS, wide_dr / RUNS, wide_ips / RUNS);
    assert_true(dr >= 0.93 * RUNS);
    assert_true(snips >= 0.90 * RUNS);
    assert_true(wide_dr < wide_ips);
}

/* Costs: one answer in two hundred runs on to the limit, of whichever arm. */
static void make_heavy(struct world *w, uint64_t seed)
{
    struct rng r;

    make(w, seed, 0.2, 1);
    rng_seed(&r, seed + 1000);
    for (size_t i = 0; i < ROWS; i++)
        w->reward[i] =
            (1 + w->chosen[i]) * (rng_below(&r, 200) ? rng_unit(&r) + .5 : 30);
    for (size_t i = 0; i < ROWS; i++)
        for (unsigned a = 0; a < ARMS; a++) {
            w->truth[i * ARMS + a] = (1 + a) * (1 + 29. / 200);
            w->expected[i * ARMS + a] = 1 + a;
        }
    off_policy_fixed(&w->log, 1, w->target);
}

static void costs_that_the_log_did_not_see_are_allowed_for(void **state)
{
    static struct world w;
    unsigned plain = 0, heavy = 0, ratio = 0;
    struct err e;

    (void)state;
    for (uint64_t run = 0; run < RUNS; run++) {
        struct off_policy o;

        make_heavy(&w, run + 1);
        assert_true(off_policy_estimate(&w.log, w.target, run, &o, &e));
        plain += inside(o.dr, truth_of(&w));
        w.log.heavy = true;
        assert_true(off_policy_estimate(&w.log, w.target, run, &o, &e));
        heavy += inside(o.dr, truth_of(&w));
        ratio += inside(o.ratio, truth_of(&w));
    }
    print_message("truth inside: heavy DR %u, ratio %u, a plain bootstrap's "
                  "%u of %d\n",
                  heavy, ratio, plain, RUNS);
    assert_true(plain < 0.85 * RUNS);
    assert_true(heavy >= 0.93 * RUNS);
    assert_true(ratio >= 0.93 * RUNS);
}

static void the_logs_own_policy_gives_the_mean(void **state)
{
    static struct world w;
    struct off_policy o;
    double mean = 0;
    struct err e;

    (void)state;
    make(&w, 5, 0.2, 1);
    for (size_t i = 0; i < ROWS; i++)
        mean += w.reward[i] / ROWS;
    assert_true(off_policy_estimate(&w.log, w.propensity, 1, &o, &e));
    assert_true(fabs(o.ips.value - mean) < 1e-9);
    assert_true(fabs(o.snips.value - mean) < 1e-9);
    assert_true(fabs(o.effective - ROWS) < 1e-6);
    assert_int_equal(o.matched, ROWS);
    assert_true(o.unseen == 0 && fabs(o.most - 1) < 1e-6);
}

static void choices_that_were_never_made_are_told(void **state)
{
    static struct world w;
    struct off_policy o;
    struct err e;

    (void)state;
    make(&w, 5, 0, 0.5); /* no exploration */
    off_policy_fixed(&w.log, 1, w.target);
    assert_true(off_policy_estimate(&w.log, w.target, 1, &o, &e));
    assert_int_equal(o.matched, 0);
    assert_true(o.unseen > 0.999);
    assert_true(isnan(o.snips.value));
}

static void rows_without_an_outcome_are_left_out(void **state)
{
    static struct world w;
    struct off_policy o;
    struct err e;

    (void)state;
    make(&w, 7, 0.2, 1);
    for (size_t i = 0; i < ROWS; i += 2)
        w.reward[i] = NAN;
    assert_true(off_policy_estimate(&w.log, w.target, 1, &o, &e));
    assert_int_equal(o.n, ROWS / 2);
    for (size_t i = 0; i < ROWS; i++)
        w.reward[i] = NAN;
    assert_false(off_policy_estimate(&w.log, w.target, 1, &o, &e));
    assert_non_null(strstr(e.msg, "wanted rows with an outcome"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_truth_is_in_the_interval_and_the_model_helps),
        cmocka_unit_test(costs_that_the_log_did_not_see_are_allowed_for),
        cmocka_unit_test(the_logs_own_policy_gives_the_mean),
        cmocka_unit_test(choices_that_were_never_made_are_told),
        cmocka_unit_test(rows_without_an_outcome_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
