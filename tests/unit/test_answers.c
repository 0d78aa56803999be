/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer comes down to, and what is wrong with it on its face. */
#include "router/plan/final.h"
#include "router/plan/flaws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json_canon.h"
#include "router/codec/codec.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 24);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void each_value_has_one_canonical_form(void **state)
{
    static const struct {
        const char *text, *form;
    } cases[] = {
        {" { \"b\" : 1.0 , \"a\" : [ 1e2 , -0 ] } ", "{\"a\":[100,0],\"b\":1}"},
        {"\"\\u0041\\/\\n\"", "\"A/\\n\""},
        {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
        {"9007199254740993", "9007199254740993"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"[true,null]", "[true,null]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json v;
        struct err e;
        struct buf out;

        buf_init(&out, 4096);
        assert_true(json_parse(span_of(cases[i].text), &v, &e));
        assert_true(json_canon(&v, &arena, &out));
        assert_string_equal(buf_cstr(&out), cases[i].form);
        buf_free(&out);
    }
}

static void a_text_comes_down_to_its_final_answer(void **state)
{
    static const struct {
        const char *text;
        bool options;
        enum final_kind kind;
        const char *form;
    } cases[] = {
        {"B", true, FINAL_CHOICE, "B"},
        {"(b)", true, FINAL_CHOICE, "B"},
        {"**B) Paris**", true, FINAL_CHOICE, "B"},
        {"Let us see.\n\nThe answer is (C) because it is.", true, FINAL_CHOICE,
         "C"},
        {"So:\n**Answer: D**", true, FINAL_CHOICE, "D"},
        {"B", false, FINAL_SHORT, "b"},
        {"42", false, FINAL_NUMBER, "42"},
        {"The answer is $1,234.50.", false, FINAL_NUMBER, "1234.5"},
        {"We get \\boxed{-3.0}", false, FINAL_NUMBER, "-3"},
        {"Half: \\boxed{\\frac{1}{2}}", false, FINAL_SHORT, "\\frac12"},
        {"long way\n#### 17", false, FINAL_NUMBER, "17"},
        {"25 %", false, FINAL_SHORT, "25 %"},
        {"25%", false, FINAL_NUMBER, "25%"},
        {"The Eiffel Tower.", false, FINAL_SHORT, "eiffel tower"},
        {"eiffel  tower", false, FINAL_SHORT, "eiffel tower"},
        {"\xef\xbc\xa1\xef\xbc\xa2", false, FINAL_SHORT, "ab"},
        {"Also ist die Antwort: 7", false, FINAL_NUMBER, "7"},
        {"\xe7\xad\x94\xe6\xa1\x88\xef\xbc\x9a"
         "12",
         false, FINAL_NUMBER, "12"},
        {"```json\n{\"b\":1,\"a\":2.0}\n```", false, FINAL_JSON,
         "{\"a\":2,\"b\":1}"},
        {"[1, 2]", false, FINAL_JSON, "[1,2]"},
        {"", false, FINAL_NONE, ""},
        {" \n", false, FINAL_NONE, ""},
        {"Once upon a time there was a router that had to choose between "
         "two models, and it did not know which of them was the better one.",
         false, FINAL_LONG, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct final f =
            final_of_text(span_of(cases[i].text), cases[i].options, &arena);

        if (f.kind != cases[i].kind || !span_is(f.form, cases[i].form))
            fail_msg("\"%s\": %s \"%.*s\"", cases[i].text,
                     final_kind_name(f.kind), SPAN_ARGS(f.form));
    }
}

/* A request and an answer in OpenAI's form. */
static void read_both(const char *request, const char *answer,
                      struct request *r, struct gathered *g)
{
    struct err e;
    struct chunk_sink sink;

    if (!codec_openai.request_read(
            &(struct inbound){span_of(request), SPAN(""), false}, &arena, r,
            &e))
        fail_msg("%s: %s", request, e.msg);
    gather_init(g, &arena);
    sink = gather_sink(g);
    if (!codec_openai.answer_read(span_of(answer), 200, &arena, &sink, &e))
        fail_msg("%s: %s", answer, e.msg);
}

#define PLAIN                                                                  \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"
#define TEXT(text, finish)                                                     \
    "{\"id\":\"1\",\"object\":\"chat.completion\",\"created\":1,"              \
    "\"model\":\"m\",\"choices\":[{\"index\":0,\"finish_reason\":\"" finish    \
    "\",\"message\":{\"role\":\"assistant\",\"content\":" text "}}]}"
#define CALL(name, args)                                                       \
    "{\"id\":\"c" name                                                         \
    "\",\"type\":\"function\",\"function\":{\"name\":\"" name                  \
    "\",\"arguments\":\"" args "\"}}"
#define CALLS(calls)                                                           \
    "{\"id\":\"1\",\"object\":\"chat.completion\",\"created\":1,"              \
    "\"model\":\"m\",\"choices\":[{\"index\":0,\"finish_reason\":"             \
    "\"tool_calls\",\"message\":{\"role\":\"assistant\",\"content\":null,"     \
    "\"tool_calls\":[" calls "]}}]}"
#define TOOLS                                                                  \
    ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","         \
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":"     \
    "\"integer\"}},\"required\":[\"n\"]}}}]"
#define JSON_ASKED ",\"response_format\":{\"type\":\"json_object\"}"
#define SCHEMA_ASKED                                                           \
    ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"         \
    "\"name\":\"s\",\"schema\":{\"type\":\"object\",\"required\":[\"a\"]}}}"

static void flaws_are_seen_without_knowing_the_answer(void **state)
{
    static const struct {
        const char *request, *answer;
        uint32_t flaws;
    } cases[] = {
        {PLAIN "}", TEXT("\"fine\"", "stop"), 0},
        {PLAIN "}", TEXT("\"\"", "stop"), FLAW_EMPTY},
        {PLAIN "}", TEXT("\"half of\"", "length"), FLAW_TRUNCATED},
        {PLAIN ",\"max_tokens\":5}", TEXT("\"half of\"", "length"),
         FLAW_LENGTH},
        {PLAIN "}", TEXT("\"so\"", "content_filter"), FLAW_FILTERED},
        {PLAIN "}", TEXT("\"I\\u2019m sorry, but I can't do that.\"", "stop"),
         FLAW_REFUSED},
        {PLAIN "}", TEXT("\"I'm sorry, but I cannot do that.\"", "stop"),
         FLAW_REFUSED},
        {PLAIN JSON_ASKED "}", TEXT("\"{\\\"a\\\":1}\"", "stop"), 0},
        {PLAIN JSON_ASKED "}", TEXT("\"{\\\"a\\\":\"", "stop"), FLAW_BAD_JSON},
        {PLAIN SCHEMA_ASKED "}", TEXT("\"{\\\"a\\\":1}\"", "stop"), 0},
        {PLAIN SCHEMA_ASKED "}", TEXT("\"{\\\"b\\\":1}\"", "stop"),
         FLAW_BAD_SCHEMA},
        {PLAIN TOOLS "}", CALLS(CALL("f", "{\\\"n\\\":1}")), 0},
        {PLAIN TOOLS "}", CALLS(CALL("f", "{\\\"n\\\":\\\"1\\\"}")),
         FLAW_BAD_ARGUMENTS},
        {PLAIN TOOLS "}", CALLS(CALL("f", "{\\\"n\\\":1")), FLAW_BAD_ARGUMENTS},
        {PLAIN TOOLS "}", CALLS(CALL("g", "{}")), FLAW_UNKNOWN_TOOL},
        {PLAIN TOOLS ",\"tool_choice\":\"required\"}", TEXT("\"no\"", "stop"),
         FLAW_NO_CALL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request r;
        struct gathered g;
        struct err why = {ERR_NONE, ""};
        uint32_t found;

        read_both(cases[i].request, cases[i].answer, &r, &g);
        found = answer_flaws(&r, &g, &arena, &why);
        if (found != cases[i].flaws || (found != 0) != (why.msg[0] != '\0'))
            fail_msg("%s: %#x (%s)", cases[i].answer, found, why.msg);
    }
}

static void an_answer_that_loops_is_seen(void **state)
{
    struct request r;
    struct gathered g;
    struct err e;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 16);
    buf_str(&b, "{\"id\":\"1\",\"object\":\"chat.completion\",\"choices\":[{"
                "\"index\":0,\"finish_reason\":\"length\",\"message\":{"
                "\"role\":\"assistant\",\"content\":\"Once ");
    for (int i = 0; i < 40; i++)
        buf_str(&b, "and then again ");
    buf_str(&b, "\"}}]}");
    read_both(PLAIN "}", buf_cstr(&b), &r, &g);
    assert_int_equal(answer_flaws(&r, &g, &arena, &e),
                     FLAW_REPEATS | FLAW_TRUNCATED);
    buf_free(&b);
}

static void calls_agree_in_any_order_and_writing(void **state)
{
    struct request r;
    struct gathered g, h, k;
    struct final a, b, c;

    (void)state;
    read_both(PLAIN TOOLS "}",
              CALLS(CALL("f", "{\\\"n\\\":1,\\\"m\\\":2}") "," CALL("g", "{}")),
              &r, &g);
    read_both(
        PLAIN TOOLS "}",
        CALLS(CALL("g", "") "," CALL("f", "{\\\"m\\\":2.0, \\\"n\\\":1}")), &r,
        &h);
    read_both(PLAIN TOOLS "}", CALLS(CALL("f", "{\\\"n\\\":2}")), &r, &k);
    a = final_of(&g, false, &arena);
    b = final_of(&h, false, &arena);
    c = final_of(&k, false, &arena);
    assert_int_equal(a.kind, FINAL_CALLS);
    assert_true(final_agree(&a, &b));
    assert_false(final_agree(&a, &c));
}

static void long_texts_never_agree_by_form(void **state)
{
    struct final a = {FINAL_LONG, {NULL, 0}}, none = {FINAL_NONE, {NULL, 0}};

    (void)state;
    assert_false(final_agree(&a, &a));
    assert_false(final_agree(&none, &none));
}

static void options_are_seen_in_the_question(void **state)
{
    static const struct {
        const char *content;
        bool options;
    } cases[] = {
        {"Which?\\nA) one\\nB) two", true},
        {"Which?\\n(A) one\\n(B) two\\n(C) three", true},
        {"A. Smith wrote it.", false},
        {"B) two\\nC) three", false},
        {"plain", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[512];
        struct request r;
        struct err e;

        snprintf(body, sizeof body,
                 "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
                 "\"content\":\"%s\"}]}",
                 cases[i].content);
        assert_true(codec_openai.request_read(
            &(struct inbound){span_of(body), SPAN(""), false}, &arena, &r, &e));
        if (final_has_options(&r) != cases[i].options)
            fail_msg("%s", cases[i].content);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_has_one_canonical_form),
        cmocka_unit_test(a_text_comes_down_to_its_final_answer),
        cmocka_unit_test(flaws_are_seen_without_knowing_the_answer),
        cmocka_unit_test(an_answer_that_loops_is_seen),
        cmocka_unit_test(calls_agree_in_any_order_and_writing),
        cmocka_unit_test(long_texts_never_agree_by_form),
        cmocka_unit_test(options_are_seen_in_the_question),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
