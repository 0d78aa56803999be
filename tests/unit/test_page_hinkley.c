/* SPDX-License-Identifier: Apache-2.0 */
#include "models/page_hinkley.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"

static double unit(struct rng *rng)
{
    return (double)rng_below(rng, 1 << 24) / (1 << 24);
}

/* The residual of a label that is 1 as often as was predicted, less `fall`. */
static double residual(struct rng *rng, double fall)
{
    double predicted = .5 + .45 * unit(rng);

    return predicted - (unit(rng) < predicted - fall);
}

/* Labels until the alarm; 0: none within `most`. */
static unsigned until_alarm(struct rng *rng, double fall, unsigned most)
{
    struct page_hinkley p;

    page_hinkley_reset(&p, PAGE_HINKLEY_SLACK, PAGE_HINKLEY_LIMIT);
    for (unsigned i = 1; i <= most; i++)
        if (page_hinkley_note(&p, residual(rng, fall)))
            return i;
    return 0;
}

static void calibrated_predictions_raise_no_alarm(void **state)
{
    struct rng rng;
    unsigned alarms = 0;

    (void)state;
    rng_seed(&rng, 1);
    for (int i = 0; i < 200; i++)
        alarms += until_alarm(&rng, 0, 5000) > 0;
    assert_true(alarms <= 10);
    assert_int_equal(until_alarm(&rng, -.3, 50000), 0); /* better: welcome */
}

static void a_fall_of_quality_is_seen_soon(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 2);
    for (int i = 0; i < 200; i++) {
        unsigned n = until_alarm(&rng, .3, 1000);
        assert_true(n > 20 && n < 200);
    }
}

static void the_alarm_is_told_once_and_stands(void **state)
{
    struct page_hinkley p;
    unsigned told = 0;

    (void)state;
    page_hinkley_reset(&p, .1, 2);
    for (int i = 0; i < 10; i++)
        told += page_hinkley_note(&p, 1);
    assert_int_equal(told, 1);
    for (int i = 0; i < 50; i++)
        assert_false(page_hinkley_note(&p, -1));
    assert_true(p.alarm);
    page_hinkley_reset(&p, .1, 2);
    assert_false(p.alarm);
}

static void what_is_no_residual_does_no_harm(void **state)
{
    struct page_hinkley p;

    (void)state;
    page_hinkley_reset(&p, .1, 2);
    assert_true(fabs(page_hinkley_mean(&p)) <= 0);
    assert_false(page_hinkley_note(&p, NAN));
    assert_int_equal(p.n, 0);
    assert_false(page_hinkley_note(&p, INFINITY)); /* as 1: within the limit */
    assert_true(fabs(page_hinkley_mean(&p) - 1) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calibrated_predictions_raise_no_alarm),
        cmocka_unit_test(a_fall_of_quality_is_seen_soon),
        cmocka_unit_test(the_alarm_is_told_once_and_stands),
        cmocka_unit_test(what_is_no_residual_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
