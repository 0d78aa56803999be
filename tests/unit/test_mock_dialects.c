/* SPDX-License-Identifier: Apache-2.0 */
/* The mock in each dialect: what it says is read back by the dialect's codec,
 * what the real API refuses is refused, and faults come as they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "bench/mock.h"
#include "features/features.h"
#include "router/codec/aws_stream.h"
#include "router/http/sse.h"

#define TOOL_SCHEMA                                                            \
    "{\"type\":\"object\",\"properties\":{\"q\":{\"type\":\"string\"}}}"

/* A question with a tool in each dialect; %s: the directive. */
static const struct {
    const struct mock_dialect *dialect;
    const char *body;
} asks[] = {
    {&mock_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"go %s\"}"
     "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"look\","
     "\"parameters\":" TOOL_SCHEMA "}}]}"},
    {&mock_responses,
     "{\"model\":\"m\",\"input\":\"go %s\",\"tools\":[{\"type\":\"function\","
     "\"name\":\"look\",\"strict\":false,\"parameters\":" TOOL_SCHEMA "}]}"},
    {&mock_anthropic,
     "{\"model\":\"m\",\"max_tokens\":900,\"messages\":[{\"role\":\"user\","
     "\"content\":\"go %s\"}],\"tools\":[{\"name\":\"look\","
     "\"input_schema\":" TOOL_SCHEMA "}]}"},
    {&mock_gemini,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"go %s\"}]}],"
     "\"tools\":[{\"functionDeclarations\":[{\"name\":\"look\","
     "\"parameters\":" TOOL_SCHEMA "}]}]}"},
    {&mock_bedrock,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"go %s\"}]}],"
     "\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"look\","
     "\"inputSchema\":{\"json\":" TOOL_SCHEMA "}}}]}}"},
    {&mock_cohere,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"go %s\"}"
     "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"look\","
     "\"description\":\"d\",\"parameters\":" TOOL_SCHEMA "}}]}"},
};

enum { ASKS = sizeof asks / sizeof asks[0] };

struct rig {
    struct mock_options options;
    struct mock_context context;
    struct arena arena;
    struct request request;
    struct mock_reply reply;
    struct buf body;
};

static int set_up(void **state)
{
    static struct rig b;

    memset(&b, 0, sizeof b);
    b.options.seed = 3;
    b.context.options = &b.options;
    b.context.scratch = features_scratch_new();
    b.context.vec = test_malloc(sizeof *b.context.vec);
    arena_init(&b.arena, 16 << 20);
    buf_init(&b.body, 1 << 20);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *b = *state;

    features_scratch_free(b->context.scratch);
    test_free(b->context.vec);
    arena_free(&b->arena);
    buf_free(&b->body);
    return 0;
}

static void read_request(struct rig *b, const struct mock_dialect *d,
                         const char *body)
{
    struct inbound in = {.body = span_of(body), .model = SPAN("m")};
    struct err e;

    if (!d->codec->request_read(&in, &b->arena, &b->request, &e))
        fail_msg("%s: %s", d->name, e.msg);
}

static void ask(struct rig *b, size_t i, const char *directive)
{
    struct err e;
    const char *at = strstr(asks[i].body, "%s");

    arena_reset(&b->arena);
    buf_reset(&b->body);
    buf_put(&b->body, asks[i].body, (size_t)(at - asks[i].body));
    buf_str(&b->body, directive);
    buf_str(&b->body, at + 2);
    read_request(b, asks[i].dialect, buf_cstr(&b->body));
    b->context.dialect = asks[i].dialect;
    if (!mock_reply(&b->context, &b->request, &b->arena, &b->reply, &e))
        fail_msg("%s", e.msg);
}

/* ---- what it says is read back ---- */

static void write_whole(struct rig *b, const struct mock_dialect *d,
                        struct buf *out)
{
    struct mock_cursor c = {.arena = &b->arena};

    mock_whole(d, &b->request, &b->reply, &c, out);
    mock_frames_end(d, &c);
}

static void write_stream(struct rig *b, const struct mock_dialect *d,
                         struct buf *out)
{
    struct mock_cursor c = {.arena = &b->arena};

    b->request.params.stream = b->request.params.stream_usage = true;
    while (mock_frame(d, &b->request, &b->reply, &c, out))
        ;
    mock_frames_end(d, &c);
}

struct hearing {
    const struct codec *codec;
    void *state;
    struct arena *arena;
    struct chunk_sink sink;
};

