/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that a rule of the route gives itself: no model is asked. */
#include "base/clock.h"
#include "router/chat/chat_parts.h"

/* The answer as any model's would come. */
static void give(struct chat *c, struct chunk_sink *sink)
{
    struct span text = span_of(c->decision->answer);
    const struct chunk chunks[] = {
        {.kind = CHUNK_START,
         .id = {c->id, REQUEST_ID_LEN},
         .name = c->ask.request.model,
         .created = c->time_ms / 1000},
        {.kind = CHUNK_OPEN, .part = PART_TEXT},
        {.kind = CHUNK_TEXT, .part = PART_TEXT, .text = text},
        {.kind = CHUNK_CLOSE, .part = PART_TEXT},
        {.kind = CHUNK_USAGE, .has_usage = true},
        {.kind = CHUNK_FINISH, .finish = FINISH_STOP},
        {.kind = CHUNK_END},
    };

    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
        if (!sink->take(sink->ctx, &chunks[i]))
            return;
}

struct writing {
    const struct codec *codec;
    struct chat *c;
    void *state;
    struct losses losses;
    struct buf *out;
};

static bool write_chunk(void *ctx, const struct chunk *k)
{
    struct writing *w = ctx;

    w->codec->stream_write(w->state, &w->c->ask.request, k, &w->losses, w->out);
    return !w->out->failed;
}

static bool write_stream(struct chat *c, const struct codec *codec,
                         struct buf *out)
{
    struct writing w = {.codec = codec, .c = c, .out = out};
    struct chunk_sink sink = {&w, write_chunk};

    w.state = arena_zalloc(c->arena, 1, codec->writer_size);
    if (!w.state)
        return false;
    if (codec->writer_start)
        codec->writer_start(w.state, c->arena);
    give(c, &sink);
    if (codec->stream_free)
        codec->stream_free(w.state);
    return !out->failed;
}

static bool write_whole(struct chat *c, const struct codec *codec,
                        struct buf *out)
{
    struct losses losses = {0};
    struct gathered g;
    struct chunk_sink sink;

    gather_init(&g, c->arena);
    sink = gather_sink(&g);
    give(c, &sink);
    codec->answer_write(&g, &c->ask.request, &losses, out);
    return !out->failed && g.ended;
}

void chat_static(struct chat *c)
{
    const struct codec *codec = codec_find(c->ask.dialect->codec);
    bool stream = c->ask.request.params.stream;
    struct buf out = worker_buf(c->worker, chat_limits(c)->answer_bytes);
    struct http_exchange *x = c->x;
    struct worker *w = c->worker;

    if (!codec || (stream ? !write_stream(c, codec, &out)
                          : !write_whole(c, codec, &out))) {
        worker_give_back(w, &out);
        chat_fail(c, PROBLEM_MEMORY, "the answer needs too much memory");
        return;
    }
    c->first_ns = clock_ns();
    chat_headers(c, true);
    chat_end(c, 200);
    worker_give_back(w, &c->body);
    if (stream) {
        http_begin(x, 200, codec->stream_type);
        http_write(x, buf_view(&out));
        http_end(x);
    } else {
        http_reply(x, 200, "application/json", buf_view(&out));
    }
    worker_give_back(w, &out);
}
