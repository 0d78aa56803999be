/* SPDX-License-Identifier: Apache-2.0 */
/* The mock provider without its server: what it answers, and how that is
 * written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "bench/mock.h"
#include "bench/mock_schema.h"
#include "features/features.h"

struct bench {
    struct mock_options options;
    struct mock_context context;
    struct arena arena;
    struct request request;
    struct mock_reply reply;
    char body[4096]; /* the request borrows from it */
};

static int set_up(void **state)
{
    static struct bench b;

    memset(&b, 0, sizeof b);
    b.options.seed = 1;
    b.context.options = &b.options;
    b.context.dialect = &mock_openai;
    b.context.scratch = features_scratch_new();
    b.context.vec = test_malloc(sizeof *b.context.vec);
    arena_init(&b.arena, 16 << 20);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    features_scratch_free(b->context.scratch);
    test_free(b->context.vec);
    mock_book_free(b->context.book);
    arena_free(&b->arena);
    return 0;
}

static void ask(struct bench *b, const char *body)
{
    struct err e;

    arena_reset(&b->arena);
    if (!codec_openai.request_read(&(struct inbound){.body = span_of(body)},
                                   &b->arena, &b->request, &e) ||
        !mock_reply(&b->context, &b->request, &b->arena, &b->reply, &e))
        fail_msg("%s", e.msg);
}

static void say(struct bench *b, const char *content, const char *more)
{
    snprintf(b->body, sizeof b->body,
             "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
             "\"%s\"}]%s}",
             content, more);
    ask(b, b->body);
}

static struct json whole(struct bench *b, struct buf *out)
{
    struct json root;
    struct err e;

    buf_init(out, 1 << 20);
    mock_whole(&mock_openai, &b->request, &b->reply,
               &(struct mock_cursor){.arena = &b->arena}, out);
    if (!json_parse(buf_view(out), &root, &e))
        fail_msg("%s: %s", e.msg, buf_cstr(out));
    return root;
}

static struct json element(struct json list, uint64_t i)
{
    struct json_iter it = json_begin(&list);
    struct json v;

    for (uint64_t k = 0; k <= i; k++) {
        if (!json_next(&it, NULL, &v))
            return (struct json){.type = JSON_NONE};
    }
    return v;
}

static struct json at(struct json v, const char *path)
{
    char name[64];
    struct span rest = span_of(path);

    while (rest.ptr) {
        struct span step = span_cut(&rest, '.');
        uint64_t i;

        assert_true(span_copy(name, sizeof name, step));
        v = span_u64(step, &i) ? element(v, i) : json_get(&v, name);
    }
    return v;
}

/* ---- schemas ---- */

static void a_schema_is_met_by_its_smallest_value(void **state)
{
    static const struct {
        const char *schema, *value;
    } cases[] = {
        {"{\"type\":\"string\"}", "\"sample\""},
        {"{\"type\":\"integer\",\"minimum\":18}", "18"},
        {"{\"type\":[\"null\",\"boolean\"]}", "true"},
        {"{\"enum\":[\"b\",\"a\"]}", "\"b\""},
        {"{\"const\":{\"x\":1}}", "{\"x\":1}"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"null\"},\"minItems\":3}",
         "[null,null,null]"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"},"
         "\"b\":{\"anyOf\":[{\"type\":\"boolean\"},{\"type\":\"null\"}]}}}",
         "{\"a\":1,\"b\":true}"},
        {"{\"$ref\":\"#/$defs/P\",\"$defs\":{\"P\":{\"type\":\"object\","
         "\"properties\":{\"n\":{\"type\":\"string\"}}}}}",
         "{\"n\":\"sample\"}"},
        {"", "{}"},
        {"[1]", "{}"},
        {"{\"type\":", "{}"},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct span got = mock_from_schema(span_of(cases[i].schema), &b->arena);

        if (!span_is(got, cases[i].value))
            fail_msg("%s gave %.*s", cases[i].schema, SPAN_ARGS(got));
    }
}

