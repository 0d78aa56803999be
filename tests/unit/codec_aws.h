/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the dialects that only providers speak: Amazon's event
 * streams at any chunking, a gathered answer played again as chunks, two
 * requests compared by what they say.
 */
#ifndef WEIR_TESTS_CODEC_AWS_H
#define WEIR_TESTS_CODEC_AWS_H

#include "codec_check.h"

#include "router/codec/aws_stream.h"
#include "router/codec/bedrock.h"

CHECK_HELPER bool check_aws_event(void *ctx, const struct aws_event *ev)
{
    struct check_stream *s = ctx;
    struct arena a;

    arena_init(&a, (size_t)64 << 20);
    s->ok = s->codec->stream_read(
        s->state, &(struct framed){ev->name, ev->data}, &a, s->sink, s->e);
    arena_free(&a);
    return s->ok;
}

/* As check_stream, through Amazon's framing. */
CHECK_HELPER bool check_aws(const struct codec *codec, struct span bytes,
                            struct cuts cuts, struct chunk_sink sink,
                            struct err *e)
{
    struct check k;
    struct chunk_sink checked = check_sink(&k, sink);
    struct check_stream s = {codec, calloc(1, codec->reader_size + 1), &checked,
                             e, true};
    struct aws_stream aws;

    aws_stream_init(&aws, AWS_MESSAGE_MAX, check_aws_event, &s);
    while (s.ok && bytes.len) {
        size_t n = cuts_next(&cuts);
        char *piece;

        n = n < bytes.len ? n : bytes.len;
        piece = malloc(n);
        check_that(piece, "no memory");
        memcpy(piece, bytes.ptr, n);
        s.ok = aws_stream_feed(&aws, (struct span){piece, n}, e) && s.ok;
        free(piece);
        bytes.ptr += n;
        bytes.len -= n;
    }
    if (s.ok)
        s.ok = codec->stream_end(s.state, &checked, e);
    check_that(!s.ok || k.ended || k.failed, "neither END nor ERROR");
    aws_stream_free(&aws);
    free(s.state);
    return s.ok;
}

/* ---- a gathered answer as chunks ---- */

struct replay {
    const struct codec *codec;
    void *state;
    const struct request *asked;
    struct losses *l;
    struct buf *out;
};

CHECK_HELPER void replay_one(const struct replay *r, struct chunk c)
{
    r->codec->stream_write(r->state, r->asked, &c, r->l, r->out);
}

/* Items of a block's raw come with its text, each its own chunk. */
CHECK_HELPER void replay_items(const struct replay *r, struct chunk c,
                               struct span raw)
{
    struct json v, one;
    struct json_iter it;
    struct err e;

    check_that(json_parse(raw, &v, &e), "raw is no JSON");
    it = json_begin(&v);
    c.kind = CHUNK_TEXT;
    c.text = (struct span){NULL, 0};
    while (json_next(&it, NULL, &one)) {
        c.raw = one.raw;
        replay_one(r, c);
    }
}

CHECK_HELPER void replay_block(const struct replay *r,
                               const struct gathered_block *b, unsigned n)
{
    struct chunk c = {.kind = CHUNK_OPEN,
                      .block = n,
                      .part = b->part,
                      .id = b->id,
                      .name = b->name,
                      .media = b->media,
                      .redacted = b->redacted};
    bool items = b->raw.len && *b->raw.ptr == '[';

    c.raw = items ? (struct span){NULL, 0} : b->raw;
    replay_one(r, c);
    c = (struct chunk){.kind = CHUNK_TEXT, .block = n, .part = b->part};
    /* in pieces of one code point and more, as a stream has them; built-in
     * tools' blocks are JSON, which is not cut */
    for (struct span t = b->text; t.len;) {
        size_t cut = b->part == PART_OTHER ? t.len : utf8_cut(t, 7);

        c.text = (struct span){t.ptr, cut ? cut : t.len};
        replay_one(r, c);
        t.ptr += c.text.len;
        t.len -= c.text.len;
    }
    if (items)
        replay_items(r, c, b->raw);
    replay_one(r, (struct chunk){.kind = CHUNK_CLOSE,
                                 .block = n,
                                 .part = b->part,
                                 .signature = b->signature});
}

/* One choice, or an error. */
CHECK_HELPER void check_replay(const struct replay *r, const struct gathered *g)
{
    unsigned n = 0;

    replay_one(r, (struct chunk){.kind = CHUNK_START,
                                 .id = g->id,
                                 .name = g->model,
                                 .created = g->created});
    for (const struct gathered_block *b = g->choices[0].first; b; b = b->next)
        replay_block(r, b, n++);
    if (g->has_usage)
        replay_one(r, (struct chunk){.kind = CHUNK_USAGE,
                                     .usage = g->usage,
                                     .has_usage = true});
    if (g->error_status) {
        replay_one(r, (struct chunk){.kind = CHUNK_ERROR,
                                     .status = g->error_status,
                                     .name = g->error_type,
                                     .text = g->error_message});
        return;
    }
    replay_one(r, (struct chunk){.kind = CHUNK_FINISH,
                                 .finish = g->choices[0].finish,
                                 .name = g->choices[0].finish_name});
    replay_one(r, (struct chunk){.kind = CHUNK_END});
}

/* ---- what two requests say ---- */

/* The next part that every writer of the dialect has to carry. */
struct talk {
    const struct request *r;
    size_t message, part;
};

CHECK_HELPER const struct part *talk_next(struct talk *t, enum role *role)
{
    for (; t->message < t->r->n_messages; t->message++, t->part = 0) {
        const struct message *m = &t->r->messages[t->message];

        *role = m->role;
        while (t->part < m->n_parts) {
            const struct part *p = &m->parts[t->part++];

            if (p->kind != PART_OTHER && p->kind != PART_THINKING &&
                (p->kind != PART_TEXT || p->text.raw.len))
                return p;
        }
    }
    return NULL;
}

CHECK_HELPER bool text_differs(struct text a, struct text b)
{
    char x[4096], y[4096];
    size_t n = text_head(a, x, sizeof x), m = text_head(b, y, sizeof y);

    return !span_eq((struct span){x, n}, (struct span){y, m});
}

CHECK_HELPER void check_same_talk(const struct request *a,
                                  const struct request *b)
{
    struct talk s = {a, 0, 0}, t = {b, 0, 0};
    const struct part *p, *q;
    enum role x = ROLE_USER, y = ROLE_USER;

    do {
        p = talk_next(&s, &x);
        q = talk_next(&t, &y);
        check_that(!p == !q, "another number of parts");
        check_that(!p || (x == y && p->kind == q->kind),
                   "messages[%zu]: another part", s.message);
        check_that(!p ||
                       (span_eq(p->id, q->id) && span_eq(p->data, q->data) &&
                        span_eq(p->url, q->url) && span_eq(p->media, q->media)),
                   "messages[%zu]: another id or data", s.message);
        check_that(!p || p->n_parts || !text_differs(p->text, q->text),
                   "messages[%zu]: another text", s.message);
    } while (p);
    check_that(a->n_tools >= b->n_tools, "more tools");
    check_that(a->params.max_tokens == b->params.max_tokens &&
                   a->params.tool_choice == b->params.tool_choice &&
                   a->params.format == b->params.format,
               "other parameters");
}

#endif
