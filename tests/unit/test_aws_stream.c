/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "router/codec/aws_stream.h"

#include <string.h>
#include <zlib.h>

static const char payload[] = "{\"a\":\"\303\251\"}";

struct seen {
    unsigned n;
    struct buf all; /* "kind name data;" */
    unsigned stop_at;
};

static bool on_event(void *ctx, const struct aws_event *ev)
{
    struct seen *s = ctx;

    buf_span(&s->all, ev->kind);
    buf_char(&s->all, ' ');
    buf_span(&s->all, ev->name);
    buf_char(&s->all, ' ');
    buf_span(&s->all, ev->data);
    buf_char(&s->all, ';');
    return ++s->n != s->stop_at;
}

static void write_three(struct buf *b)
{
    buf_init(b, 1 << 16);
    aws_stream_write(b, "event", SPAN("messageStart"), SPAN(payload));
    aws_stream_write(b, "event", SPAN("empty"), SPAN(""));
    aws_stream_write(b, "exception", SPAN("throttlingException"),
                     SPAN("{\"message\":\"m\"}"));
}

static const char three[] = "event messageStart {\"a\":\"\303\251\"};"
                            "event empty ;"
                            "exception throttlingException "
                            "{\"message\":\"m\"};";

static bool feed(struct span bytes, size_t piece, struct seen *s, struct err *e)
{
    struct aws_stream aws;
    bool ok = true;

    buf_init(&s->all, 1 << 20);
    aws_stream_init(&aws, 1 << 16, on_event, s);
    while (ok && bytes.len) {
        size_t n = piece < bytes.len ? piece : bytes.len;

        ok = aws_stream_feed(&aws, (struct span){bytes.ptr, n}, e);
        bytes.ptr += n;
        bytes.len -= n;
    }
    if (ok && s->n != s->stop_at)
        assert_false(aws_stream_partial(&aws));
    aws_stream_free(&aws);
    return ok;
}

static void messages_are_whole_at_any_chunking(void **state)
{
    struct buf b;

    (void)state;
    write_three(&b);
    for (size_t piece = 1; piece <= b.len; piece++) {
        struct seen s = {0};
        struct err e;

        assert_true(feed(buf_view(&b), piece, &s, &e));
        assert_string_equal(buf_cstr(&s.all), three);
        buf_free(&s.all);
    }
    buf_free(&b);
}

static void each_byte_that_changed_is_found(void **state)
{
    struct buf b;

    (void)state;
    write_three(&b);
    for (size_t i = 0; i < b.len; i++) {
        struct seen s = {0};
        struct err e = {ERR_NONE, ""};

        b.ptr[i] = (char)(b.ptr[i] ^ 1);
        assert_false(feed(buf_view(&b), 7, &s, &e));
        assert_int_not_equal(e.kind, ERR_NONE);
        assert_true(s.n < 3);
        b.ptr[i] = (char)(b.ptr[i] ^ 1);
        buf_free(&s.all);
    }
    buf_free(&b);
}

static void a_cut_message_is_known_as_such(void **state)
{
    struct aws_stream aws;
    struct seen s = {0};
    struct buf b;
    struct err e;

    (void)state;
    write_three(&b);
    buf_init(&s.all, 1 << 16);
    aws_stream_init(&aws, 1 << 16, on_event, &s);
    assert_true(aws_stream_feed(&aws, (struct span){b.ptr, b.len - 1}, &e));
    assert_int_equal(s.n, 2);
    assert_true(aws_stream_partial(&aws));
    aws_stream_free(&aws);
    buf_free(&s.all);
    buf_free(&b);
}

static void a_length_beyond_the_bound_takes_no_memory(void **state)
{
    unsigned char prelude[12] = {0x7f, 0xff, 0xff, 0xff};
    uint32_t crc = (uint32_t)crc32(0, prelude, 8);
    struct aws_stream aws;
    struct seen s = {0};
    struct err e = {ERR_NONE, ""};

    (void)state;
    for (int i = 0; i < 4; i++)
        prelude[8 + i] = (unsigned char)(crc >> (24 - 8 * i));
    aws_stream_init(&aws, AWS_MESSAGE_MAX, on_event, &s);
    assert_false(aws_stream_feed(
        &aws, (struct span){(char *)prelude, sizeof prelude}, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_true(aws.held.cap < 4096);
    aws_stream_free(&aws);
}

static void the_sink_can_stop_it(void **state)
{
    struct seen s = {.stop_at = 1};
    struct buf b;
    struct err e;

    (void)state;
    write_three(&b);
    assert_true(feed(buf_view(&b), 1000, &s, &e));
    assert_int_equal(s.n, 1);
    buf_free(&s.all);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_whole_at_any_chunking),
        cmocka_unit_test(each_byte_that_changed_is_found),
        cmocka_unit_test(a_cut_message_is_known_as_such),
        cmocka_unit_test(a_length_beyond_the_bound_takes_no_memory),
        cmocka_unit_test(the_sink_can_stop_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
