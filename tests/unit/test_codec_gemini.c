/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/gemini_check.h"

/* ---- recordings ---- */

static void each_recording(void (*look)(const struct recording *r))
{
    struct recordings all;
    struct recording r;
    unsigned n = 0;

    if (!recordings_open(&all))
        skip();
    while (recordings_next(&all, "gemini", &r)) {
        look(&r);
        arena_reset(&memory);
        n++;
    }
    recordings_close(&all);
    assert_int_equal(n, 163);
}

static void same_request(const struct recording *rec)
{
    bool stream;
    struct span path = path_of(rec), model = model_of(path, &stream), out;
    struct target t = {
        .model = model, .same_dialect = true, .same_model = true};
    struct request r;
    struct err e = {ERR_NONE, ""};

    check_that(
        codec_gemini.request_read(&(struct inbound){rec->asked, model, stream},
                                  &memory, &r, &e),
        "%.*s: %s", SPAN_ARGS(rec->name), e.msg);
    assert_true(span_eq(r.model, model));
    out = written(&r, &t);
    check_that(json_same(out, rec->asked), "%.*s", SPAN_ARGS(rec->name));
    assert_int_equal(lost.n, 0);
}

static void recorded_requests_come_out_as_they_went_in(void **state)
{
    (void)state;
    each_recording(same_request);
}

/* Written as if the client had another dialect, read again: the same
 * conversation. */
static void crossed_request(const struct recording *rec)
{
    bool stream;
    struct span path = path_of(rec), model = model_of(path, &stream), out;
    struct target t = {.model = model, .same_model = true};
    struct request r, back;
    struct err e = {ERR_NONE, ""};
    size_t calls[2] = {0, 0}, results[2] = {0, 0}, declared = 0;

    assert_true(codec_gemini.request_read(
        &(struct inbound){rec->asked, model, stream}, &memory, &r, &e));
    out = written(&r, &t);
    check_that(codec_gemini.request_read(&(struct inbound){out, model, stream},
                                         &memory, &back, &e),
               "%.*s: %s", SPAN_ARGS(rec->name), e.msg);
    for (int k = 0; k < 2; k++) {
        struct request *of = k ? &back : &r;

        for (size_t i = 0; i < of->n_messages; i++) {
            for (size_t j = 0; j < of->messages[i].n_parts; j++) {
                const struct part *p = &of->messages[i].parts[j];

                calls[k] += p->kind == PART_TOOL_CALL;
                results[k] += p->kind == PART_TOOL_RESULT;
            }
        }
    }
    assert_int_equal(calls[0], calls[1]);
    assert_int_equal(results[0], results[1]);
    for (size_t i = 0; i < r.n_tools; i++)
        declared += !r.tools[i].builtin;
    assert_int_equal(declared, back.n_tools);
}

static void recorded_requests_survive_the_way_through_other_dialects(void **s)
{
    (void)s;
    each_recording(crossed_request);
}

/* All texts that are no thoughts, straight from the JSON. */
static void plain_text(const struct json *answer, struct buf *out)
{
    struct json list = json_get(answer, "candidates"), c, part;
    struct json_iter i = json_begin(&list), j;

    while (json_next(&i, NULL, &c)) {
        struct json content = json_get(&c, "content"),
                    parts = json_get(&content, "parts");

        j = json_begin(&parts);
        while (parts.type == JSON_ARRAY && json_next(&j, NULL, &part)) {
            struct json thought = json_get(&part, "thought"),
                        text = json_get(&part, "text");
            struct span s;

            if (json_true(&thought) || text.type != JSON_STRING)
                continue;
            assert_true(json_text(&text, &memory, &s));
            buf_span(out, s);
        }
    }
}

static void assert_texts(const struct gathered *g, struct span want)
{
    struct buf b;

    buf_init(&b, CAP);
    for (unsigned i = 0; i < g->n_choices; i++) {
        for (struct gathered_block *k = g->choices[i].first; k; k = k->next) {
            if (k->part == PART_TEXT)
                buf_span(&b, k->text);
        }
    }
    assert_true(span_eq(buf_view(&b), want));
    buf_free(&b);
}

