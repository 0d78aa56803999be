/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops over the recorded exchanges of a dialect, for tests of its codec:
 * requests read and written again, answers at every chunking, what our
 * writers make of them read back.
 */
#ifndef WEIR_TESTS_CODEC_LOOP_H
#define WEIR_TESTS_CODEC_LOOP_H

#include "tests/unit/codec_check.h"

#include "router/codec/quirks.h"

enum { LOOP_MEMORY = 256 << 20 };

/* What was charged beside tokens, and the bill itself, are for weir's own
 * accounts: no dialect's answers carry them on. */
CHECK_HELPER void loop_forget_charges(struct usage *u)
{
    u->searches = 0;
    u->service = (enum service)0;
    u->billed = u->told = false;
    u->billed_input = u->billed_output = u->told_pico = 0;
}

CHECK_HELPER bool loop_skips(const struct recording *rec)
{
    return span_has(rec->path, SPAN("embeddings"));
}

CHECK_HELPER const struct quirks *loop_quirks(const struct recording *rec)
{
    if (span_starts(rec->path, "<GPUSTACK"))
        return quirks_find(SPAN("gpustack"), rec->provider);
    if (span_starts(rec->path, "<OLLAMA"))
        return quirks_find(SPAN("ollama"), rec->provider);
    return quirks_find(SPAN(""), rec->provider);
}

/* The request comes out as the value that went in. */
CHECK_HELPER void loop_request(const struct codec *codec,
                               const struct recording *rec)
{
    struct arena a;
    struct buf out;
    struct losses l = {0};
    struct request r;
    struct err e = {ERR_NONE, ""};
    struct target t = {
        .quirks = loop_quirks(rec), .same_dialect = true, .same_model = true};

    arena_init(&a, LOOP_MEMORY);
    buf_init(&out, LOOP_MEMORY);
    check_that(codec->request_read(
                   &(struct inbound){rec->asked, SPAN(""), false}, &a, &r, &e),
               "%.*s: %s", SPAN_ARGS(rec->name), e.msg);
    t.model = r.model;
    t.stream = r.params.stream;
    check_that(codec->request_write(&r, &t, &l, &out, &e), "%.*s: %s",
               SPAN_ARGS(rec->name), e.msg);
    check_that(json_same(buf_view(&out), rec->asked), "%.*s",
               SPAN_ARGS(rec->name));
    check_that(l.n == 0, "%.*s: lost %s", SPAN_ARGS(rec->name), l.at[0].what);
    buf_free(&out);
    arena_free(&a);
}

CHECK_HELPER void loop_read(const struct codec *codec,
                            const struct recording *rec, struct cuts cuts,
                            struct gathered *g)
{
    struct err e = {ERR_NONE, ""};
    bool ok =
        rec->streamed
            ? check_stream(codec, rec->answer, cuts, gather_sink(g), &e)
            : check_answer(codec, rec->answer, rec->status, gather_sink(g), &e);

    check_that(ok, "%.*s: %s", SPAN_ARGS(rec->name), e.msg);
}

/* Each request of the dialect, at least so many; false: no recordings here. */
CHECK_HELPER bool loop_requests(const struct codec *codec, unsigned least)
{
    struct recordings all;
    struct recording rec;
    unsigned n = 0;

    if (!recordings_open(&all))
        return false;
    while (recordings_next(&all, codec->name, &rec)) {
        if (loop_skips(&rec))
            continue;
        loop_request(codec, &rec);
        n++;
    }
    recordings_close(&all);
    check_that(n >= least, "%u requests", n);
    return true;
}

/* The answer is the same whole, byte by byte and at random cuts; true when it
 * is an error. */
CHECK_HELPER bool loop_chunkings(const struct codec *codec,
                                 const struct recording *rec)
{
    struct gathered whole, other;
    struct arena a;
    bool error;

    arena_init(&a, LOOP_MEMORY);
    gather_init(&whole, &a);
    loop_read(codec, rec, CUTS_WHOLE, &whole);
    error = whole.error_status != 0;
    check_that(whole.ended == (rec->status < 400), "%.*s: error %.*s",
               SPAN_ARGS(rec->name), SPAN_ARGS(whole.error_message));
    check_that(rec->status >= 400 || whole.has_usage, "%.*s: no usage",
               SPAN_ARGS(rec->name));
    for (uint64_t seed = 0; rec->streamed && seed < 4; seed++) {
        gather_init(&other, &a);
        loop_read(codec, rec, seed ? (struct cuts){0, seed} : CUTS_BYTES,
                  &other);
        check_that(gathered_same(&whole, &other), "%.*s", SPAN_ARGS(rec->name));
    }
    arena_free(&a);
    return error;
}

CHECK_HELPER bool loop_answers(const struct codec *codec, unsigned least,
                               unsigned least_errors)
{
    struct recordings all;
    struct recording rec;
    unsigned n = 0, errors = 0;

    if (!recordings_open(&all))
        return false;
    while (recordings_next(&all, codec->name, &rec)) {
        if (loop_skips(&rec))
            continue;
        errors += loop_chunkings(codec, &rec);
        n++;
    }
    recordings_close(&all);
    check_that(n >= least && errors >= least_errors, "%u, %u errors", n,
               errors);
    return true;
}

/* All of a gathered answer as chunks again, for a stream's writer. */
struct loop_writer {
    const struct codec *codec;
    const struct request *asked;
    struct losses *l;
    struct buf *out;
    void *state; /* (owned by loop_stream_write) */
};

CHECK_HELPER bool loop_write_chunk(void *ctx, const struct chunk *c)
{
    struct loop_writer *w = ctx;

    w->codec->stream_write(w->state, w->asked, c, w->l, w->out);
    return true;
}

/* What w's codec writes for a client of the answer that `from` reads. */
CHECK_HELPER void loop_stream_write(const struct codec *from,
                                    const struct recording *rec,
                                    struct loop_writer w)
{
    struct arena a;
    struct chunk_sink sink = {&w, loop_write_chunk};
    struct err e = {ERR_NONE, ""};

    arena_init(&a, LOOP_MEMORY);
    w.state = calloc(1, w.codec->writer_size + 1);
    if (w.codec->writer_start)
        w.codec->writer_start(w.state, &a);
    check_that(rec->streamed
                   ? check_stream(from, rec->answer, CUTS_WHOLE, sink, &e)
                   : check_answer(from, rec->answer, rec->status, sink, &e),
               "%s", e.msg);
    free(w.state);
    arena_free(&a);
}

#endif
