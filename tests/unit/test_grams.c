/* SPDX-License-Identifier: Apache-2.0 */
#include "features/grams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "features/lanes.h"

enum { N = 4000 };

static struct grams table;

static int by_index(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* What the table gives for these terms, against a plain sort. */
static void count_right(const uint32_t *terms, uint32_t n)
{
    static struct term got[GRAMS_MAX];
    static uint32_t want[GRAMS_MAX];
    uint32_t k = 0, n_got;

    memcpy(want, terms, n * sizeof *want);
    qsort(want, n, sizeof *want, by_index);
    n_got = grams_take(&table, got, GRAMS_MAX);
    for (uint32_t i = 0, run; i < n; i += run, k++) {
        for (run = 1; i + run < n && want[i + run] == want[i]; run++)
            ;
        assert_true(k < n_got && got[k].index == want[i]);
        assert_true(got[k].value == (float)run);
    }
    assert_int_equal(k, n_got);
    assert_int_equal(k, table.n);
}

/* Puts a half, counts, puts the rest, as the extractor does. */
static void put_all(const uint32_t *terms, uint32_t n)
{
    grams_clear(&table, n);
    for (uint32_t i = 0; i < n; i++) {
        if (i == n / 2)
            grams_count(&table);
        grams_put(&table, terms[i]);
    }
    grams_count(&table);
    count_right(terms, n);
}

static void terms_come_out_in_order_with_their_counts(void **state)
{
    static uint32_t terms[N];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    for (uint32_t spread = 3; spread <= 30; spread += 9) {
        for (uint32_t i = 0; i < N; i++)
            terms[i] = (uint32_t)rng_below(&rng, 1U << spread) << (32 - spread);
        for (uint32_t n = 0; n <= N; n += 1 + n) {
            put_all(terms, n);
            assert_false(table.crowded);
        }
    }
}

static void terms_made_to_share_a_home_do_not_cost_their_square(void **state)
{
    static uint32_t terms[N];
    const uint32_t most = GRAMS_STEPS * (N + 64) + N;

    (void)state;
    for (uint32_t i = 0; i < N; i++)
        terms[i] = N - i + (i % 7 == 0); /* one home, each before the last */
    put_all(terms, N);
    assert_true(table.crowded);
    assert_true(table.steps <= most);
    for (uint32_t i = N / 2; i < N; i++) /* only the second half */
        terms[i - N / 2] = i * 0x9e3779b9U;
    put_all(terms, N);
    assert_true(table.crowded);
    assert_true(table.steps <= most);
}

static void only_the_smallest_terms_are_taken_where_room_ends(void **state)
{
    static uint32_t spread[N], near[N];
    struct term got[10];

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        near[i] = N - i;
        spread[i] = (N - i) << 20;
    }
    put_all(near, N);
    assert_int_equal(grams_take(&table, got, 10), 10);
    assert_int_equal(got[9].index, 10);
    put_all(spread, N);
    assert_int_equal(grams_take(&table, got, 10), 10);
    assert_int_equal(got[9].index, 10U << 20);
}

static void both_ways_to_gather_top_bits_agree(void **state)
{
    char text[LANES];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t want = 0;
        lanes v;

        for (unsigned k = 0; k < LANES; k++) {
            text[k] = (char)rng_below(&rng, 256);
            want |= (uint32_t)((unsigned char)text[k] >> 7) << k;
        }
        v = lanes_load(text);
        assert_int_equal(lanes_bits(v), want);
        assert_int_equal(lanes_bits_portable(v), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_come_out_in_order_with_their_counts),
        cmocka_unit_test(terms_made_to_share_a_home_do_not_cost_their_square),
        cmocka_unit_test(only_the_smallest_terms_are_taken_where_room_ends),
        cmocka_unit_test(both_ways_to_gather_top_bits_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
