/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong elsewhere with OpenAI's two APIs, and must not here. */
#include "tests/unit/codec_loop.h"

#include "router/codec/completions.h"
#include "router/codec/embeddings.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena memory;
static struct err e;
static struct losses lost;
static struct buf out;
static struct request r;

static int begin(void **state)
{
    (void)state;
    arena_init(&memory, LOOP_MEMORY);
    buf_init(&out, LOOP_MEMORY);
    memset(&lost, 0, sizeof lost);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&memory);
    buf_free(&out);
    return 0;
}

/* The answer that a stream of these events gives, at two chunkings. */
static struct gathered streamed(const struct codec *codec, const char *text)
{
    struct gathered whole, bytes;

    gather_init(&whole, &memory);
    gather_init(&bytes, &memory);
    assert_true(check_stream(codec, span_of(text), CUTS_WHOLE,
                             gather_sink(&whole), &e));
    assert_true(check_stream(codec, span_of(text), CUTS_BYTES,
                             gather_sink(&bytes), &e));
    assert_true(gathered_same(&whole, &bytes));
    return whole;
}

#define DELTA(delta)                                                           \
    "data: {\"id\":\"a\",\"model\":\"m\",\"choices\":[{\"index\":0,"           \
    "\"delta\":" delta "}]}\n\n"
#define FINISH(word)                                                           \
    "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{},"              \
    "\"finish_reason\":\"" word "\"}]}\n\n"
#define DONE "data: [DONE]\n\n"

static const struct gathered_block *block(const struct gathered *g, unsigned i)
{
    const struct gathered_block *b = g->choices[0].first;

    while (b && i--)
        b = b->next;
    assert_non_null(b);
    return b;
}

static void a_stream_cut_short_is_an_error_not_a_stop(void **state)
{
    static const char *const cut[] = {
        DELTA("{\"content\":\"hi\"}"),
        DELTA("{\"content\":\"hi\"}") DONE,
        DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":"
              "{\"name\":\"f\",\"arguments\":\"{\"}}]}"),
        DONE,
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        struct gathered g = streamed(&codec_openai, cut[i]);

        assert_int_equal(g.error_status, 502);
        assert_false(g.ended);
    }
}

static void a_finish_without_the_end_mark_is_an_end(void **state)
{
    struct gathered g =
        streamed(&codec_openai, DELTA("{\"content\":\"hi\"}") FINISH("stop"));

    (void)state;
    assert_true(g.ended);
    assert_int_equal(g.choices[0].finish, FINISH_STOP);
}

static void a_repeated_finish_ends_a_call_once(void **state)
{
    struct gathered g = streamed(
        &codec_openai,
        DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":"
              "{\"name\":\"f\",\"arguments\":\"{}\"}}]}") FINISH("tool_calls")
            FINISH("tool_calls") DONE DONE);

    (void)state;
    assert_int_equal(g.choices[0].finish, FINISH_TOOLS);
    assert_null(block(&g, 0)->next);
    assert_true(span_is(block(&g, 0)->text, "{}"));
}

static void a_calls_name_may_come_after_its_arguments(void **state)
{
    struct gathered g = streamed(
        &codec_openai,
        DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":"
              "{\"arguments\":\"{\\\"a\\\"\"}}]}")
            DELTA("{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":"
                  "\"f\",\"arguments\":\":1}\"}}]}") FINISH("stop") DONE);

    (void)state;
    assert_true(span_is(block(&g, 0)->id, "c1"));
    assert_true(span_is(block(&g, 0)->name, "f"));
    assert_true(span_is(block(&g, 0)->text, "{\"a\":1}"));
    assert_int_equal(g.choices[0].finish, FINISH_TOOLS);
}

static void calls_that_share_an_index_are_told_apart_by_id(void **state)
{
    struct gathered g = streamed(
        &codec_openai,
        DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"x\",\"function\":"
              "{\"name\":\"f\",\"arguments\":\"{}\"}},{\"index\":0,\"id\":"
              "\"y\",\"function\":{\"name\":\"g\",\"arguments\":\"[]\"}}]}")
            FINISH("tool_calls") DONE);

    (void)state;
    assert_true(span_is(block(&g, 0)->name, "f"));
    assert_true(span_is(block(&g, 1)->id, "y"));
    assert_true(span_is(block(&g, 1)->text, "[]"));
}

