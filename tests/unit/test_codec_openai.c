/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAI dialect over cases of our own and over recorded traffic of real
 * providers, where ../shared/recordings is present. */
#include "router/codec/dialect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "router/http/frames.h"
#include "router/http/sse.h"

#define RECORDINGS "../shared/recordings/providers.jsonl.gz"

static const struct dialect_ops *const d = &dialect_openai;

/* ---- requests ---- */

static struct span spliced(const char *body, bool ask, struct arena *a)
{
    struct splice s = {SPAN("\"up/stream\""), ask};
    struct request r;
    struct span out = {NULL, 0};
    struct err e = {0};

    if (!d->decode(span_of(body), a, &r, &e) || !d->splice(&r, &s, a, &out, &e))
        fail_msg("%s: %s", body, e.msg);
    return out;
}

static void only_the_model_and_the_wish_for_usage_change(void **state)
{
#define M "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"
    static const struct {
        const char *body;
        bool ask;
        const char *want;
    } rows[] = {
        {"{\"model\":\"auto\"," M "}", true, "{\"model\":\"up/stream\"," M "}"},
        {" {" M ",\"x\" : 1e5, \"model\" : \"a\\u0075to\" }\n", true,
         " {" M ",\"x\" : 1e5, \"model\" : \"up/stream\" }\n"},
        {"{\"model\":\"a\",\"stream\":true," M "}", true,
         "{\"stream_options\":{\"include_usage\":true},"
         "\"model\":\"up/stream\",\"stream\":true," M "}"},
        {"{\"model\":\"a\",\"stream\":true," M "}", false,
         "{\"model\":\"up/stream\",\"stream\":true," M "}"},
        {"{\"stream_options\":{},\"model\":\"a\",\"stream\":true," M "}", true,
         "{\"stream_options\":{\"include_usage\":true},"
         "\"model\":\"up/stream\",\"stream\":true," M "}"},
        {"{\"model\":\"a\",\"stream\":true,\"stream_options\":{\"q\":1}," M "}",
         true,
         "{\"model\":\"up/stream\",\"stream\":true,"
         "\"stream_options\":{\"include_usage\":true,\"q\":1}," M "}"},
        {"{\"model\":\"a\",\"stream\":true,"
         "\"stream_options\":{\"include_usage\":false}," M "}",
         true,
         "{\"model\":\"up/stream\",\"stream\":true,"
         "\"stream_options\":{\"include_usage\":true}," M "}"},
        {"{\"model\":\"a\",\"stream\":true,"
         "\"stream_options\":{\"include_usage\":true}," M "}",
         true,
         "{\"model\":\"up/stream\",\"stream\":true,"
         "\"stream_options\":{\"include_usage\":true}," M "}"},
        {"{\"model\":\"a\",\"stream\":true,\"stream_options\":null," M "}",
         true,
         "{\"model\":\"up/stream\",\"stream\":true,"
         "\"stream_options\":{\"include_usage\":true}," M "}"},
    };
#undef M

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena a;
        struct span out;

        arena_init(&a, 1 << 20);
        out = spliced(rows[i].body, rows[i].ask, &a);
        if (!span_is(out, rows[i].want))
            fail_msg("%s\nbecame %.*s\nwanted %s", rows[i].body, SPAN_ARGS(out),
                     rows[i].want);
        arena_free(&a);
    }
}

/* ---- answers ---- */

#define CHOICE                                                                 \
    "\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{"       \
    "\"role\":\"assistant\",\"content\":\"Gr\\u00fc\\u00dfe\"}}]"

