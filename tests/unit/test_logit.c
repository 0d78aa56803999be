/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>

#include "base/rng.h"
#include "trainer/logit.h"

enum { ROWS = 4000, K = 3 };
static double x[ROWS * K], y[ROWS];
static uint64_t group[ROWS];

/* P = logistic(bias + 2 a - .01 b), a in 0..1, b in 0..400; the third number
 * never changes. */
static struct logit_rows rows_of(size_t n, double bias, double strength)
{
    struct rng r;

    rng_seed(&r, 5);
    for (size_t i = 0; i < n; i++) {
        double *at = x + i * K;
        at[0] = rng_unit(&r);
        at[1] = 400 * rng_unit(&r);
        at[2] = 7;
        y[i] = rng_unit(&r) <
               1 / (1 + exp(-(bias + strength * (2 * at[0] - .01 * at[1]))));
        group[i] = i;
    }
    return (struct logit_rows){.n = n, .k = K, .x = x, .y = y, .group = group};
}

static void weights_are_found_for_numbers_as_they_are(void **state)
{
    struct logit_rows rows = rows_of(ROWS, .5, 1);
    struct logit m;

    (void)state;
    logit_fit(&rows, &m);
    assert_true(fabs(m.w[0] - 2) < .3);
    assert_true(fabs(m.w[1] + .01) < .001);
    assert_true(m.w[2] == 0);
    assert_true(fabs(m.intercept - .5) < .3);
}

static void the_mean_prediction_is_the_mean_seen(void **state)
{
    struct logit_rows rows = rows_of(ROWS, 2, 1);
    double seen = 0, said = 0;
    struct logit m;

    (void)state;
    logit_fit(&rows, &m);
    for (size_t i = 0; i < rows.n; i++) {
        seen += y[i];
        said += logit_p(&m, x + i * K);
    }
    assert_true(fabs(seen - said) < 1e-3 * (double)rows.n);
}

static void without_both_classes_the_mean_speaks(void **state)
{
    static const double all[] = {0, 1};
    struct logit_rows rows = rows_of(100, 0, 1);
    struct logit m;

    (void)state;
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < rows.n; i++)
            y[i] = all[k];
        logit_fit(&rows, &m);
        assert_true(fabs(logit_p(&m, x) - all[k]) <= 1.1e-4);
    }
    rows.n = 0;
    logit_fit(&rows, &m);
    assert_true(logit_p(&m, x) == .5);
}

/* Perfectly separable: the ridge keeps weights finite. */
static void separable_rows_have_finite_weights(void **state)
{
    struct logit_rows rows = rows_of(200, 0, 1);
    struct logit m;

    (void)state;
    for (size_t i = 0; i < rows.n; i++)
        y[i] = x[i * K] > .5;
    logit_fit(&rows, &m);
    assert_true(isfinite(m.w[0]) && m.w[0] > 3);
    assert_true(logit_p(&m, (double[]){1, 200, 7}) > .95);
    assert_true(logit_p(&m, (double[]){0, 200, 7}) < .05);
}

static void the_check_tells_a_signal_from_none(void **state)
{
    struct logit_rows rows = rows_of(1000, .5, 1);
    struct logit_check c;
    struct err e;

    (void)state;
    assert_true(logit_check(&rows, 1, &c, &e));
    assert_true(c.base - c.loss > 3 * c.error);
    rows = rows_of(1000, .5, 0);
    assert_true(logit_check(&rows, 1, &c, &e));
    assert_true(c.base - c.loss < 2 * c.error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_found_for_numbers_as_they_are),
        cmocka_unit_test(the_mean_prediction_is_the_mean_seen),
        cmocka_unit_test(without_both_classes_the_mean_speaks),
        cmocka_unit_test(separable_rows_have_finite_weights),
        cmocka_unit_test(the_check_tells_a_signal_from_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
