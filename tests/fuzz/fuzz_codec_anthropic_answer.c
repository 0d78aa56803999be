/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an Anthropic answer, whole or streamed in pieces: chunks keep
 * their order, the answer is the same at every chunking, and what a client is
 * then sent is read back as that answer.
 */
#include "router/codec/anthropic.h"
#include "tests/unit/codec_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct client {
    void *state;
    struct losses lost;
    struct buf out;
};

static bool write_chunk(void *ctx, const struct chunk *c)
{
    struct client *w = ctx;

    codec_anthropic.stream_write(w->state, NULL, c, &w->lost, &w->out);
    return true;
}

static bool read_at(struct span bytes, struct cuts cuts, struct gathered *g)
{
    struct chunk_sink sink = gather_sink(g);
    struct err e;

    return cuts.size == 0 && cuts.seed == 0
               ? check_answer(&codec_anthropic, bytes, 200, sink, &e)
               : check_stream(&codec_anthropic, bytes, cuts, sink, &e);
}

/* Only where nothing was named as lost are all blocks there. */
static void check_client(struct span bytes, struct arena *a,
                         const struct gathered *g)
{
    struct client w = {.state = calloc(1, codec_anthropic.writer_size)};
    struct gathered back;
    struct err e;

    buf_init(&w.out, (size_t)1 << 24);
    (void)!check_stream(&codec_anthropic, bytes, CUTS_WHOLE,
                        (struct chunk_sink){&w, write_chunk}, &e);
    gather_init(&back, a);
    check_that(read_at(buf_view(&w.out), CUTS_BYTES, &back), "not read back");
    check_that(back.ended == g->ended &&
                   (back.error_status != 0) == (g->error_status != 0),
               "another end: %s", buf_cstr(&w.out));
    if (g->ended && w.lost.n == 0)
        check_that(blocks_same(back.choices[0].first, g->choices[0].first),
                   "other blocks: %s", buf_cstr(&w.out));
    buf_free(&w.out);
    free(w.state);
}

static void check_whole(struct span bytes, struct arena *a)
{
    struct losses l = {0};
    struct gathered g;
    struct json v;
    struct buf out;
    struct err e;

    gather_init(&g, a);
    if (!read_at(bytes, (struct cuts){0, 0}, &g))
        return;
    buf_init(&out, (size_t)1 << 24);
    codec_anthropic.answer_write(&g, NULL, &l, &out);
    check_that(json_parse(buf_view(&out), &v, &e), "%s: %s", e.msg,
               buf_cstr(&out));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {(const char *)data, size};
    struct gathered whole, cut;
    struct arena a;
    bool ok;

    arena_init(&a, (size_t)1 << 26);
    gather_init(&whole, &a);
    gather_init(&cut, &a);
    check_whole(bytes, &a);
    ok = read_at(bytes, CUTS_WHOLE, &whole);
    check_that(ok == read_at(bytes, (struct cuts){0, size + 1}, &cut),
               "read at one chunking only");
    if (ok) {
        check_that(gathered_same(&whole, &cut), "not the same");
        check_client(bytes, &a, &whole);
    }
    arena_free(&a);
    return 0;
}
