/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/anthropic.h"
#include "tests/unit/anthropic_requests.h"
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
    return codec_anthropic.request_read(body, (struct span){NULL, 0}, false,
                                        &memory, &r, &e);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            recorded_requests_are_written_as_they_were, begin, end),
        cmocka_unit_test_setup_teardown(
            recorded_answers_are_the_same_at_every_chunking, begin, end),
        cmocka_unit_test_setup_teardown(
            requests_of_others_are_what_the_model_takes, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
