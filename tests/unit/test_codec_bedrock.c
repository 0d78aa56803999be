/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec_aws.h"

#include <math.h>

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
    check_replay(&codec_bedrock, state, g, &asked, l, out);
    free(state);
}

static struct request read_request(const char *body, struct arena *a)
{
    struct request r;
    struct err e;

    if (!codec_bedrock.request_read(span_of(body), SPAN("m"), false, a, &r, &e))
        fail_msg("%s: %s", body, e.msg);
    return r;
}

/* An OpenAI request, written for a model. */
static void write_for(const char *body, const char *model, struct losses *l,
                      struct buf *out)
{
    struct target t = {.model = span_of(model)};
    struct request r;
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 20);
    memset(l, 0, sizeof *l);
    buf_init(out, 1 << 20);
    if (!request_from_openai(span_of(body), &a, &r, &e) ||
        !codec_bedrock.request_write(&r, &t, l, out, &e))
        fail_msg("%s: %s", body, e.msg);
    arena_free(&a);
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
    if (!codec_bedrock.request_read(rec->asked, t.model,
                                    span_has(rec->path, SPAN("-stream")), &a,
                                    &r, &e))
        fail_msg("%.*s: %s", SPAN_ARGS(rec->name), e.msg);
    assert_true(r.n_messages > 0);
    assert_true(codec_bedrock.request_write(&r, &t, &l, &out, &e));
    if (!json_same(buf_view(&out), rec->asked))
        fail_msg("%.*s: not the same value", SPAN_ARGS(rec->name));
    /* The canonical request alone says the same again. */
    buf_reset(&out);
    t.same_dialect = false;
    assert_true(codec_bedrock.request_write(&r, &t, &l, &out, &e));
    if (!codec_bedrock.request_read(buf_view(&out), t.model, false, &a, &again,
                                    &e))
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

/* ---- requests of others ---- */