static void a_call_without_an_id_gets_one(void **state)
{
    struct gathered g = streamed(
        &codec_openai, DELTA("{\"tool_calls\":[{\"function\":{\"name\":\"f\","
                             "\"arguments\":\"{}\"}}]}") FINISH("stop") DONE);

    (void)state;
    assert_true(span_starts(block(&g, 0)->id, "call_"));
}

static void an_error_in_mid_stream_reaches_the_client_as_a_frame(void **state)
{
    static const char *const streams[] = {
        DELTA("{\"content\":\"hi\"}") "data: {\"error\":{\"message\":\"over\","
                                      "\"code\":503}}\n\n",
        DELTA("{\"content\":\"hi\"}") "event: error\ndata: {\"message\":"
                                      "\"over\",\"code\":503}\n\n",
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct recording rec = {.answer = span_of(streams[i]),
                                .streamed = true};
        struct gathered g = streamed(&codec_openai, streams[i]);

        assert_int_equal(g.error_status, 503);
        assert_true(span_is(g.error_message, "over"));
        buf_reset(&out);
        loop_stream_write(
            &codec_openai, &rec,
            (struct loop_writer){&codec_openai, NULL, &lost, &out, NULL});
        assert_non_null(strstr(buf_cstr(&out), "data: {\"error\":{\"message\":"
                                               "\"over\""));
        assert_string_equal(buf_cstr(&out) + out.len - 14, DONE);
        buf_reset(&out);
        loop_stream_write(
            &codec_openai, &rec,
            (struct loop_writer){&codec_responses, NULL, &lost, &out, NULL});
        assert_non_null(strstr(buf_cstr(&out), "event: response.failed\n"));
        assert_non_null(strstr(buf_cstr(&out), "event: error\n"));
    }
}

#define CALL_ADDED                                                             \
    "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n"    \
    "data: {\"type\":\"response.output_item.added\",\"output_index\":0,"       \
    "\"item\":{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\","   \
    "\"arguments\":\"\"}}\n\n"
#define COMPLETED                                                              \
    "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\","       \
    "\"status\":\"completed\",\"output\":[]}}\n\n"

static void arguments_may_come_in_the_done_event_only(void **state)
{
    static const char *const streams[] = {
        CALL_ADDED
        "data: {\"type\":\"response.function_call_arguments.done\","
        "\"output_index\":0,\"arguments\":\"{\\\"a\\\":1}\"}\n\n" COMPLETED,
        CALL_ADDED
        "data: {\"type\":\"response.output_item.done\",\"output_index\":0,"
        "\"item\":{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":"
        "\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}\n\n" COMPLETED,
        CALL_ADDED
        "data: {\"type\":\"response.function_call_arguments.delta\","
        "\"output_index\":0,\"delta\":\"{\\\"a\\\":1}\"}\n\n"
        "data: {\"type\":\"response.function_call_arguments.done\","
        "\"output_index\":0,\"arguments\":\"{\\\"a\\\":1}\"}\n\n" COMPLETED,
        "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\","
        "\"status\":\"completed\",\"output\":[{\"type\":\"function_call\","
        "\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}]}}"
        "\n\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        struct gathered g = streamed(&codec_responses, streams[i]);

        assert_true(span_is(block(&g, 0)->text, "{\"a\":1}"));
        assert_null(block(&g, 0)->next);
        assert_int_equal(g.choices[0].finish, FINISH_TOOLS);
    }
}

static void a_response_that_was_cut_is_an_error(void **state)
{
    struct gathered g = streamed(&codec_responses, CALL_ADDED);

    (void)state;
    assert_int_equal(g.error_status, 502);
}

