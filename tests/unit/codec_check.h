/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all tests and fuzzers of codecs share: a sink that holds readers to
 * chunk.h's order, streams fed at any chunking, gathered answers and JSON
 * values compared, and the recorded exchanges of ../shared/recordings.
 * A broken rule says itself and aborts, so that it stops cmocka and
 * libFuzzer alike.  Everything is static: one test is one program.
 */
#ifndef WEIR_TESTS_CODEC_CHECK_H
#define WEIR_TESTS_CODEC_CHECK_H

#include "base/base64.h"
#include "base/utf8.h"
#include "router/codec/codec.h"
#include "router/http/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CHECK_HELPER static __attribute__((unused))

#define check_that(cond, ...)                                                  \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                    \
            fprintf(stderr, __VA_ARGS__);                                      \
            fputc('\n', stderr);                                               \
            abort();                                                           \
        }                                                                      \
    } while (0)

/* ---- the order of chunks ---- */

/*
 * Usage may come at any time between START and the first FINISH, since a
 * provider may say it with each event; the contract's order is what a reader
 * that hears it once gives.
 */
struct check {
    struct chunk_sink next; /* sees what passed; take NULL: nobody */
    bool started, ended, failed;
    unsigned n_finished;
    struct {
        unsigned blocks; /* opened so far */
        bool open, finished;
    } at[GATHER_CHOICES_MAX];
};

CHECK_HELPER void check_block(struct check *k, const struct chunk *c)
{
    check_that(c->choice < GATHER_CHOICES_MAX, "choice %u", c->choice);
    check_that(!k->at[c->choice].finished, "a block behind its FINISH");
    if (c->kind == CHUNK_OPEN) {
        check_that(!k->at[c->choice].open, "OPEN in an open block");
        check_that(c->block == k->at[c->choice].blocks++, "block %u, wanted %u",
                   c->block, k->at[c->choice].blocks - 1);
        k->at[c->choice].open = true;
        return;
    }
    check_that(k->at[c->choice].open, "TEXT or CLOSE without OPEN");
    check_that(c->block + 1 == k->at[c->choice].blocks,
               "TEXT or CLOSE of block %u in block %u", c->block,
               k->at[c->choice].blocks - 1);
    if (c->kind == CHUNK_CLOSE)
        k->at[c->choice].open = false;
}

CHECK_HELPER void check_finish(struct check *k, const struct chunk *c)
{
    check_that(c->choice < GATHER_CHOICES_MAX, "choice %u", c->choice);
    check_that(!k->at[c->choice].open, "FINISH in an open block");
    check_that(!k->at[c->choice].finished, "a second FINISH");
    check_that(c->finish != FINISH_NONE, "FINISH without a reason");
    k->at[c->choice].finished = true;
    k->n_finished++;
}

CHECK_HELPER void check_end(struct check *k)
{
    check_that(k->n_finished > 0, "END without FINISH");
    for (unsigned i = 0; i < GATHER_CHOICES_MAX; i++)
        check_that(k->at[i].finished || k->at[i].blocks == 0,
                   "END, but choice %u has no FINISH", i);
    k->ended = true;
}

CHECK_HELPER void check_spans(const struct chunk *c)
{
    const struct span *all[] = {&c->text,  &c->id,        &c->name,
                                &c->media, &c->signature, &c->raw};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        check_that(utf8_valid(*all[i]), "span %zu of a chunk is no UTF-8", i);
}

CHECK_HELPER bool check_take(void *ctx, const struct chunk *c)
{
    struct check *k = ctx;

    check_that(!k->ended && !k->failed, "a chunk behind END or ERROR");
    check_that(k->started || c->kind == CHUNK_START || c->kind == CHUNK_ERROR,
               "chunk %d before START", (int)c->kind);
    check_spans(c);
    switch (c->kind) {
    case CHUNK_START:
        check_that(!k->started, "a second START");
        k->started = true;
        break;
    case CHUNK_OPEN:
    case CHUNK_TEXT:
    case CHUNK_CLOSE:
        check_block(k, c);
        break;
    case CHUNK_USAGE:
        check_that(k->n_finished == 0, "USAGE behind FINISH");
        check_that(c->has_usage, "USAGE without has_usage");
        break;
    case CHUNK_FINISH:
        check_finish(k, c);
        break;
    case CHUNK_ERROR:
        check_that(c->status >= 400 && c->status < 600, "ERROR's status is %d",
                   c->status);
        k->failed = true;
        break;
    case CHUNK_END:
        check_end(k);
        break;
    }
    return !k->next.take || k->next.take(k->next.ctx, c);
}

