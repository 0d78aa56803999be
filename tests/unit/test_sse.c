/* SPDX-License-Identifier: Apache-2.0 */
#include "router/http/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Events as text: name|data|id; comments: #text; joined by NUL-free '~'. */
static bool on_event(void *ctx, const struct sse_event *ev)
{
    struct buf *b = ctx;

    buf_span(b, ev->name);
    buf_char(b, '|');
    buf_span(b, ev->data);
    buf_char(b, '|');
    buf_span(b, ev->id);
    buf_char(b, '~');
    return !span_is(ev->data, "stop");
}

static void on_comment(void *ctx, struct span text)
{
    struct buf *b = ctx;

    buf_char(b, '#');
    buf_span(b, text);
    buf_char(b, '~');
}

static const struct {
    const char *name, *stream, *want;
} CASES[] = {
    {"one event", "data: a\n\n", "|a|~"},
    {"no space", "data:a\n\n", "|a|~"},
    {"two spaces", "data:  a\n\n", "| a|~"},
    {"crlf", "data: a\r\n\r\ndata: b\r\n\r\n", "|a|~|b|~"},
    {"cr", "data: a\r\rdata: b\r\r", "|a|~|b|~"},
    {"mixed ends", "data: a\r\n\ndata: b\n\r\n", "|a|~|b|~"},
    {"several data lines", "data: a\ndata: b\ndata\n\n", "|a\nb\n|~"},
    {"empty data", "data:\n\n", "||~"},
    {"name and id", "event: x\nid: 7\ndata: a\n\ndata: b\n\n", "x|a|7~|b|7~"},
    {"name without data", "event: x\n\ndata: b\n\n", "|b|~"},
    {"comments", ": hi\ndata: a\n:\n\n", "#hi~#~|a|~"},
    {"unknown fields", "retry: 10\nfoo: bar\nfoo\ndata: a\n\n", "|a|~"},
    {"colon in data", "data: a: b\n\n", "|a: b|~"},
    {"bom",
     "\xef\xbb\xbf"
     "data: a\n\n",
     "|a|~"},
    {"half a bom",
     "\xef\xbb"
     "data: a\n\ndata: b\n\n",
     "|b|~"},
    {"utf-8", "data: \xc3\xa9\xe2\x82\xac\n\n", "|\xc3\xa9\xe2\x82\xac|~"},
    {"not ended", "data: a\n\ndata: b\n", "|a|~"},
    {"stopped", "data: stop\n\ndata: b\n\n", "|stop|~"},
    {"many", "data: 1\n\ndata: 2\n\nid\ndata: 3\ndata: 4\n\n",
     "|1|~|2|~|3\n4|~"},
};

static void feed(struct sse *s, const char *p, size_t n)
{
    /* A copy of exactly n bytes: reading past it is found. */
    char *copy = malloc(n ? n : 1);
    struct err e;

    assert_non_null(copy);
    memcpy(copy, p, n);
    assert_true(sse_feed(s, (struct span){copy, n}, &e));
    free(copy);
}

static void check(size_t i, size_t a, size_t b)
{
    const char *p = CASES[i].stream;
    size_t n = strlen(p);
    struct buf got;
    struct sse s;

    buf_init(&got, 4096);
    sse_init(&s, 4096, on_event, &got);
    s.on_comment = on_comment;
    feed(&s, p, a);
    feed(&s, p + a, b - a);
    feed(&s, p + b, n - b);
    if (strcmp(buf_cstr(&got), CASES[i].want) != 0)
        fail_msg("%s split at %zu and %zu: wanted %s, got %s", CASES[i].name, a,
                 b, CASES[i].want, buf_cstr(&got));
    buf_free(&got);
    sse_free(&s);
}

static void a_stream_is_the_same_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t n = strlen(CASES[i].stream);

        for (size_t a = 0; a <= n; a++)
            for (size_t b = a; b <= n; b++)
                check(i, a, b);
    }
}

static void bytes_may_come_one_by_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf got;
        struct sse s;

        buf_init(&got, 4096);
        sse_init(&s, 4096, on_event, &got);
        s.on_comment = on_comment;
        for (const char *p = CASES[i].stream; *p; p++)
            feed(&s, p, 1);
        assert_string_equal(buf_cstr(&got), CASES[i].want);
        buf_free(&got);
        sse_free(&s);
    }
}

static void lines_of_megabytes_pass_and_too_long_ones_fail(void **state)
{
    size_t n = (size_t)5 << 20;
    char *p = malloc(n + 8);
    struct buf got;
    struct sse s;
    struct err e;
    bool ok = true;

    (void)state;
    assert_non_null(p);
    memset(p, 'x', n + 8);
    memcpy(p, "data: ", 6);
    memcpy(p + n + 6, "\n\n", 2);
    buf_init(&got, (size_t)16 << 20);
    sse_init(&s, (size_t)6 << 20, on_event, &got);
    for (size_t at = 0; at < n + 8; at += 16384) {
        size_t len = n + 8 - at < 16384 ? n + 8 - at : 16384;

        assert_true(sse_feed(&s, (struct span){p + at, len}, &e));
    }
    assert_int_equal(got.len, n + 3);
    sse_free(&s);
    sse_init(&s, (size_t)1 << 20, on_event, &got);
    for (size_t at = 0; at < n && ok; at += 16384)
        ok = sse_feed(&s, (struct span){p + at, 16384}, &e);
    assert_false(ok);
    assert_int_equal(e.kind, ERR_LIMIT);
    sse_free(&s);
    sse_init(&s, (size_t)1 << 20, on_event, &got);
    assert_false(sse_feed(&s, (struct span){p, n + 8}, &e));
    sse_free(&s);
    buf_free(&got);
    free(p);
}

static void a_stream_that_ends_within_an_event_says_so(void **state)
{
    struct buf got;
    struct sse s;

    (void)state;
    buf_init(&got, 4096);
    sse_init(&s, 4096, on_event, &got);
    assert_false(sse_partial(&s));
    feed(&s, "data: a\n", 8);
    assert_true(sse_partial(&s));
    feed(&s, "\n", 1);
    assert_false(sse_partial(&s));
    feed(&s, "dat", 3);
    assert_true(sse_partial(&s));
    sse_reset(&s);
    assert_false(sse_partial(&s));
    buf_free(&got);
    sse_free(&s);
}

static void what_is_written_reads_back(void **state)
{
    struct buf out, got;
    struct sse s;

    (void)state;
    buf_init(&out, 4096);
    buf_init(&got, 4096);
    sse_write(&out, SPAN(""), SPAN("{\"a\":1}"));
    sse_comment(&out, SPAN("keep-alive"));
    sse_write(&out, SPAN("error"), SPAN("one\ntwo\r\nthree\r"));
    sse_write(&out, SPAN(""), SPAN(""));
    sse_init(&s, 4096, on_event, &got);
    s.on_comment = on_comment;
    feed(&s, out.ptr, out.len);
    assert_string_equal(got.ptr, "|{\"a\":1}|~#keep-alive~"
                                 "error|one\ntwo\nthree\n|~||~");
    assert_memory_equal(out.ptr, "data: {\"a\":1}\n\n", 15);
    buf_free(&out);
    buf_free(&got);
    sse_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_the_same_however_it_is_cut),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(lines_of_megabytes_pass_and_too_long_ones_fail),
        cmocka_unit_test(a_stream_that_ends_within_an_event_says_so),
        cmocka_unit_test(what_is_written_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