static void assert_total(const struct gathered *g, const struct json *answer)
{
    struct json usage = json_get(answer, "usageMetadata"),
                total = json_get(&usage, "totalTokenCount");
    int64_t n;

    if (!json_i64(&total, &n) || !g->has_usage)
        return;
    assert_int_equal(g->usage.input + g->usage.output, n);
}

/* Written for a Gemini client, whole and as a stream, and read again. */
static void assert_round_trip(struct gathered *g)
{
    struct rewriter *w = rewriter_new();
    struct request asked = {.model = SPAN_INIT("m")};
    struct gathered back;
    struct losses l = {0};
    struct buf out;
    struct span copy;

    buf_init(&out, CAP);
    codec_gemini.answer_write(g, &asked, &l, &out);
    copy = arena_copy(&memory, buf_view(&out));
    buf_free(&out);
    gather_answer(arena_strdup(&memory, copy), 200, &back);
    g->created = 0;
    back.created = 0;
    if (g->error_status == 0)
        assert_true(gathered_same(&back, g));
    assert_int_equal(l.n, 0);
    buf_free(&w->out);
}

static void whole_answer(const struct recording *rec)
{
    struct gathered g, back;
    struct rewriter *w;
    struct err e = {ERR_NONE, ""};
    struct json top;
    struct buf want;
    char *body;

    if (rec->streamed)
        return;
    body = arena_strdup(&memory, rec->answer);
    gather_answer(body, rec->status, &g);
    assert_int_equal(g.error_status >= 400, rec->status >= 400);
    if (rec->status >= 400)
        return;
    assert_true(g.ended && g.choices[0].finish != FINISH_NONE);
    assert_true(json_parse(rec->answer, &top, &e));
    buf_init(&want, CAP);
    plain_text(&top, &want);
    assert_texts(&g, buf_view(&want));
    buf_free(&want);
    assert_total(&g, &top);
    assert_round_trip(&g);
    if (json_get(&top, "candidates").type == JSON_NONE)
        return;
    w = rewriter_new();
    assert_true(check_answer(&codec_gemini, rec->answer, 200,
                             (struct chunk_sink){w, rewrite}, &e));
    gather_stream(rewritten(w), CUTS_WHOLE, &back);
    back.created = 0;
    check_that(gathered_same(&back, &g), "%.*s", SPAN_ARGS(rec->name));
    assert_int_equal(w->lost.n, 0);
}

static void recorded_whole_answers_keep_all_they_say(void **state)
{
    (void)state;
    each_recording(whole_answer);
}

static void streamed_answer(const struct recording *rec)
{
    struct gathered whole, other;
    struct rewriter *w;
    struct err e = {ERR_NONE, ""};

    if (!rec->streamed)
        return;
    gather_stream(rec->answer, CUTS_WHOLE, &whole);
    assert_true(whole.ended && whole.has_usage && whole.usage.output > 0);
    gather_stream(rec->answer, CUTS_BYTES, &other);
    assert_true(gathered_same(&other, &whole));
    for (uint64_t seed = 1; seed < 6; seed++) {
        gather_stream(rec->answer, (struct cuts){0, seed}, &other);
        assert_true(gathered_same(&other, &whole));
    }
    w = rewriter_new();
    assert_true(check_stream(&codec_gemini, rec->answer, CUTS_WHOLE,
                             (struct chunk_sink){w, rewrite}, &e));
    gather_stream(rewritten(w), (struct cuts){0, 9}, &other);
    other.created = whole.created;
    check_that(gathered_same(&other, &whole), "%.*s", SPAN_ARGS(rec->name));
    assert_round_trip(&whole);
}

static void recorded_streams_say_the_same_at_any_chunking(void **state)
{
    (void)state;
    each_recording(streamed_answer);
}