CHECK_HELPER struct chunk_sink check_sink(struct check *k,
                                          struct chunk_sink next)
{
    memset(k, 0, sizeof *k);
    k->next = next;
    return (struct chunk_sink){k, check_take};
}

/* ---- streams ---- */

/* How a stream is cut: pieces of `size` bytes, or where it is 0 of random
 * ones from seed. */
struct cuts {
    size_t size;
    uint64_t seed;
};

#define CUTS_WHOLE ((struct cuts){SIZE_MAX, 0})
#define CUTS_BYTES ((struct cuts){1, 0})

CHECK_HELPER size_t cuts_next(struct cuts *c)
{
    if (c->size)
        return c->size;
    c->seed = c->seed * 6364136223846793005U + 1442695040888963407U;
    return 1 + (size_t)(c->seed >> 33) % 97;
}

struct check_stream {
    const struct codec *codec;
    void *state;
    struct chunk_sink *sink;
    struct err *e;
    bool ok;
};

/* A fresh arena for every event: nothing in the state may point into it. */
CHECK_HELPER bool check_event(void *ctx, const struct sse_event *ev)
{
    struct check_stream *s = ctx;
    struct arena a;

    arena_init(&a, (size_t)64 << 20);
    s->ok = s->codec->stream_read(
        s->state, &(struct framed){ev->name, ev->data}, &a, s->sink, s->e);
    arena_free(&a);
    return s->ok;
}

/* Reads a stream of server-sent events into the sink, through the checking
 * one.  False with e when the reader gave up. */
CHECK_HELPER bool check_stream(const struct codec *codec, struct span bytes,
                               struct cuts cuts, struct chunk_sink sink,
                               struct err *e)
{
    struct check k;
    struct chunk_sink checked = check_sink(&k, sink);
    struct check_stream s = {codec, calloc(1, codec->reader_size + 1), &checked,
                             e, true};
    struct sse sse;

    sse_init(&sse, (size_t)64 << 20, check_event, &s);
    while (s.ok && bytes.len) {
        size_t n = cuts_next(&cuts);
        char *piece; /* of its own: a span kept too long is found */

        n = n < bytes.len ? n : bytes.len;
        piece = malloc(n);
        check_that(piece, "no memory");
        memcpy(piece, bytes.ptr, n);
        s.ok = sse_feed(&sse, (struct span){piece, n}, e) && s.ok;
        free(piece);
        bytes.ptr += n;
        bytes.len -= n;
    }
    if (s.ok)
        s.ok = codec->stream_end(s.state, &checked, e);
    check_that(!s.ok || k.ended || k.failed, "neither END nor ERROR");
    sse_free(&sse);
    free(s.state);
    return s.ok;
}

CHECK_HELPER bool check_answer(const struct codec *codec, struct span body,
                               int status, struct chunk_sink sink,
                               struct err *e)
{
    struct check k;
    struct chunk_sink checked = check_sink(&k, sink);
    struct arena a;
    bool ok;

    arena_init(&a, (size_t)64 << 20);
    ok = codec->answer_read(body, status, &a, &checked, e);
    check_that(!ok || k.ended || k.failed, "neither END nor ERROR");
    arena_free(&a);
    return ok;
}

/* ---- JSON values ---- */

/* The same value: order of members free, numbers as written, strings by
 * their text.  Says where they differ. */
CHECK_HELPER bool json_same_at(const struct json *got, const struct json *want,
                               const char *path);

CHECK_HELPER bool json_differ(const char *path, struct span got,
                              struct span want)
{
    fprintf(stderr, "%s: got %.*s, wanted %.*s\n", path,
            (int)(got.len < 300 ? got.len : 300), got.ptr ? got.ptr : "",
            (int)(want.len < 300 ? want.len : 300), want.ptr ? want.ptr : "");
    return false;
}

