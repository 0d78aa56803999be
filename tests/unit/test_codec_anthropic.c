/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/anthropic.h"
#include "tests/unit/anthropic_requests.h"
#include "tests/unit/anthropic_streams.h"
#include "tests/unit/codec_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena memory;
static struct request r;
static struct buf out;
static struct losses lost;
static struct err e;

static int begin(void **state)
{
    (void)state;
    arena_init(&memory, (size_t)1 << 26);
    buf_init(&out, (size_t)1 << 26);
    memset(&lost, 0, sizeof lost);
    memset(&r, 0, sizeof r);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&memory);
    buf_free(&out);
    return 0;
}

static bool read_request(struct span body)
{
    return codec_anthropic.request_read(
        &(struct inbound){body, (struct span){NULL, 0}, false}, &memory, &r,
        &e);
}

/* ---- recordings ---- */

static void check_request(const struct recording *x)
{
    bool count = span_has(x->path, SPAN("count_tokens"));
    struct target t = {.same_dialect = true, .same_model = true};
    bool ok = read_request(x->asked);

    check_that(ok, "%.*s: %s", SPAN_ARGS(x->name), e.msg);
    t.model = r.model;
    t.stream = r.params.stream;
    buf_reset(&out);
    ok = count ? anthropic_count_write(&r, &t, &lost, &out, &e)
               : anthropic_request_write(&r, &t, &lost, &out, &e);
    check_that(ok, "%.*s: %s", SPAN_ARGS(x->name), e.msg);
    check_that(json_same(buf_view(&out), x->asked), "%.*s: not the same",
               SPAN_ARGS(x->name));
    check_that(lost.n == 0, "%.*s: losses", SPAN_ARGS(x->name));
}

static void recorded_requests_are_written_as_they_were(void **state)
{
    struct recordings all;
    struct recording x;
    unsigned n = 0;

    (void)state;
    if (!recordings_open(&all))
        skip();
    for (; recordings_next(&all, "anthropic", &x); n++) {
        check_request(&x);
        arena_reset(&memory);
    }
    recordings_close(&all);
    assert_true(n > 80);
}

/* The gathered answer of a recording at one chunking. */
static void gather_at(const struct recording *x, struct cuts cuts,
                      struct gathered *g)
{
    struct chunk_sink sink;
    bool ok;

    gather_init(g, &memory);
    sink = gather_sink(g);
    ok = x->streamed
             ? check_stream(&codec_anthropic, x->answer, cuts, sink, &e)
             : check_answer(&codec_anthropic, x->answer, x->status, sink, &e);
    check_that(ok, "%.*s: %s", SPAN_ARGS(x->name), e.msg);
}

/* As a client of this dialect gets it, whole and as a stream. */
struct writing_out {
    void *state;
    struct buf *out;
};

static bool write_chunk(void *ctx, const struct chunk *c)
{
    struct writing_out *w = ctx;

    codec_anthropic.stream_write(w->state, &r, c, &lost, w->out);
    return true;
}

static void check_written_whole(const struct recording *x,
                                const struct gathered *g)
{
    struct gathered back;
    struct chunk_sink sink = gather_sink(&back);

    gather_init(&back, &memory);
    buf_reset(&out);
    codec_anthropic.answer_write(g, &r, &lost, &out);
    check_that(
        check_answer(&codec_anthropic, buf_view(&out), x->status, sink, &e),
        "%.*s: %s", SPAN_ARGS(x->name), e.msg);
    check_that(gathered_same(&back, g), "%.*s: whole round trip: %.3000s",
               SPAN_ARGS(x->name), buf_cstr(&out));
}

static void check_written_stream(const struct recording *x,
                                 const struct gathered *g)
{
    void *state = calloc(1, codec_anthropic.writer_size);
    struct writing_out w = {state, &out};
    struct gathered back;

    buf_reset(&out);
    if (x->streamed)
        check_that(check_stream(&codec_anthropic, x->answer, CUTS_WHOLE,
                                (struct chunk_sink){&w, write_chunk}, &e),
                   "%s", e.msg);
    else
        check_that(check_answer(&codec_anthropic, x->answer, x->status,
                                (struct chunk_sink){&w, write_chunk}, &e),
                   "%s", e.msg);
    free(state);
    gather_init(&back, &memory);
    check_that(check_stream(&codec_anthropic, buf_view(&out), CUTS_BYTES,
                            gather_sink(&back), &e),
               "%.*s: %s", SPAN_ARGS(x->name), e.msg);
    check_that(gathered_same(&back, g), "%.*s: stream round trip: %.3000s",
               SPAN_ARGS(x->name), buf_cstr(&out));
}

