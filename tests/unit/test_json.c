/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static bool parses(const char *text)
{
    struct json v;
    struct err e;

    return json_parse(span_of(text), &v, &e);
}

static void accepts_what_the_standard_allows(void **state)
{
    static const char *const good[] = {
        "0",
        "-0.5e+3",
        "\"\"",
        "[]",
        "{}",
        " [ 1 , 2 ] ",
        "{\"a\":{\"b\":[]}}",
        "\"\\ud83d\\ude00\"",
        "[[],{},\"x\",null,true,false]",
        "\"\\u0000\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(parses(good[i]));
}

static void refuses_what_the_standard_does_not_allow(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "[1 2]",
        "{\"a\" 1}",
        "\"\n\"",
        "\"\\x\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83dx\"",
        "nul",
        "[",
        "]",
        "{\"a\":}",
        "1 2",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xff\"",
        "[1}",
        "{\"a\":1]",
        "truefalse",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parses(bad[i]))
            fail_msg("accepted %s", bad[i]);
    }
}

static void says_where_and_what_it_wanted(void **state)
{
    struct json v;
    struct err e;

    (void)state;
    assert_false(json_parse(SPAN("{\"a\": 1, 2}"), &v, &e));
    assert_string_equal(
        e.msg, "JSON: wanted a key in double quotes, found 0x32 at byte 9");
}

static void refuses_nesting_beyond_the_limit(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 2];
    struct json v;
    struct err e;

    (void)state;
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_true(json_parse((struct span){text, 2 * JSON_DEPTH_MAX}, &v, &e));
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_false(json_parse((struct span){text, sizeof text}, &v, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
}

static void walks_members_as_spans_of_the_text(void **state)
{
    static const char text[] =
        " {\"model\" : \"auto\", \"n\":1.50, \"a\":[1,{\"b\":\"]\"},\"\"] } ";
    struct json top, v, key;
    struct json_iter it;
    struct err e;

    (void)state;
    assert_true(json_parse(SPAN(text), &top, &e));
    assert_int_equal(json_count(&top), 3);
    v = json_get(&top, "model");
    assert_true(json_is(&v, "auto"));
    assert_ptr_equal(v.raw.ptr, strstr(text, "\"auto\""));
    v = json_get(&top, "n");
    assert_true(span_is(v.raw, "1.50"));
    v = json_get(&top, "a");
    assert_int_equal(json_count(&v), 3);
    it = json_begin(&v);
    assert_true(json_next(&it, &key, &v));
    assert_int_equal(key.type, JSON_NONE);
    assert_true(span_is(v.raw, "1"));
    assert_int_equal(json_get(&top, "missing").type, JSON_NONE);
}

static void the_last_of_repeated_keys_counts(void **state)
{
    struct json top, v;
    struct err e;

    (void)state;
    assert_true(json_parse(SPAN("{\"a\":1,\"b\":2,\"a\":3}"), &top, &e));
    v = json_get(&top, "a");
    assert_true(span_is(v.raw, "3"));
    assert_true(json_repeats(&top, "a"));
    assert_false(json_repeats(&top, "b"));
}

static void decodes_escapes_into_the_arena(void **state)
{
    struct arena a;
    struct json v;
    struct span out;
    struct err e;

    (void)state;
    arena_init(&a, 1024);
    assert_true(
        json_parse(SPAN("\"a\\n\\u00e9\\ud83d\\ude00\\\"\\u0000z\""), &v, &e));
    assert_true(json_text(&v, &a, &out));
    assert_int_equal(out.len, 11);
    assert_memory_equal(out.ptr, "a\n\xc3\xa9\xf0\x9f\x98\x80\"\0z", 11);
    arena_free(&a);
}

static void what_is_written_reads_back(void **state)
{
    static const char raw[] = "q\" b\\ n\n \x01 \xc3\xa9 \x7f";
    struct buf b;
    struct arena a;
    struct json v;
    struct span out;
    struct err e;

    (void)state;
    buf_init(&b, 1000);
    arena_init(&a, 1000);
    buf_json_str(&b, SPAN(raw));
    assert_true(json_parse(buf_view(&b), &v, &e));
    assert_true(json_text(&v, &a, &out));
    assert_true(span_eq(out, SPAN(raw)));
    buf_reset(&b);
    buf_json_num(&b, 0.1);
    assert_string_equal(buf_cstr(&b), "0.1");
    buf_free(&b);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_the_standard_allows),
        cmocka_unit_test(refuses_what_the_standard_does_not_allow),
        cmocka_unit_test(says_where_and_what_it_wanted),
        cmocka_unit_test(refuses_nesting_beyond_the_limit),
        cmocka_unit_test(walks_members_as_spans_of_the_text),
        cmocka_unit_test(the_last_of_repeated_keys_counts),
        cmocka_unit_test(decodes_escapes_into_the_arena),
        cmocka_unit_test(what_is_written_reads_back),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
