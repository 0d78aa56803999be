/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `make bench-codec`: what translation costs, on one core, from answers and
 * conversations that are made up here.  A stream is written by the provider's
 * codec, cut at its events and given to the client's codec one event at a
 * time, through the framing, as the router does it.  Exit status 1 when a bar
 * is missed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "router/codec/aws_stream.h"
#include "router/codec/codec.h"
#include "router/codec/tap.h"
#include "router/http/frames.h"
#include "router/http/sse.h"

#define BAR_EVENTS 200e3 /* translated events a second and core */

enum {
    EVENTS_MAX = 4096,
    THOUGHTS = 100,
    WORDS = 600,
    CALLS = 2,
    PIECES = 50, /* of each call's arguments */
    ROUNDS = 5,
    ROUND_NS = 80000000,
    ASKED_N = 8, /* turns of the conversation */
};

static const char *const PROVIDERS[] = {"openai", "responses", "anthropic",
                                        "gemini", "bedrock",   "cohere"};
static const char *const CLIENTS[] = {"openai", "responses", "anthropic",
                                      "gemini"};
enum {
    N_PROVIDERS = sizeof PROVIDERS / sizeof PROVIDERS[0],
    N_CLIENTS = sizeof CLIENTS / sizeof CLIENTS[0],
};

/* A provider's stream and where its events end. */
struct stream {
    struct buf bytes;
    size_t end[EVENTS_MAX];
    unsigned n;
};

/* One stream on its way to one client. */
struct passage {
    const struct codec *from, *to; /* to NULL: only looked at */
    const struct dialect_ops *look;
    const struct request *asked;
    struct arena work, kept;
    struct losses lost;
    struct answer seen;
    struct buf out;
    void *reader, *writer; /* (owned) */
    size_t written;
    bool bad;
};

static struct stream streams[N_PROVIDERS];
static bool missed;

/* ---- the made-up answer ---- */

struct source {
    const struct codec *codec;
    const struct request *asked;
    struct stream *to;
    void *state;
    struct losses lost;
};

static void say(struct source *s, struct chunk c)
{
    s->codec->stream_write(s->state, s->asked, &c, &s->lost, &s->to->bytes);
}

static void say_block(struct source *s, struct chunk open, unsigned n,
                      const char *const *pieces)
{
    struct chunk c = open;

    c.kind = CHUNK_OPEN;
    say(s, c);
    for (unsigned i = 0; i < n; i++)
        say(s, (struct chunk){.kind = CHUNK_TEXT,
                              .block = open.block,
                              .part = open.part,
                              .text = span_of(pieces[i % 4])});
    say(s, (struct chunk){.kind = CHUNK_CLOSE,
                          .block = open.block,
                          .part = open.part,
                          .signature = open.signature});
}

static void say_calls(struct source *s)
{
    static const char *const key[] = {"{\"lines\": ["};
    static const char *const lines[] = {"\"a \\\"line\\\"\",", "\"another\",",
                                        "12.5,", "{\"deep\":true},"};
    static const char *const last[] = {"null]}"};

    for (unsigned i = 0; i < CALLS; i++) {
        struct chunk c = {.kind = CHUNK_OPEN,
                          .block = 2 + i,
                          .part = PART_TOOL_CALL,
                          .id = i ? SPAN("call_b") : SPAN("call_a"),
                          .name = SPAN("write_lines")};

        say(s, c);
        c.kind = CHUNK_TEXT;
        c.text = span_of(key[0]);
        say(s, c);
        for (unsigned k = 0; k < PIECES; k++) {
            c.text = span_of(lines[k % 4]);
            say(s, c);
        }
        c.text = span_of(last[0]);
        say(s, c);
        c.text = SPAN("");
        c.kind = CHUNK_CLOSE;
        say(s, c);
    }
}

