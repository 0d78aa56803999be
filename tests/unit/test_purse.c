/* SPDX-License-Identifier: Apache-2.0 */
#include "router/gate/purse.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

enum { THREADS = 8, CALLS = 20000 };

static const int64_t NOON = 20000LL * PURSE_DAY_MS + PURSE_DAY_MS / 2;

static void a_hold_fits_or_nothing_is_taken(void **state)
{
    struct purse_book *b = purse_book_new();
    struct purse *p = purse_of(b, PURSE_KEY, SPAN("ci"));
    struct hold one = {0}, two = {0};
    struct purse_state s;

    (void)state;
    assert_ptr_equal(purse_of(b, PURSE_KEY, SPAN("ci")), p);
    assert_ptr_not_equal(purse_of(b, PURSE_SHADOW, SPAN("ci")), p);
    assert_true(purse_take(p, 60, 100, NOON, &one));
    assert_false(purse_take(p, 41, 100, NOON, &two));
    assert_null(two.purse);
    assert_true(purse_take(p, 40, 100, NOON, &two));
    purse_settle(&one, 10);
    s = purse_look(p, NOON);
    assert_int_equal(s.spent, 10);
    assert_int_equal(s.held, 40);
    assert_true(purse_take(p, 90, 100, NOON, &two)); /* grows, 90 in all */
    assert_false(purse_take(p, 91, 100, NOON, &two));
    assert_int_equal(two.pico, 90);
    purse_settle(&two, 0);
    purse_settle(&two, 50); /* holds nothing any more */
    assert_int_equal(purse_look(p, NOON).spent, 10);
    purse_book_free(b);
}

static void a_new_day_begins_with_nothing_spent(void **state)
{
    struct purse_book *b = purse_book_new();
    struct purse *p = purse_of(b, PURSE_JUDGE, SPAN(""));
    struct hold late = {0};
    int64_t next = NOON + PURSE_DAY_MS;

    (void)state;
    purse_note(p, 30, NOON);
    purse_note(p, 30, NOON - PURSE_DAY_MS); /* yesterday's: not counted */
    assert_int_equal(purse_look(p, NOON).spent, 30);
    assert_true(purse_take(p, 70, 100, NOON, &late));
    assert_int_equal(purse_look(p, next).held, 0);
    purse_settle(&late, 70); /* is the day's before */
    assert_int_equal(purse_look(p, next).spent, 0);
    assert_true(purse_take(p, 10, 100, NOON, &late));
    assert_int_equal(late.day, next / PURSE_DAY_MS);
    purse_settle(&late, 10);
    assert_int_equal(purse_day_left_ms(NOON), PURSE_DAY_MS / 2);
    purse_book_free(b);
}

static void a_limit_is_exact_to_the_pico_dollar(void **state)
{
    (void)state;
    assert_int_equal(purse_limit(0), 0);
    assert_int_equal(purse_limit(0.5), 500000000000);
    assert_int_equal(purse_limit(1e6), 1000000000000000000);
    assert_true(purse_limit(NAN) == INT64_MAX);
}

/* ---- many at once ---- */

struct storm {
    struct purse *purse;
    int64_t limit;
    _Atomic int64_t spent, refused;
    _Atomic bool over;
};

/* Calls of random cost, some of which grow by a second try, none of which
 * costs more than it holds. */
static void *spend(void *arg)
{
    struct storm *s = arg;
    static _Atomic unsigned seeds;
    struct rng r;

    rng_seed(&r, atomic_fetch_add(&seeds, 1) + 1);
    for (int i = 0; i < CALLS; i++) {
        int64_t most = (int64_t)(rng_next(&r) % 1000), cost;
        struct hold h = {0};
        struct purse_state now;

        if (!purse_take(s->purse, most, s->limit, NOON, &h)) {
            atomic_fetch_add(&s->refused, 1);
            continue;
        }
        if (i % 3 == 0 && purse_take(s->purse, most + 200, s->limit, NOON, &h))
            most += 200;
        cost = most ? (int64_t)(rng_next(&r) % (uint64_t)(most + 1)) : 0;
        purse_settle(&h, cost);
        atomic_fetch_add(&s->spent, cost);
        now = purse_look(s->purse, NOON);
        if (now.spent + now.held > s->limit)
            atomic_store(&s->over, true);
    }
    return NULL;
}

static void threads_never_spend_more_than_there_is(void **state)
{
    struct purse_book *b = purse_book_new();
    pthread_t threads[THREADS];

    (void)state;
    for (int round = 0; round < 5; round++) {
        char name[] = {(char)('a' + round)};
        struct storm s = {.purse =
                              purse_of(b, PURSE_KEY, (struct span){name, 1}),
                          .limit = (round + 1) * 1000000};
        struct purse_state end;

        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, spend, &s), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        end = purse_look(s.purse, NOON);
        assert_false(s.over);
        assert_int_equal(end.held, 0);
        assert_int_equal(end.spent, s.spent);
        assert_true(end.spent <= s.limit);
        assert_true(s.refused > 0); /* or nothing was shown */
        assert_true(end.spent > s.limit - 1200);
    }
    purse_book_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hold_fits_or_nothing_is_taken),
        cmocka_unit_test(a_new_day_begins_with_nothing_spent),
        cmocka_unit_test(a_limit_is_exact_to_the_pico_dollar),
        cmocka_unit_test(threads_never_spend_more_than_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