static void recorded_answers_are_the_same_at_every_chunking(void **state)
{
    struct recordings all;
    struct recording x;
    struct gathered whole, cut;

    (void)state;
    if (!recordings_open(&all))
        skip();
    while (recordings_next(&all, "anthropic", &x)) {
        if (span_has(x.path, SPAN("count_tokens")))
            continue;
        assert_true(read_request(x.asked));
        gather_at(&x, CUTS_WHOLE, &whole);
        assert_true(x.status >= 400 || (whole.ended && whole.has_usage));
        for (uint64_t seed = 0; x.streamed && seed < 6; seed++) {
            gather_at(&x, (struct cuts){seed ? 0 : 1, seed}, &cut);
            assert_true(gathered_same(&cut, &whole));
        }
        check_written_whole(&x, &whole);
        check_written_stream(&x, &whole);
        assert_int_equal(lost.n, 0);
        arena_reset(&memory);
    }
    recordings_close(&all);
}

/* ---- requests of others ---- */

/* JSON with ' for ", as tables have it. */
static struct span json_of(const char *quoted)
{
    char *copy = arena_strdup(&memory, span_of(quoted));

    assert_non_null(copy);
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    return span_of(copy);
}

static void requests_of_others_are_what_the_model_takes(void **state)
{
    struct catalogue *c = catalogue_shipped(&e);

    (void)state;
    assert_non_null(c);
    for (size_t i = 0; i < sizeof REQUESTS / sizeof REQUESTS[0]; i++) {
        struct target t = {.model = span_of(REQUESTS[i].model)};
        struct buf named;

        t.of = catalogue_find(c, t.model);
        buf_init(&named, 65536);
        buf_reset(&out);
        memset(&lost, 0, sizeof lost);
        check_that(
            request_from_openai(json_of(REQUESTS[i].asked), &memory, &r, &e),
            "%s: %s", REQUESTS[i].name, e.msg);
        check_that(codec_anthropic.request_write(&r, &t, &lost, &out, &e),
                   "%s: %s", REQUESTS[i].name, e.msg);
        lossy_header(&lost, &named);
        check_that(json_same(buf_view(&out), json_of(REQUESTS[i].wanted)), "%s",
                   REQUESTS[i].name);
        check_that(!strcmp(buf_cstr(&named), REQUESTS[i].lost), "%s: lost %s",
                   REQUESTS[i].name, buf_cstr(&named));
        buf_free(&named);
    }
    catalogue_free(c);
}

/* ---- streams ---- */

/* Events' data, a line each, as a stream of this dialect. */
static struct span stream_of(const char *lines)
{
    struct span rest = json_of(lines), line;
    struct buf b;
    struct span all;

    buf_init(&b, 65536);
    while (rest.ptr) {
        line = span_cut(&rest, '\n');
        if (line.len)
            sse_write(&b, (struct span){NULL, 0}, line);
    }
    all = arena_copy(&memory, buf_view(&b));
    buf_free(&b);
    return all;
}

/* What was gathered, in a line: usage, blocks, finish or error. */
static const char *summary(const struct gathered *g)
{
    static const char *const kinds[] = {
        [PART_TEXT] = "text",          [PART_THINKING] = "thinking",
        [PART_TOOL_CALL] = "call",     [PART_REFUSAL] = "refusal",
        [PART_TOOL_RESULT] = "result", [PART_OTHER] = "other",
    };
    static struct buf s;

    buf_free(&s);
    buf_init(&s, 65536);
    buf_printf(&s, "%d/%d/%d/%d/%d ", (int)g->usage.input, (int)g->usage.cached,
               (int)g->usage.cache_write, (int)g->usage.cache_write_1h,
               (int)g->usage.output);
    for (const struct gathered_block *b = g->choices[0].first; b; b = b->next) {
        buf_printf(&s, "%s%s(", b->redacted ? "redacted " : "",
                   kinds[b->part] ? kinds[b->part] : "?");
        if (b->name.len)
            buf_printf(&s, "%.*s:", SPAN_ARGS(b->name));
        buf_span(&s, b->text);
        if (b->signature.len)
            buf_printf(&s, "#%.*s", SPAN_ARGS(b->signature));
        buf_str(&s, ") ");
    }
    if (g->error_status)
        buf_printf(&s, "error %d %.*s", g->error_status,
                   SPAN_ARGS(g->error_type));
    else
        buf_printf(&s, "finish %d%s%.*s", (int)g->choices[0].finish,
                   g->choices[0].sequence.len ? " " : "",
                   SPAN_ARGS(g->choices[0].sequence));
    return buf_cstr(&s);
}