static void say_all(struct source *s)
{
    static const char *const thoughts[] = {" first", " the", " level\n",
                                           " \"falls\""};
    static const char *const words[] = {" water", " finds", " its own",
                                        " level, \xc3\xa9 la longue."};
    struct usage usage = {
        .input = 180, .cached = 20, .output = 900, .reasoning = 120};

    say(s, (struct chunk){.kind = CHUNK_START,
                          .id = SPAN("msg_0123456789"),
                          .name = SPAN("a-model"),
                          .created = 1750000000,
                          .usage = usage,
                          .has_usage = true});
    say_block(s,
              (struct chunk){.part = PART_THINKING,
                             .signature = SPAN("c2lnbmF0dXJl")},
              THOUGHTS, thoughts);
    say_block(s, (struct chunk){.part = PART_TEXT, .block = 1}, WORDS, words);
    say_calls(s);
    say(s,
        (struct chunk){.kind = CHUNK_USAGE, .usage = usage, .has_usage = true});
    say(s, (struct chunk){.kind = CHUNK_FINISH,
                          .finish = FINISH_TOOLS,
                          .name = SPAN("tool_use")});
    say(s, (struct chunk){.kind = CHUNK_END});
}

/* ---- its events ---- */

static size_t aws_length(struct span s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;

    return s.len < 4 ? 0
                     : (size_t)p[0] << 24 | (size_t)p[1] << 16 |
                           (size_t)p[2] << 8 | p[3];
}

static bool make_stream(const struct codec *codec, const struct request *asked,
                        struct stream *st)
{
    struct source s = {codec, asked, st, NULL, {0}};
    struct arena kept;
    size_t at = 0, n;

    arena_init(&kept, (size_t)64 << 20);
    buf_init(&st->bytes, (size_t)64 << 20);
    s.state = calloc(1, codec->writer_size + 1);
    if (!s.state)
        return false;
    if (codec->writer_start)
        codec->writer_start(s.state, &kept);
    say_all(&s);
    if (codec->stream_free)
        codec->stream_free(s.state);
    free(s.state);
    arena_free(&kept);
    while (at < st->bytes.len && st->n < EVENTS_MAX) {
        struct span rest = {st->bytes.ptr + at, st->bytes.len - at};

        n = codec->framing == FRAMING_AWS ? aws_length(rest)
                                          : frame_length(rest);
        if (n == 0 || n > rest.len)
            return false;
        at += n;
        st->end[st->n++] = at;
    }
    return at == st->bytes.len && !st->bytes.failed;
}

/* ---- the passage ---- */

static bool take(void *ctx, const struct chunk *c)
{
    struct passage *p = ctx;

    tap_chunk(&p->seen, c);
    if (c->kind == CHUNK_ERROR)
        p->bad = true;
    if (p->to)
        p->to->stream_write(p->writer, p->asked, c, &p->lost, &p->out);
    return true;
}

static bool pass_event(struct passage *p, struct span name, struct span data)
{
    struct chunk_sink sink = {p, take};
    struct err e;
    bool ok =
        p->look ? p->look->event(data, true, &p->seen) != EVENT_BAD
                : p->from->stream_read(p->reader, &(struct framed){name, data},
                                       &p->work, &sink, &e);

    if (!p->look)
        arena_reset(&p->work);
    p->bad |= !ok;
    return ok;
}

static bool on_sse(void *ctx, const struct sse_event *ev)
{
    return pass_event(ctx, ev->name, ev->data);
}

static bool on_aws(void *ctx, const struct aws_event *ev)
{
    return pass_event(ctx, ev->name, ev->data);
}

static void pass_pieces(struct passage *p, const struct stream *st)
{
    bool is_aws = p->from->framing == FRAMING_AWS;
    struct aws_stream aws;
    struct sse sse;
    struct err e;
    size_t at = 0;

    sse_init(&sse, (size_t)1 << 20, on_sse, p);
    aws_stream_init(&aws, AWS_MESSAGE_MAX, on_aws, p);
    for (unsigned i = 0; i < st->n; at = st->end[i++]) {
        struct span piece = {st->bytes.ptr + at, st->end[i] - at};

        /* Verbatim frames are found before they are looked at. */
        if (!p->to && frame_length(piece) != piece.len)
            p->bad = true;
        if (!(is_aws ? aws_stream_feed(&aws, piece, &e)
                     : sse_feed(&sse, piece, &e)))
            p->bad = true;
        p->written += p->out.len;
        buf_reset(&p->out);
    }
    sse_free(&sse);
    aws_stream_free(&aws);
}

