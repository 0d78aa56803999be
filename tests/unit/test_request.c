/* SPDX-License-Identifier: Apache-2.0 */
#include "features/request.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena memory;
static struct request r;
static struct err e;

static bool reads(const char *body)
{
    arena_free(&memory);
    arena_init(&memory, (size_t)1 << 20);
    return request_from_openai(span_of(body), &memory, &r, &e);
}

/* A body with these members beside a model and one message. */
static bool reads_with(const char *members)
{
    static char body[4096];

    snprintf(body, sizeof body,
             "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
             "\"content\":\"hi\"}]%s%s}",
             *members ? "," : "", members);
    return reads(body);
}

/* A body whose only message is this. */
static bool reads_message(const char *message)
{
    static char body[4096];

    snprintf(body, sizeof body, "{\"model\":\"m\",\"messages\":[%s]}", message);
    return reads(body);
}

static void a_plain_request_is_read_in_place(void **state)
{
    static const char body[] =
        "{\"model\": \"auto\",\"messages\":[{\"role\":\"system\",\"content\":"
        "\"be brief\"},{\"role\":\"user\",\"content\":\"a\\nb\"}],\"x\":1}";

    (void)state;
    assert_true(reads(body));
    assert_ptr_equal(r.body.ptr, body);
    assert_true(span_is(r.model, "auto"));
    assert_true(span_is(r.model_raw, "\"auto\""));
    assert_ptr_equal(r.model_raw.ptr, strstr(body, "\"auto\""));
    assert_int_equal(r.n_messages, 2);
    assert_int_equal(r.messages[0].role, ROLE_SYSTEM);
    assert_int_equal(r.messages[1].n_parts, 1);
    assert_int_equal(r.messages[1].parts[0].kind, PART_TEXT);
    assert_true(span_is(r.messages[1].parts[0].text.raw, "a\\nb"));
    assert_true(r.messages[1].parts[0].text.escaped);
    assert_ptr_equal(r.messages[1].parts[0].text.raw.ptr, strstr(body, "a\\n"));
    assert_true(span_is(r.messages[0].raw,
                        "{\"role\":\"system\",\"content\":\"be brief\"}"));
}

static void what_is_not_said_is_known_as_not_said(void **state)
{
    (void)state;
    assert_true(reads_with("\"temperature\":null,\"tools\":null"));
    assert_int_equal(r.params.max_tokens, -1);
    assert_true(isnan(r.params.temperature));
    assert_true(isnan(r.params.top_p));
    assert_int_equal(r.params.n, 1);
    assert_int_equal(r.params.parallel_tool_calls, -1);
    assert_int_equal(r.params.format, FORMAT_TEXT);
    assert_int_equal(r.params.tool_choice, CHOICE_AUTO);
    assert_false(r.params.stream);
    assert_int_equal(r.n_tools, 0);
}

static void every_parameter_is_read(void **state)
{
    (void)state;
    assert_true(reads_with(
        "\"max_tokens\":5,\"temperature\":0.5,\"top_p\":0.25,\"n\":2,"
        "\"stream\":true,\"stream_options\":{\"include_usage\":true},"
        "\"logprobs\":true,\"parallel_tool_calls\":false,"
        "\"reasoning_effort\":\"low\",\"stop\":[\"a\",\"b\"],\"user\":\"u1\","
        "\"metadata\":{\"k\":\"v\"}"));
    assert_int_equal(r.params.max_tokens, 5);
    assert_true(r.params.temperature == 0.5 && r.params.top_p == 0.25);
    assert_int_equal(r.params.n, 2);
    assert_true(r.params.stream && r.params.stream_usage && r.params.logprobs);
    assert_int_equal(r.params.parallel_tool_calls, 0);
    assert_true(span_is(r.params.reasoning, "low"));
    assert_true(span_is(r.params.stop, "[\"a\",\"b\"]"));
    assert_true(span_is(r.params.user, "u1"));
    assert_true(span_is(r.params.metadata, "{\"k\":\"v\"}"));
}

static void the_newer_limit_wins_wherever_it_stands(void **state)
{
    (void)state;
    assert_true(reads_with("\"max_completion_tokens\":7,\"max_tokens\":5"));
    assert_int_equal(r.params.max_tokens, 7);
    assert_true(reads_with("\"max_tokens\":5,\"max_completion_tokens\":7"));
    assert_int_equal(r.params.max_tokens, 7);
}