static void cached_tokens_are_inside_the_input(void **state)
{
    struct gathered g = streamed(
        &codec_openai,
        DELTA("{\"content\":\"x\"}") FINISH(
            "stop") "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,"
                    "\"completion_tokens\":4,\"prompt_tokens_details\":"
                    "{\"cached_tokens\":7,\"cache_write_tokens\":2},"
                    "\"completion_tokens_details\":{\"reasoning_tokens\":"
                    "3}}}\n\n" DONE);

    (void)state;
    assert_int_equal(g.usage.input, 10);
    assert_int_equal(g.usage.cached, 7);
    assert_int_equal(g.usage.cache_write, 2);
    assert_int_equal(g.usage.output, 4);
    assert_int_equal(g.usage.reasoning, 3);
}

static void usage_is_given_only_to_who_asked(void **state)
{
    static const char text[] = DELTA("{\"content\":\"x\"}") FINISH(
        "stop") "data: {\"choices\":[],"
                "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}"
                "\n\n" DONE;
    struct recording rec = {.answer = span_of(text), .streamed = true};
    struct request asked = {.params = params_unsaid()};

    (void)state;
    loop_stream_write(
        &codec_openai, &rec,
        (struct loop_writer){&codec_openai, &asked, &lost, &out, NULL});
    assert_null(strstr(buf_cstr(&out), "usage"));
    buf_reset(&out);
    asked.params.stream_usage = true;
    loop_stream_write(
        &codec_openai, &rec,
        (struct loop_writer){&codec_openai, &asked, &lost, &out, NULL});
    assert_non_null(strstr(buf_cstr(&out), "\"usage\":null"));
    assert_non_null(strstr(buf_cstr(&out), "\"choices\":[],\"usage\":{"));
}

/* ---- requests ---- */

static const char *written(const struct codec *from, const struct codec *to,
                           const char *body, struct target t)
{
    arena_free(&memory);
    buf_reset(&out);
    memset(&lost, 0, sizeof lost);
    if (!t.model.len)
        t.model = SPAN("up");
    if (!from->request_read(&(struct inbound){span_of(body), SPAN(""), false},
                            &memory, &r, &e) ||
        !to->request_write(&r, &t, &lost, &out, &e))
        return e.msg;
    return buf_cstr(&out);
}

static void holds(const char *text, const char *piece)
{
    if (!strstr(text, piece))
        fail_msg("wanted %s in %s", piece, text);
}

static bool lost_one(enum lossy kind, const char *what)
{
    for (unsigned i = 0; i < lost.n; i++) {
        if (lost.at[i].kind == kind && !strcmp(lost.at[i].what, what))
            return true;
    }
    return false;
}

#define TALK "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"

static void the_limits_name_follows_the_provider_and_the_model(void **state)
{
    static const struct {
        const char *provider, *model, *sent, *want;
    } rows[] = {
        {"openai", "gpt-5-nano", "max_tokens", "\"max_completion_tokens\":9"},
        {"openai", "o3-mini", "max_tokens", "\"max_completion_tokens\":9"},
        {"openai", "gpt-4o", "max_tokens", "\"max_tokens\":9"},
        {"mistral", "m", "max_completion_tokens", "\"max_tokens\":9"},
        {"deepseek", "m", "max_completion_tokens", "\"max_tokens\":9"},
    };
    char body[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct target t = {
            .model = span_of(rows[i].model),
            .quirks = quirks_find(span_of(rows[i].provider), SPAN("")),
            .same_dialect = true,
        };

        snprintf(body, sizeof body, "{\"model\":\"m\",\"%s\":9," TALK "}",
                 rows[i].sent);
        holds(written(&codec_openai, &codec_openai, body, t), rows[i].want);
        assert_int_equal(lost.n, 0);
    }
}

static void refused_parameters_are_named_never_silent(void **state)
{
    static const char body[] = "{\"model\":\"m\",\"temperature\":0.5,\"n\":2,"
                               "\"logit_bias\":{\"1\":2},\"top_k\":3," TALK "}";
    struct target t = {.model = SPAN("gpt-5"),
                       .quirks = quirks_find(SPAN("openai"), SPAN(""))};
    const char *text = written(&codec_openai, &codec_openai, body, t);

    (void)state;
    assert_null(strstr(text, "temperature"));
    assert_true(lost_one(LOSSY_PARAMETER, "temperature"));
    assert_true(lost_one(LOSSY_PARAMETER, "top_k"));
    assert_true(lost_one(LOSSY_PARAMETER, "logit_bias"));
    text = written(&codec_openai, &codec_responses, body, t);
    assert_true(lost_one(LOSSY_N, "n"));
}