static bool on_event(struct hearing *h, struct span name, struct span data)
{
    struct err e = {0};

    if (!h->codec->stream_read(h->state, &(struct framed){name, data}, h->arena,
                               &h->sink, &e))
        fail_msg("%s: %s", h->codec->name, e.msg);
    return true;
}

static bool on_sse(void *ctx, const struct sse_event *ev)
{
    return on_event(ctx, ev->name, ev->data);
}

static bool on_aws(void *ctx, const struct aws_event *ev)
{
    return on_event(ctx, ev->name, ev->data);
}

static void feed(struct hearing *h, struct span bytes)
{
    struct aws_stream aws;
    struct sse sse;
    struct err e = {0};

    if (h->codec->framing == FRAMING_AWS) {
        aws_stream_init(&aws, 1 << 20, on_aws, h);
        assert_true(aws_stream_feed(&aws, bytes, &e));
        aws_stream_free(&aws);
    } else {
        sse_init(&sse, 1 << 20, on_sse, h);
        assert_true(sse_feed(&sse, bytes, &e));
        sse_free(&sse);
    }
    assert_true(h->codec->stream_end(h->state, &h->sink, &e));
}

static void hear(struct rig *b, const struct codec *codec, struct span bytes,
                 bool stream, struct gathered *g)
{
    struct hearing h = {codec, NULL, &b->arena, {0}};
    struct err e = {0};

    gather_init(g, &b->arena);
    h.sink = gather_sink(g);
    if (!stream) {
        if (!codec->answer_read(bytes, 200, &b->arena, &h.sink, &e))
            fail_msg("%s: %s", codec->name, e.msg);
        return;
    }
    h.state = arena_zalloc(&b->arena, 1, codec->reader_size);
    feed(&h, bytes);
}

static const struct gathered_block *find(const struct gathered *g,
                                         enum part_kind kind)
{
    const struct gathered_block *p = g->choices[0].first;

    while (p && p->part != kind)
        p = p->next;
    return p;
}

static void looks(struct rig *b, const struct gathered *g, const char *name)
{
    const struct gathered_block *call = find(g, PART_TOOL_CALL),
                                *text = find(g, PART_TEXT);
    const struct mock_reply *m = &b->reply;

    if (g->error_status || !g->ended)
        fail_msg("%s: %.*s", name, SPAN_ARGS(g->error_message));
    if (m->n_calls) {
        assert_non_null(call);
        assert_true(span_eq(call->name, m->calls[0].name));
        assert_true(span_eq(call->text, m->calls[0].arguments));
        assert_int_equal(g->choices[0].finish, FINISH_TOOLS);
    } else {
        assert_non_null(text);
        assert_true(span_eq(text->text, m->text));
        assert_int_equal(g->choices[0].finish, FINISH_STOP);
    }
    assert_int_equal(g->usage.input, m->input_tokens);
    assert_int_equal(g->usage.output, m->output_tokens);
}

static void each_dialects_reader_understands_the_mock(void **state)
{
    static const char *const directives[] = {
        "", "[mock text='Grüße \xf0\x9f\x8c\x8a']", "[mock tools=0 tokens=9]"};
    struct rig *b = *state;

    for (size_t i = 0; i < ASKS * 3; i++) {
        const struct mock_dialect *d = asks[i / 3].dialect;

        for (int stream = 0; stream < 2; stream++) {
            struct gathered *g = test_malloc(sizeof *g);
            struct buf out;

            ask(b, i / 3, directives[i % 3]);
            buf_init(&out, 1 << 20);
            if (stream)
                write_stream(b, d, &out);
            else
                write_whole(b, d, &out);
            hear(b, d->codec, buf_view(&out), stream, g);
            looks(b, g, d->name);
            buf_free(&out);
            test_free(g);
        }
    }
}

static void the_same_seed_gives_the_same_bytes_in_every_dialect(void **state)
{
    struct rig *b = *state;

    for (size_t i = 0; i < ASKS; i++) {
        struct buf out[3];

        for (int k = 0; k < 3; k++) {
            b->options.seed = k == 2 ? 4 : 3;
            buf_init(&out[k], 1 << 20);
            ask(b, i, "[mock tools=0]");
            write_stream(b, asks[i].dialect, &out[k]);
        }
        b->options.seed = 3;
        assert_true(span_eq(buf_view(&out[0]), buf_view(&out[1])));
        assert_false(span_eq(buf_view(&out[0]), buf_view(&out[2])));
        for (int k = 0; k < 3; k++)
            buf_free(&out[k]);
    }
}