static void output_formats_are_told_apart(void **state)
{
    (void)state;
    assert_true(reads_with("\"response_format\":{\"type\":\"text\"}"));
    assert_int_equal(r.params.format, FORMAT_TEXT);
    assert_true(reads_with("\"response_format\":{\"type\":\"json_object\"}"));
    assert_int_equal(r.params.format, FORMAT_JSON);
    assert_true(reads_with(
        "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
        "{\"name\":\"x\",\"schema\":{\"type\":\"object\"}}}"));
    assert_int_equal(r.params.format, FORMAT_JSON_SCHEMA);
    assert_true(span_is(r.params.schema, "{\"type\":\"object\"}"));
}

static void tool_choices_are_told_apart(void **state)
{
    static const struct {
        const char *json;
        enum tool_choice choice;
        const char *name;
    } rows[] = {
        {"\"tool_choice\":\"none\"", CHOICE_NONE, ""},
        {"\"tool_choice\":\"required\"", CHOICE_REQUIRED, ""},
        {"\"tool_choice\":{\"type\":\"function\",\"function\":"
         "{\"name\":\"f\"}}",
         CHOICE_NAMED, "f"},
        {"\"tool_choice\":{\"type\":\"custom\",\"custom\":{\"name\":\"g\"}}",
         CHOICE_NAMED, "g"},
        {"\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{}}",
         CHOICE_AUTO, ""},
        {"\"function_call\":{\"name\":\"h\"}", CHOICE_NAMED, "h"},
        {"\"function_call\":\"auto\"", CHOICE_AUTO, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!reads_with(rows[i].json))
            fail_msg("%s: %s", rows[i].json, e.msg);
        assert_int_equal(r.params.tool_choice, rows[i].choice);
        assert_true(span_is(r.params.tool_name, rows[i].name));
    }
}

static void tools_of_all_forms_are_listed(void **state)
{
    (void)state;
    assert_true(reads_with(
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\","
        "\"description\":\"d\\n\",\"parameters\":{},\"strict\":true}},"
        "{\"type\":\"custom\",\"custom\":{\"name\":\"b\"}},"
        "{\"type\":\"web_search\"}],\"functions\":[{\"name\":\"c\"}]"));
    assert_int_equal(r.n_tools, 4);
    assert_true(span_is(r.tools[0].name, "a") && r.tools[0].strict);
    assert_true(span_is(r.tools[0].schema, "{}"));
    assert_true(r.tools[0].description.escaped);
    assert_true(span_is(r.tools[1].name, "b"));
    assert_int_equal(r.tools[2].name.len, 0);
    assert_true(span_is(r.tools[2].raw, "{\"type\":\"web_search\"}"));
    assert_true(span_is(r.tools[3].name, "c"));
}

static void parts_of_all_kinds_are_kept(void **state)
{
    const struct part *p;

    (void)state;
    assert_true(reads_message(
        "{\"role\":\"user\",\"name\":\"ann\",\"content\":["
        "{\"type\":\"text\",\"text\":\"look\"},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\"}},"
        "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA==\","
        "\"format\":\"wav\"}},"
        "{\"type\":\"file\",\"file\":{\"file_id\":\"f1\"}},"
        "{\"type\":\"hologram\",\"data\":1},"
        "{\"type\":\"image_url\",\"image_url\":\"data:,\"}]}"));
    p = r.messages[0].parts;
    assert_true(span_is(r.messages[0].name, "ann"));
    assert_int_equal(r.messages[0].n_parts, 6);
    assert_int_equal(p[0].kind, PART_TEXT);
    assert_int_equal(p[1].kind, PART_IMAGE);
    assert_true(span_is(p[1].url, "https://x/y.png"));
    assert_int_equal(p[2].kind, PART_AUDIO);
    assert_true(span_is(p[2].name, "wav"));
    assert_int_equal(p[3].kind, PART_FILE);
    assert_true(span_is(p[3].id, "f1"));
    assert_int_equal(p[4].kind, PART_OTHER);
    assert_true(span_is(p[4].raw, "{\"type\":\"hologram\",\"data\":1}"));
    assert_true(span_is(p[5].url, "data:,"));
}

