/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every dialect to every other: any bytes as a request, an answer, a stream.
 * The first byte says from which, the second to which, the third what it is
 * and how a stream is cut.  Chunks keep their order; what the writers make of
 * them is JSON, frames and events that the target's own reader takes, with
 * no error that was not there before.
 */
#include "tests/unit/codec_aws.h"

#include "router/codec/quirks.h"

static const char *const DIALECTS[] = {"openai", "responses", "anthropic",
                                       "gemini", "bedrock",   "cohere"};
enum { N_DIALECTS = sizeof DIALECTS / sizeof DIALECTS[0], KINDS = 3 };

/* One answer on its way. */
struct passage {
    const struct codec *from, *to;
    struct span bytes;
    bool streamed;
    struct cuts cuts;
    struct request asked;
    struct losses lost;
    struct buf out;
    void *state; /* (owned) */
};

static bool read_in(const struct codec *codec, const struct passage *p,
                    struct chunk_sink sink)
{
    struct err e;

    if (!p->streamed)
        return check_answer(codec, p->bytes, 200, sink, &e);
    return codec->framing == FRAMING_AWS
               ? check_aws(codec, p->bytes, p->cuts, sink, &e)
               : check_stream(codec, p->bytes, p->cuts, sink, &e);
}

static bool write_chunk(void *ctx, const struct chunk *c)
{
    struct passage *p = ctx;

    p->to->stream_write(p->state, &p->asked, c, &p->lost, &p->out);
    return true;
}

/* What was written reads as an answer; an error only where one was. */
static void take_back(const struct passage *p, const struct gathered *g,
                      bool streamed)
{
    struct passage back = {
        .bytes = buf_view(&p->out), .streamed = streamed, .cuts = CUTS_WHOLE};
    struct gathered again;

    gather_init(&again, g->arena);
    check_that(!p->out.failed, "no memory");
    check_that(read_in(p->to, &back, gather_sink(&again)),
               "%s -> %s: not read back: %s", p->from->name, p->to->name,
               buf_cstr(&p->out));
    check_that(!g->error_status == !again.error_status,
               "%s -> %s: error %d became %d: %.*s in %s", p->from->name,
               p->to->name, g->error_status, again.error_status,
               SPAN_ARGS(again.error_message), buf_cstr(&p->out));
}

static void answer(struct passage *p)
{
    struct gathered g;
    struct arena a;
    struct json v;
    struct err e;

    arena_init(&a, (size_t)64 << 20);
    buf_init(&p->out, (size_t)64 << 20);
    p->state = calloc(1, p->to->writer_size + 1);
    if (p->to->writer_start)
        p->to->writer_start(p->state, &a);
    gather_init(&g, &a);
    if (read_in(p->from, p, gather_sink(&g)) &&
        read_in(p->from, p, (struct chunk_sink){p, write_chunk})) {
        take_back(p, &g, true);
        buf_reset(&p->out);
        p->to->answer_write(&g, &p->asked, &p->lost, &p->out);
        check_that(json_parse(buf_view(&p->out), &v, &e), "%s: %s", e.msg,
                   buf_cstr(&p->out));
        if (!g.error_status)
            take_back(p, &g, false);
    }
    if (p->to->stream_free)
        p->to->stream_free(p->state);
    free(p->state);
    buf_free(&p->out);
    arena_free(&a);
}

static void request(struct passage *p)
{
    struct inbound in = {p->bytes, SPAN("m"), false};
    struct target t = {.model = SPAN("m"),
                       .quirks = quirks_at(p->bytes.len % 13),
                       .same_dialect = p->from == p->to};
    struct request r;
    struct arena a;
    struct json v;
    struct err e;

    arena_init(&a, (size_t)16 << 20);
    buf_init(&p->out, (size_t)16 << 20);
    if (p->from->request_read(&in, &a, &r, &e) &&
        p->to->request_write(&r, &t, &p->lost, &p->out, &e))
        check_that(json_parse(buf_view(&p->out), &v, &e), "%s: %s", e.msg,
                   buf_cstr(&p->out));
    buf_free(&p->out);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct passage p = {.asked = {.params = params_unsaid()}};

    if (n < 3)
        return 0;
    p.from = codec_find(DIALECTS[bytes[0] % N_DIALECTS]);
    p.to = codec_find(DIALECTS[bytes[1] % N_DIALECTS]);
    p.bytes = (struct span){(const char *)bytes + 3, n - 3};
    p.cuts = (struct cuts){0, bytes[2]};
    p.streamed = bytes[2] % KINDS == 2;
    if (bytes[2] % KINDS == 0)
        request(&p);
    else
        answer(&p);
    return 0;
}
