/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as Gemini's request, whole answer and stream.  The first byte
 * says which.  What is read of a request can be written, for this dialect
 * and for others, as JSON that is read again; what is read of an answer keeps
 * chunk.h's order and comes out as JSON and as events that are read again.
 */
#include "router/codec/codec.h"
#include "tests/unit/codec_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAP = 16 << 20 };

static void fuzz_request(struct span body, bool same)
{
    struct target t = {.model = SPAN_INIT("gemini-2.0-flash"),
                       .same_dialect = same,
                       .same_model = body.len & 1};
    struct request r, back;
    struct losses l = {0};
    struct arena a;
    struct err e = {ERR_NONE, ""};
    struct buf out;

    if (body.len & 2)
        t.model = SPAN("gemini-3-pro");
    arena_init(&a, CAP);
    buf_init(&out, CAP);
    if (!codec_gemini.request_read(&(struct inbound){body, SPAN("m"), false},
                                   &a, &r, &e)) {
        check_that(e.kind != ERR_NONE && e.msg[0], "an error without words");
    } else if (codec_gemini.request_write(&r, &t, &l, &out, &e)) {
        check_that(codec_gemini.request_read(
                       &(struct inbound){buf_view(&out), SPAN("m"), false}, &a,
                       &back, &e) ||
                       e.kind == ERR_MEMORY,
                   "%s: %.*s", e.msg, SPAN_ARGS(buf_view(&out)));
    }
    buf_free(&out);
    arena_free(&a);
}

struct rewriter {
    void *state;
    struct request asked;
    struct losses lost;
    struct buf out;
};

static bool rewrite(void *ctx, const struct chunk *c)
{
    struct rewriter *w = ctx;

    codec_gemini.stream_write(w->state, &w->asked, c, &w->lost, &w->out);
    return true;
}

static void reread(struct rewriter *w)
{
    struct chunk_sink nobody = {NULL, NULL};
    struct err e = {ERR_NONE, ""};

    codec_gemini.stream_free(w->state);
    free(w->state);
    check_that(w->out.failed || check_stream(&codec_gemini, buf_view(&w->out),
                                             CUTS_WHOLE, nobody, &e),
               "%s: %.*s", e.msg, SPAN_ARGS(buf_view(&w->out)));
    buf_free(&w->out);
}

static void fuzz_answer(struct span bytes, bool stream)
{
    struct rewriter w = {.state = calloc(1, codec_gemini.writer_size),
                         .asked = {.model = SPAN_INIT("m")}};
    struct chunk_sink sink = {&w, rewrite};
    struct gathered g;
    struct arena a;
    struct err e = {ERR_NONE, ""};
    struct buf out;

    check_that(w.state, "no memory");
    buf_init(&w.out, CAP);
    arena_init(&a, CAP);
    gather_init(&g, &a);
    if (stream) {
        (void)!check_stream(&codec_gemini, bytes, (struct cuts){0, bytes.len},
                            sink, &e);
    } else if (check_answer(&codec_gemini, bytes, 200, gather_sink(&g), &e)) {
        buf_init(&out, CAP);
        codec_gemini.answer_write(&g, &w.asked, &w.lost, &out);
        check_that(out.failed ||
                       check_answer(&codec_gemini, buf_view(&out), 200,
                                    (struct chunk_sink){NULL, NULL}, &e),
                   "%s: %.*s", e.msg, SPAN_ARGS(buf_view(&out)));
        buf_free(&out);
        (void)!check_answer(&codec_gemini, bytes, 200, sink, &e);
    }
    reread(&w);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {(const char *)data + 1, size - 1};

    if (size == 0)
        return 0;
    switch (data[0] & 3) {
    case 0:
        fuzz_request(bytes, false);
        break;
    case 1:
        fuzz_request(bytes, true);
        break;
    case 2:
        fuzz_answer(bytes, false);
        break;
    default:
        fuzz_answer(bytes, true);
    }
    return 0;
}