static void mistrals_ids_stay_paired(void **state)
{
    static const char body[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":"
        "null,\"tool_calls\":[{\"id\":\"toolu_01\",\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":"
        "\"tool\",\"tool_call_id\":\"toolu_01\",\"content\":\"1\"}]}";
    struct target t = {.quirks = quirks_find(SPAN("mistral"), SPAN("")),
                       .same_dialect = true};
    const char *text = written(&codec_openai, &codec_openai, body, t);
    const char *call = strstr(text, "\"id\":\"");
    const char *result = strstr(text, "\"tool_call_id\":\"");

    (void)state;
    assert_non_null(call);
    assert_non_null(result);
    assert_int_equal(strcspn(call + 6, "\""), 9);
    assert_memory_equal(call + 6, result + 16, 9);
}

static void a_request_becomes_one_of_the_other_api_and_back(void **state)
{
    static const char body[] =
        "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
        "\"input_text\",\"text\":\"a\\u00e9\"},{\"type\":\"input_image\","
        "\"image_url\":\"data:image/png;base64,AAAA\"}]},{\"type\":"
        "\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":"
        "\"{\\\"q\\\":1}\"},{\"type\":\"function_call_output\",\"call_id\":"
        "\"c\",\"output\":\"ok\"}],\"instructions\":\"be brief\",\"tools\":[{"
        "\"type\":\"function\",\"name\":\"f\",\"parameters\":{},\"strict\":"
        "true}],\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"},"
        "\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"s\","
        "\"schema\":{},\"strict\":true}},\"reasoning\":{\"effort\":\"low\"},"
        "\"max_output_tokens\":99}";
    struct target t = {.quirks = quirks_find(SPAN("openai"), SPAN(""))};
    static const char *const pieces[] = {
        "{\"role\":\"system\",\"content\":\"be brief\"}",
        "{\"type\":\"text\",\"text\":\"a\\u00e9\"}",
        "\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}",
        "\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{"
        "\"name\":\"f\",\"arguments\":\"{\\\"q\\\":1}\"}}]",
        "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"ok\"}",
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"parameters\":{},\"strict\":true}}]",
        "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}",
        "\"json_schema\":{\"name\":\"s\",\"strict\":true,\"schema\":{}}",
        "\"reasoning_effort\":\"low\"",
        "\"max_completion_tokens\":99",
    };
    char chat[4096];
    const char *text = written(&codec_responses, &codec_openai, body, t);

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        holds(text, pieces[i]);
    assert_int_equal(lost.n, 0);
    snprintf(chat, sizeof chat, "%s", text);
    text = written(&codec_openai, &codec_responses, chat, t);
    holds(text, "{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\","
                "\"arguments\":\"{\\\"q\\\":1}\"}");
    holds(text, "{\"type\":\"function_call_output\",\"call_id\":\"c\","
                "\"output\":\"ok\"}");
    holds(text, "\"format\":{\"type\":\"json_schema\",\"name\":\"s\","
                "\"schema\":{},\"strict\":true}");
    holds(text, "\"strict\":true}],\"tool_choice\":{\"type\":\"function\","
                "\"name\":\"f\"}");
    assert_int_equal(lost.n, 0);
}

static void state_at_another_provider_is_a_clear_error(void **state)
{
    static const char body[] = "{\"model\":\"m\",\"input\":\"x\","
                               "\"previous_response_id\":\"resp_1\"}";
    struct target t = {.same_dialect = false};

    (void)state;
    holds(written(&codec_responses, &codec_openai, body, t),
          "previous_response_id: ");
    assert_int_equal(e.kind, ERR_INPUT);
    t.same_dialect = true;
    holds(written(&codec_responses, &codec_responses, body, t),
          "\"previous_response_id\":\"resp_1\"");
}

