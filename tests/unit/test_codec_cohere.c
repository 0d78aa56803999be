/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec_aws.h"

/* ---- helpers ---- */

static struct gathered read_whole(struct span body, int status, struct arena *a)
{
    struct gathered g;
    struct err e;

    gather_init(&g, a);
    if (!check_answer(&codec_cohere, body, status, gather_sink(&g), &e))
        fail_msg("%s", e.msg);
    return g;
}

static struct gathered read_stream(struct span bytes, struct cuts cuts,
                                   struct arena *a)
{
    struct gathered g;
    struct err e;

    gather_init(&g, a);
    if (!check_stream(&codec_cohere, bytes, cuts, gather_sink(&g), &e))
        fail_msg("%s", e.msg);
    return g;
}

static void check_written(const struct gathered *want, struct span name)
{
    struct request asked = {.params = params_unsaid()};
    void *state = calloc(1, codec_cohere.writer_size);
    struct losses l = {.n = 0};
    struct gathered got;
    struct arena a;
    struct buf out;

    arena_init(&a, (size_t)64 << 20);
    buf_init(&out, (size_t)64 << 20);
    if (!want->error_status) {
        check_replay(&(struct replay){&codec_cohere, state, &asked, &l, &out},
                     want);
        got = read_stream(buf_view(&out), CUTS_BYTES, &a);
        if (l.n || !gathered_same(&got, want))
            fail_msg("%.*s: written as a stream it is another",
                     SPAN_ARGS(name));
    }
    buf_reset(&out);
    codec_cohere.answer_write(want, &asked, &l, &out);
    got = read_whole(buf_view(&out),
                     want->error_status ? want->error_status : 200, &a);
    got.id = want->id; /* errors have none */
    if (l.n || !gathered_same(&got, want))
        fail_msg("%.*s: written whole it is another", SPAN_ARGS(name));
    buf_free(&out);
    free(state);
    arena_free(&a);
}

/* ---- recordings ---- */

static void check_request(const struct recording *rec)
{
    struct target t = {.same_dialect = true, .same_model = true};
    struct losses l = {.n = 0};
    struct request r, again;
    struct arena a;
    struct buf out;
    struct err e;

    arena_init(&a, (size_t)64 << 20);
    buf_init(&out, (size_t)64 << 20);
    if (!codec_cohere.request_read(
            &(struct inbound){rec->asked, SPAN(""), false}, &a, &r, &e))
        fail_msg("%.*s: %s", SPAN_ARGS(rec->name), e.msg);
    assert_true(r.n_messages > 0 && r.model.len);
    t.model = r.model;
    t.stream = r.params.stream;
    assert_true(codec_cohere.request_write(&r, &t, &l, &out, &e));
    if (!json_same(buf_view(&out), rec->asked))
        fail_msg("%.*s: not the same value", SPAN_ARGS(rec->name));
    buf_reset(&out);
    t.same_dialect = false;
    assert_true(codec_cohere.request_write(&r, &t, &l, &out, &e));
    if (!codec_cohere.request_read(
            &(struct inbound){buf_view(&out), SPAN(""), false}, &a, &again, &e))
        fail_msg("%.*s: %s", SPAN_ARGS(rec->name), e.msg);
    check_same_talk(&r, &again);
    buf_free(&out);
    arena_free(&a);
}

static void requests_recorded_are_written_as_the_same_value(void **state)
{
    struct recordings all;
    struct recording rec;
    unsigned n = 0;

    (void)state;
    if (!recordings_open(&all))
        skip();
    while (recordings_next(&all, "cohere", &rec)) {
        check_request(&rec);
        n++;
    }
    recordings_close(&all);
    assert_int_equal(n, 58);
}

