/* SPDX-License-Identifier: Apache-2.0 */
/* An answer as chunks, which the dialects' codecs write. */
#include "bench/mock.h"

#include <string.h>

enum { CHOICES_MAX = 8 };

/* ---- chunks ---- */

struct list {
    struct chunk *at; /* (arena) [room] */
    size_t n, room;
    const struct mock_dialect *dialect;
    const struct request *request;
    struct arena *arena;
};

static void add(struct list *l, struct chunk c)
{
    if (l->n < l->room)
        l->at[l->n++] = c;
}

static size_t pieces(struct span text)
{
    size_t n = 0;

    for (struct span p; (p = mock_piece(text)).len; n++) {
        text.ptr += p.len;
        text.len -= p.len;
    }
    return n;
}

/* Log-probabilities of a piece, where they were asked for. */
static void add_logprobs(struct list *l, struct chunk block, struct span piece)
{
    struct buf b;

    if (block.part != PART_TEXT || !l->request->params.logprobs)
        return;
    buf_init(&b, 1 << 16);
    if (l->dialect->codec == &codec_cohere) {
        buf_str(&b, "{\"text\":");
        buf_json_str(&b, piece);
        buf_printf(&b, ",\"token_ids\":[%u],\"logprobs\":[%g]}",
                   (unsigned)(span_hash(piece, 9) % 100000),
                   mock_likely(piece));
    } else {
        buf_str(&b, "{\"logprobs\":[");
        mock_logprob(l->request, piece, &b);
        buf_str(&b, "]}");
    }
    block.text = (struct span){NULL, 0};
    block.raw = arena_copy(l->arena, buf_view(&b));
    buf_free(&b);
    add(l, block);
}

static void add_text(struct list *l, struct chunk block, struct span text,
                     struct span signature)
{
    struct span piece;

    block.kind = CHUNK_OPEN;
    add(l, block);
    block.kind = CHUNK_TEXT;
    while ((piece = mock_piece(text)).len) {
        block.text = piece;
        text.ptr += piece.len;
        text.len -= piece.len;
        add(l, block);
        add_logprobs(l, block, piece);
    }
    block.text = (struct span){NULL, 0};
    block.signature = signature;
    block.kind = CHUNK_CLOSE;
    add(l, block);
}

/* The arguments in two halves that cut wherever they cut. */
static void add_call(struct list *l, struct chunk block,
                     const struct mock_call *c, struct span signature)
{
    size_t half = c->arguments.len / 2;

    while (half && ((unsigned char)c->arguments.ptr[half] & 0xC0) == 0x80)
        half--;
    block.kind = CHUNK_OPEN;
    block.part = PART_TOOL_CALL;
    block.id = c->id;
    block.name = c->name;
    add(l, block);
    block.id = block.name = (struct span){NULL, 0};
    block.kind = CHUNK_TEXT;
    block.text = (struct span){c->arguments.ptr, half};
    if (half)
        add(l, block);
    block.text =
        (struct span){c->arguments.ptr + half, c->arguments.len - half};
    add(l, block);
    block.text = (struct span){NULL, 0};
    block.signature = signature;
    block.kind = CHUNK_CLOSE;
    add(l, block);
}

static const struct {
    const char *name;
    enum finish finish;
} finishes[] = {
    {"stop", FINISH_STOP},        {"stop_sequence", FINISH_SEQUENCE},
    {"length", FINISH_LENGTH},    {"context", FINISH_CONTEXT},
    {"tool_calls", FINISH_TOOLS}, {"content_filter", FINISH_FILTER},
    {"refusal", FINISH_REFUSAL},  {"pause", FINISH_PAUSE},
};

static enum finish finish_of(const struct mock_reply *m)
{
    if (m->sequence.len)
        return FINISH_SEQUENCE;
    for (size_t i = 0; i < sizeof finishes / sizeof finishes[0]; i++) {
        if (!strcmp(finishes[i].name, m->finish))
            return finishes[i].finish;
    }
    return FINISH_OTHER;
}

static struct usage usage_of(const struct mock_reply *m, int64_t output)
{
    return (struct usage){.input = m->input_tokens,
                          .cached = m->cached_tokens,
                          .output = output,
                          .reasoning = output ? m->reasoning_tokens : 0};
}