/* ---- answers ---- */

static void finishes_mean_what_they_say(void **state)
{
    static const struct {
        const char *parts, *reason;
        enum finish finish;
    } cases[] = {
        {"{\"text\":\"x\"}", "STOP", FINISH_STOP},
        {"{\"functionCall\":{\"name\":\"f\"}}", "STOP", FINISH_TOOLS},
        {"{\"text\":\"x\"}", "MAX_TOKENS", FINISH_LENGTH},
        {"", "SAFETY", FINISH_FILTER},
        {"", "RECITATION", FINISH_FILTER},
        {"", "BLOCKLIST", FINISH_FILTER},
        {"", "PROHIBITED_CONTENT", FINISH_FILTER},
        {"", "SPII", FINISH_FILTER},
        {"", "MALFORMED_FUNCTION_CALL", FINISH_OTHER},
        {"", "SOMETHING_NEW", FINISH_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[300];
        struct gathered g;

        snprintf(body, sizeof body,
                 "{\"candidates\":[{\"content\":{\"parts\":[%s]},"
                 "\"finishReason\":\"%s\"}]}",
                 cases[i].parts, cases[i].reason);
        gather_answer(body, 200, &g);
        assert_int_equal(g.choices[0].finish, cases[i].finish);
        assert_true(span_is(g.choices[0].finish_name, cases[i].reason));
    }
}

static void a_blocked_prompt_is_a_filtered_answer(void **state)
{
    struct gathered g;

    (void)state;
    gather_answer("{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},"
                  "\"usageMetadata\":{\"promptTokenCount\":4}}",
                  200, &g);
    assert_true(g.ended);
    assert_int_equal(g.choices[0].finish, FINISH_FILTER);
    assert_int_equal(g.usage.input, 4);
}

static void usage_counts_thoughts_and_tools_once(void **state)
{
    struct gathered g;

    (void)state;
    gather_answer("{\"candidates\":[{\"finishReason\":\"STOP\"}],"
                  "\"usageMetadata\":{\"promptTokenCount\":85,"
                  "\"candidatesTokenCount\":122,\"totalTokenCount\":443,"
                  "\"cachedContentTokenCount\":20,"
                  "\"toolUsePromptTokenCount\":149,\"thoughtsTokenCount\":87}}",
                  200, &g);
    assert_int_equal(g.usage.input, 234);
    assert_int_equal(g.usage.cached, 20);
    assert_int_equal(g.usage.output, 209);
    assert_int_equal(g.usage.reasoning, 87);
}

static void errors_are_read_and_written_in_googles_shape(void **state)
{
    static const char body[] =
        "{\"error\":{\"code\":429,\"message\":\"quota\",\"status\":"
        "\"RESOURCE_EXHAUSTED\"}}";
    struct request asked = {.model = SPAN_INIT("m")};
    struct losses l = {0};
    struct gathered g;
    struct buf out;

    (void)state;
    gather_answer(body, 429, &g);
    assert_int_equal(g.error_status, 429);
    assert_true(span_is(g.error_type, "RESOURCE_EXHAUSTED"));
    buf_init(&out, CAP);
    codec_gemini.answer_write(&g, &asked, &l, &out);
    assert_json(buf_view(&out), body);
    buf_free(&out);
    gather_answer("<html>bad gateway</html>", 502, &g);
    assert_int_equal(g.error_status, 502);
}

static void an_error_in_mid_stream_reaches_the_client_as_one(void **state)
{
    struct span in = SPAN(
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}"
        "\r\n\r\ndata: {\"error\":{\"code\":503,\"message\":\"over\","
        "\"status\":\"UNAVAILABLE\"}}\r\n\r\n");
    struct rewriter *w = rewriter_new();
    struct gathered g;
    struct err e;

    (void)state;
    gather_stream(in, CUTS_BYTES, &g);
    assert_int_equal(g.error_status, 503);
    assert_false(g.ended);
    assert_true(check_stream(&codec_gemini, in, CUTS_WHOLE,
                             (struct chunk_sink){w, rewrite}, &e));
    gather_stream(rewritten(w), CUTS_WHOLE, &g);
    assert_int_equal(g.error_status, 503);
    assert_true(span_is(g.error_message, "over"));
}

