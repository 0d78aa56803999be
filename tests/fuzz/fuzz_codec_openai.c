/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an OpenAI request, answer or event stream (the first byte
 * says which).  A request that is taken goes through with its model changed
 * and nothing else; a stream is the same whole and in pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "router/codec/dialect.h"
#include "router/http/frames.h"
#include "router/http/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct dialect_ops *const d = &dialect_openai;

static void check_request(struct span body)
{
    struct splice s = {SPAN("\"other\""), true};
    struct request r, again;
    struct span out = {NULL, 0};
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 24);
    if (d->decode(body, &a, &r, &e)) {
        if (!d->splice(&r, &s, &a, &out, &e) ||
            !d->decode(out, &a, &again, &e) || !span_is(again.model, "other") ||
            again.n_messages != r.n_messages || again.n_tools != r.n_tools ||
            (r.params.stream && !again.params.stream_usage))
            abort();
        if (!r.params.stream &&
            out.len != body.len - r.model_raw.len + s.model.len)
            abort();
    }
    arena_free(&a);
}

static void check_answer(struct span body)
{
    struct answer a = {.finish = ""};
    struct buf text;
    struct err e = {0};

    buf_init(&text, 1 << 20);
    a.text = &text;
    if (!d->read(body, &a, &e) && !e.msg[0])
        abort();
    if (a.usage.cached > a.usage.input || a.usage.reasoning > a.usage.output ||
        a.usage.input < 0 || a.usage.output < 0)
        abort();
    (void)d->is_error(body);
    buf_free(&text);
}

struct stream {
    struct answer answer;
    unsigned views[4];
};

static bool on_event(void *ctx, const struct sse_event *ev)
{
    struct stream *s = ctx;

    s->views[d->event(ev->data, true, &s->answer)]++;
    return true;
}

static void read_stream(struct span body, size_t piece, struct stream *s)
{
    struct sse sse;
    struct err e;
    size_t begin = 0;

    *s = (struct stream){.answer = {.finish = ""}};
    sse_init(&sse, 1 << 20, on_event, s);
    for (size_t end = 0; end < body.len;) {
        size_t n;

        end = end + piece < body.len ? end + piece : body.len;
        while (
            (n = frame_length((struct span){body.ptr + begin, end - begin}))) {
            if (!sse_feed(&sse, (struct span){body.ptr + begin, n}, &e))
                end = body.len;
            begin += n;
        }
    }
    sse_free(&sse);
}

static void check_stream(struct span body)
{
    struct stream whole, pieces;

    read_stream(body, body.len, &whole);
    read_stream(body, 7, &pieces);
    if (memcmp(&whole, &pieces, sizeof whole) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(struct span) = {check_request, check_answer,
                                                  check_stream};

    if (size > 0)
        checks[data[0] % 3]((struct span){(const char *)data + 1, size - 1});
    return 0;
}