static void add_choice(struct list *l, const struct mock_reply *m,
                       unsigned choice)
{
    struct chunk block = {.choice = choice};
    struct span none = {NULL, 0};

    if (m->thinking.len) {
        block.part = PART_THINKING;
        add_text(l, block, m->thinking, m->signature);
        block.block++;
    }
    block.part = PART_TEXT;
    if (m->text.len || m->n_calls == 0) {
        add_text(l, block, m->text, none);
        block.block++;
    }
    for (unsigned i = 0; i < m->n_calls; i++) {
        add_call(l, block, &m->calls[i],
                 i == 0 && !m->thinking.len ? m->signature : none);
        block.block++;
    }
}

static unsigned choices(const struct mock_dialect *d, const struct request *r)
{
    if (r->params.n < 2 || d->codec != &codec_gemini)
        return 1;
    return r->params.n < CHOICES_MAX ? (unsigned)r->params.n : CHOICES_MAX;
}

static bool build(const struct mock_dialect *d, const struct request *r,
                  const struct mock_reply *m, struct mock_cursor *c)
{
    unsigned n = choices(d, r);
    struct list l = {.room = 8 + n * (8 + 2 * pieces(m->text) +
                                      pieces(m->thinking) + 4 * m->n_calls),
                     .dialect = d,
                     .request = r,
                     .arena = c->arena};
    bool counted = m->fault.no_usage < 1;

    if (c->chunks)
        return true;
    l.at = arena_zalloc(c->arena, l.room, sizeof *l.at);
    if (!l.at)
        return false;
    add(&l, (struct chunk){.kind = CHUNK_START,
                           .id = span_of(m->id),
                           .name = r->model,
                           .created = m->created,
                           .has_usage = counted,
                           .usage = usage_of(m, 0)});
    for (unsigned i = 0; i < n; i++)
        add_choice(&l, m, i);
    if (counted)
        add(&l, (struct chunk){.kind = CHUNK_USAGE,
                               .has_usage = true,
                               .usage = usage_of(m, m->output_tokens)});
    for (unsigned i = 0; i < n; i++)
        add(&l, (struct chunk){.kind = CHUNK_FINISH,
                               .choice = i,
                               .finish = finish_of(m),
                               .sequence = m->sequence});
    add(&l, (struct chunk){.kind = CHUNK_END});
    c->chunks = l.at;
    c->n = l.n;
    return true;
}

/* ---- whole ---- */

void mock_whole(const struct mock_dialect *d, const struct request *r,
                const struct mock_reply *m, struct mock_cursor *c,
                struct buf *out)
{
    struct gathered *g;
    struct chunk_sink sink;

    if (d->whole) {
        d->whole(r, m, out);
        return;
    }
    g = arena_alloc(c->arena, sizeof *g);
    if (!g || !build(d, r, m, c)) {
        out->failed = true;
        return;
    }
    gather_init(g, c->arena);
    sink = gather_sink(g);
    for (size_t i = 0; i < c->n; i++) {
        if (!sink.take(sink.ctx, &c->chunks[i]))
            out->failed = true;
    }
    d->codec->answer_write(g, r, &c->losses, out);
}

/* ---- streams ---- */

static bool begin(const struct mock_dialect *d, const struct request *r,
                  const struct mock_reply *m, struct mock_cursor *c)
{
    if (c->state)
        return true;
    if (!build(d, r, m, c))
        return false;
    c->state = arena_zalloc(c->arena, 1, d->codec->writer_size);
    if (c->state && d->codec->writer_start)
        d->codec->writer_start(c->state, c->arena);
    return c->state != NULL;
}

static bool left_out(const struct mock_reply *m, const struct chunk *c)
{
    if (m->fault.no_finish > 0)
        return c->kind == CHUNK_USAGE || c->kind == CHUNK_FINISH ||
               c->kind == CHUNK_END;
    return m->fault.no_done > 0 && c->kind == CHUNK_END;
}

/* Chunks are written until there are bytes: some dialects hold a call back
 * until it is whole. */
bool mock_frame(const struct mock_dialect *d, const struct request *r,
                const struct mock_reply *m, struct mock_cursor *c,
                struct buf *out)
{
    size_t from = out->len;

    if (d->frame)
        return d->frame(r, m, c, out);
    if (!begin(d, r, m, c))
        return false;
    while (c->at < c->n && out->len == from && !out->failed) {
        const struct chunk *next = &c->chunks[c->at++];

        if (!left_out(m, next))
            d->codec->stream_write(c->state, r, next, &c->losses, out);
    }
    c->frame++;
    return out->len > from;
}

void mock_frames_end(const struct mock_dialect *d, struct mock_cursor *c)
{
    if (c->state && d->codec->stream_free && !c->ended)
        d->codec->stream_free(c->state);
    c->ended = true;
}