static void streams_are_read_as_what_they_mean(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof STREAMS / sizeof STREAMS[0]; i++) {
        struct gathered g, cut;

        gather_init(&g, &memory);
        check_that(check_stream(&codec_anthropic, stream_of(STREAMS[i].events),
                                CUTS_WHOLE, gather_sink(&g), &e),
                   "%s: %s", STREAMS[i].name, e.msg);
        check_that(!strcmp(summary(&g), STREAMS[i].wanted), "%s: %s",
                   STREAMS[i].name, summary(&g));
        gather_init(&cut, &memory);
        check_that(check_stream(&codec_anthropic, stream_of(STREAMS[i].events),
                                CUTS_BYTES, gather_sink(&cut), &e) &&
                       gathered_same(&g, &cut),
                   "%s", STREAMS[i].name);
    }
}

/* ---- what clients get ---- */

static const struct chunk USE = {.kind = CHUNK_USAGE,
                                 .has_usage = true,
                                 .usage = {.input = 30,
                                           .cached = 10,
                                           .cache_write = 4,
                                           .cache_write_1h = 6,
                                           .output = 9,
                                           .reasoning = 2}};

static struct chunk of(enum chunk_kind kind, enum part_kind part, unsigned n)
{
    return (struct chunk){.kind = kind, .part = part, .block = n};
}

/* The events' data of a stream, a line each, without what is the same in
 * all of them. */
static const char *written(const struct chunk *c, size_t n)
{
    void *state = calloc(1, codec_anthropic.writer_size);

    buf_reset(&out);
    memset(&lost, 0, sizeof lost);
    for (size_t i = 0; i < n; i++)
        codec_anthropic.stream_write(state, &r, &c[i], &lost, &out);
    free(state);
    return buf_cstr(&out);
}

static unsigned times(const char *in, const char *what)
{
    unsigned n = 0;

    for (; (in = strstr(in, what)); in++)
        n++;
    return n;
}

static void a_client_never_sees_usage_of_0(void **state)
{
    struct chunk all[] = {
        of(CHUNK_START, 0, 0),        of(CHUNK_OPEN, PART_TEXT, 0),
        of(CHUNK_TEXT, PART_TEXT, 0), of(CHUNK_CLOSE, PART_TEXT, 0),
        of(CHUNK_FINISH, 0, 0),       of(CHUNK_END, 0, 0)};
    const char *s;

    (void)state;
    assert_true(read_request(json_of("{'model':'m','messages':[{'role':'user',"
                                     "'content':'how are you today?'}]}")));
    all[2].text = SPAN("Fine, thank you, and how are you yourself?");
    all[4].finish = FINISH_STOP;
    s = written(all, sizeof all / sizeof all[0]);
    assert_null(strstr(s, "\"input_tokens\":0"));
    assert_null(strstr(s, "\"output_tokens\":0"));
    assert_non_null(strstr(s, "\"output_tokens\":11"));
    assert_int_equal(times(s, "event: message_start"), 1);
    assert_int_equal(times(s, "event: message_delta"), 1);
    assert_int_equal(times(s, "event: message_stop"), 1);
}

