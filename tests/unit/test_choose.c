/* SPDX-License-Identifier: Apache-2.0 */
#include "models/choose.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ARMS = 8, DRAWS = 20000 };

static uint64_t state = 1;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % below);
}

/* Few distinct values, so that ties are common. */
static unsigned draw_arms(struct candidate *arms)
{
    unsigned n = 1 + draw(ARMS);
    for (unsigned i = 0; i < n; i++) {
        arms[i].quality = (float)draw(9) / 8;
        arms[i].cost = draw(7) * 0.001;
        arms[i].allowed = draw(4) != 0;
    }
    return n;
}

static void no_allowed_arm_gives_minus_one(void **s)
{
    (void)s;
    struct candidate arms[2] = {{.9f, .1, false}, {.8f, .2, false}};
    assert_int_equal(choose_by_price(arms, 2, 1), -1);
    assert_int_equal(choose_by_floor(arms, 2, .5), -1);
    assert_int_equal(choose_by_price(arms, 0, 1), -1);
    assert_int_equal(choose_by_floor(arms, 0, 0), -1);
}

static void a_higher_price_never_gives_a_dearer_arm(void **s)
{
    (void)s;
    struct candidate arms[ARMS];
    for (int k = 0; k < DRAWS; k++) {
        unsigned n = draw_arms(arms);
        double before = INFINITY;
        for (double price = 0; price < 3000; price = price * 2 + 1) {
            int i = choose_by_price(arms, n, price);
            if (i < 0)
                break;
            assert_true(arms[i].allowed);
            assert_true(arms[i].cost <= before);
            before = arms[i].cost;
        }
    }
}

static void a_higher_floor_never_gives_a_worse_arm(void **s)
{
    (void)s;
    struct candidate arms[ARMS];
    for (int k = 0; k < DRAWS; k++) {
        unsigned n = draw_arms(arms);
        double cost = -1;
        for (int f = 0; f <= 10; f++) {
            int i = choose_by_floor(arms, n, f / 8.0);
            if (i < 0)
                break;
            assert_true(arms[i].allowed);
            if ((double)arms[i].quality < f / 8.0)
                break; /* none reaches it from here on */
            assert_true(arms[i].cost >= cost);
            cost = arms[i].cost;
        }
    }
}

static void what_is_chosen_is_never_dominated(void **s)
{
    (void)s;
    struct candidate arms[ARMS];
    for (int k = 0; k < DRAWS; k++) {
        unsigned n = draw_arms(arms);
        int i = choose_by_price(arms, n, draw(500));
        for (unsigned j = 0; i >= 0 && j < n; j++) {
            bool dominates = arms[j].allowed &&
                             arms[j].quality >= arms[i].quality &&
                             arms[j].cost < arms[i].cost;
            assert_false(dominates);
        }
    }
}

static void price_zero_buys_the_best_and_a_huge_one_the_cheapest(void **s)
{
    (void)s;
    struct candidate arms[3] = {
        {.5f, .001, true}, {.9f, .010, true}, {.7f, .002, true}};
    assert_int_equal(choose_by_price(arms, 3, 0), 1);
    assert_int_equal(choose_by_price(arms, 3, 1e9), 0);
    assert_int_equal(choose_by_price(arms, 3, 40), 2);
}

static void ties_go_to_the_cheaper_then_to_the_earlier(void **s)
{
    (void)s;
    struct candidate arms[3] = {
        {.8f, .002, true}, {.8f, .001, true}, {.8f, .001, true}};
    assert_int_equal(choose_by_price(arms, 3, 0), 1);
    assert_int_equal(choose_by_floor(arms, 3, .5), 1);
    assert_int_equal(choose_by_floor(arms, 3, .9), 1);
}

static void without_an_arm_at_the_floor_the_finest_is_taken(void **s)
{
    (void)s;
    struct candidate arms[3] = {
        {.4f, .001, true}, {.6f, .010, true}, {.9f, .020, false}};
    assert_int_equal(choose_by_floor(arms, 3, .7), 1);
    assert_int_equal(choose_by_floor(arms, 3, .5), 1);
    assert_int_equal(choose_by_floor(arms, 3, .3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_allowed_arm_gives_minus_one),
        cmocka_unit_test(a_higher_price_never_gives_a_dearer_arm),
        cmocka_unit_test(a_higher_floor_never_gives_a_worse_arm),
        cmocka_unit_test(what_is_chosen_is_never_dominated),
        cmocka_unit_test(price_zero_buys_the_best_and_a_huge_one_the_cheapest),
        cmocka_unit_test(ties_go_to_the_cheaper_then_to_the_earlier),
        cmocka_unit_test(without_an_arm_at_the_floor_the_finest_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