CHECK_HELPER bool json_same_text(const struct json *a, const struct json *b)
{
    struct arena m;
    struct span x, y;
    bool same;

    arena_init(&m, (size_t)256 << 20);
    same = json_text(a, &m, &x) && json_text(b, &m, &y) && span_eq(x, y);
    arena_free(&m);
    return same;
}

CHECK_HELPER bool json_same_array(const struct json *got,
                                  const struct json *want, const char *path)
{
    struct json_iter i = json_begin(got), j = json_begin(want);
    struct json a, b;
    char at[300];

    if (json_count(got) != json_count(want))
        return json_differ(path, got->raw, want->raw);
    for (unsigned n = 0; json_next(&i, NULL, &a) && json_next(&j, NULL, &b);
         n++) {
        snprintf(at, sizeof at, "%.250s[%u]", path, n);
        if (!json_same_at(&a, &b, at))
            return false;
    }
    return true;
}

CHECK_HELPER bool json_same_object(const struct json *got,
                                   const struct json *want, const char *path)
{
    struct json_iter j = json_begin(want);
    struct json key, a, b;
    char at[300], name[200];

    while (json_next(&j, &key, &b)) {
        span_copy(name, sizeof name, json_inner(&key));
        snprintf(at, sizeof at, "%.250s.%.40s", path, name);
        a = json_get(got, name);
        if (!json_same_at(&a, &b, at))
            return false;
    }
    return json_count(got) == json_count(want) ||
           json_differ(path, got->raw, want->raw);
}

CHECK_HELPER bool json_same_at(const struct json *got, const struct json *want,
                               const char *path)
{
    if (got->type != want->type)
        return json_differ(path, got->raw, want->raw);
    switch (got->type) {
    case JSON_ARRAY:
        return json_same_array(got, want, path);
    case JSON_OBJECT:
        return json_same_object(got, want, path);
    case JSON_STRING:
        return json_same_text(got, want) ||
               json_differ(path, got->raw, want->raw);
    default:
        return span_eq(got->raw, want->raw) ||
               json_differ(path, got->raw, want->raw);
    }
}