static void calls_and_results_keep_their_ids(void **state)
{
    const struct part *p;

    (void)state;
    assert_true(reads_message(
        "{\"role\":\"assistant\",\"content\":null,\"refusal\":null,"
        "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":"
        "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},"
        "{\"id\":\"c2\",\"type\":\"custom\",\"custom\":{\"name\":\"g\","
        "\"input\":\"x\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"done\"},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":"
        "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
        "\"text\":\"b\"}]}"));
    p = r.messages[0].parts;
    assert_int_equal(r.messages[0].n_parts, 2);
    assert_int_equal(p[0].kind, PART_TOOL_CALL);
    assert_true(span_is(p[0].id, "c1") && span_is(p[0].name, "f"));
    assert_true(span_is(p[0].text.raw, "{\\\"a\\\":1}"));
    assert_true(span_is(p[1].name, "g") && span_is(p[1].text.raw, "x"));
    p = r.messages[1].parts;
    assert_int_equal(p[0].kind, PART_TOOL_RESULT);
    assert_true(span_is(p[0].id, "c1"));
    assert_int_equal(r.messages[2].n_parts, 2);
    assert_true(span_is(r.messages[2].parts[1].id, "c2"));
}

static void older_function_calls_are_read_too(void **state)
{
    (void)state;
    assert_true(reads_message(
        "{\"role\":\"assistant\",\"content\":null,\"function_call\":"
        "{\"name\":\"f\",\"arguments\":\"{}\"}},"
        "{\"role\":\"function\",\"name\":\"f\",\"content\":\"4\"}"));
    assert_int_equal(r.messages[0].parts[0].kind, PART_TOOL_CALL);
    assert_int_equal(r.messages[1].role, ROLE_TOOL);
    assert_int_equal(r.messages[1].parts[0].kind, PART_TOOL_RESULT);
    assert_true(span_is(r.messages[1].parts[0].name, "f"));
}

static void thinking_and_refusals_are_parts(void **state)
{
    (void)state;
    assert_true(reads_message("{\"role\":\"assistant\",\"content\":\"a\","
                              "\"reasoning_content\":\"hm\","
                              "\"refusal\":\"no\",\"audio\":{\"id\":\"x\"}}"));
    assert_int_equal(r.messages[0].n_parts, 4);
    assert_int_equal(r.messages[0].parts[0].kind, PART_THINKING);
    assert_int_equal(r.messages[0].parts[1].kind, PART_TEXT);
    assert_int_equal(r.messages[0].parts[2].kind, PART_REFUSAL);
    assert_int_equal(r.messages[0].parts[3].kind, PART_AUDIO);
}

static void an_error_names_the_place(void **state)
{
    static const struct {
        const char *body, *message;
    } rows[] = {
        {"[]", "body: wanted an object, found an array"},
        {"{\"messages\":[]}", "model: wanted a string, found nothing"},
        {"{\"model\":1}", "model: wanted a string, found a number"},
        {"{\"model\":null}", "model: wanted a string, found null"},
        {"{\"model\":\"m\"}", "messages: wanted an array, found nothing"},
        {"{\"model\":\"m\",\"messages\":\"hi\"}",
         "messages: wanted an array, found a string"},
        {"{\"model\":\"m\",\"messages\":[]}",
         "messages: wanted at least one message, found none"},
        {"{\"model\":\"\",\"messages\":[]}",
         "model: wanted a name, found \"\""},
        {"{\"model\":\"m\",\"messages\":[1]}",
         "messages[0]: wanted an object, found a number"},
        {"{\"model\":\"m\",\"messages\":[{\"content\":\"x\"}]}",
         "messages[0].role: wanted a string, found nothing"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
         "\"x\"},{\"role\":7}]}",
         "messages[1].role: wanted a string, found a number"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"king\"}]}",
         "messages[0].role: wanted one of system, developer, user, assistant, "
         "tool, function, found a string"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}]}",
         "messages[0].content: wanted a string or an array of parts, found "
         "nothing"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
         "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
         "\"text\":{}}]}]}",
         "messages[0].content[1].text: wanted a string, found an object"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
         "[{\"text\":\"a\"}]}]}",
         "messages[0].content[0].type: wanted a string, found nothing"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
         "[{\"type\":\"image_url\",\"image_url\":{\"url\":1}}]}]}",
         "messages[0].content[0].image_url.url: wanted a string, found a "
         "number"},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\","
         "\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{}}}]}]}",
         "messages[0].tool_calls[0].function.arguments: wanted a string, "
         "found an object"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (reads(rows[i].body))
            fail_msg("%s was accepted", rows[i].body);
        assert_string_equal(e.msg, rows[i].message);
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

