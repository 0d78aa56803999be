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
    if (!check_answer(&codec_bedrock, body, status, gather_sink(&g), &e))
        fail_msg("%s", e.msg);
    return g;
}

static struct gathered read_stream(struct span bytes, struct cuts cuts,
                                   struct arena *a)
{
    struct gathered g;
    struct err e;

    gather_init(&g, a);
    if (!check_aws(&codec_bedrock, bytes, cuts, gather_sink(&g), &e))
        fail_msg("%s", e.msg);
    return g;
}

static void write_stream(const struct gathered *g, struct losses *l,
                         struct buf *out)
{
    struct request asked = {.params = params_unsaid()};
    void *state = calloc(1, codec_bedrock.writer_size);

    memset(l, 0, sizeof *l);
    check_replay(&(struct replay){&codec_bedrock, state, &asked, l, out}, g);
    free(state);
}

/* ---- recordings ---- */

static struct span model_of(struct span path)
{
    static const char before[] = "/model/";

    if (!span_starts(path, before))
        return (struct span){NULL, 0};
    path.ptr += strlen(before);
    path.len -= strlen(before);
    return span_cut(&path, '/');
}

static void check_request(const struct recording *rec)
{
    struct target t = {
        .model = model_of(rec->path), .same_dialect = true, .same_model = true};
    struct losses l = {.n = 0};
    struct request r, again;
    struct arena a;
    struct buf out;
    struct err e;

    arena_init(&a, (size_t)64 << 20);
    buf_init(&out, (size_t)64 << 20);
    if (!codec_bedrock.request_read(
            &(struct inbound){rec->asked, t.model,
                              span_has(rec->path, SPAN("-stream"))},
            &a, &r, &e))
        fail_msg("%.*s: %s", SPAN_ARGS(rec->name), e.msg);
    assert_true(r.n_messages > 0);
    assert_true(codec_bedrock.request_write(&r, &t, &l, &out, &e));
    if (!json_same(buf_view(&out), rec->asked))
        fail_msg("%.*s: not the same value", SPAN_ARGS(rec->name));
    /* The canonical request alone says the same again. */
    buf_reset(&out);
    t.same_dialect = false;
    assert_true(codec_bedrock.request_write(&r, &t, &l, &out, &e));
    if (!codec_bedrock.request_read(
            &(struct inbound){buf_view(&out), t.model, false}, &a, &again, &e))
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
    while (recordings_next(&all, "bedrock", &rec)) {
        check_request(&rec);
        n++;
    }
    recordings_close(&all);
    assert_int_equal(n, 75);
}