static void thinking_goes_back_to_its_own_model_only(void **state)
{
    static const char body[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":"
        "\"x\",\"reasoning_content\":\"hm\"}]}";
    struct target t = {.quirks = quirks_find(SPAN("vllm"), SPAN("")),
                       .same_model = true};

    (void)state;
    holds(written(&codec_openai, &codec_openai, body, t),
          "\"reasoning_content\":\"hm\"");
    t.same_model = false;
    assert_null(strstr(written(&codec_openai, &codec_openai, body, t), "hm"));
    assert_true(lost_one(LOSSY_THINKING, "messages[0]"));
}

static void an_older_prompt_is_a_chat_request(void **state)
{
    (void)state;
    assert_true(completions_request_read(
        SPAN("{\"model\":\"m\",\"prompt\":[\"say \\\"x\\\"\"],\"stop\":\"a\","
             "\"echo\":false,\"logprobs\":2}"),
        &memory, &r, &e));
    assert_true(span_is(r.messages[0].parts[0].text.raw, "say \\\"x\\\""));
    assert_true(r.params.logprobs && r.params.top_logprobs == 2);
    assert_true(span_is(r.params.stop, "\"a\""));
    assert_false(completions_request_read(
        SPAN("{\"model\":\"m\",\"prompt\":[\"a\",\"b\"]}"), &memory, &r, &e));
    assert_string_equal(e.msg, "prompt: wanted one text, found 2 entries");
    assert_false(completions_request_read(
        SPAN("{\"model\":\"m\",\"prompt\":\"a\",\"echo\":true}"), &memory, &r,
        &e));
}

static void an_older_answer_is_text(void **state)
{
    struct gathered g = streamed(&codec_openai, DELTA("{\"content\":\"a\\n\"}")
                                                    FINISH("length") DONE);

    (void)state;
    completions_answer_write(&g, NULL, &lost, &out);
    holds(buf_cstr(&out), "\"object\":\"text_completion\"");
    holds(buf_cstr(&out), "\"choices\":[{\"text\":\"a\\n\",\"index\":0,"
                          "\"logprobs\":null,\"finish_reason\":\"length\"}]");
}

static void embeddings_pass_through_but_for_the_model(void **state)
{
    static const char body[] = " {\"input\" : [\"ab\",[1,2,3]], \"model\" : "
                               "\"x\", \"q\":1e5}";
    struct embeddings em;
    struct usage u;

    (void)state;
    assert_true(embeddings_read(span_of(body), &memory, &em, &e));
    assert_int_equal(em.n_inputs, 2);
    assert_int_equal(em.input_bytes, 2);
    assert_int_equal(em.input_tokens, 3);
    embeddings_write(&em, SPAN("up"), &out);
    assert_string_equal(buf_cstr(&out), " {\"input\" : [\"ab\",[1,2,3]], "
                                        "\"model\" : \"up\", \"q\":1e5}");
    assert_true(embeddings_answer(SPAN("{\"data\":[],\"usage\":"
                                       "{\"prompt_tokens\":5,\"total_tokens\":"
                                       "5}}"),
                                  &u, &e));
    assert_int_equal(u.input, 5);
    assert_false(embeddings_read(SPAN("{\"model\":\"m\",\"input\":3}"), &memory,
                                 &em, &e));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_stream_cut_short_is_an_error_not_a_stop),
        CASE(a_finish_without_the_end_mark_is_an_end),
        CASE(a_repeated_finish_ends_a_call_once),
        CASE(a_calls_name_may_come_after_its_arguments),
        CASE(calls_that_share_an_index_are_told_apart_by_id),
        CASE(a_call_without_an_id_gets_one),
        CASE(an_error_in_mid_stream_reaches_the_client_as_a_frame),
        CASE(arguments_may_come_in_the_done_event_only),
        CASE(a_response_that_was_cut_is_an_error),
        CASE(cached_tokens_are_inside_the_input),
        CASE(usage_is_given_only_to_who_asked),
        CASE(the_limits_name_follows_the_provider_and_the_model),
        CASE(refused_parameters_are_named_never_silent),
        CASE(mistrals_ids_stay_paired),
        CASE(a_request_becomes_one_of_the_other_api_and_back),
        CASE(state_at_another_provider_is_a_clear_error),
        CASE(thinking_goes_back_to_its_own_model_only),
        CASE(an_older_prompt_is_a_chat_request),
        CASE(an_older_answer_is_text),
        CASE(embeddings_pass_through_but_for_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