static void check_reply(const struct recording *rec)
{
    struct gathered g, other;
    struct arena a;

    arena_init(&a, (size_t)64 << 20);
    if (!rec->streamed) {
        g = read_whole(rec->answer, rec->status, &a);
    } else {
        g = read_stream(rec->answer, CUTS_WHOLE, &a);
        other = read_stream(rec->answer, CUTS_BYTES, &a);
        assert_true(gathered_same(&g, &other));
        for (uint64_t seed = 1; seed < 4; seed++) {
            other = read_stream(rec->answer, (struct cuts){0, seed}, &a);
            assert_true(gathered_same(&g, &other));
        }
    }
    assert_int_equal(g.error_status, rec->status == 200 ? 0 : rec->status);
    if (rec->status == 200) {
        assert_true(g.ended && g.has_usage && g.id.len && g.usage.input > 0 &&
                    g.usage.output > 0);
        assert_non_null(g.choices[0].first);
        assert_true(g.choices[0].finish == FINISH_STOP ||
                    g.choices[0].finish == FINISH_TOOLS);
    }
    check_written(&g, rec->name);
    arena_free(&a);
}

static void answers_recorded_are_read_alike_at_any_chunking(void **state)
{
    struct recordings all;
    struct recording rec;
    unsigned n = 0, streamed = 0;

    (void)state;
    if (!recordings_open(&all))
        skip();
    while (recordings_next(&all, "cohere", &rec)) {
        check_reply(&rec);
        streamed += rec.streamed;
        n++;
    }
    recordings_close(&all);
    assert_int_equal(n, 58);
    assert_int_equal(streamed, 11);
}

/* ---- events ---- */

#define START "data: {\"type\":\"message-start\",\"id\":\"i\"}\n\n"
#define TEXT(index, text)                                                      \
    "data: {\"type\":\"content-delta\",\"index\":" index ",\"delta\":{"        \
    "\"message\":{\"content\":{\"text\":\"" text "\"}}}}\n\n"
#define CITED                                                                  \
    "data: {\"type\":\"content-end\",\"index\":0}\n\n"                         \
    "data: {\"type\":\"citation-start\",\"index\":0,\"delta\":{\"message\":{"  \
    "\"citations\":{\"start\":0,\"sources\":[]}}}}\n\n"
#define LAST                                                                   \
    "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":"            \
    "\"COMPLETE\",\"usage\":{\"tokens\":{\"input_tokens\":1,"                  \
    "\"output_tokens\":1}}}}\n\ndata: [DONE]\n\n"

static void a_plan_is_text_in_front_of_the_calls(void **state)
{
    static const char stream[] = START
        "data: {\"type\":\"tool-plan-delta\",\"delta\":{\"message\":{"
        "\"tool_plan\":\"I will\"}}}\n\n"
        "data: {\"type\":\"tool-call-start\",\"index\":0,\"delta\":{"
        "\"message\":{\"tool_calls\":{\"id\":\"c\",\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}}}}\n\n"
        "data: {\"type\":\"tool-call-delta\",\"index\":0,\"delta\":{"
        "\"message\":{\"tool_calls\":{\"function\":{\"arguments\":\"{}\"}}}}}"
        "\n\ndata: {\"type\":\"tool-call-end\",\"index\":0}\n\n"
        "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":"
        "\"TOOL_CALL\",\"usage\":{\"tokens\":{\"input_tokens\":9,"
        "\"output_tokens\":7,\"reasoning_tokens\":2},\"cached_tokens\":4}}}"
        "\n\n";
    const struct gathered_block *b;
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_stream(SPAN(stream), CUTS_BYTES, &a);
    b = g.choices[0].first;
    assert_int_equal(b->part, PART_TEXT);
    assert_true(span_is(b->text, "I will"));
    assert_true(span_is(b->next->name, "f") && span_is(b->next->text, "{}"));
    assert_int_equal(g.usage.cached, 4);
    assert_int_equal(g.usage.reasoning, 2);
    check_written(&g, SPAN("plan"));
    arena_free(&a);
}

static void citations_behind_the_texts_end_are_the_texts(void **state)
{
    static const char stream[] = START TEXT("0", "a") CITED TEXT("1", "b") LAST;
    const struct gathered_block *b;
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_stream(SPAN(stream), CUTS_BYTES, &a);
    b = g.choices[0].first;
    assert_true(span_is(b->raw, "[{\"start\":0,\"sources\":[]}]"));
    assert_true(span_is(b->next->text, "b"));
    assert_null(b->next->next);
    arena_free(&a);
}