static void a_schema_that_refers_to_itself_ends(void **state)
{
    struct bench *b = *state;
    struct span got = mock_from_schema(
        SPAN("{\"$ref\":\"#/$defs/T\",\"$defs\":{\"T\":{\"type\":\"object\","
             "\"properties\":{\"left\":{\"$ref\":\"#/$defs/T\"},\"right\":{"
             "\"$ref\":\"#/$defs/T\"}}}}}"),
        &b->arena);
    struct json root;
    struct err e;

    assert_true(json_parse(got, &root, &e));
}

/* ---- answers ---- */

static void the_same_question_gets_the_same_answer(void **state)
{
    struct bench *b = *state;
    char first[512];

    say(b, "Hello", "");
    snprintf(first, sizeof first, "%s %.*s", b->reply.id,
             SPAN_ARGS(b->reply.text));
    for (int k = 0; k < 3; k++) {
        static const char *const more[] = {"", ",\"stream\":true",
                                           ",\"temperature\":0.5"};
        char again[512];

        say(b, "Hello", more[k]);
        snprintf(again, sizeof again, "%s %.*s", b->reply.id,
                 SPAN_ARGS(b->reply.text));
        assert_string_equal(first, again);
    }
    b->options.seed = 2;
    say(b, "Hello", "");
    assert_null(strstr(first, b->reply.id));
}

static void directives_are_followed(void **state)
{
    struct bench *b = *state;

    say(b, "go [mock text='a b c' finish=content_filter cached=3 reasoning=5]",
        "");
    assert_true(span_is(b->reply.text, "a b c"));
    assert_string_equal(b->reply.finish, "content_filter");
    assert_int_equal(b->reply.cached_tokens, 3);
    assert_int_equal(b->reply.reasoning_tokens, 5);
    assert_int_equal(b->reply.output_tokens, 3 + 5);
    say(b, "[mock status=429 retry-after=7 latency-ms=12]", "");
    assert_int_equal(b->reply.fault.status, 429);
    assert_int_equal(b->reply.fault.retry_after, 7);
    assert_int_equal(b->reply.fault.latency_ms, 12);
    say(b, "[mock cut=4 stall-frame=2 stall-ms=9 garbage no-usage]", "");
    assert_int_equal(b->reply.fault.cut, 4);
    assert_int_equal(b->reply.fault.stall_frame, 2);
    assert_int_equal(b->reply.fault.stall_ms, 9);
    assert_int_equal(b->reply.fault.garbage, 1);
    assert_int_equal(b->reply.fault.no_usage, 1);
}

static void max_tokens_cut_the_answer(void **state)
{
    struct bench *b = *state;

    say(b, "[mock tokens=50]", ",\"max_tokens\":8");
    assert_int_equal(b->reply.output_tokens, 8);
    assert_string_equal(b->reply.finish, "length");
    say(b, "[mock tokens=8]", ",\"max_tokens\":8");
    assert_string_equal(b->reply.finish, "stop");
}

static void errors_come_at_the_rate_that_was_asked_for(void **state)
{
    struct bench *b = *state;
    int failed = 0;

    b->options.error_rate = 0.25;
    for (int i = 0; i < 1000; i++) {
        char text[32];

        snprintf(text, sizeof text, "question %d", i);
        say(b, text, "");
        failed += b->reply.fault.status > 0;
    }
    assert_in_range(failed, 200, 300);
}

static void tools_are_called_when_offered_and_answered_after(void **state)
{
    static const char tools[] =
        ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"look\","
        "\"parameters\":{\"type\":\"object\",\"properties\":{\"q\":{\"type\":"
        "\"string\"}}}}}]";
    struct bench *b = *state;

    say(b, "look it up", tools);
    assert_int_equal(b->reply.n_calls, 1);
    assert_true(span_is(b->reply.calls[0].name, "look"));
    assert_true(span_is(b->reply.calls[0].arguments, "{\"q\":\"sample\"}"));
    say(b, "[mock tools=3]", tools);
    assert_int_equal(b->reply.n_calls, 3);
    say(b, "[mock tools=0]", tools);
    assert_int_equal(b->reply.n_calls, 0);
    ask(b, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
           "\"look\"},{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\","
           "\"type\":\"function\",\"function\":{\"name\":\"look\","
           "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"
           "\"c\",\"content\":\"42\"}],\"tools\":[{\"type\":\"function\","
           "\"function\":{\"name\":\"look\"}}]}");
    assert_int_equal(b->reply.n_calls, 0);
    assert_string_equal(b->reply.finish, "stop");
}

