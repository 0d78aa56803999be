/* SPDX-License-Identifier: Apache-2.0 */
/* Breaker, balancer and what headers say of limits, by a clock of our own. */
#include "router/health/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "router/health/allowance.h"
#include "router/health/load.h"

static const struct breaker_rules rules = {
    .window_ms = 10000,
    .min_calls = 10,
    .error_share = 0.5,
    .slow_share = 0.5,
    .failures = 4,
    .slow_ms = 0,
    .pause_ms = 1000,
    .pause_max_ms = 5000,
    .probes = 1,
};

static bool tell(struct breaker *b, const struct breaker_rules *r, uint64_t now,
                 struct breaker_end end)
{
    return breaker_tell(b, r, now, &end);
}

/* One call through b at `now`, which must be let through. */
static bool call(struct breaker *b, const struct breaker_rules *r, uint64_t now,
                 enum breaker_news news, uint64_t latency)
{
    enum breaker_state was = breaker_ask(b, r, now);

    assert_int_not_equal(was, BREAKER_OPEN);
    return tell(b, r, now, (struct breaker_end){was, news, latency});
}

static void failures_in_a_row_open_it(void **state)
{
    struct breaker b = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_false(call(&b, &rules, 5000, BREAKER_BAD, 0));
    assert_false(call(&b, &rules, 5000, BREAKER_GOOD, 1));
    for (int i = 0; i < 3; i++)
        assert_false(call(&b, &rules, 5000, BREAKER_BAD, 0));
    assert_int_equal(breaker_look(&b, 5000), BREAKER_CLOSED);
    assert_true(call(&b, &rules, 5000, BREAKER_BAD, 0));
    assert_int_equal(breaker_look(&b, 5000), BREAKER_OPEN);
    assert_int_equal(breaker_wait(&b, 5400), 600);
    assert_int_equal(b.times, 1);
}

static void one_dead_connection_opens_it_at_once(void **state)
{
    struct breaker b = {0};

    (void)state;
    assert_true(call(&b, &rules, 5000, BREAKER_DEAD, 0));
    assert_int_equal(breaker_ask(&b, &rules, 5001), BREAKER_OPEN);
}

static void a_share_of_the_window_opens_it(void **state)
{
    struct breaker b = {0};
    bool opened = false;

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        opened = call(&b, &rules, 5000 + 100 * i,
                      i % 2 ? BREAKER_BAD : BREAKER_GOOD, 1);
    assert_true(opened);
}

static void what_is_older_than_the_window_is_forgotten(void **state)
{
    struct breaker b = {0};

    (void)state;
    for (unsigned i = 0; i < 9; i++)
        call(&b, &rules, 5000, i % 2 ? BREAKER_BAD : BREAKER_GOOD, 1);
    assert_false(call(&b, &rules, 16000, BREAKER_BAD, 0));
    for (unsigned i = 0; i < 6; i++)
        call(&b, &rules, 16000, BREAKER_GOOD, 1);
    assert_int_equal(breaker_look(&b, 16000), BREAKER_CLOSED);
}

static void slow_calls_open_it_where_a_limit_is_set(void **state)
{
    struct breaker_rules r = rules;
    struct breaker b = {0}, c = {0};
    bool opened = false;

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        assert_false(call(&b, &rules, 5000, BREAKER_GOOD, 90000));
    r.slow_ms = 2000;
    for (unsigned i = 0; i < 10; i++)
        opened = call(&c, &r, 5000, BREAKER_GOOD, i % 2 ? 2000 : 1999);
    assert_true(opened);
}

static void a_good_probe_closes_it_and_a_bad_one_doubles_the_pause(void **state)
{
    struct breaker b = {0};
    uint64_t now = 5000, pauses[] = {1000, 2000, 4000, 5000, 5000};

    (void)state;
    call(&b, &rules, now, BREAKER_DEAD, 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(breaker_wait(&b, now), pauses[i]);
        assert_int_equal(breaker_ask(&b, &rules, now + pauses[i] - 1),
                         BREAKER_OPEN);
        now += pauses[i];
        assert_true(call(&b, &rules, now, BREAKER_BAD, 0));
    }
    now += 5000;
    assert_false(call(&b, &rules, now, BREAKER_GOOD, 1));
    assert_int_equal(breaker_look(&b, now), BREAKER_CLOSED);
    assert_true(call(&b, &rules, now, BREAKER_DEAD, 0));
    assert_int_equal(breaker_wait(&b, now), 1000);
}