static void a_cut_stream_is_an_error_and_no_stop(void **state)
{
    struct gathered g;

    (void)state;
    gather_stream(SPAN("data: {\"candidates\":[{\"content\":{\"parts\":"
                       "[{\"text\":\"a\"}]}}]}\n\n"),
                  CUTS_WHOLE, &g);
    assert_int_equal(g.error_status, 502);
    assert_int_equal(g.choices[0].finish, FINISH_NONE);
}

static void a_stop_with_each_event_is_one_finish(void **state)
{
    struct gathered g;

    (void)state;
    gather_stream(
        SPAN("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}"
             "]},\"finishReason\":\"STOP\"}]}\n\n"
             "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}"
             "]},\"finishReason\":\"STOP\"}]}\n\n"),
        CUTS_WHOLE, &g);
    assert_true(g.ended);
    assert_true(span_is(g.choices[0].first->text, "ab"));
    assert_null(g.choices[0].first->next);
}

static void a_stream_without_frames_is_an_array(void **state)
{
    struct gathered g;

    (void)state;
    gather_answer("[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}"
                  "]}}]},\r\n{\"candidates\":[{\"content\":{\"parts\":["
                  "{\"text\":\"b\"}]},\"finishReason\":\"STOP\"}]}]",
                  200, &g);
    assert_true(g.ended && span_is(g.choices[0].first->text, "ab"));
}

static void candidates_are_kept_apart(void **state)
{
    struct gathered g;

    (void)state;
    gather_stream(
        SPAN("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}"
             "]}},{\"index\":1,\"content\":{\"parts\":[{\"text\":\"x\"}]},"
             "\"finishReason\":\"STOP\"}]}\n\n"
             "data: {\"candidates\":[{\"index\":0,\"content\":{\"parts\":["
             "{\"text\":\"b\"}]},\"finishReason\":\"MAX_TOKENS\"}]}\n\n"),
        CUTS_BYTES, &g);
    assert_int_equal(g.n_choices, 2);
    assert_true(span_is(g.choices[0].first->text, "ab"));
    assert_true(span_is(g.choices[1].first->text, "x"));
    assert_int_equal(g.choices[0].finish, FINISH_LENGTH);
    assert_int_equal(g.choices[1].finish, FINISH_STOP);
}

/* What another provider's answer is to a Gemini client. */
static void a_call_in_pieces_is_written_whole_on_one_line(void **state)
{
    static const struct chunk chunks[] = {
        {.kind = CHUNK_START, .id = SPAN_INIT("i"), .name = SPAN_INIT("gpt")},
        {.kind = CHUNK_OPEN,
         .part = PART_TOOL_CALL,
         .id = SPAN_INIT("call_1"),
         .name = SPAN_INIT("f")},
        {.kind = CHUNK_TEXT, .part = PART_TOOL_CALL, .text = SPAN_INIT("{\n")},
        {.kind = CHUNK_TEXT,
         .part = PART_TOOL_CALL,
         .text = SPAN_INIT(" \"a\\n\": 1}")},
        {.kind = CHUNK_CLOSE, .part = PART_TOOL_CALL},
        {.kind = CHUNK_USAGE,
         .has_usage = true,
         .usage = {.input = 9, .output = 5, .reasoning = 2}},
        {.kind = CHUNK_FINISH, .finish = FINISH_TOOLS},
        {.kind = CHUNK_END},
    };
    struct rewriter *w = rewriter_new();
    struct span out, event, rest;

    (void)state;
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
        rewrite(w, &chunks[i]);
    out = rewritten(w);
    rest = out;
    event = span_cut(&rest, '\n');
    assert_true(span_starts(event, "data: "));
    assert_json((struct span){event.ptr + 6, event.len - 6},
                "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":"
                "{\"id\":\"call_1\",\"name\":\"f\",\"args\":{\"a\\n\":1}}}],"
                "\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"gpt\","
                "\"responseId\":\"i\"}");
    rest.ptr++;
    rest.len--;
    event = span_cut(&rest, '\n');
    assert_json((struct span){event.ptr + 6, event.len - 6},
                "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],"
                "\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],"
                "\"usageMetadata\":{\"promptTokenCount\":9,"
                "\"candidatesTokenCount\":3,\"totalTokenCount\":14,"
                "\"thoughtsTokenCount\":2},\"modelVersion\":\"gpt\","
                "\"responseId\":\"i\"}");
}