static void a_stream_without_its_finish_reads_as_cut(void **state)
{
    struct rig *b = *state;

    for (size_t i = 0; i < ASKS; i++) {
        struct gathered *g = test_malloc(sizeof *g);
        struct buf out;

        ask(b, i, "[mock tools=0 no-finish]");
        buf_init(&out, 1 << 20);
        write_stream(b, asks[i].dialect, &out);
        hear(b, asks[i].dialect->codec, buf_view(&out), true, g);
        assert_true(g->error_status != 0);
        buf_free(&out);
        test_free(g);
    }
}

static void stop_sequences_end_the_text(void **state)
{
    struct rig *b = *state;
    struct err e;

    read_request(b, &mock_anthropic,
                 "{\"model\":\"m\",\"max_tokens\":99,\"stop_sequences\":"
                 "[\"zzz\",\"c\"],\"messages\":[{\"role\":\"user\","
                 "\"content\":\"[mock text='a b c d']\"}]}");
    b->context.dialect = &mock_anthropic;
    assert_true(mock_reply(&b->context, &b->request, &b->arena, &b->reply, &e));
    assert_true(span_is(b->reply.text, "a b "));
    assert_true(span_is(b->reply.sequence, "c"));
}

/* ---- what is refused ---- */

#define USER "{\"role\":\"user\",\"content\":\"hi\"}"
#define CALL                                                                   \
    "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":"      \
    "\"a\",\"name\":\"f\",\"input\":{}}]}"
#define CHAT_CALL                                                              \
    "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":"          \
    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}"

static const struct {
    const struct mock_dialect *dialect;
    const char *body;
    const char *says; /* NULL: taken */
} checks[] = {
    {&mock_openai, "{\"model\":\"m\",\"messages\":[" USER "]}", NULL},
    {&mock_openai, "{\"model\":\"m\",\"messages\":[" USER "],\"foo\":1}",
     "foo"},
    {&mock_openai, "{\"model\":\"m\",\"messages\":[" USER "," CHAT_CALL "]}",
     "no result"},
    {&mock_openai,
     "{\"model\":\"m\",\"messages\":[" USER ",{\"role\":\"tool\","
     "\"tool_call_id\":\"a\",\"content\":\"1\"}]}",
     "no call"},
    {&mock_openai,
     "{\"model\":\"m\",\"messages\":[" USER "],\"temperature\":3}",
     "temperature"},
    {&mock_openai,
     "{\"model\":\"m\",\"messages\":[" USER "],\"tool_choice\":\"auto\"}",
     "tool_choice"},
    {&mock_openai,
     "{\"model\":\"m\",\"messages\":[" USER "],\"stop\":[\"1\",\"2\",\"3\","
     "\"4\",\"5\"]}",
     "stop"},
    {&mock_openai,
     "{\"model\":\"m\",\"messages\":[" USER "],\"response_format\":{\"type\":"
     "\"json_schema\",\"json_schema\":{\"name\":\"n\",\"strict\":true,"
     "\"schema\":{\"type\":\"object\",\"properties\":{}}}}}",
     "additionalProperties"},
    {&mock_responses, "{\"model\":\"m\",\"input\":\"hi\"}", NULL},
    {&mock_responses, "{\"model\":\"m\",\"input\":\"hi\",\"max_tokens\":5}",
     "max_tokens"},
    {&mock_responses,
     "{\"model\":\"m\",\"input\":[{\"type\":\"function_call_output\","
     "\"call_id\":\"a\",\"output\":\"1\"}]}",
     "no call"},
    {&mock_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" USER "]}", NULL},
    {&mock_anthropic, "{\"model\":\"m\",\"messages\":[" USER "]}",
     "max_tokens: Field required"},
    {&mock_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" USER "],\"n\":1}",
     "n: Extra inputs"},
    {&mock_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" USER "," CALL "," USER
     "]}",
     "no result"},
    {&mock_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9000,\"thinking\":{\"type\":\"enabled\","
     "\"budget_tokens\":1000},\"messages\":[" USER "]}",
     "budget_tokens"},
    {&mock_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" USER ",{\"role\":"
     "\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\","
     "\"signature\":\"made up\"},{\"type\":\"text\",\"text\":\"x\"}]}," USER
     "]}",
     "invalid signature"},
    {&mock_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9,\"temperature\":1.5,\"messages\":[" USER
     "]}",
     "temperature"},
    {&mock_gemini,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]}",
     NULL},
    {&mock_gemini,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}],"
     "\"messages\":[]}",
     "messages"},
    {&mock_gemini,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}],"
     "\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"parameters\":{"
     "\"type\":\"object\",\"additionalProperties\":false}}]}]}",
     "additionalProperties"},
    {&mock_gemini,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},"
     "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\"}}]},"
     "{\"role\":\"user\",\"parts\":[{\"text\":\"go on\"}]}]}",
     "number of function response parts"},
    {&mock_gemini,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},"
     "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\"},"
     "\"thoughtSignature\":\"skip_thought_signature_validator\"}]},"
     "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\","
     "\"response\":{}}}]}]}",
     NULL},
    {&mock_gemini,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},"
     "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\"},"
     "\"thoughtSignature\":\"made up\"}]},"
     "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\","
     "\"response\":{}}}]}]}",
     "invalid signature"},
    {&mock_bedrock,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]}",
     NULL},
    {&mock_bedrock,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]},"
     "{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]}",
     "alternate"},
    {&mock_bedrock,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]},"
     "{\"role\":\"assistant\",\"content\":[{\"toolUse\":{\"toolUseId\":\"a\","
     "\"name\":\"f\",\"input\":{}}}]},{\"role\":\"user\",\"content\":[{"
     "\"toolResult\":{\"toolUseId\":\"a\",\"content\":[{\"text\":\"1\"}]}}]}]}",
     "toolConfig"},
    {&mock_cohere, "{\"model\":\"m\",\"messages\":[" USER "," CHAT_CALL "]}",
     "no result"},
};

