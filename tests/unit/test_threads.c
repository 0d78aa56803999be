/* SPDX-License-Identifier: Apache-2.0 */
/* What workers share without a lock on the path, from several threads at
 * once: the counts are exact, and ThreadSanitizer looks on (make tsan). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/rng.h"
#include "router/gate/rate.h"
#include "router/health/health.h"

enum { THREADS = 4, ROUNDS = 5000 };

#define MINUTE 60000000000ULL

struct shared {
    struct rate_book *rates;
    struct health place;
    pthread_barrier_t start;
    _Atomic unsigned taken, opened, probes, most_probes, hedges;
};

static struct shared s;

static void together(void *(*part)(void *))
{
    pthread_t t[THREADS];

    pthread_barrier_init(&s.start, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, part, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    pthread_barrier_destroy(&s.start);
}

/* A key that all of them meet for the first time, with a minute's worth. */
static void *take_requests(void *arg)
{
    struct rate *r;

    (void)arg;
    pthread_barrier_wait(&s.start);
    r = rate_of(s.rates, "key");
    for (int i = 0; i < ROUNDS; i++)
        s.taken += rate_take_request(r, 1000, MINUTE) == 0;
    return NULL;
}

static void a_keys_requests_are_counted_exactly(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    s.rates = rate_book_new();
    assert_non_null(s.rates);
    together(take_requests);
    assert_int_equal(s.taken, 1000);
    rate_book_free(s.rates);
}

static const struct breaker_rules rules = {
    .window_ms = 10000,
    .min_calls = 1000000,
    .error_share = 1,
    .slow_share = 1,
    .failures = 1000,
    .pause_ms = 100,
    .pause_max_ms = 100,
    .probes = 2,
};

/* All fail at one time: it opens once. */
static void *fail_calls(void *arg)
{
    struct breaker *b = &s.place.breaker;

    (void)arg;
    pthread_barrier_wait(&s.start);
    for (int i = 0; i < ROUNDS; i++) {
        enum breaker_state was = breaker_ask(b, &rules, 5000);
        struct breaker_end end = {was, BREAKER_BAD, 0};

        if (was == BREAKER_CLOSED)
            s.opened += breaker_tell(b, &rules, 5000, &end);
    }
    return NULL;
}

static void a_breaker_opens_once(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    together(fail_calls);
    assert_int_equal(s.opened, 1);
    assert_int_equal(breaker_look(&s.place.breaker, 5050), BREAKER_OPEN);
}

static void probe(struct breaker *b)
{
    struct breaker_end end = {BREAKER_HALF, BREAKER_NOTHING, 0};
    unsigned now, most;

    if (breaker_ask(b, &rules, 6000) != BREAKER_HALF)
        return;
    now = ++s.probes;
    most = s.most_probes;
    while (now > most &&
           !atomic_compare_exchange_weak(&s.most_probes, &most, now))
        continue;
    s.probes--;
    (void)!breaker_tell(b, &rules, 6000, &end);
}

static void *send_probes(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&s.start);
    for (int i = 0; i < ROUNDS; i++)
        probe(&s.place.breaker);
    return NULL;
}

static void no_more_probes_are_out_than_allowed(void **state)
{
    struct breaker_end dead = {BREAKER_CLOSED, BREAKER_DEAD, 0};

    (void)state;
    memset(&s, 0, sizeof s);
    assert_true(breaker_tell(&s.place.breaker, &rules, 5000, &dead));
    together(send_probes);
    assert_in_range(s.most_probes, 1, 2);
    assert_int_equal(s.place.breaker.probing, 0);
}

/* Loads, rests and what headers say, all of one place. */
static void *use_place(void *arg)
{
    struct rng rng;
    uint64_t now = 1000;

    rng_seed(&rng, (uintptr_t)arg);
    pthread_barrier_wait(&s.start);
    for (int i = 0; i < ROUNDS; i++) {
        struct allowance a = {.requests = -1, .tokens = i};

        load_begin(&s.place.load);
        health_allowance(&s.place, &a, now, 1000);
        health_rest(&s.place, now + rng_next(&rng) % 1000);
        (void)health_short_of(&s.place, now, 10);
        load_end(&s.place.load, ++now, 5);
    }
    return NULL;
}

static void calls_in_flight_come_down_to_none(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    together(use_place);
    assert_int_equal(s.place.load.in_flight, 0);
    assert_true(load_latency(&s.place.load, 1000 + ROUNDS) > 0);
    assert_true(health_resting(&s.place, 1000) <= ROUNDS + 1000);
}

static void *hedge(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&s.start);
    for (int i = 0; i < ROUNDS; i++) {
        health_earn(&s.place, 0.1);
        s.hedges += health_spend(&s.place);
    }
    return NULL;
}

static void no_more_is_hedged_than_was_earned(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    together(hedge);
    assert_in_range(s.hedges, 1, THREADS * ROUNDS / 10);
    assert_true(s.place.credit >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_keys_requests_are_counted_exactly),
        cmocka_unit_test(a_breaker_opens_once),
        cmocka_unit_test(no_more_probes_are_out_than_allowed),
        cmocka_unit_test(calls_in_flight_come_down_to_none),
        cmocka_unit_test(no_more_is_hedged_than_was_earned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