static void arguments_that_are_no_object_are_kept_and_counted(void **state)
{
    struct gathered_block b = {.part = PART_TOOL_CALL,
                               .name = SPAN_INIT("f"),
                               .text = SPAN_INIT("{\"a\":")};
    struct gathered g = {.n_choices = 1, .ended = true};
    struct request asked = {.model = SPAN_INIT("m")};
    struct losses l = {0};
    struct buf out;

    (void)state;
    g.choices[0].first = &b;
    g.choices[0].finish = FINISH_TOOLS;
    buf_init(&out, CAP);
    codec_gemini.answer_write(&g, &asked, &l, &out);
    assert_at(buf_view(&out), "candidates.0.content.parts.0.functionCall.args",
              "{\"arguments\":\"{\\\"a\\\":\"}");
    assert_int_equal(l.n, 1);
    buf_free(&out);
}

/* Through a client of OpenAI's dialect and back: pitfall of agents whose
 * second turn fails. */
static void a_calls_signature_survives_openai_clients(void **state)
{
    struct gathered g;
    struct request asked = {.model = SPAN_INIT("gemini-3-pro")};
    struct target t = {.model = SPAN_INIT("gemini-3-pro"), .same_model = true};
    struct losses l = {0};
    struct buf answer, talk;
    struct json message;

    (void)state;
    gather_answer("{\"candidates\":[{\"content\":{\"parts\":[{"
                  "\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}},"
                  "\"thoughtSignature\":\"c2ln\"}]},\"finishReason\":"
                  "\"STOP\"}]}",
                  200, &g);
    buf_init(&answer, CAP);
    codec_openai.answer_write(&g, &asked, &l, &answer);
    assert_int_equal(l.n, 0);
    message = at(buf_view(&answer), "choices.0.message");
    buf_init(&talk, CAP);
    buf_str(&talk, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
                   "\"content\":\"x\"},");
    buf_span(&talk, message.raw);
    buf_str(&talk, "]}");
    assert_at(written(read_openai(buf_cstr(&talk)), &t), "contents.1.parts",
              "[{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}},"
              "\"thoughtSignature\":\"c2ln\"}]");
    buf_free(&answer);
    buf_free(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(recorded_requests_come_out_as_they_went_in),
        CASE(recorded_requests_survive_the_way_through_other_dialects),
        CASE(recorded_whole_answers_keep_all_they_say),
        CASE(recorded_streams_say_the_same_at_any_chunking),
        CASE(finishes_mean_what_they_say),
        CASE(a_blocked_prompt_is_a_filtered_answer),
        CASE(usage_counts_thoughts_and_tools_once),
        CASE(errors_are_read_and_written_in_googles_shape),
        CASE(an_error_in_mid_stream_reaches_the_client_as_one),
        CASE(a_cut_stream_is_an_error_and_no_stop),
        CASE(a_stop_with_each_event_is_one_finish),
        CASE(a_stream_without_frames_is_an_array),
        CASE(candidates_are_kept_apart),
        CASE(a_call_in_pieces_is_written_whole_on_one_line),
        CASE(arguments_that_are_no_object_are_kept_and_counted),
        CASE(a_calls_signature_survives_openai_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
