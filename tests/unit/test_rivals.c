/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "trainer/rivals.h"
#include "trainer/solve.h"

enum { N = 600, COLUMNS = 120, CLASSES = 19 };

static float dense[N][COLUMNS + 1];
static uint32_t class[N];

static struct solve_data *data_make(void)
{
    struct solve_value v[COLUMNS];
    struct err e;
    struct rng r;
    struct solve_data *d = solve_data_new(N, N * COLUMNS, COLUMNS, &e);
    assert_non_null(d);
    rng_seed(&r, 5);
    memset(dense, 0, sizeof dense);
    for (size_t i = 0; i < N; i++) {
        size_t n = 0;
        class[i] = (uint32_t)rng_below(&r, CLASSES);
        for (uint32_t c = 0; c < COLUMNS; c++) {
            bool own = c % CLASSES == class[i];
            if (rng_unit(&r) >= (own ? .6 : .1))
                continue;
            v[n++] = (struct solve_value){c, (float)rng_unit(&r)};
            dense[i][c] = v[n - 1].value;
        }
        dense[i][COLUMNS] = 1;
        if (i % 50 == 0)
            class[i] = RIVALS_NONE;
        solve_data_add(d, v, n);
    }
    assert_true(solve_data_pack(d, &e));
    return d;
}

/* Length of the gradient of |w|^2 / 2 + sum of max(0, 1 - y w.x)^2. */
static double slope(const double *w, uint32_t k)
{
    double g[COLUMNS + 1], sum = 0;
    memcpy(g, w, sizeof g);
    for (size_t i = 0; i < N; i++) {
        double y = class[i] == k ? 1 : -1, f = 0;
        for (size_t c = 0; c <= COLUMNS; c++)
            f += w[c] * (double)dense[i][c];
        if (class[i] == RIVALS_NONE || y * f >= 1)
            continue;
        for (size_t c = 0; c <= COLUMNS; c++)
            g[c] -= 2 * y * (1 - y * f) * (double)dense[i][c];
    }
    for (size_t c = 0; c <= COLUMNS; c++)
        sum += g[c] * g[c];
    return sqrt(sum);
}

/* The objective is convex: where its gradient is 0 is the one solution that
 * any solver of the problem has to find. */
static void every_class_ends_at_the_minimum(void **state)
{
    struct solve_data *d = data_make();
    struct rivals_task t = {.class = class, .C = 1, .eps = 1e-4, .seed = 1};
    struct err e;
    struct rivals *r = rivals_new(d, &t, &e);
    double w[COLUMNS + 1];
    double zero[COLUMNS + 1] = {0};
    (void)state;
    assert_non_null(r);
    for (uint32_t first = 0; first < CLASSES; first += RIVALS_LANES) {
        uint32_t n =
            CLASSES - first < RIVALS_LANES ? CLASSES - first : RIVALS_LANES;
        assert_true(rivals_run(r, first, n, &e));
        for (uint32_t k = 0; k < n; k++) {
            rivals_weights(r, k, w);
            assert_true(slope(w, first + k) < 1e-4 * slope(zero, first + k));
        }
    }
    rivals_free(r);
    solve_data_free(d);
}

static void the_same_seed_gives_the_same_weights(void **state)
{
    struct solve_data *d = data_make();
    struct rivals_task t = {
        .class = class, .C = 1, .eps = .1, .seed = 3, .max_rows = 300};
    struct err e;
    struct rivals *r = rivals_new(d, &t, &e);
    double a[COLUMNS + 1], b[COLUMNS + 1];
    (void)state;
    assert_non_null(r);
    assert_true(rivals_run(r, 0, 4, &e));
    rivals_weights(r, 3, a);
    rivals_free(r);
    r = rivals_new(d, &t, &e);
    assert_non_null(r);
    assert_true(rivals_run(r, 0, 4, &e));
    rivals_weights(r, 3, b);
    assert_memory_equal(a, b, sizeof a);
    rivals_free(r);
    solve_data_free(d);
}

static void no_rows_give_no_weights(void **state)
{
    struct solve_data *d = data_make();
    struct rivals_task t = {.class = class, .C = 1, .eps = .1};
    struct err e;
    double w[COLUMNS + 1];
    (void)state;
    for (size_t i = 0; i < N; i++)
        class[i] = RIVALS_NONE;
    struct rivals *r = rivals_new(d, &t, &e);
    assert_non_null(r);
    assert_true(rivals_run(r, 0, 3, &e));
    rivals_weights(r, 2, w);
    for (size_t c = 0; c <= COLUMNS; c++)
        assert_true(w[c] == 0);
    assert_false(rivals_run(r, 0, RIVALS_LANES + 1, &e));
    rivals_free(r);
    solve_data_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_ends_at_the_minimum),
        cmocka_unit_test(the_same_seed_gives_the_same_weights),
        cmocka_unit_test(no_rows_give_no_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