static void usage_is_read_as_each_provider_means_it(void **state)
{
    static const struct {
        const char *usage;
        struct usage want;
    } rows[] = {
        {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}",
         {.input = 10, .output = 5}},
        {"{\"prompt_tokens\":100,\"completion_tokens\":50,"
         "\"prompt_tokens_details\":{\"cached_tokens\":64,"
         "\"cache_write_tokens\":20},"
         "\"completion_tokens_details\":{\"reasoning_tokens\":40}}",
         {.input = 100,
          .cached = 64,
          .cache_write = 20,
          .output = 50,
          .reasoning = 40}},
        {"{\"prompt_tokens\":100,\"completion_tokens\":5,"
         "\"prompt_cache_hit_tokens\":64}",
         {.input = 100, .cached = 64, .output = 5}},
        {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":45,"
         "\"completion_tokens_details\":{\"reasoning_tokens\":30}}",
         {.input = 10, .output = 35, .reasoning = 30}},
        {"{\"prompt_tokens\":10,\"completion_tokens\":5,"
         "\"prompt_tokens_details\":{\"cached_tokens\":99}}",
         {.input = 10, .cached = 10, .output = 5}},
        {"{\"prompt_tokens\":10,\"completion_tokens\":-5,"
         "\"prompt_tokens_details\":null}",
         {.input = 10}},
        {"{\"prompt_tokens\":10.5,\"completion_tokens\":1e300}", {.input = 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer a = {.finish = ""};
        struct err e = {0};
        char body[1000];

        snprintf(body, sizeof body, "{" CHOICE ",\"usage\":%s}", rows[i].usage);
        if (!d->read(span_of(body), &a, &e))
            fail_msg("%s", e.msg);
        if (a.usage.input != rows[i].want.input ||
            a.usage.cached != rows[i].want.cached ||
            a.usage.cache_write != rows[i].want.cache_write ||
            a.usage.output != rows[i].want.output ||
            a.usage.reasoning != rows[i].want.reasoning)
            fail_msg("%s: in %lld cached %lld out %lld reasoning %lld",
                     rows[i].usage, (long long)a.usage.input,
                     (long long)a.usage.cached, (long long)a.usage.output,
                     (long long)a.usage.reasoning);
    }
}

static void text_finish_and_calls_are_read(void **state)
{
    struct buf text;
    struct answer a = {.text = &text};
    struct err e = {0};

    (void)state;
    buf_init(&text, 4096);
    assert_true(d->read(SPAN("{" CHOICE "}"), &a, &e));
    assert_string_equal(buf_cstr(&text), "Gr\xc3\xbc\xc3\x9f"
                                         "e");
    assert_string_equal(a.finish, "stop");
    assert_false(a.has_usage);
    buf_reset(&text);
    assert_true(d->read(
        SPAN("{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\","
             "\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}],"
             "\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":"
             "\"{}\"}}]},\"finish_reason\":\"tool_calls\"},{\"index\":1}]}"),
        &a, &e));
    assert_string_equal(buf_cstr(&text), "ab");
    assert_int_equal(a.tool_calls, 1);
    assert_int_equal(a.choices, 2);
    buf_free(&text);
}

static void what_is_no_answer_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "<html>",
        "[]",
        "{}",
        "null",
        "{\"a\":1}",
        "{\"choices\":",
        "{\"choices\":{}}",
        "\"x\"",
        "{\"choices\":[}",
        "{\"choices\":null}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct answer a = {.finish = ""};
        struct err e = {0};

        if (d->read(span_of(bad[i]), &a, &e))
            fail_msg("taken: %s", bad[i]);
        assert_true(e.msg[0] != '\0');
    }
}

/* ---- events ---- */

static void events_are_told_apart(void **state)
{
    static const struct {
        const char *data;
        bool stripped;
        enum event_view want;
    } rows[] = {
        {"[DONE]", true, EVENT_LAST},
        {" [DONE] ", false, EVENT_LAST},
        {"{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}", true, EVENT_DROP},
        {"{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}", false, EVENT_PASS},
        {"{\"choices\":[],\"usage\":null}", true, EVENT_PASS},
        {"{\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":1}}", true,
         EVENT_PASS},
        {"{\"choices\":[],\"prompt_filter_results\":[]}", true, EVENT_PASS},
        {"{\"error\":{\"message\":\"x\"}}", true, EVENT_PASS},
        {"{\"choices\":[", true, EVENT_BAD},
        {"hello", true, EVENT_BAD},
        {"7", true, EVENT_BAD},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer a = {.finish = ""};

        if (d->event(span_of(rows[i].data), rows[i].stripped, &a) !=
            rows[i].want)
            fail_msg("%s", rows[i].data);
    }
}

static void errors_have_the_shape_that_sdks_read(void **state)
{
    struct problem p = {.status = 404,
                        .kind = "invalid_request_error",
                        .code = "model_not_found",
                        .param = "model",
                        .message = "no \"x\"\n"};
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    d->write_error(&p, &b);
    assert_string_equal(
        buf_cstr(&b), "{\"error\":{\"message\":\"no \\\"x\\\"\\n\",\"type\":"
                      "\"invalid_request_error\",\"param\":\"model\",\"code\":"
                      "\"model_not_found\"}}");
    assert_true(d->is_error(buf_view(&b)));
    buf_reset(&b);
    p.code = p.param = NULL;
    d->write_stream_error(&p, &b);
    assert_non_null(strstr(buf_cstr(&b), "\"code\":null}}\n\ndata: [DONE]\n"));
    buf_free(&b);
}

/* ---- recorded traffic ---- */

struct counts {
    unsigned requests, whole, streams, errors, no_usage, no_finish;
};

static void request_goes_through(const char *name, struct span body)
{
    struct splice s = {SPAN("\"other\""), false};
    struct arena a;
    struct request r;
    struct span out = {NULL, 0};
    struct err e = {0};
    size_t before;

    arena_init(&a, 64 << 20);
    if (!d->decode(body, &a, &r, &e))
        fail_msg("%s: %s", name, e.msg);
    assert_true(d->splice(&r, &s, &a, &out, &e));
    before = (size_t)(r.model_raw.ptr - body.ptr);
    assert_int_equal(out.len, body.len - r.model_raw.len + s.model.len);
    assert_memory_equal(out.ptr, body.ptr, before);
    assert_memory_equal(out.ptr + before, s.model.ptr, s.model.len);
    assert_memory_equal(out.ptr + before + s.model.len,
                        r.model_raw.ptr + r.model_raw.len,
                        body.len - before - r.model_raw.len);
    s.ask_usage = true;
    s.model = r.model_raw;
    assert_true(d->splice(&r, &s, &a, &out, &e));
    if (!r.params.stream || r.params.stream_usage)
        assert_true(span_eq(out, body));
    else if (!d->decode(out, &a, &r, &e) || !r.params.stream_usage)
        fail_msg("%s: usage not asked for: %s", name, e.msg);
    arena_free(&a);
}