static bool pass(struct passage *p, const struct stream *st)
{
    struct chunk_sink sink = {p, take};
    struct err e;

    p->seen = (struct answer){.has_usage = false};
    p->lost.n = 0;
    p->written = 0;
    arena_init(&p->kept, (size_t)64 << 20);
    p->reader = calloc(1, p->from->reader_size + 1);
    p->writer = calloc(1, p->to ? p->to->writer_size + 1 : 1);
    if (!p->reader || !p->writer)
        return false;
    if (p->to && p->to->writer_start)
        p->to->writer_start(p->writer, &p->kept);
    pass_pieces(p, st);
    if (!p->look && !p->from->stream_end(p->reader, &sink, &e))
        p->bad = true;
    p->bad |= !p->seen.done || p->out.failed;
    if (p->to && p->to->stream_free)
        p->to->stream_free(p->writer);
    free(p->reader);
    free(p->writer);
    arena_free(&p->kept);
    return !p->bad;
}

/* Events a second, the best round of some: the machine's other work only
 * ever takes time away. */
static double rate(struct passage *p, const struct stream *st)
{
    double best = 0;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t from = clock_ns(), now = from;
        uint64_t n = 0;
        double r;

        while (now - from < ROUND_NS / ROUNDS) {
            if (!pass(p, st))
                return 0;
            n += st->n;
            now = clock_ns();
        }
        r = (double)n * 1e9 / (double)(now - from);
        best = r > best ? r : best;
    }
    return best;
}

static double rate_of(const struct codec *from, const struct codec *to,
                      const struct dialect_ops *look,
                      const struct request *asked, const struct stream *st)
{
    struct passage p = {.from = from, .to = to, .look = look, .asked = asked};
    double r;

    arena_init(&p.work, (size_t)64 << 20);
    buf_init(&p.out, (size_t)64 << 20);
    r = rate(&p, st);
    arena_free(&p.work);
    buf_free(&p.out);
    return r;
}

static void bench_streams(const struct request *asked)
{
    double worst = 1e18;

    printf("translated streams, thousand events a second on one core "
           "(%u deltas of thinking, %u of text, %u calls)\n\n%-12s",
           THOUGHTS, WORDS, CALLS, "provider");
    for (unsigned j = 0; j < N_CLIENTS; j++)
        printf("%12s", CLIENTS[j]);
    printf("%12s\n", "events");
    for (unsigned i = 0; i < N_PROVIDERS; i++) {
        printf("%-12s", PROVIDERS[i]);
        for (unsigned j = 0; j < N_CLIENTS; j++) {
            double r = rate_of(codec_find(PROVIDERS[i]), codec_find(CLIENTS[j]),
                               NULL, asked, &streams[i]);

            worst = r < worst ? r : worst;
            printf("%12.0f", r / 1e3);
            fflush(stdout);
        }
        printf("%12u\n", streams[i].n);
    }
    missed |= worst < BAR_EVENTS;
    printf("\n%s  the slowest pair: %.0f events/s (wanted >= %.0f)\n\n",
           worst < BAR_EVENTS ? "FAIL" : "pass", worst, BAR_EVENTS);
}

/* The bar of this path is the gateway's (bench/codec.sh). */
static void bench_verbatim(const struct request *asked)
{
    printf("streams that go through as they came and are looked at, thousand "
           "events a second, MB/s of the provider's bytes\n\n");
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        const struct dialect_ops *d = dialect_find(PROVIDERS[i]);
        double r = rate_of(codec_find(PROVIDERS[i]), NULL, d->event ? d : NULL,
                           asked, &streams[i]);
        double bytes = (double)streams[i].bytes.len / streams[i].n;

        missed |= r == 0;
        printf("%-12s%12.0f%12.0f\n", PROVIDERS[i], r / 1e3, r * bytes / 1e6);
    }
    putchar('\n');
}

/* ---- requests ---- */

