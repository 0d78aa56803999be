/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/sequential.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"

/* A canary with a share of the traffic; both answer well as often as said. */
struct traffic {
    double share, old, fresh, margin, delta;
    unsigned requests;
};

/* Requests until the test, looked at after each, stops; 0: it does not. */
static unsigned stops_at(struct rng *rng, const struct traffic *t)
{
    struct sequential s;

    sequential_begin(&s, t->margin, t->delta);
    for (unsigned i = 1; i <= t->requests; i++) {
        bool is_new = rng_unit(rng) < t->share;
        double good = rng_unit(rng) < (is_new ? t->fresh : t->old);

        if (sequential_note(&s, is_new, good))
            return i;
    }
    return 0;
}

static double stop_rate(const struct traffic *t, unsigned runs, uint64_t seed)
{
    struct rng rng;
    unsigned stopped = 0;

    rng_seed(&rng, seed);
    for (unsigned i = 0; i < runs; i++)
        stopped += stops_at(&rng, t) > 0;
    return stopped / (double)runs;
}

/* 2,000 runs at 5 %: three standard errors above are 6.5 %. */
static void a_canary_as_good_is_stopped_at_most_as_often_as_allowed(void **st)
{
    static const struct traffic cases[] = {
        {.05, .8, .8, 0, .05, 4000},   {.5, .8, .8, 0, .05, 1000},
        {.05, .99, .99, 0, .05, 4000}, {.2, .5, .5, 0, .05, 2000},
        {.1, .8, .78, .02, .05, 3000}, {.9, .9, .9, 0, .05, 1000},
    };

    (void)st;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(stop_rate(&cases[i], 2000, i + 1) <= .065);
}

static void a_worse_canary_is_stopped_soon(void **state)
{
    static const struct traffic t = {.1, .85, .55, .02, .05, 4000};
    struct rng rng;
    unsigned late = 0;

    (void)state;
    rng_seed(&rng, 7);
    for (int i = 0; i < 300; i++) {
        unsigned n = stops_at(&rng, &t);
        late += n == 0 || n > 2000; /* 200 of its own requests */
    }
    assert_true(late <= 15);
}

static void a_better_canary_is_not_stopped(void **state)
{
    static const struct traffic t = {.1, .7, .85, 0, .05, 4000};

    (void)state;
    assert_true(stop_rate(&t, 300, 3) < .01);
}

static void nothing_is_said_while_one_of_them_is_silent(void **state)
{
    struct sequential s;

    (void)state;
    sequential_begin(&s, 0, .05);
    for (int i = 0; i < 1000; i++)
        assert_false(sequential_note(&s, true, 0));
    assert_true(sequential_p(&s) >= 1);
    assert_int_equal(s.n_new, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_canary_as_good_is_stopped_at_most_as_often_as_allowed),
        cmocka_unit_test(a_worse_canary_is_stopped_soon),
        cmocka_unit_test(a_better_canary_is_not_stopped),
        cmocka_unit_test(nothing_is_said_while_one_of_them_is_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