static void blocks_start_and_stop_once_and_are_never_empty(void **state)
{
    struct chunk all[] = {
        of(CHUNK_START, 0, 0),
        of(CHUNK_OPEN, PART_TEXT, 0),
        of(CHUNK_CLOSE, PART_TEXT, 0),
        of(CHUNK_OPEN, PART_THINKING, 1),
        of(CHUNK_TEXT, PART_THINKING, 1),
        of(CHUNK_CLOSE, PART_THINKING, 1),
        of(CHUNK_OPEN, PART_IMAGE, 2),
        of(CHUNK_TEXT, PART_IMAGE, 2),
        of(CHUNK_CLOSE, PART_IMAGE, 2),
        of(CHUNK_OPEN, PART_TOOL_CALL, 3),
        of(CHUNK_CLOSE, PART_TOOL_CALL, 3),
        USE,
        of(CHUNK_FINISH, 0, 0),
        of(CHUNK_END, 0, 0),
    };
    const char *s;

    (void)state;
    all[4].text = SPAN("hm");
    all[5].signature = SPAN("S==");
    all[7].text = SPAN("AAAA");
    all[9].id = SPAN("call:1");
    all[9].name = SPAN("f");
    all[10].signature = SPAN("G==");
    all[12].finish = FINISH_STOP;
    s = written(all, sizeof all / sizeof all[0]);
    assert_int_equal(times(s, "event: content_block_start"), 3);
    assert_int_equal(times(s, "event: content_block_stop"), 3);
    assert_non_null(strstr(s, "\"index\":0,\"content_block\":{\"type\":"
                              "\"thinking\""));
    assert_non_null(strstr(s, "\"signature\":\"S==\""));
    assert_non_null(strstr(s, "\"id\":\"weirid_call_x3a_1\""));
    assert_non_null(strstr(s, "{\"type\":\"redacted_thinking\",\"data\":"
                              "\"weirsig:G==\"}"));
    assert_non_null(strstr(s, "\"stop_reason\":\"tool_use\""));
    assert_non_null(strstr(s, "\"input_tokens\":10,"
                              "\"cache_creation_input_tokens\":10,"
                              "\"cache_read_input_tokens\":10,"
                              "\"output_tokens\":9,\"output_tokens_details\":"
                              "{\"thinking_tokens\":2}"));
    assert_int_equal(lost.n, 1); /* the image */
}

static void an_error_in_mid_stream_is_the_last_frame(void **state)
{
    struct chunk all[] = {of(CHUNK_START, 0, 0), of(CHUNK_OPEN, PART_TEXT, 0),
                          of(CHUNK_ERROR, 0, 0), of(CHUNK_END, 0, 0)};
    const char *s;

    (void)state;
    all[2].status = 429;
    all[2].text = SPAN("slow \"down\"");
    s = written(all, 4);
    assert_non_null(strstr(s, "event: error\ndata: {\"type\":\"error\","
                              "\"error\":{\"type\":\"rate_limit_error\","
                              "\"message\":\"slow \\\"down\\\"\"}"));
    assert_null(strstr(s, "message_stop"));
}

/* ---- the way back ---- */

static void ids_and_signatures_come_back_as_they_were(void **state)
{
    (void)state;
    assert_true(read_request(
        json_of("{'model':'m','messages':[{'role':'user','content':'q'},"
                "{'role':'assistant','content':[{'type':'tool_use',"
                "'id':'weirid_call_x3a_1','name':'f','input':{}},"
                "{'type':'redacted_thinking','data':'weirsig:G=='}]},"
                "{'role':'user','content':[{'type':'tool_result',"
                "'tool_use_id':'weirid_call_x3a_1','content':'1'},"
                "{'type':'text','text':'go'}]}]}")));
    assert_int_equal(r.n_messages, 4);
    assert_int_equal(r.messages[1].n_parts, 1);
    assert_true(span_is(r.messages[1].parts[0].id, "call:1"));
    assert_true(span_is(r.messages[1].parts[0].signature, "G=="));
    assert_int_equal(r.messages[2].role, ROLE_TOOL);
    assert_true(span_is(r.messages[2].parts[0].id, "call:1"));
    assert_int_equal(r.messages[3].role, ROLE_USER);
    assert_true(anthropic_has_foreign(&r));
}

static void another_model_of_the_dialect_gets_what_it_takes(void **state)
{
    struct catalogue *c = catalogue_shipped(&e);

    (void)state;
    for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++) {
        struct target t = {.model = span_of(OWN[i].model),
                           .same_dialect = true};

        t.of = catalogue_find(c, t.model);
        buf_reset(&out);
        check_that(read_request(json_of(OWN[i].asked)), "%s: %s", OWN[i].name,
                   e.msg);
        check_that(codec_anthropic.request_write(&r, &t, &lost, &out, &e),
                   "%s: %s", OWN[i].name, e.msg);
        check_that(json_same(buf_view(&out), json_of(OWN[i].wanted)), "%s",
                   OWN[i].name);
    }
    catalogue_free(c);
}