/* ---- writing ---- */

static void a_whole_answer_has_every_choice_and_its_logprobs(void **state)
{
    struct bench *b = *state;
    struct buf out;
    struct json root, v;
    int64_t tokens;

    say(b, "[mock text='one two']", ",\"n\":3,\"logprobs\":true");
    root = whole(b, &out);
    v = json_get(&root, "choices");
    assert_int_equal(json_count(&v), 3);
    v = at(root, "choices.2.logprobs.content");
    assert_int_equal(json_count(&v), 2);
    v = at(root, "choices.2.logprobs.content.0.token");
    assert_true(json_is(&v, "one"));
    v = at(root, "usage.completion_tokens");
    assert_true(json_i64(&v, &tokens));
    assert_int_equal(tokens, 6);
    buf_free(&out);
    say(b, "[mock text=hi]", "");
    root = whole(b, &out);
    assert_int_equal(at(root, "choices.0.logprobs").type, JSON_NULL);
    buf_free(&out);
}

/* What a stream says, put together as a client does. */
struct heard {
    char text[4][4096], args[4096];
    char finish[4][32];
    bool done, usage;
    unsigned events;
};

static void hear_choice(struct heard *h, struct json choice)
{
    struct json index = json_get(&choice, "index"), v;
    int64_t i;
    struct arena a;
    struct span s;

    assert_true(json_i64(&index, &i) && i >= 0 && i < 4);
    arena_init(&a, 1 << 20);
    v = at(choice, "delta.content");
    if (json_text(&v, &a, &s))
        strncat(h->text[i], arena_strdup(&a, s), 1000);
    v = at(choice, "delta.tool_calls.0.function.arguments");
    if (i == 0 && json_text(&v, &a, &s) && s.len)
        strncat(h->args, arena_strdup(&a, s), 1000);
    v = json_get(&choice, "finish_reason");
    if (json_text(&v, &a, &s))
        assert_true(span_copy(h->finish[i], sizeof h->finish[i], s));
    arena_free(&a);
}

static void hear(struct heard *h, struct span frames)
{
    while (frames.len) {
        const char *end = memmem(frames.ptr, frames.len, "\n\n", 2);
        struct span one = {frames.ptr + 6, (size_t)(end - frames.ptr) - 6};
        struct json root, v;
        struct json_iter it;
        struct err e;

        assert_true(span_starts(frames, "data: "));
        frames.len -= (size_t)(end + 2 - frames.ptr);
        frames.ptr = end + 2;
        assert_false(h->done);
        h->done = span_is(one, "[DONE]");
        if (h->done)
            continue;
        h->events++;
        assert_true(json_parse(one, &root, &e));
        v = json_get(&root, "usage");
        h->usage |= v.type == JSON_OBJECT;
        v = json_get(&root, "choices");
        it = json_begin(&v);
        while (json_next(&it, NULL, &v))
            hear_choice(h, v);
    }
}

static struct heard *stream(struct bench *b)
{
    static struct heard h;
    struct mock_cursor c = {.arena = &b->arena};
    struct buf out;

    memset(&h, 0, sizeof h);
    buf_init(&out, 1 << 20);
    while (mock_frame(&mock_openai, &b->request, &b->reply, &c, &out)) {
        hear(&h, buf_view(&out));
        buf_reset(&out);
    }
    buf_free(&out);
    return &h;
}

