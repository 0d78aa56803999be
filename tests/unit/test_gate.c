/* SPDX-License-Identifier: Apache-2.0 */
#include "router/gate/key.h"
#include "router/gate/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE 60000000000ULL

static void a_key_matches_its_own_hash_only(void **state)
{
    char key[KEY_TEXT + 1], hash[KEY_HASH + 1], id[KEY_ID];
    char other[KEY_TEXT + 1], other_hash[KEY_HASH + 1];
    struct key_hash h;
    struct err e;

    (void)state;
    assert_true(key_make(key, hash, &e));
    assert_true(key_make(other, other_hash, &e));
    assert_string_not_equal(key, other);
    assert_int_equal(strlen(key), KEY_TEXT);
    assert_true(key_hash_read(span_of(hash), &h));
    assert_true(key_id(span_of(key), id));
    assert_memory_equal(id, h.id, KEY_ID);
    assert_true(key_matches(&h, span_of(key)));
    assert_false(key_matches(&h, span_of(other)));
    assert_null(strstr(hash, key + KEY_TEXT - KEY_SECRET));
    for (size_t i = KEY_TEXT - KEY_SECRET; i < KEY_TEXT; i++) {
        key[i] ^= 1;
        assert_false(key_matches(&h, span_of(key)));
        key[i] ^= 1;
    }
}

static void what_is_no_key_or_hash_is_refused(void **state)
{
    char key[KEY_TEXT + 1], hash[KEY_HASH + 1], id[KEY_ID];
    struct key_hash h;
    struct err e;

    (void)state;
    assert_true(key_make(key, hash, &e));
    for (size_t n = 0; n < KEY_TEXT; n++)
        assert_false(key_id((struct span){key, n}, id));
    for (size_t n = 0; n < KEY_HASH; n++)
        assert_false(key_hash_read((struct span){hash, n}, &h));
    for (size_t i = 0; i < KEY_HASH; i++) {
        char was = hash[i];

        hash[i] = 'Z';
        assert_false(key_hash_read(span_of(hash), &h));
        hash[i] = was;
    }
    assert_false(key_id((struct span){NULL, 0}, id));
}

static void a_minutes_requests_may_come_at_once_and_then_flow(void **state)
{
    struct rate_book *b = rate_book_new();
    struct rate *r = rate_of(b, "ci");
    uint64_t now = 5 * MINUTE, wait;

    (void)state;
    assert_ptr_equal(rate_of(b, "ci"), r);
    assert_ptr_not_equal(rate_of(b, "other"), r);
    for (int i = 0; i < 60; i++)
        assert_int_equal(rate_take_request(r, 60, now), 0);
    wait = rate_take_request(r, 60, now);
    assert_true(wait > 900 && wait <= 1000);
    now += MINUTE / 60 + 1000;
    assert_int_equal(rate_take_request(r, 60, now), 0);
    assert_true(rate_take_request(r, 60, now) > 0);
    now += 10 * MINUTE;
    for (int i = 0; i < 60; i++)
        assert_int_equal(rate_take_request(r, 60, now), 0);
    assert_true(rate_take_request(r, 60, now) > 0);
    assert_int_equal(rate_take_request(r, 0, now), 0);
    rate_book_free(b);
}

static void tokens_are_charged_behind_and_waited_for(void **state)
{
    struct rate_book *b = rate_book_new();
    struct rate *r = rate_of(b, "ci");
    uint64_t now = 5 * MINUTE, wait;

    (void)state;
    assert_int_equal(rate_tokens_wait(r, 1000, now), 0);
    rate_use_tokens(r, 1500, 1000, now);
    wait = rate_tokens_wait(r, 1000, now);
    assert_true(wait >= 29999 && wait <= 30001);
    assert_int_equal(rate_tokens_wait(r, 0, now), 0);
    assert_int_equal(rate_tokens_wait(r, 1000, now + MINUTE), 0);
    rate_use_tokens(r, 300, 1000, now + 2 * MINUTE);
    rate_settle_tokens(r, 300, 1000, 1000, now + 2 * MINUTE);
    assert_true(rate_tokens_wait(r, 1000, now + 2 * MINUTE) <= 1);
    rate_use_tokens(r, 300, 1000, now + 4 * MINUTE);
    rate_settle_tokens(r, 300, 100, 1000, now + 4 * MINUTE);
    rate_use_tokens(r, 900, 1000, now + 4 * MINUTE);
    wait = rate_tokens_wait(r, 1000, now + 4 * MINUTE);
    assert_true(wait <= 1); /* 100 and 900, not 300 and 900 */
    now += 4 * MINUTE;
    rate_use_tokens(r, UINT64_MAX, 1, now);
    assert_true(rate_tokens_wait(r, 1, now) <= 1442 * 60000ULL);
    rate_book_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_matches_its_own_hash_only),
        cmocka_unit_test(what_is_no_key_or_hash_is_refused),
        cmocka_unit_test(a_minutes_requests_may_come_at_once_and_then_flow),
        cmocka_unit_test(tokens_are_charged_behind_and_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
