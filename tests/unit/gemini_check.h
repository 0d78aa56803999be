/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of Gemini's codec share.  Included behind cmocka.h. */
#ifndef WEIR_TESTS_GEMINI_CHECK_H
#define WEIR_TESTS_GEMINI_CHECK_H

#include "router/codec/gemini.h"
#include "tests/unit/codec_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { CAP = 64 << 20 };

static struct arena memory; /* of the running test */

CHECK_HELPER int begin_test(void **state)
{
    (void)state;
    arena_init(&memory, (size_t)1 << 30);
    return 0;
}

CHECK_HELPER int end_test(void **state)
{
    (void)state;
    arena_free(&memory);
    return 0;
}

/* "publishers/google/models/NAME:generateContent?alt=sse" -> NAME. */
CHECK_HELPER struct span model_of(struct span path, bool *stream)
{
    struct span at = {strstr(path.ptr, "models/"), 0};

    at.ptr += 7;
    while (at.ptr[at.len] && at.ptr[at.len] != ':')
        at.len++;
    *stream = strstr(path.ptr, ":streamGenerateContent") != NULL;
    return at;
}

CHECK_HELPER struct span path_of(const struct recording *r)
{
    char *path = arena_strdup(&memory, r->path);

    assert_non_null(path);
    return span_of(path);
}

CHECK_HELPER struct request *read_ok(const char *body)
{
    struct request *r = arena_zalloc(&memory, 1, sizeof *r);
    struct err e = {ERR_NONE, ""};

    assert_non_null(r);
    if (!codec_gemini.request_read(
            &(struct inbound){span_of(body), SPAN("gemini-2.5-flash"), false},
            &memory, r, &e))
        fail_msg("%s", e.msg);
    return r;
}

CHECK_HELPER struct request *read_openai(const char *body)
{
    struct request *r = arena_zalloc(&memory, 1, sizeof *r);
    struct err e = {ERR_NONE, ""};

    assert_non_null(r);
    if (!request_from_openai(span_of(body), &memory, r, &e))
        fail_msg("%s", e.msg);
    return r;
}

static struct losses lost;

CHECK_HELPER struct span written(const struct request *r,
                                 const struct target *t)
{
    struct err e = {ERR_NONE, ""};
    struct buf out;
    struct span copy;

    memset(&lost, 0, sizeof lost);
    buf_init(&out, CAP);
    if (!codec_gemini.request_write(r, t, &lost, &out, &e))
        fail_msg("%s", e.msg);
    copy = arena_copy(&memory, buf_view(&out));
    buf_free(&out);
    return copy;
}

CHECK_HELPER struct span for_model(const struct request *r, const char *model)
{
    struct target t = {.model = span_of(model)};

    return written(r, &t);
}

CHECK_HELPER bool has_lost(enum lossy kind, const char *what)
{
    for (unsigned i = 0; i < lost.n; i++) {
        if (lost.at[i].kind == kind &&
            (!what || !strcmp(lost.at[i].what, what)))
            return true;
    }
    return false;
}

CHECK_HELPER void assert_json(struct span got, const char *want)
{
    if (!json_same(got, span_of(want)))
        fail_msg("got %.*s", (int)got.len, got.ptr);
}

/* The n-th element. */
CHECK_HELPER struct json element(const struct json *list, uint64_t n)
{
    struct json_iter it = json_begin(list);
    struct json one;

    for (uint64_t i = 0; json_next(&it, NULL, &one); i++) {
        if (i == n)
            return one;
    }
    return (struct json){JSON_NONE, false, {NULL, 0}};
}

/* A member of a written body by its path of names; "0" is an element. */
CHECK_HELPER struct json at(struct span body, const char *path)
{
    struct span rest = span_of(path);
    struct json v;
    struct err e;

    assert_true(json_parse(body, &v, &e));
    while (rest.ptr) {
        struct span step = span_cut(&rest, '.');
        uint64_t n;
        char name[64];

        span_copy(name, sizeof name, step);
        v = v.type == JSON_ARRAY && span_u64(step, &n) ? element(&v, n)
                                                       : json_get(&v, name);
    }
    return v;
}

CHECK_HELPER void assert_at(struct span body, const char *path,
                            const char *want)
{
    struct json v = at(body, path);

    if (v.type == JSON_NONE)
        fail_msg("%s is not in %.*s", path, (int)body.len, body.ptr);
    assert_json(v.raw, want);
}

CHECK_HELPER void assert_no(struct span body, const char *path)
{
    assert_int_equal(at(body, path).type, JSON_NONE);
}

CHECK_HELPER void gather_answer(const char *body, int status,
                                struct gathered *g)
{
    struct err e = {ERR_NONE, ""};

    gather_init(g, &memory);
    if (!check_answer(&codec_gemini, span_of(body), status, gather_sink(g), &e))
        fail_msg("%s", e.msg);
}

CHECK_HELPER void gather_stream(struct span bytes, struct cuts cuts,
                                struct gathered *g)
{
    struct err e = {ERR_NONE, ""};

    gather_init(g, &memory);
    if (!check_stream(&codec_gemini, bytes, cuts, gather_sink(g), &e))
        fail_msg("%s", e.msg);
}

/* Chunks into a stream for a Gemini client. */
struct rewriter {
    struct gemini_writer state;
    struct request asked;
    struct losses lost;
    struct buf out;
};

CHECK_HELPER bool rewrite(void *ctx, const struct chunk *c)
{
    struct rewriter *w = ctx;

    codec_gemini.stream_write(&w->state, &w->asked, c, &w->lost, &w->out);
    return true;
}

CHECK_HELPER struct rewriter *rewriter_new(void)
{
    struct rewriter *w = arena_zalloc(&memory, 1, sizeof *w);

    assert_non_null(w);
    buf_init(&w->out, CAP);
    return w;
}

CHECK_HELPER struct span rewritten(struct rewriter *w)
{
    struct span copy = arena_copy(&memory, buf_view(&w->out));

    codec_gemini.stream_free(&w->state);
    buf_free(&w->out);
    return copy;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin_test, end_test)

#endif