static void a_stream_says_what_the_whole_answer_says(void **state)
{
    struct bench *b = *state;
    struct heard *h;

    say(b, "tell me [mock tokens=40]", ",\"stream\":true,\"n\":2");
    h = stream(b);
    assert_true(h->done);
    assert_false(h->usage);
    for (int i = 0; i < 2; i++) {
        assert_true(span_is(b->reply.text, h->text[i]));
        assert_string_equal(h->finish[i], "stop");
    }
    assert_string_equal(h->text[2], "");
    say(b, "tell me",
        ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    assert_true(stream(b)->usage);
}

static void streamed_arguments_join_to_whole_json(void **state)
{
    struct bench *b = *state;
    struct heard *h;
    struct json root;
    struct err e;

    say(b, "[mock args={\\\"city\\\":\\\"Rome\\\"}]",
        ",\"stream\":true,\"tools\":[{\"type\":\"function\",\"function\":{"
        "\"name\":\"w\"}}]");
    h = stream(b);
    assert_string_equal(h->args, "{\"city\":\"Rome\"}");
    assert_true(json_parse(span_of(h->args), &root, &e));
    assert_string_equal(h->finish[0], "tool_calls");
}

static void an_error_has_the_providers_shape(void **state)
{
    struct buf out;
    struct json root, v;
    struct err e;

    (void)state;
    buf_init(&out, 1 << 16);
    mock_openai.error(
        &(struct mock_error){.status = 429, .message = "slow \"down\""}, &out);
    assert_true(json_parse(buf_view(&out), &root, &e));
    v = at(root, "error.code");
    assert_true(json_is(&v, "rate_limit_exceeded"));
    buf_free(&out);
}

/* ---- the book ---- */

static void a_dataset_is_played_model_by_model(void **state)
{
    static const char rows[] =
        "{\"id\":\"1\",\"messages\":[{\"role\":\"user\",\"content\":\"What is "
        "2+2?\"}],\"outcomes\":{\"m\":{\"score\":1,\"input_tokens\":11,"
        "\"output_tokens\":33,\"answer\":\"4\"},\"other\":{\"score\":0,"
        "\"answer\":\"5\"}}}\n";
    char path[] = "/tmp/test_mock_XXXXXX";
    struct bench *b = *state;
    struct err e;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, rows, sizeof rows - 1), sizeof rows - 1);
    close(fd);
    b->context.book = mock_book_open(path, &e);
    unlink(path);
    if (!b->context.book)
        fail_msg("%s", e.msg);
    assert_int_equal(mock_book_rows(b->context.book), 1);
    assert_string_equal(mock_book_model(b->context.book, 1), "other");
    assert_null(mock_book_model(b->context.book, 2));
    /* Normalised: case and spaces are nothing to it. */
    say(b, "what is 2+2?", "");
    assert_true(span_is(b->reply.text, "4"));
    assert_int_equal(b->reply.input_tokens, 11);
    assert_int_equal(b->reply.output_tokens, 33);
    ask(b, "{\"model\":\"other\",\"messages\":[{\"role\":\"user\",\"content\":"
           "\"What is 2+2?\"}]}");
    assert_true(span_is(b->reply.text, "5"));
    say(b, "What is 3+3?", "");
    assert_true(b->reply.text.len > 20);
}

static void a_book_that_is_no_dataset_is_refused(void **state)
{
    struct err e;

    (void)state;
    assert_null(mock_book_open("/nowhere/at/all.jsonl", &e));
    assert_non_null(strstr(e.msg, "/nowhere/at/all.jsonl"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_schema_is_met_by_its_smallest_value),
        TEST(a_schema_that_refers_to_itself_ends),
        TEST(the_same_question_gets_the_same_answer),
        TEST(directives_are_followed),
        TEST(max_tokens_cut_the_answer),
        TEST(errors_come_at_the_rate_that_was_asked_for),
        TEST(tools_are_called_when_offered_and_answered_after),
        TEST(a_whole_answer_has_every_choice_and_its_logprobs),
        TEST(a_stream_says_what_the_whole_answer_says),
        TEST(streamed_arguments_join_to_whole_json),
        TEST(an_error_has_the_providers_shape),
        TEST(a_dataset_is_played_model_by_model),
        TEST(a_book_that_is_no_dataset_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