static void a_failure_for_a_finish_is_an_error(void **state)
{
    static const char stream[] = START TEXT(
        "0",
        "a") "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":"
             "\"TIMEOUT\",\"error\":\"too slow\"}}\n\ndata: [DONE]\n\n";
    struct request asked = {.params = params_unsaid()};
    void *writer = calloc(1, codec_cohere.writer_size);
    struct losses l = {.n = 0};
    struct gathered g, again;
    struct arena a;
    struct buf out;

    (void)state;
    arena_init(&a, 1 << 20);
    buf_init(&out, 1 << 20);
    g = read_stream(SPAN(stream), CUTS_BYTES, &a);
    assert_false(g.ended);
    assert_int_equal(g.error_status, 504);
    assert_true(span_is(g.error_message, "too slow"));
    check_replay(&(struct replay){&codec_cohere, writer, &asked, &l, &out}, &g);
    again = read_stream(buf_view(&out), CUTS_WHOLE, &a);
    assert_true(gathered_same(&g, &again));
    free(writer);
    buf_free(&out);
    arena_free(&a);
}

static void a_stream_cut_off_is_no_stop(void **state)
{
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_stream(SPAN(START TEXT("0", "a")), CUTS_WHOLE, &a);
    assert_false(g.ended);
    assert_int_equal(g.error_status, 502);
    arena_free(&a);
}

static void an_error_in_mid_stream_is_an_error(void **state)
{
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_stream(SPAN(START TEXT("0", "a") "data: {\"message\":\"down\"}"
                                              "\n\n" LAST),
                    CUTS_WHOLE, &a);
    assert_false(g.ended);
    assert_true(span_is(g.error_message, "down"));
    arena_free(&a);
}

/* ---- requests of others ---- */

static const struct written {
    const char *what, *asked, *want;
    enum lossy loss; /* LOSSY_KINDS: none */
} written[] = {
    {"text beside calls is their plan, and results are messages",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
     "{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
     "\"content\":\"I\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"1\"}],"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
     "\"parameters\":{}}}]}",
     "{\"model\":\"c\",\"messages\":[{\"role\":\"system\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"s\"}]},{\"role\":\"user\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"q\"}]},{\"role\":\"assistant\","
     "\"tool_plan\":\"I\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"1\"}],"
     "\"stream\":false,\"tools\":[{\"type\":\"function\",\"function\":{"
     "\"name\":\"f\",\"parameters\":{}}}]}",
     LOSSY_KINDS},
    {"one tool by name is that one alone",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
     "\"parameters\":{}}},{\"type\":\"function\",\"function\":{\"name\":"
     "\"g\",\"parameters\":{}}}],\"tool_choice\":{\"type\":\"function\","
     "\"function\":{\"name\":\"g\"}}}",
     "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"q\"}]}],\"stream\":false,\"tools\":[{"
     "\"type\":\"function\",\"function\":{\"name\":\"g\",\"parameters\":{}}"
     "}],\"tool_choice\":\"REQUIRED\"}",
     LOSSY_KINDS},
    {"numbers outside the range are brought into it",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
     "\"frequency_penalty\":-1,\"top_p\":1,\"stop\":\"x\",\"seed\":7}",
     "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"q\"}]}],\"stream\":false,"
     "\"frequency_penalty\":0,\"stop_sequences\":[\"x\"],\"seed\":7}",
     LOSSY_CLAMPED},
    {"a schema is a form of JSON",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
     "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
     "\"name\":\"p\",\"schema\":{\"type\":\"object\"}}}}",
     "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"q\"}]}],\"stream\":false,"
     "\"response_format\":{\"type\":\"json_object\",\"json_schema\":{"
     "\"type\":\"object\"}}}",
     LOSSY_KINDS},
    {"documents of text stand beside the messages",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"q\"},{\"type\":\"file\",\"file\":{"
     "\"filename\":\"a.txt\",\"file_data\":\"data:text/plain;base64,"
     "aGk=\"}}]}]}",
     "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"q\"}]}],\"documents\":[{\"id\":\"doc:0\","
     "\"data\":{\"title\":\"a.txt\",\"text\":\"hi\"}}],\"stream\":false}",
     LOSSY_KINDS},
    {"other documents are said to be lost",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"q\"},{\"type\":\"file\",\"file\":{"
     "\"filename\":\"a.pdf\",\"file_data\":\"data:application/pdf;base64,"
     "aGk=\"}}]}]}",
     "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"q\"}]}],\"stream\":false}",
     LOSSY_FILE},
    {"images go along, by address too",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"image_url\",\"image_url\":{\"url\":"
     "\"data:image/png;base64,AAEC\"}},{\"type\":\"image_url\","
     "\"image_url\":{\"url\":\"https://example.com/a.png\"}}]}]}",
     "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"image_url\",\"image_url\":{\"url\":"
     "\"data:image/png;base64,AAEC\"}},{\"type\":\"image_url\","
     "\"image_url\":{\"url\":\"https://example.com/a.png\"}}]}],"
     "\"stream\":false}",
     LOSSY_KINDS},
    {"several answers are one, and that is said",
     "{\"model\":\"m\",\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":"
     "\"q\"}]}",
     "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"q\"}]}],\"stream\":false}",
     LOSSY_N},
};

