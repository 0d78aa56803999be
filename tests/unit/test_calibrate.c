/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "trainer/calibrate.h"

enum { N = 8000 };

static float w[N]; /* 1 each, after draw() */

/* Draws y with P(y = 1) = truth(p). */
static void draw(double (*truth)(double), float *p, float *y, size_t n)
{
    struct rng r;

    rng_seed(&r, 11);
    for (size_t i = 0; i < n; i++) {
        p[i] = (float)rng_unit(&r);
        y[i] = rng_unit(&r) < truth((double)p[i]);
        w[i] = 1;
    }
}

static double same(double p)
{
    return p;
}

static double sharper(double p)
{
    return 1 / (1 + exp(-2 * log(p / (1 - p)) - .5));
}

static double crooked(double p)
{
    return p < .4 ? .1 : p < .7 ? .2 : .95;
}

static void a_shared_slope_is_found(void **state)
{
    float *p = malloc(N * sizeof *p), *y = malloc(N * sizeof *y);
    struct calibrate_shared c;

    (void)state;
    draw(sharper, p, y, N);
    /* Two arms, every second one unlabelled for some rows. */
    for (size_t i = 1; i < N; i += 14)
        y[i] = NAN;
    calibrate_shared(&(struct calibrate_rows){p, y, w, N / 2, 2}, &c);
    assert_true(fabs(c.slope - 2) < .15);
    assert_true(c.offset[0] > .1 && c.offset[0] < .6);
    draw(same, p, y, N);
    calibrate_shared(&(struct calibrate_rows){p, y, w, N / 2, 2}, &c);
    assert_true(fabs(c.slope - 1) < .1 && fabs(c.offset[0]) < .1);
    calibrate_shared(&(struct calibrate_rows){p, y, w, 200, 2}, &c);
    assert_true(c.slope == 1 && c.offset[0] == 0 && c.offset[1] == 0);
    free(p);
    free(y);
}

/* Every other row is a coin's; a hundredth of a row each. */
static void what_weighs_little_changes_little(void **state)
{
    float *p = malloc(N * sizeof *p), *y = malloc(N * sizeof *y);
    struct calibrate_shared heavy, light;
    struct calibration c;

    (void)state;
    draw(crooked, p, y, N);
    for (size_t i = 0; i < N; i += 2)
        y[i] = i % 4 == 0;
    calibrate_shared(&(struct calibrate_rows){p, y, w, N, 1}, &heavy);
    for (size_t i = 0; i < N; i += 2)
        w[i] = .01f;
    calibrate_shared(&(struct calibrate_rows){p, y, w, N, 1}, &light);
    assert_true(light.slope > 1.5 * heavy.slope);
    calibrate_fit(&c, p, y, w, N);
    assert_true(c.isotonic);
    assert_true(fabsf(calibrate_apply(&c, .2f) - .1f) < .05f);
    assert_true(fabsf(calibrate_apply(&c, .9f) - .95f) < .05f);
    free(p);
    free(y);
}

static void curves_bend_only_where_they_must(void **state)
{
    float *p = malloc(N * sizeof *p), *y = malloc(N * sizeof *y);
    struct calibration c;

    (void)state;
    draw(same, p, y, N);
    calibrate_fit(&c, p, y, w, N);
    assert_false(c.isotonic);
    draw(crooked, p, y, N);
    calibrate_fit(&c, p, y, w, N);
    assert_true(c.isotonic);
    assert_true(fabsf(calibrate_apply(&c, .2f) - .1f) < .05f);
    assert_true(fabsf(calibrate_apply(&c, .9f) - .95f) < .05f);
    free(p);
    free(y);
}

static void calibrated_values_never_fall_and_stay_in_range(void **state)
{
    float *p = malloc(N * sizeof *p), *y = malloc(N * sizeof *y), last = -1;
    struct calibration c;

    (void)state;
    draw(crooked, p, y, N);
    calibrate_fit(&c, p, y, w, N);
    for (int i = -5; i <= 1005; i++) {
        float q = calibrate_apply(&c, (float)i / 1000);
        assert_true(q >= last && q >= 0 && q <= 1);
        last = q;
    }
    for (int k = 1; k < CALIBRATE_KNOTS; k++)
        assert_true(c.x[k] > c.x[k - 1] && c.y[k] > c.y[k - 1]);
    free(p);
    free(y);
}

static void errors_of_calibration_are_measured(void **state)
{
    float p[100], y[100];

    (void)state;
    for (int i = 0; i < 100; i++) {
        p[i] = .8f;
        y[i] = i % 2;
    }
    assert_true(fabs(calibrate_ece(p, y, 100) - .3) < 1e-6);
    assert_true(fabs(calibrate_log_loss(p, y, 100) + .5 * log(.8 * .2)) < 1e-6);
    assert_true(isnan(calibrate_ece(p, y, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shared_slope_is_found),
        cmocka_unit_test(what_weighs_little_changes_little),
        cmocka_unit_test(curves_bend_only_where_they_must),
        cmocka_unit_test(calibrated_values_never_fall_and_stay_in_range),
        cmocka_unit_test(errors_of_calibration_are_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
