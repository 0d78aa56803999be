/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"

static void known_state_gives_the_published_sequence(void **state)
{
    /* xoshiro256** from state 1,2,3,4: computed by hand, and the published
     * test vector of several independent implementations. */
    static const uint64_t want[] = {11520u, 0u, 1509978240u,
                                    1215971899390074240u};
    struct rng r = {{1, 2, 3, 4}};
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_true(rng_next(&r) == want[i]);
}

static void one_seed_is_one_sequence(void **state)
{
    struct rng a, b, c;
    (void)state;
    rng_seed(&a, 7);
    rng_seed(&b, 7);
    rng_seed(&c, 8);
    assert_true(rng_next(&a) == rng_next(&b));
    assert_true(rng_next(&a) != rng_next(&c));
}

static void below_stays_below_and_reaches_each_value(void **state)
{
    unsigned seen[7] = {0};
    struct rng r;
    (void)state;
    rng_seed(&r, 1);
    for (int i = 0; i < 7000; i++)
        seen[rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 850, 1150);
}

static void unit_has_mean_one_half(void **state)
{
    struct rng r;
    double sum = 0;
    (void)state;
    rng_seed(&r, 3);
    for (int i = 0; i < 10000; i++)
        sum += rng_unit(&r);
    assert_true(sum > 4900 && sum < 5100);
}

static void a_shuffle_keeps_every_index(void **state)
{
    uint32_t a[50];
    unsigned seen[50] = {0};
    struct rng r;
    (void)state;
    for (uint32_t i = 0; i < 50; i++)
        a[i] = i;
    rng_seed(&r, 5);
    rng_shuffle(&r, a, 50);
    for (int i = 0; i < 50; i++)
        seen[a[i]]++;
    for (int i = 0; i < 50; i++)
        assert_int_equal(seen[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_state_gives_the_published_sequence),
        cmocka_unit_test(one_seed_is_one_sequence),
        cmocka_unit_test(below_stays_below_and_reaches_each_value),
        cmocka_unit_test(unit_has_mean_one_half),
        cmocka_unit_test(a_shuffle_keeps_every_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