static void make_conversation(struct buf *b)
{
    buf_str(b, "{\"model\":\"auto\",\"stream\":true,\"temperature\":0.5,"
               "\"max_tokens\":4000,\"messages\":[{\"role\":\"system\","
               "\"content\":\"Answer briefly, in whole sentences.\"}");
    for (unsigned i = 0; i < ASKED_N; i++) {
        buf_printf(b, ",{\"role\":\"user\",\"content\":\"");
        for (unsigned k = 0; k < 40; k++)
            buf_str(b, "What of the water\\u2019s level, and the \\\"wall\\\""
                       "?\\n");
        buf_printf(b,
                   "\"},{\"role\":\"assistant\",\"content\":null,"
                   "\"tool_calls\":[{\"id\":\"call_%u\",\"type\":\"function\","
                   "\"function\":{\"name\":\"level\",\"arguments\":"
                   "\"{\\\"place\\\": \\\"Bern\\\"}\"}}]},{\"role\":\"tool\","
                   "\"tool_call_id\":\"call_%u\",\"content\":\"%u m\"}",
                   i, i, i);
    }
    buf_str(b, "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
               "\"level\",\"description\":\"The level of the water\","
               "\"parameters\":{\"type\":\"object\",\"properties\":{"
               "\"place\":{\"type\":\"string\"}},\"required\":[\"place\"],"
               "\"additionalProperties\":false}}}]}");
}

static bool write_for(const struct request *r, const struct codec *to,
                      struct buf *out)
{
    struct losses lost = {0};
    struct target t = {.model = SPAN("a-model"), .stream = true};
    struct err e;

    buf_reset(out);
    return to->request_write(r, &t, &lost, out, &e);
}

static bool translate(struct span body, const struct codec *from,
                      const struct codec *to, struct buf *out)
{
    struct inbound in = {body, SPAN("auto"), true};
    struct request r;
    struct arena a;
    struct err e;
    bool ok;

    arena_init(&a, (size_t)64 << 20);
    ok = from->request_read(&in, &a, &r, &e) && write_for(&r, to, out);
    arena_free(&a);
    return ok;
}

/* Microseconds of the fastest round. */
static double time_of(struct span body, const struct codec *from,
                      const struct codec *to)
{
    double best = 1e18;
    struct buf out;

    buf_init(&out, (size_t)64 << 20);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = clock_ns(), now = start;
        unsigned n = 0;
        double us;

        for (; now - start < ROUND_NS / ROUNDS; n++, now = clock_ns()) {
            if (!translate(body, from, to, &out)) {
                missed = true;
                printf(" (refused)");
                break;
            }
        }
        us = (double)(now - start) / 1e3 / (n ? n : 1);
        best = us < best ? us : best;
    }
    buf_free(&out);
    return best;
}

static void bench_requests(const struct request *asked)
{
    struct buf body;

    buf_init(&body, (size_t)1 << 20);
    printf("requests, read and written, microseconds: %zu kB as chat, %u "
           "turns with tools\n\n%-12s",
           asked->body.len >> 10, ASKED_N, "client");
    for (unsigned j = 0; j < N_PROVIDERS; j++)
        printf("%12s", PROVIDERS[j]);
    putchar('\n');
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        const struct codec *from = codec_find(CLIENTS[i]);

        printf("%-12s", CLIENTS[i]);
        buf_reset(&body);
        missed |= !write_for(asked, from, &body);
        for (unsigned j = 0; j < N_PROVIDERS; j++)
            printf("%12.1f",
                   time_of(buf_view(&body), from, codec_find(PROVIDERS[j])));
        putchar('\n');
    }
    putchar('\n');
    buf_free(&body);
}

int main(void)
{
    struct request asked;
    struct buf body;
    struct arena a;
    struct err e;
    bool ok;

    arena_init(&a, (size_t)1 << 20);
    buf_init(&body, (size_t)1 << 20);
    make_conversation(&body);
    ok = request_from_openai(buf_view(&body), &a, &asked, &e);
    for (unsigned i = 0; ok && i < N_PROVIDERS; i++)
        ok = make_stream(codec_find(PROVIDERS[i]), &asked, &streams[i]);
    if (ok) {
        bench_streams(&asked);
        bench_verbatim(&asked);
        bench_requests(&asked);
    } else {
        fputs("the made-up stream could not be written\n", stderr);
    }
    for (unsigned i = 0; i < N_PROVIDERS; i++)
        buf_free(&streams[i].bytes);
    buf_free(&body);
    arena_free(&a);
    return ok && !missed ? 0 : 1;
}