static void as_many_probes_as_allowed_run_at_once(void **state)
{
    struct breaker_rules r = rules;
    struct breaker b = {0};

    (void)state;
    r.probes = 2;
    call(&b, &r, 5000, BREAKER_DEAD, 0);
    assert_int_equal(breaker_ask(&b, &r, 6000), BREAKER_HALF);
    assert_int_equal(breaker_ask(&b, &r, 6000), BREAKER_HALF);
    assert_int_equal(breaker_ask(&b, &r, 6000), BREAKER_OPEN);
    assert_int_equal(breaker_look(&b, 6000), BREAKER_HALF);
    /* One whose client left says nothing and makes room for another. */
    tell(&b, &r, 6000, (struct breaker_end){BREAKER_HALF, BREAKER_NOTHING, 0});
    assert_int_equal(breaker_ask(&b, &r, 6000), BREAKER_HALF);
    tell(&b, &r, 6000, (struct breaker_end){BREAKER_HALF, BREAKER_GOOD, 5});
    assert_int_equal(breaker_look(&b, 6000), BREAKER_CLOSED);
    /* The other's failure comes late: it does not count. */
    assert_false(
        tell(&b, &r, 6001, (struct breaker_end){BREAKER_HALF, BREAKER_BAD, 0}));
    assert_int_equal(b.probing, 0);
}

static void a_call_from_before_does_not_open_it_again(void **state)
{
    struct breaker b = {0};
    enum breaker_state was = breaker_ask(&b, &rules, 5000);

    (void)state;
    call(&b, &rules, 5000, BREAKER_DEAD, 0);
    assert_false(
        tell(&b, &rules, 5900, (struct breaker_end){was, BREAKER_DEAD, 0}));
    assert_int_equal(breaker_wait(&b, 5900), 100);
}

/* ---- load ---- */

static void a_slow_call_is_felt_at_once_and_fades(void **state)
{
    struct load l = {0};

    (void)state;
    load_begin(&l);
    load_end(&l, 1000, 50);
    assert_float_equal(load_latency(&l, 1000), 50, 0.01);
    load_begin(&l);
    load_end(&l, 1000, 900);
    assert_float_equal(load_latency(&l, 1000), 900, 0.01);
    load_begin(&l);
    load_end(&l, 1000, 10); /* a quick one does not make up for it */
    assert_float_equal(load_latency(&l, 1000), 900, 0.01);
    assert_float_equal(load_latency(&l, 11000), 900 * 0.36788, 0.5);
    load_begin(&l);
    load_end(&l, 1000 + 100000, 10);
    assert_float_equal(load_latency(&l, 101000), 10, 0.1);
    load_begin(&l);
    assert_float_equal(load_cost(&l, 101000), 22, 0.2);
    load_end(&l, 101000, -1);
    assert_int_equal(l.in_flight, 0);
}

static void of_two_the_cheaper_one_is_taken(void **state)
{
    static const double costs[] = {5, 1, 9, 7};
    unsigned taken[4] = {0};
    struct rng r;

    (void)state;
    rng_seed(&r, 3);
    for (int i = 0; i < 6000; i++)
        taken[load_pick(costs, 4, rng_next(&r))]++;
    /* The cheapest wins each of its pairs: half of all; the dearest none. */
    assert_in_range(taken[1], 2800, 3200);
    assert_in_range(taken[0], 1800, 2200);
    assert_in_range(taken[3], 850, 1150);
    assert_int_equal(taken[2], 0);
    assert_int_equal(load_pick(costs, 1, 77), 0);
}

