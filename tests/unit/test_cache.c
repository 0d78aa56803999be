/* SPDX-License-Identifier: Apache-2.0 */
#include "router/cache/cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void key_of(uint64_t n, uint8_t key[CACHE_KEY])
{
    uint64_t h = span_hash((struct span){(const char *)&n, sizeof n}, 3);

    for (unsigned i = 0; i < CACHE_KEY; i += 8)
        memcpy(key + i, &h, 8);
}

static bool put(struct cache *c, uint64_t n, const char *body, int64_t time)
{
    uint8_t key[CACHE_KEY];
    struct cached e = {.type = SPAN("text/plain"),
                       .body = span_of(body),
                       .model = SPAN("m"),
                       .arm = SPAN("a"),
                       .time_ms = time,
                       .cost_pico = 7,
                       .stream = true};

    key_of(n, key);
    return cache_put(c, key, &e);
}

static const struct cached *get(struct cache *c, uint64_t n, int64_t now,
                                uint64_t ttl)
{
    uint8_t key[CACHE_KEY];

    key_of(n, key);
    return cache_get(c, key, now, ttl);
}

static struct cache *make(uint64_t most)
{
    struct err e;
    struct cache *c = cache_new(most, &e);

    assert_non_null(c);
    return c;
}

static void an_answer_comes_back_as_it_went_in(void **state)
{
    struct cache *c = make(1 << 20);
    const struct cached *e;

    (void)state;
    assert_null(get(c, 1, 100, 1000));
    assert_true(put(c, 1, "hello", 100));
    e = get(c, 1, 150, 1000);
    assert_non_null(e);
    assert_true(span_is(e->body, "hello") && span_is(e->type, "text/plain"));
    assert_true(span_is(e->model, "m") && span_is(e->arm, "a"));
    assert_true(e->stream && e->cost_pico == 7);
    cached_release(e);
    assert_null(get(c, 2, 150, 1000));
    cache_free(c);
}

static void an_old_answer_is_forgotten(void **state)
{
    struct cache *c = make(1 << 20);
    struct cache_stats s;

    (void)state;
    assert_true(put(c, 1, "hello", 100));
    assert_null(get(c, 1, 1101, 1000));
    cache_stats(c, &s);
    assert_int_equal(s.entries, 0);
    assert_int_equal(s.bytes, 0);
    /* A clock that was set back must not keep one for ever. */
    assert_true(put(c, 1, "hello", 5000));
    assert_null(get(c, 1, 100, 1000));
    cache_free(c);
}

static void a_newer_answer_replaces_and_the_older_stays_borrowed(void **state)
{
    struct cache *c = make(1 << 20);
    const struct cached *old, *e;

    (void)state;
    assert_true(put(c, 1, "old", 1));
    old = get(c, 1, 1, 10);
    assert_true(put(c, 1, "new", 2));
    e = get(c, 1, 2, 10);
    assert_true(span_is(old->body, "old") && span_is(e->body, "new"));
    cached_release(e);
    cache_free(c);
    assert_true(span_is(old->body, "old"));
    cached_release(old);
}

static void those_longest_unused_go_and_the_size_holds(void **state)
{
    enum { MOST = 64 * 1024 };
    static char body[400];
    struct cache *c = make(MOST);
    const struct cached *e;
    struct cache_stats s;

    (void)state;
    memset(body, 'x', sizeof body - 1);
    for (uint64_t i = 0; i < 5000; i++) {
        assert_true(put(c, i, body, 1));
        e = get(c, 0, 1, 10); /* always in use */
        assert_non_null(e);
        cached_release(e);
    }
    cache_stats(c, &s);
    assert_true(s.bytes <= MOST && s.bytes > MOST / 2);
    assert_true(s.evicted > 4500);
    assert_null(get(c, 1, 1, 10));
    cache_free(c);
}

static void what_is_too_large_is_not_kept(void **state)
{
    struct cache *c = make(16 * 300);

    (void)state;
    assert_false(put(c, 1,
                     "0123456789012345678901234567890123456789012345678901234"
                     "56789012345678901234567890123456789012345678901234567890"
                     "01234567890123456789012345678901234567890123456789",
                     1));
    assert_null(get(c, 1, 1, 10));
    cache_free(c);
}

static void *hammer(void *ctx)
{
    struct cache *c = ctx;

    for (uint64_t i = 0; i < 20000; i++) {
        const struct cached *e = get(c, i % 97, 5, 10);

        if (!e)
            (void)put(c, i % 97, "some answer", 5);
        else if (!span_is(e->body, "some answer"))
            abort();
        cached_release(e);
    }
    return NULL;
}

static void workers_share_it(void **state)
{
    struct cache *c = make(16 * 1024);
    pthread_t t[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(0, pthread_create(&t[i], NULL, hammer, c));
    for (unsigned i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back_as_it_went_in),
        cmocka_unit_test(an_old_answer_is_forgotten),
        cmocka_unit_test(a_newer_answer_replaces_and_the_older_stays_borrowed),
        cmocka_unit_test(those_longest_unused_go_and_the_size_holds),
        cmocka_unit_test(what_is_too_large_is_not_kept),
        cmocka_unit_test(workers_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