static const struct written {
    const char *what, *model, *asked, *want;
    enum lossy loss; /* LOSSY_KINDS: none */
} written[] = {
    {"results stand in one message, in front, right behind their calls",
     "anthropic.claude-sonnet-4-5",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
     "{\"role\":\"user\",\"content\":\"q\"},"
     "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":["
     "{\"id\":\"a.1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
     "\"arguments\":\"{\\\"x\\\":1.50}\"}},"
     "{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"f\","
     "\"arguments\":\"\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"a.1\",\"content\":\"1\"},"
     "{\"role\":\"tool\",\"tool_call_id\":\"b\",\"content\":\"2\"},"
     "{\"role\":\"user\",\"content\":\"go\"}],\"tools\":[{\"type\":"
     "\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}]}",
     "{\"system\":[{\"text\":\"s\"}],\"messages\":[{\"role\":\"user\","
     "\"content\":[{\"text\":\"q\"}]},{\"role\":\"assistant\",\"content\":["
     "{\"toolUse\":{\"toolUseId\":\"weirid_a_x2e_1\",\"name\":\"f\",\"input\":"
     "{\"x\":1.50}}},{\"toolUse\":{\"toolUseId\":\"b\",\"name\":\"f\","
     "\"input\":{}}}]},{\"role\":\"user\",\"content\":[{\"toolResult\":{"
     "\"toolUseId\":\"weirid_a_x2e_1\",\"content\":[{\"text\":\"1\"}]}},"
     "{\"toolResult\":{\"toolUseId\":\"b\",\"content\":[{\"text\":\"2\"}]}},"
     "{\"text\":\"go\"}]}],\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":"
     "\"f\",\"inputSchema\":{\"json\":{}}}}]}}",
     LOSSY_KINDS},
    {"numbers outside the range are brought into it", "amazon.nova-lite",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
     "\"temperature\":1.5,\"max_tokens\":9,\"stop\":[\"x\",\" \"]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}],"
     "\"inferenceConfig\":{\"maxTokens\":9,\"temperature\":1,"
     "\"stopSequences\":[\"x\"]}}",
     LOSSY_CLAMPED},
    {"several answers are one, and that is said", "amazon.nova-lite",
     "{\"model\":\"m\",\"n\":3,\"messages\":[{\"role\":\"user\",\"content\":"
     "\"q\"}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}]}",
     LOSSY_N},
    {"an effort is an effort where Nova takes it", "us.amazon.nova-2-lite-v1:0",
     "{\"model\":\"m\",\"reasoning_effort\":\"low\",\"messages\":[{\"role\":"
     "\"user\",\"content\":\"q\"}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}],"
     "\"additionalModelRequestFields\":{\"reasoningConfig\":{\"type\":"
     "\"enabled\",\"maxReasoningEffort\":\"low\"}}}",
     LOSSY_KINDS},
    {"thinking is not asked of models that have none", "meta.llama3",
     "{\"model\":\"m\",\"reasoning_effort\":\"low\",\"messages\":[{\"role\":"
     "\"user\",\"content\":\"q\"}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}]}",
     LOSSY_REASONING},
    {"a budget stays below max_tokens", "anthropic.claude-haiku-4-5",
     "{\"model\":\"m\",\"reasoning_effort\":\"high\",\"max_tokens\":2000,"
     "\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}],"
     "\"inferenceConfig\":{\"maxTokens\":2000},"
     "\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"enabled\","
     "\"budget_tokens\":1600}}}",
     LOSSY_REASONING},
    {"images are bytes, and addresses are said to be lost", "amazon.nova-lite",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":["
     "{\"type\":\"image_url\",\"image_url\":{\"url\":"
     "\"data:image/png;base64,AAEC\"}},"
     "{\"type\":\"image_url\",\"image_url\":{\"url\":"
     "\"https://example.com/a.png\"}}]}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"image\":{\"format\":"
     "\"png\",\"source\":{\"bytes\":\"AAEC\"}}}]}]}",
     LOSSY_IMAGE},
    {"arguments that are no object are kept as text", "amazon.nova-lite",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":null,"
     "\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{"
     "\"name\":\"f\",\"arguments\":\"{\\\"x\"}}]}]}",
     "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"toolUse\":{"
     "\"toolUseId\":\"a\",\"name\":\"f\",\"input\":{\"arguments\":"
     "\"{\\\"x\"}}}]}],\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":"
     "\"f\",\"inputSchema\":{\"json\":{\"type\":\"object\",\"properties\":{}"
     "}}}}]}}",
     LOSSY_OTHER},
    {"a schema is text with JSON in it, closed as Claude wants it",
     "anthropic.claude-haiku-4-5",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
     "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
     "\"name\":\"p\",\"schema\":{\"type\":\"object\"}}}}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}],"
     "\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\","
     "\"structure\":{\"jsonSchema\":{\"schema\":\"{\\\"type\\\":"
     "\\\"object\\\",\\\"additionalProperties\\\":false}\",\"name\":\"p\"}}}}}",
     LOSSY_KINDS},
    {"a tool is asked for by its name", "amazon.nova-lite",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],"
     "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}],"
     "\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\","
     "\"inputSchema\":{\"json\":{\"type\":\"object\",\"properties\":{}}}}}],"
     "\"toolChoice\":{\"tool\":{\"name\":\"f\"}}}}",
     LOSSY_KINDS},
    {"seeds and the like are said to be lost", "amazon.nova-lite",
     "{\"model\":\"m\",\"seed\":1,\"messages\":[{\"role\":\"user\","
     "\"content\":\"q\"}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}]}",
     LOSSY_PARAMETER},
};

static bool has_loss(const struct losses *l, enum lossy kind)
{
    for (unsigned i = 0; i < l->n; i++) {
        if (l->at[i].kind == kind)
            return true;
    }
    return kind == LOSSY_KINDS && l->n == 0;
}

static void requests_of_other_dialects_are_as_bedrock_wants_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        struct losses l;
        struct buf out, said;

        write_for(written[i].asked, written[i].model, &l, &out);
        buf_init(&said, 1 << 16);
        lossy_header(&l, &said);
        if (!json_same(buf_view(&out), span_of(written[i].want)) ||
            !has_loss(&l, written[i].loss))
            fail_msg("%s: %s (%s)", written[i].what, buf_cstr(&out),
                     buf_cstr(&said));
        buf_free(&said);
        buf_free(&out);
    }
}