static void weights_are_kept_to(void **state)
{
    static const double weights[] = {3, 0, 1}, none[] = {0, 0};
    unsigned taken[3] = {0};
    struct rng r;

    (void)state;
    rng_seed(&r, 4);
    for (int i = 0; i < 8000; i++)
        taken[load_weighted(weights, 3, rng_next(&r))]++;
    assert_int_equal(taken[1], 0);
    assert_in_range(taken[0], 5800, 6200);
    assert_int_equal(load_weighted(none, 2, 1), -1);
    assert_int_equal(load_weighted(weights, 3, UINT64_MAX), 2);
}

/* ---- headers ---- */

#define NOW INT64_C(1795183200000) /* 2026-11-20T14:00:00Z */

static const struct {
    const char *text;
    int64_t want;
} resets[] = {
    {"1s", 1000},
    {"6m0s", 360000},
    {"20ms", 20},
    {"1h2m", 3720000},
    {"1.5", 1500},
    {"7.66s", 7660},
    {"2d", 86400000},
    {"", -1},
    {"s", -1},
    {"1x", -1},
    {"1m2", -1},
    {"..", -1},
    {"-1s", -1},
    {"0", 0},
    {"999999999999999999999h", 86400000},
    {"2026-11-20T14:00:09Z", 9000},
    {"2026-11-20T13:00:00Z", 0},
};

static void resets_are_read_in_all_their_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof resets / sizeof resets[0]; i++) {
        int64_t got = allowance_reset(span_of(resets[i].text), NOW);

        if (got != resets[i].want)
            print_message("%s: %lld\n", resets[i].text, (long long)got);
        assert_int_equal(got, resets[i].want);
    }
}

struct line {
    const char *name, *value;
};

static struct span header(const void *ctx, const char *name)
{
    for (const struct line *at = ctx; at->name; at++) {
        if (!strcmp(at->name, name))
            return span_of(at->value);
    }
    return (struct span){NULL, 0};
}

static void the_scarcest_of_what_is_left_is_kept(void **state)
{
    static const struct line openai[] = {
        {"x-ratelimit-remaining-requests", "59"},
        {"x-ratelimit-reset-requests", "1s"},
        {"x-ratelimit-remaining-tokens", "149984"},
        {"x-ratelimit-reset-tokens", "6m0s"},
        {NULL, NULL}};
    static const struct line claude[] = {
        {"anthropic-ratelimit-tokens-remaining", "5000"},
        {"anthropic-ratelimit-tokens-reset", "2026-11-20T14:00:30Z"},
        {"anthropic-ratelimit-input-tokens-remaining", "900"},
        {"anthropic-ratelimit-input-tokens-reset", "2026-11-20T14:00:10Z"},
        {NULL, NULL}};
    static const struct line nothing[] = {
        {"x-ratelimit-remaining-tokens", "many"}, {NULL, NULL}};
    struct allowance a = allowance_read(header, openai, NOW);

    (void)state;
    assert_int_equal(a.requests, 59);
    assert_int_equal(a.requests_reset_ms, 1000);
    assert_int_equal(a.tokens, 149984);
    assert_int_equal(a.tokens_reset_ms, 360000);
    a = allowance_read(header, claude, NOW);
    assert_int_equal(a.requests, -1);
    assert_int_equal(a.tokens, 900);
    assert_int_equal(a.tokens_reset_ms, 10000);
    a = allowance_read(header, nothing, NOW);
    assert_int_equal(a.tokens, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_in_a_row_open_it),
        cmocka_unit_test(one_dead_connection_opens_it_at_once),
        cmocka_unit_test(a_share_of_the_window_opens_it),
        cmocka_unit_test(what_is_older_than_the_window_is_forgotten),
        cmocka_unit_test(slow_calls_open_it_where_a_limit_is_set),
        cmocka_unit_test(
            a_good_probe_closes_it_and_a_bad_one_doubles_the_pause),
        cmocka_unit_test(as_many_probes_as_allowed_run_at_once),
        cmocka_unit_test(a_call_from_before_does_not_open_it_again),
        cmocka_unit_test(a_slow_call_is_felt_at_once_and_fades),
        cmocka_unit_test(of_two_the_cheaper_one_is_taken),
        cmocka_unit_test(weights_are_kept_to),
        cmocka_unit_test(resets_are_read_in_all_their_forms),
        cmocka_unit_test(the_scarcest_of_what_is_left_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
