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

static uint32_t different(const uint32_t *terms, uint32_t n)
{
    static uint32_t sorted[GRAMS_MAX];
    uint32_t k = 0;

    memcpy(sorted, terms, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_index);
    for (uint32_t i = 0; i < n; i++)
        k += i == 0 || sorted[i] != sorted[i - 1];
    return k;
}

/* A half as singles, then the rest, as the extractor does. */
static void put_all(const uint32_t *terms, uint32_t n)
{
    grams_clear(&table);
    for (uint32_t i = 0; i < n; i++) {
        if (i < n / 2)
            grams_put_single(&table, terms[i]);
        else
            grams_put(&table, terms[i]);
        if (i % 3 == 0) {
            grams_put(&table, ~terms[i]);
            grams_drop(&table, 1);
        }
    }
    grams_count(&table);
    count_right(terms, n);
    assert_int_equal(table.n_singles, different(terms, n / 2));
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
        for (uint32_t n = 0; n <= N; n += 1 + n)
            put_all(terms, n);
    }
}

/* Alike in their upper or lower bytes, the ends of the range, too many to be
 * told apart by one byte. */
static void terms_of_any_pattern_are_sorted(void **state)
{
    static uint32_t terms[GRAMS_MAX];

    (void)state;
    for (uint32_t i = 0; i < GRAMS_MAX; i++)
        terms[i] = GRAMS_MAX - i + (i % 7 == 0);
    put_all(terms, GRAMS_MAX);
    for (uint32_t i = 0; i < GRAMS_MAX; i++)
        terms[i] = (i * 0x9e3779b9U) << 16 | 0x8001;
    put_all(terms, GRAMS_MAX);
    for (uint32_t i = 0; i < N; i++)
        terms[i] = i % 2 ? UINT32_MAX - i / 4 % 2 : i % 4 / 2;
    put_all(terms, N);
    for (uint32_t i = 0; i < GRAMS_MAX; i++)
        terms[i] = UINT32_MAX;
    put_all(terms, GRAMS_MAX);
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
        cmocka_unit_test(terms_of_any_pattern_are_sorted),
        cmocka_unit_test(only_the_smallest_terms_are_taken_where_room_ends),
        cmocka_unit_test(both_ways_to_gather_top_bits_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