/* ---- mistakes ---- */

static void a_mistake_in_a_request_is_named_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof MISTAKES / sizeof MISTAKES[0]; i++) {
        check_that(!read_request(json_of(MISTAKES[i].asked)), "%s",
                   MISTAKES[i].asked);
        assert_string_equal(e.msg, MISTAKES[i].message);
    }
}

static void errors_have_the_type_of_their_status(void **state)
{
    static const struct {
        int status;
        const char *type;
    } known[] = {
        {400, "invalid_request_error"},
        {401, "authentication_error"},
        {402, "billing_error"},
        {403, "permission_error"},
        {404, "not_found_error"},
        {413, "request_too_large"},
        {418, "invalid_request_error"},
        {429, "rate_limit_error"},
        {500, "api_error"},
        {504, "timeout_error"},
        {529, "overloaded_error"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_string_equal(anthropic_error_type(known[i].status),
                            known[i].type);
}

static void errors_of_any_shape_are_read(void **state)
{
    static const struct {
        int status;
        const char *body, *wanted;
    } bodies[] = {
        {529,
         "{'type':'error','error':{'type':'overloaded_error','message':"
         "'Overloaded'}}",
         "0/0/0/0/0 error 529 overloaded_error"},
        {200, "{'type':'error','error':{'type':'api_error','message':'x'}}",
         "0/0/0/0/0 error 500 api_error"},
        {502, "<html>Bad gateway</html>", "0/0/0/0/0 error 502 api_error"},
        {503, "", "0/0/0/0/0 error 503 overloaded_error"},
        {404, "{'detail':'Not Found'}", "0/0/0/0/0 error 404 not_found_error"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct gathered g;

        gather_init(&g, &memory);
        assert_true(check_answer(&codec_anthropic, json_of(bodies[i].body),
                                 bodies[i].status, gather_sink(&g), &e));
        assert_string_equal(summary(&g), bodies[i].wanted);
    }
}

static void lists_of_models_have_their_shape(void **state)
{
    struct anthropic_model m[] = {
        {SPAN("a"), SPAN("A"), 1700000000, 200000, 0},
        {SPAN("b"), {NULL, 0}, 0, 0, 0},
    };

    (void)state;
    anthropic_write_models(m, 2, &out);
    assert_true(json_same(
        buf_view(&out),
        json_of("{'data':[{'type':'model','id':'a','display_name':'A',"
                "'created_at':'2023-11-14T22:13:20Z','max_input_tokens':200000,"
                "'max_tokens':null},{'type':'model','id':'b','display_name':"
                "'b','created_at':'1970-01-01T00:00:00Z','max_input_tokens':"
                "null,'max_tokens':null}],'has_more':false,'first_id':'a',"
                "'last_id':'b'}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            recorded_requests_are_written_as_they_were, begin, end),
        cmocka_unit_test_setup_teardown(
            recorded_answers_are_the_same_at_every_chunking, begin, end),
        cmocka_unit_test_setup_teardown(
            requests_of_others_are_what_the_model_takes, begin, end),
        cmocka_unit_test_setup_teardown(streams_are_read_as_what_they_mean,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_client_never_sees_usage_of_0, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            blocks_start_and_stop_once_and_are_never_empty, begin, end),
        cmocka_unit_test_setup_teardown(
            an_error_in_mid_stream_is_the_last_frame, begin, end),
        cmocka_unit_test_setup_teardown(
            ids_and_signatures_come_back_as_they_were, begin, end),
        cmocka_unit_test_setup_teardown(
            another_model_of_the_dialect_gets_what_it_takes, begin, end),
        cmocka_unit_test_setup_teardown(
            a_mistake_in_a_request_is_named_with_its_place, begin, end),
        cmocka_unit_test_setup_teardown(errors_have_the_type_of_their_status,
                                        begin, end),
        cmocka_unit_test_setup_teardown(errors_of_any_shape_are_read, begin,
                                        end),
        cmocka_unit_test_setup_teardown(lists_of_models_have_their_shape, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