static void what_the_real_api_refuses_is_refused(void **state)
{
    struct rig *b = *state;

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        struct mock_checked c = {
            .request = &b->request, .body = span_of(checks[i].body), .seed = 3};
        bool taken;

        arena_reset(&b->arena);
        read_request(b, checks[i].dialect, checks[i].body);
        taken = mock_check(checks[i].dialect, &c);
        if (taken != !checks[i].says ||
            (!taken && !strstr(c.error.message, checks[i].says)))
            fail_msg("%s: %s", checks[i].body,
                     taken ? "was taken" : c.error.message);
        if (!taken)
            assert_int_equal(c.error.status, 400);
    }
}

static void a_signature_is_good_for_its_text_and_seed_only(void **state)
{
    struct rig *b = *state;
    struct span text = SPAN("thought"), none = {NULL, 0};
    struct span mark = mock_sign(3, text, &b->arena);

    assert_true(mock_signed(3, text, mark));
    assert_true(mock_signed(3, none, mark));
    assert_false(mock_signed(4, text, mark));
    assert_false(mock_signed(3, SPAN("another"), mark));
    assert_false(mock_signed(3, text, SPAN("short")));
}

/* ---- paths ---- */

static void paths_say_dialect_model_and_stream(void **state)
{
    static const struct {
        const char *path;
        const struct mock_dialect *dialect;
        enum mock_op op;
        const char *model;
        bool stream;
    } cases[] = {
        {"/v1/chat/completions", &mock_openai, MOCK_CHAT, "", false},
        {"/openai/deployments/x/chat/completions", &mock_openai, MOCK_CHAT, "",
         false},
        {"/v1/messages/count_tokens", &mock_anthropic, MOCK_COUNT, "", false},
        {"/v1beta/models/gemini-x:streamGenerateContent", &mock_gemini,
         MOCK_CHAT, "gemini-x", true},
        {"/v1/projects/p/locations/l/publishers/anthropic/models/"
         "c@1:rawPredict",
         &mock_anthropic, MOCK_CHAT, "c@1", false},
        {"/model/arn%3Aaws%3Abedrock/converse-stream", &mock_bedrock, MOCK_CHAT,
         "arn:aws:bedrock", true},
        {"/v2/chat", &mock_cohere, MOCK_CHAT, "", false},
        {"/v1/nothing", &mock_openai, MOCK_NOTHING, "", false},
    };
    struct rig *b = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mock_call_head head = {.post = true,
                                      .path = span_of(cases[i].path)};
        struct mock_place at = mock_place(NULL, &head, &b->arena);

        assert_ptr_equal(at.dialect, cases[i].dialect);
        assert_int_equal(at.op, cases[i].op);
        assert_true(span_is(at.model, cases[i].model));
        assert_int_equal(at.stream, cases[i].stream);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_dialects_reader_understands_the_mock),
        TEST(the_same_seed_gives_the_same_bytes_in_every_dialect),
        TEST(a_stream_without_its_finish_reads_as_cut),
        TEST(stop_sequences_end_the_text),
        TEST(what_the_real_api_refuses_is_refused),
        TEST(a_signature_is_good_for_its_text_and_seed_only),
        TEST(paths_say_dialect_model_and_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