static bool has_loss(const struct losses *l, enum lossy kind)
{
    for (unsigned i = 0; i < l->n; i++) {
        if (l->at[i].kind == kind)
            return true;
    }
    return kind == LOSSY_KINDS && l->n == 0;
}

static void requests_of_other_dialects_are_as_cohere_wants_them(void **state)
{
    struct target t = {.model = SPAN("c")};

    (void)state;
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        struct losses l = {.n = 0};
        struct request r;
        struct arena a;
        struct buf out, said;
        struct err e;

        arena_init(&a, 1 << 20);
        buf_init(&out, 1 << 20);
        buf_init(&said, 1 << 16);
        if (!request_from_openai(span_of(written[i].asked), &a, &r, &e) ||
            !codec_cohere.request_write(&r, &t, &l, &out, &e))
            fail_msg("%s: %s", written[i].what, e.msg);
        lossy_header(&l, &said);
        if (!json_same(buf_view(&out), span_of(written[i].want)) ||
            !has_loss(&l, written[i].loss))
            fail_msg("%s: %s (%s)", written[i].what, buf_cstr(&out),
                     buf_cstr(&said));
        buf_free(&said);
        buf_free(&out);
        arena_free(&a);
    }
}

static const struct {
    const char *body, *message;
} wrong[] = {
    {"{\"model\":\"m\"}", "messages: wanted an array, found nothing"},
    {"{\"messages\":[{\"role\":\"x\"}]}",
     "messages[0].role: wanted system, user, assistant or tool, found a "
     "string"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
     "\"text\":1}]}]}",
     "messages[0].content[0].text: wanted a string, found a number"},
    {"{\"messages\":[{\"role\":\"assistant\",\"tool_plan\":1}]}",
     "messages[0].tool_plan: wanted a string, found a number"},
    {"{\"messages\":[],\"tools\":[{\"function\":{}}]}",
     "tools[0].function.name: wanted a string, found nothing"},
    {"{\"messages\":[],\"thinking\":1}",
     "thinking: wanted an object, found a number"},
};

static void wrong_types_are_named_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct request r;
        struct arena a;
        struct err e = {ERR_NONE, ""};

        arena_init(&a, 1 << 20);
        assert_false(codec_cohere.request_read(
            &(struct inbound){span_of(wrong[i].body), SPAN(""), false}, &a, &r,
            &e));
        assert_string_equal(e.msg, wrong[i].message);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_recorded_are_written_as_the_same_value),
        cmocka_unit_test(answers_recorded_are_read_alike_at_any_chunking),
        cmocka_unit_test(a_plan_is_text_in_front_of_the_calls),
        cmocka_unit_test(citations_behind_the_texts_end_are_the_texts),
        cmocka_unit_test(a_failure_for_a_finish_is_an_error),
        cmocka_unit_test(a_stream_cut_off_is_no_stop),
        cmocka_unit_test(an_error_in_mid_stream_is_an_error),
        cmocka_unit_test(requests_of_other_dialects_are_as_cohere_wants_them),
        cmocka_unit_test(wrong_types_are_named_with_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