static void wrong_parameters_are_named(void **state)
{
    static const struct {
        const char *members, *message;
    } rows[] = {
        {"\"temperature\":\"hot\"",
         "temperature: wanted a number, found a string"},
        {"\"max_tokens\":1.5",
         "max_tokens: wanted a whole number of at least 0, found a number"},
        {"\"max_tokens\":-1",
         "max_tokens: wanted a whole number of at least 0, found a number"},
        {"\"stream\":1", "stream: wanted a boolean, found a number"},
        {"\"stream_options\":[]",
         "stream_options: wanted an object, found an array"},
        {"\"stop\":[\"a\",2]", "stop[1]: wanted a string, found a number"},
        {"\"tools\":{}", "tools: wanted an array, found an object"},
        {"\"tools\":[{\"type\":\"function\"}]",
         "tools[0].function: wanted an object, found nothing"},
        {"\"tools\":[{\"type\":\"function\",\"function\":{}}]",
         "tools[0].function.name: wanted a string that is not empty, found "
         "nothing"},
        {"\"response_format\":{\"type\":\"json_schema\"}",
         "response_format.json_schema: wanted an object, found nothing"},
        {"\"tool_choice\":\"maybe\"",
         "tool_choice: wanted auto, none, required or an object, found a "
         "string"},
        {"\"model\":\"n\"", "model: wanted it once, found it 2 times"},
        {"\"messages\":[]", "messages: wanted it once, found it 2 times"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (reads_with(rows[i].members))
            fail_msg("%s was accepted", rows[i].members);
        assert_string_equal(e.msg, rows[i].message);
    }
}

static void a_small_arena_is_an_error_not_a_crash(void **state)
{
    static const char body[] =
        "{\"model\":\"a\\u0062\",\"messages\":[{\"role\":\"user\",\"content\":"
        "[{\"type\":\"text\",\"text\":\"x\"}]}],\"tools\":[{\"type\":"
        "\"function\",\"function\":{\"name\":\"f\\n\"}}]}";
    bool done = false;

    (void)state;
    for (size_t cap = 0; !done && cap < 100000; cap += 16) {
        struct arena a;

        arena_init(&a, cap);
        done = request_from_openai(SPAN(body), &a, &r, &e);
        if (!done)
            assert_int_equal(e.kind, ERR_MEMORY);
        arena_free(&a);
    }
    assert_true(done);
}

/* The input ends where its memory ends, so that reading beyond is seen. */
static void every_prefix_is_refused_without_reading_beyond(void **state)
{
    static const char body[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
        "[{\"type\":\"text\",\"text\":\"\\ud83d\\ude00 \xc3\xa9\"}]}],"
        "\"stop\":[\"a\"],\"n\":1}";

    (void)state;
    for (size_t n = 0; n < sizeof body - 1; n++) {
        char *copy = malloc(n + 1);
        struct arena a;

        assert_non_null(copy);
        memcpy(copy + 1, body, n);
        arena_init(&a, 65536);
        assert_false(
            request_from_openai((struct span){copy + 1, n}, &a, &r, &e));
        arena_free(&a);
        free(copy);
    }
}

static bool from_pieces(const char *messages, const char *tools,
                        const char *params)
{
    struct request_pieces p = {span_of(messages), span_of(tools),
                               span_of(params)};

    return request_from_parts(p, &memory, &r, &e);
}

static void a_dataset_row_gives_the_same_view(void **state)
{
    static const char messages[] = "[{\"role\":\"user\",\"content\":\"hi\"}]";

    (void)state;
    arena_free(&memory);
    arena_init(&memory, 65536);
    assert_true(from_pieces(
        messages, "[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]",
        "{\"max_tokens\":9}"));
    assert_int_equal(r.n_messages, 1);
    assert_int_equal(r.n_tools, 1);
    assert_int_equal(r.params.max_tokens, 9);
    assert_true(from_pieces(messages, "", "null"));
    assert_int_equal(r.n_tools, 0);
    assert_false(from_pieces("{}", "", ""));
    assert_string_equal(e.msg, "messages: wanted an array, found an object");
    assert_false(from_pieces(messages, "[}", ""));
    assert_string_equal(
        e.msg, "tools: JSON: wanted a JSON value, found 0x7d at byte 1");
    assert_false(from_pieces(messages, "", "[]"));
    assert_string_equal(e.msg, "params: wanted an object, found an array");
}

static void texts_are_cut_between_characters_at_both_ends(void **state)
{
    static const struct {
        const char *raw;
        bool escaped;
        size_t size;
        const char *head, *tail;
    } rows[] = {
        {"abcdef", false, 3, "abc", "def"},
        {"abc", false, 9, "abc", "abc"},
        {"a\xc3\xa9\xc3\xa9z", false, 2, "a", "z"},
        {"a\xc3\xa9\xc3\xa9z", false, 3, "a\xc3\xa9", "\xc3\xa9z"},
        {"a\\nb\\nc", true, 3, "a\nb", "b\nc"},
        {"\\u00e9\\u00e9", true, 3, "\xc3\xa9", "\xc3\xa9"},
        {"\\ud83d\\ude00x", true, 4, "\xf0\x9f\x98\x80", "x"},
        {"x\\ud83d\\ude00", true, 4, "x", "\xf0\x9f\x98\x80"},
        {"\\\\\\\\n", true, 2, "\\\\", "\\n"},
        {"\\u0041\\u007f\\u0080", true, 2, "A\x7f", "\xc2\x80"},
        {"\\u07ff\\u0800", true, 3, "\xdf\xbf", "\xe0\xa0\x80"},
        {"", false, 4, "", ""},
        {"abc", true, 0, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text t = {span_of(rows[i].raw), rows[i].escaped};
        char got[16];
        size_t n = text_head(t, got, rows[i].size);

        assert_true(span_is((struct span){got, n}, rows[i].head));
        n = text_tail(t, got, rows[i].size);
        assert_true(span_is((struct span){got, n}, rows[i].tail));
    }
}

/* Long runs before the tail: where the reading begins must not matter. */
static void the_tail_is_right_whatever_stands_before_it(void **state)
{
    static const char *const units[] = {
        "\\\\", "\\n", "\\u00e9", "x", "\\ud83d\\ude00", "\\u4e2d", "\\\""};
    static char raw[4096], all[4096], tail[64];
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 500; round++) {
        struct text t = {{raw, 0}, true};
        size_t n, cut;

        while (t.raw.len < 2000) {
            const char *u;

            seed = seed * 1103515245U + 12345U;
            u = units[round % 8 == 7 ? 0 : (seed >> 16) % 7];
            memcpy(raw + t.raw.len, u, strlen(u));
            t.raw.len += strlen(u);
        }
        n = json_unescape(t.raw, all, sizeof all);
        for (size_t size = 1; size < sizeof tail; size += 7) {
            cut = n - size;
            while (cut < n && ((unsigned char)all[cut] & 0xc0) == 0x80)
                cut++;
            assert_int_equal(text_tail(t, tail, size), n - cut);
            assert_memory_equal(tail, all + cut, n - cut);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_request_is_read_in_place),
        cmocka_unit_test(what_is_not_said_is_known_as_not_said),
        cmocka_unit_test(every_parameter_is_read),
        cmocka_unit_test(the_newer_limit_wins_wherever_it_stands),
        cmocka_unit_test(output_formats_are_told_apart),
        cmocka_unit_test(tool_choices_are_told_apart),
        cmocka_unit_test(tools_of_all_forms_are_listed),
        cmocka_unit_test(parts_of_all_kinds_are_kept),
        cmocka_unit_test(calls_and_results_keep_their_ids),
        cmocka_unit_test(older_function_calls_are_read_too),
        cmocka_unit_test(thinking_and_refusals_are_parts),
        cmocka_unit_test(an_error_names_the_place),
        cmocka_unit_test(wrong_parameters_are_named),
        cmocka_unit_test(a_small_arena_is_an_error_not_a_crash),
        cmocka_unit_test(every_prefix_is_refused_without_reading_beyond),
        cmocka_unit_test(a_dataset_row_gives_the_same_view),
        cmocka_unit_test(texts_are_cut_between_characters_at_both_ends),
        cmocka_unit_test(the_tail_is_right_whatever_stands_before_it),
    };
    int failed = cmocka_run_group_tests_name("request", tests, NULL, NULL);

    arena_free(&memory);
    return failed;
}