static bool on_event(void *ctx, const struct sse_event *ev)
{
    struct answer *a = ctx;

    if (ev->data.len && d->event(ev->data, true, a) == EVENT_BAD)
        a->choices = 1000;
    return true;
}

/* Frames as the server cuts them, from pieces of the given size. */
static void read_stream(const char *name, struct span body, size_t piece,
                        struct answer *out)
{
    struct sse sse;
    struct err e = {0};
    size_t begin = 0;

    sse_init(&sse, 16 << 20, on_event, out);
    for (size_t end = 0; end < body.len;) {
        size_t n;

        end = end + piece < body.len ? end + piece : body.len;
        while (
            (n = frame_length((struct span){body.ptr + begin, end - begin}))) {
            if (!sse_feed(&sse, (struct span){body.ptr + begin, n}, &e))
                fail_msg("%s: %s", name, e.msg);
            begin += n;
        }
    }
    if (begin != body.len)
        fail_msg("%s: %zu bytes left over", name, body.len - begin);
    sse_free(&sse);
}

static void stream_goes_through(const char *name, struct span body,
                                struct counts *n)
{
    struct answer whole = {.finish = ""}, bytes = {.finish = ""};

    read_stream(name, body, body.len, &whole);
    read_stream(name, body, body.len > 200000 ? 97 : 1, &bytes);
    if (memcmp(&whole, &bytes, sizeof whole) != 0)
        fail_msg("%s: pieces give another answer", name);
    if (whole.choices == 1000)
        fail_msg("%s: an event that is none", name);
    n->streams++;
    n->no_finish += whole.finish[0] == '\0';
    n->no_usage += !whole.has_usage;
}

static void answer_goes_through(const char *name, int64_t status,
                                struct span type, struct span body,
                                struct counts *n)
{
    struct answer a = {.finish = ""};
    struct err e = {0};

    if (status != 200) {
        n->errors++;
        return;
    }
    if (span_starts(type, "text/event-stream")) {
        stream_goes_through(name, body, n);
        return;
    }
    if (!d->read(body, &a, &e))
        fail_msg("%s: %s", name, e.msg);
    n->whole++;
    n->no_usage += !a.has_usage;
    n->no_finish += a.finish[0] == '\0';
}

static void exchange(struct span line, struct arena *a, struct counts *n)
{
    struct json v, request, response, headers, dialect, path, field;
    struct span body, name, type = {NULL, 0};
    int64_t status = 0;
    struct err e = {0};
    char text[200];

    if (!json_parse(line, &v, &e))
        fail_msg("%s", e.msg);
    dialect = json_get(&v, "dialect");
    request = json_get(&v, "request");
    path = json_get(&request, "path");
    if (!json_is(&dialect, "openai") ||
        !memmem(path.raw.ptr, path.raw.len, "/chat/completions", 17))
        return;
    field = json_get(&v, "case");
    name = json_inner(&field);
    span_copy(text, sizeof text, name);
    field = json_get(&request, "body");
    if (!json_text(&field, a, &body))
        return;
    request_goes_through(text, body);
    n->requests++;
    response = json_get(&v, "response");
    field = json_get(&response, "status");
    assert_true(json_i64(&field, &status));
    headers = json_get(&response, "headers");
    field = json_get(&headers, "content-type");
    if (!json_text(&field, a, &type))
        type = SPAN("application/json");
    field = json_get(&response, "body");
    if (json_text(&field, a, &body))
        answer_goes_through(text, status, type, body, n);
}

static void recorded_traffic_goes_through(void **state)
{
    enum { LINE_MAX_BYTES = 64 << 20 };
    gzFile f = gzopen(RECORDINGS, "rb");
    char *line = f ? malloc(LINE_MAX_BYTES) : NULL;
    struct counts n = {0};
    struct arena a;

    (void)state;
    if (!f) {
        print_message("skipped: %s is not here\n", RECORDINGS);
        skip();
    }
    assert_non_null(line);
    arena_init(&a, 256 << 20);
    while (gzgets(f, line, LINE_MAX_BYTES)) {
        exchange(span_of(line), &a, &n);
        arena_reset(&a);
    }
    print_message("%u requests, %u whole answers, %u streams, %u errors; "
                  "without usage %u, without finish %u\n",
                  n.requests, n.whole, n.streams, n.errors, n.no_usage,
                  n.no_finish);
    assert_true(n.requests > 300);
    assert_int_equal(n.no_finish, 0);
    gzclose(f);
    free(line);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_model_and_the_wish_for_usage_change),
        cmocka_unit_test(usage_is_read_as_each_provider_means_it),
        cmocka_unit_test(text_finish_and_calls_are_read),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(events_are_told_apart),
        cmocka_unit_test(errors_have_the_shape_that_sdks_read),
        cmocka_unit_test(recorded_traffic_goes_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