static void check_written(const struct gathered *want, struct span name)
{
    struct request asked = {.params = params_unsaid()};
    struct losses l = {.n = 0};
    struct gathered got;
    struct arena a;
    struct buf out;

    arena_init(&a, (size_t)64 << 20);
    buf_init(&out, (size_t)64 << 20);
    write_stream(want, &l, &out);
    got = read_stream(buf_view(&out), CUTS_BYTES, &a);
    if (l.n || !gathered_same(&got, want))
        fail_msg("%.*s: written as a stream it is another", SPAN_ARGS(name));
    buf_reset(&out);
    if (want->error_status && want->n_choices) /* only a stream breaks off */
        goto out;
    codec_bedrock.answer_write(want, &asked, &l, &out);
    got = read_whole(buf_view(&out),
                     want->error_status ? want->error_status : 200, &a);
    if (l.n || !gathered_same(&got, want))
        fail_msg("%.*s: written whole it is another", SPAN_ARGS(name));
out:
    buf_free(&out);
    arena_free(&a);
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
        assert_true(g.ended && g.has_usage && g.usage.input > 0 &&
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
    while (recordings_next(&all, "bedrock", &rec)) {
        check_reply(&rec);
        streamed += rec.streamed;
        n++;
    }
    recordings_close(&all);
    assert_int_equal(n, 75);
    assert_int_equal(streamed, 13);
}

/* ---- events ---- */

struct event {
    const char *name, *data;
};

static void put_events(struct buf *out, const struct event *events)
{
    buf_init(out, 1 << 20);
    for (; events->name; events++)
        aws_stream_write(
            out, strstr(events->name, "Exception") ? "exception" : "event",
            span_of(events->name), span_of(events->data));
}

static struct gathered read_events(const struct event *events, struct arena *a)
{
    struct gathered g;
    struct buf out;

    put_events(&out, events);
    g = read_stream(buf_view(&out), CUTS_BYTES, a);
    buf_free(&out);
    return g;
}

#define START                                                                  \
    {                                                                          \
        "messageStart", "{\"role\":\"assistant\"}"                             \
    }
#define STOP                                                                   \
    {                                                                          \
        "messageStop", "{\"stopReason\":\"end_turn\"}"                         \
    }
#define LAST                                                                   \
    {                                                                          \
        NULL, NULL                                                             \
    }

static void texts_without_a_start_are_blocks(void **state)
{
    const struct event events[] = {
        START,
        {"contentBlockDelta",
         "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"a\\u00e9\"}}"},
        {"contentBlockDelta",
         "{\"contentBlockIndex\":1,\"delta\":{\"text\":\"b\"}}"},
        {"contentBlockStop", "{\"contentBlockIndex\":1}"},
        STOP,
        LAST,
    };
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_events(events, &a);
    assert_true(g.ended);
    assert_true(span_is(g.choices[0].first->text, "a\303\251"));
    assert_true(span_is(g.choices[0].first->next->text, "b"));
    arena_free(&a);
}

static void citations_in_their_own_block_join_the_text_before(void **state)
{
    const struct event events[] = {
        START,
        {"contentBlockDelta",
         "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"a\"}}"},
        {"contentBlockStop", "{\"contentBlockIndex\":0}"},
        {"contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{"
                              "\"citation\":{\"location\":{}}}}"},
        {"contentBlockStop", "{\"contentBlockIndex\":1}"},
        STOP,
        LAST,
    };
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_events(events, &a);
    assert_true(span_is(g.choices[0].first->raw, "[{\"location\":{}}]"));
    assert_null(g.choices[0].first->next);
    arena_free(&a);
}

static void signatures_and_redacted_thinking_stay_as_they_are(void **state)
{
    const struct event events[] = {
        START,
        {"contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{"
                              "\"reasoningContent\":{\"text\":\"hm\"}}}"},
        {"contentBlockDelta",
         "{\"contentBlockIndex\":0,\"delta\":{"
         "\"reasoningContent\":{\"signature\":\"s+/=\"}}}"},
        {"contentBlockStop", "{\"contentBlockIndex\":0}"},
        {"contentBlockDelta",
         "{\"contentBlockIndex\":1,\"delta\":{"
         "\"reasoningContent\":{\"redactedContent\":\"AAEC\"}}}"},
        {"contentBlockStop", "{\"contentBlockIndex\":1}"},
        STOP,
        {"metadata", "{\"usage\":{}}"},
        LAST,
    };
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_events(events, &a);
    assert_int_equal(g.choices[0].first->part, PART_THINKING);
    assert_true(span_is(g.choices[0].first->signature, "s+/="));
    assert_true(g.choices[0].first->next->redacted);
    assert_true(span_is(g.choices[0].first->next->signature, "AAEC"));
    assert_null(g.choices[0].first->next->next);
    check_written(&g, SPAN("thinking"));
    arena_free(&a);
}

static void an_exception_in_mid_stream_is_an_error(void **state)
{
    const struct event events[] = {
        START,
        {"contentBlockDelta",
         "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"a\"}}"},
        {"throttlingException", "{\"message\":\"Too many\"}"},
        STOP,
        LAST,
    };
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_events(events, &a);
    assert_false(g.ended);
    assert_int_equal(g.error_status, 429);
    assert_true(span_is(g.error_message, "Too many"));
    assert_true(span_is(g.error_type, "throttlingException"));
    check_written(&g, SPAN("exception"));
    arena_free(&a);
}

static void a_stream_cut_off_is_no_stop(void **state)
{
    const struct event events[] = {
        START,
        {"contentBlockDelta",
         "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"a\"}}"},
        LAST,
    };
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_events(events, &a);
    assert_false(g.ended);
    assert_int_equal(g.error_status, 502);
    arena_free(&a);
}

static void a_repeated_stop_does_not_end_a_call_twice(void **state)
{
    const struct event events[] = {
        START,
        {"contentBlockStart",
         "{\"contentBlockIndex\":0,\"start\":{\"toolUse\":{"
         "\"toolUseId\":\"weirid_a_x2e_b\",\"name\":\"f\"}}}"},
        {"contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{"
                              "\"toolUse\":{\"input\":\"{\\\"a\\\":\"}}}"},
        {"contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{"
                              "\"toolUse\":{\"input\":\"1}\"}}}"},
        {"contentBlockStop", "{\"contentBlockIndex\":0}"},
        {"contentBlockStop", "{\"contentBlockIndex\":0}"},
        {"messageStop", "{\"stopReason\":\"tool_use\"}"},
        {"messageStop", "{\"stopReason\":\"tool_use\"}"},
        LAST,
    };
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_events(events, &a);
    assert_true(g.ended);
    assert_int_equal(g.choices[0].finish, FINISH_TOOLS);
    assert_true(span_is(g.choices[0].first->id, "a.b"));
    assert_true(span_is(g.choices[0].first->text, "{\"a\":1}"));
    assert_null(g.choices[0].first->next);
    arena_free(&a);
}

static void cached_tokens_are_counted_once_and_by_their_life(void **state)
{
    const struct event events[] = {
        START,
        STOP,
        {"metadata", "{\"usage\":{\"inputTokens\":10,\"outputTokens\":4,"
                     "\"totalTokens\":144,\"cacheReadInputTokens\":100,"
                     "\"cacheWriteInputTokens\":30,\"cacheDetails\":["
                     "{\"ttl\":\"5m\",\"inputTokens\":10},"
                     "{\"ttl\":\"1h\",\"inputTokens\":20}]}}"},
        LAST,
    };
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_events(events, &a);
    assert_int_equal(g.usage.input, 140);
    assert_int_equal(g.usage.cached, 100);
    assert_int_equal(g.usage.cache_write, 10);
    assert_int_equal(g.usage.cache_write_1h, 20);
    check_written(&g, SPAN("usage"));
    arena_free(&a);
}

static void the_answer_tool_is_text(void **state)
{
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    g = read_whole(SPAN("{\"output\":{\"message\":{\"role\":\"assistant\","
                        "\"content\":[{\"toolUse\":{\"toolUseId\":\"t\","
                        "\"name\":\"" BEDROCK_ANSWER_TOOL "\","
                        "\"input\":{\"a\":1}}}]}},\"stopReason\":"
                        "\"tool_use\",\"usage\":{}}"),
                   200, &a);
    assert_int_equal(g.choices[0].first->part, PART_TEXT);
    assert_true(span_is(g.choices[0].first->text, "{\"a\":1}"));
    assert_int_equal(g.choices[0].finish, FINISH_STOP);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_recorded_are_written_as_the_same_value),
        cmocka_unit_test(answers_recorded_are_read_alike_at_any_chunking),
        cmocka_unit_test(texts_without_a_start_are_blocks),
        cmocka_unit_test(citations_in_their_own_block_join_the_text_before),
        cmocka_unit_test(signatures_and_redacted_thinking_stay_as_they_are),
        cmocka_unit_test(an_exception_in_mid_stream_is_an_error),
        cmocka_unit_test(a_stream_cut_off_is_no_stop),
        cmocka_unit_test(a_repeated_stop_does_not_end_a_call_twice),
        cmocka_unit_test(cached_tokens_are_counted_once_and_by_their_life),
        cmocka_unit_test(the_answer_tool_is_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