CHECK_HELPER bool json_same(struct span got, struct span want)
{
    struct json a, b;
    struct err e = {ERR_NONE, ""};

    if (!json_parse(got, &a, &e) || !json_parse(want, &b, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        return json_differ("(no JSON)", got, want);
    }
    return json_same_at(&a, &b, "");
}

/* ---- gathered answers ---- */

CHECK_HELPER bool span_differ(const char *what, struct span a, struct span b)
{
    return span_eq(a, b) ? false : !json_differ(what, a, b);
}

CHECK_HELPER bool blocks_same(const struct gathered_block *a,
                              const struct gathered_block *b)
{
    for (; a && b; a = a->next, b = b->next) {
        if (a->part != b->part || a->redacted != b->redacted ||
            span_differ("text", a->text, b->text) ||
            span_differ("id", a->id, b->id) ||
            span_differ("name", a->name, b->name) ||
            span_differ("media", a->media, b->media) ||
            span_differ("signature", a->signature, b->signature) ||
            span_differ("raw", a->raw, b->raw))
            return false;
    }
    return !a && !b;
}

/* By member: what lies between them is anything. */
CHECK_HELPER bool usage_same(const struct usage *a, const struct usage *b)
{
    return a->input == b->input && a->cached == b->cached &&
           a->cache_write == b->cache_write &&
           a->cache_write_1h == b->cache_write_1h && a->output == b->output &&
           a->reasoning == b->reasoning && a->searches == b->searches &&
           a->service == b->service && a->billed == b->billed &&
           a->billed_input == b->billed_input &&
           a->billed_output == b->billed_output && a->told == b->told &&
           a->told_pico == b->told_pico;
}

/* Whole equality, but for spare room: for one answer read at two chunkings. */
CHECK_HELPER bool gathered_same(const struct gathered *a,
                                const struct gathered *b)
{
    if (span_differ("answer's id", a->id, b->id) ||
        span_differ("model", a->model, b->model) || a->created != b->created ||
        a->has_usage != b->has_usage || a->ended != b->ended ||
        a->n_choices != b->n_choices || a->error_status != b->error_status ||
        span_differ("error", a->error_message, b->error_message) ||
        span_differ("error type", a->error_type, b->error_type) ||
        !usage_same(&a->usage, &b->usage))
        return false;
    for (unsigned i = 0; i < a->n_choices; i++) {
        const struct gathered_choice *x = &a->choices[i], *y = &b->choices[i];

        if (x->finish != y->finish ||
            span_differ("finish", x->finish_name, y->finish_name) ||
            span_differ("sequence", x->sequence, y->sequence) ||
            !blocks_same(x->first, y->first))
            return false;
    }
    return true;
}

/* ---- recordings ---- */

/* Spans live until the next one is read. */
struct recording {
    struct span name, dialect, provider, method, path, asked, type, answer;
    int status;
    bool streamed; /* the answer is an event stream */
};

struct recordings {
    gzFile file;
    struct arena arena;
    char *line; /* (owned) */
    size_t room;
};

CHECK_HELPER bool recordings_open(struct recordings *r)
{
    static const char path[] = "../shared/recordings/providers.jsonl.gz";

    memset(r, 0, sizeof *r);
    arena_init(&r->arena, (size_t)1 << 30);
    r->file = gzopen(path, "rb");
    if (!r->file)
        fprintf(stderr, "%s is not there\n", path);
    return r->file;
}

CHECK_HELPER void recordings_close(struct recordings *r)
{
    if (r->file)
        gzclose(r->file);
    arena_free(&r->arena);
    free(r->line);
}

CHECK_HELPER bool recordings_line(struct recordings *r, struct span *line)
{
    size_t n = 0;

    for (;;) {
        if (r->room - n < 2) {
            r->room = r->room ? r->room * 2 : (size_t)1 << 16;
            r->line = realloc(r->line, r->room);
            check_that(r->line, "no memory");
        }
        if (!gzgets(r->file, r->line + n, (int)(r->room - n)))
            break;
        n += strlen(r->line + n);
        if (r->line[n - 1] == '\n')
            break;
    }
    *line = (struct span){r->line, n};
    return n > 0;
}

CHECK_HELPER struct span
recordings_str(struct recordings *r, const struct json *obj, const char *name)
{
    struct json v = json_get(obj, name);
    struct span s = {NULL, 0};

    if (v.type == JSON_STRING)
        check_that(json_text(&v, &r->arena, &s), "no memory");
    return s;
}

CHECK_HELPER void recordings_answer(struct recordings *r,
                                    const struct json *line,
                                    struct recording *out)
{
    struct json answer = json_get(line, "response"), status, headers;
    struct span coded;
    int64_t n = 0;
    char *bytes;

    status = json_get(&answer, "status");
    headers = json_get(&answer, "headers");
    check_that(json_i64(&status, &n), "a recording without status");
    out->status = (int)n;
    out->type = recordings_str(r, &headers, "content-type");
    if (!out->type.ptr)
        out->type = recordings_str(r, &headers, "Content-Type");
    out->streamed = span_has(out->type, SPAN("event-stream")) ||
                    span_has(out->type, SPAN("eventstream"));
    out->answer = recordings_str(r, &answer, "body");
    coded = recordings_str(r, &answer, "body_base64");
    if (!coded.len)
        return;
    bytes = arena_alloc(&r->arena, coded.len);
    check_that(bytes && base64_decode(coded, bytes, &out->answer.len),
               "a recording that is no base64");
    out->answer.ptr = bytes;
}

/* The next exchange of the dialect (NULL: of any); false at the end. */
CHECK_HELPER bool recordings_next(struct recordings *r, const char *dialect,
                                  struct recording *out)
{
    struct span line;
    struct json v, request;
    struct err e;

    while (recordings_line(r, &line)) {
        arena_reset(&r->arena);
        check_that(json_parse(line, &v, &e), "recording: %s", e.msg);
        memset(out, 0, sizeof *out);
        out->dialect = recordings_str(r, &v, "dialect");
        if (dialect && !span_is(out->dialect, dialect))
            continue;
        request = json_get(&v, "request");
        out->name = recordings_str(r, &v, "case");
        out->provider = recordings_str(r, &v, "provider");
        out->method = recordings_str(r, &request, "method");
        out->path = recordings_str(r, &request, "path");
        out->asked = recordings_str(r, &request, "body");
        recordings_answer(r, &v, out);
        return true;
    }
    return false;
}

#endif