static void cache_points_mark_what_stands_before_them(void **state)
{
    static const char body[] =
        "{\"system\":[{\"text\":\"s\"},{\"cachePoint\":{\"type\":\"default\","
        "\"ttl\":\"1h\"}}],\"messages\":[{\"role\":\"user\",\"content\":["
        "{\"text\":\"q\"},{\"cachePoint\":{\"type\":\"default\"}}]}]}";
    struct target t = {.model = SPAN("m")};
    struct losses l = {.n = 0};
    struct request r;
    struct arena a;
    struct buf out;
    struct err e;

    (void)state;
    arena_init(&a, 1 << 20);
    buf_init(&out, 1 << 20);
    r = read_request(body, &a);
    assert_true(span_has(r.messages[0].parts[0].cache, SPAN("1h")));
    assert_int_equal(r.messages[1].n_parts, 1);
    assert_true(r.messages[1].parts[0].cache.len);
    assert_true(codec_bedrock.request_write(&r, &t, &l, &out, &e));
    assert_true(json_same(buf_view(&out), SPAN(body)));
    buf_free(&out);
    arena_free(&a);
}

static void thinking_goes_back_to_its_own_model_only(void **state)
{
    static const char body[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]},"
        "{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{"
        "\"reasoningText\":{\"text\":\"hm\",\"signature\":\"s\"}}},"
        "{\"text\":\"a\"}]},{\"role\":\"user\",\"content\":[{\"text\":"
        "\"r\"}]}],\"additionalModelRequestFields\":{\"thinking\":{\"type\":"
        "\"enabled\",\"budget_tokens\":1024}}}";
    struct target t = {.model = SPAN("claude-haiku-4-5"), .same_model = true};
    struct losses l = {.n = 0};
    struct request r;
    struct arena a;
    struct buf out;
    struct err e;

    (void)state;
    arena_init(&a, 1 << 20);
    buf_init(&out, 1 << 20);
    r = read_request(body, &a);
    assert_true(codec_bedrock.request_write(&r, &t, &l, &out, &e));
    assert_true(json_same(buf_view(&out), SPAN(body)));
    for (int same = 0; same < 2; same++) {
        t.same_model = false;
        t.same_dialect = same;
        buf_reset(&out);
        assert_true(codec_bedrock.request_write(&r, &t, &l, &out, &e));
        assert_false(span_has(buf_view(&out), SPAN("reasoningContent")));
        assert_true(span_has(buf_view(&out), SPAN("\"a\"")));
    }
    assert_true(has_loss(&l, LOSSY_THINKING));
    buf_free(&out);
    arena_free(&a);
}

static const struct {
    const char *body, *message;
} wrong[] = {
    {"{}", "messages: wanted an array, found nothing"},
    {"{\"messages\":[{\"role\":\"tool\",\"content\":[]}]}",
     "messages[0].role: wanted user or assistant, found a string"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":1}]}]}",
     "messages[0].content[0].text: wanted a string, found a number"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"toolResult\":{"
     "\"toolUseId\":\"a\",\"content\":[{\"text\":1}]}}]}]}",
     "messages[0].content[0].toolResult.text: wanted a string, found a "
     "number"},
    {"{\"messages\":[],\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":"
     "false}}]}}",
     "toolConfig.tools[0].toolSpec.name: wanted a string, found a boolean"},
    {"{\"messages\":[],\"inferenceConfig\":{\"maxTokens\":\"a\"}}",
     "inferenceConfig.maxTokens: wanted a whole number of at least 0, found "
     "a string"},
};

static void wrong_types_are_named_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct request r;
        struct arena a;
        struct err e = {ERR_NONE, ""};

        arena_init(&a, 1 << 20);
        assert_false(codec_bedrock.request_read(span_of(wrong[i].body),
                                                SPAN("m"), false, &a, &r, &e));
        assert_string_equal(e.msg, wrong[i].message);
        arena_free(&a);
    }
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
        cmocka_unit_test(requests_of_other_dialects_are_as_bedrock_wants_them),
        cmocka_unit_test(cache_points_mark_what_stands_before_them),
        cmocka_unit_test(thinking_goes_back_to_its_own_model_only),
        cmocka_unit_test(wrong_types_are_named_with_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
