/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks -> the events of a response, in the order that OpenAI's SDK builds
 * its snapshot from:
 *
 *   created in_progress
 *     (output_item.added (part.added delta* text.done part.done)?
 *      output_item.done)*
 *   completed | incomplete | failed error
 *
 * Every block is an item of its own.  Done events repeat what the deltas
 * said, so that the answer is gathered on the way.
 */
#include "router/codec/logprobs.h"
#include "router/codec/openai_chat.h"
#include "router/codec/put.h"
#include "router/codec/responses.h"

#include <string.h>

void responses_writer_start(void *state, struct arena *a)
{
    struct responses_writer *w = state;

    gather_init(&w->g, a);
    w->sink = gather_sink(&w->g);
}

/* "event: NAME\ndata: {"type":NAME,"sequence_number":N"; end_event closes. */
static void begin_event(struct responses_writer *w, const char *type,
                        struct buf *out)
{
    buf_str(out, "event: ");
    buf_str(out, type);
    buf_str(out, "\ndata: {");
    put_cstr(out, "type", type);
    put_int(out, "sequence_number", w->sequence++);
}

static void end_event(struct buf *out)
{
    buf_str(out, "}\n\n");
}

static const struct gathered_block *last(const struct responses_writer *w)
{
    return w->g.choices[0].last;
}

static void response_event(struct responses_writer *w,
                           const struct request *asked, const char *type,
                           const char *status, struct buf *out)
{
    begin_event(w, type, out);
    put_key(out, "response");
    responses_object_write(&w->g, asked, status, out);
    end_event(out);
}

static void item_event(struct responses_writer *w, bool done, struct buf *out)
{
    begin_event(
        w, done ? "response.output_item.done" : "response.output_item.added",
        out);
    put_int(out, "output_index", w->items);
    put_key(out, "item");
    responses_item_write(&w->g, last(w), w->items, done, out);
    end_event(out);
}

/* The names of a block's inner events. */
static const struct inner {
    const char *added, *delta, *done, *part_done, *index, *type, *text;
} inners[] = {
    [PART_TEXT] = {"response.content_part.added", "response.output_text.delta",
                   "response.output_text.done", "response.content_part.done",
                   "content_index", "output_text", "text"},
    [PART_REFUSAL] = {"response.content_part.added", "response.refusal.delta",
                      "response.refusal.done", "response.content_part.done",
                      "content_index", "refusal", "refusal"},
    [PART_THINKING] = {"response.reasoning_summary_part.added",
                       "response.reasoning_summary_text.delta",
                       "response.reasoning_summary_text.done",
                       "response.reasoning_summary_part.done", "summary_index",
                       "summary_text", "text"},
    [PART_TOOL_CALL] = {NULL, "response.function_call_arguments.delta",
                        "response.function_call_arguments.done", NULL, NULL,
                        NULL, "arguments"},
};

static void inner_event(struct responses_writer *w, const char *type,
                        const struct inner *in, struct buf *out)
{
    begin_event(w, type, out);
    put_key(out, "item_id");
    responses_item_id(&w->g, last(w), w->items, out);
    put_int(out, "output_index", w->items);
    if (in->index)
        put_int(out, in->index, 0);
}

/* l: the part is done, and what of it has no place here is counted. */
static void part_event(struct responses_writer *w, const char *type,
                       const struct inner *in, struct losses *l,
                       struct buf *out)
{
    inner_event(w, type, in, out);
    put_open(out, "part");
    put_cstr(out, "type", in->type);
    put_str(out, in->text, l ? last(w)->text : SPAN(""));
    if (last(w)->part == PART_TEXT) {
        if (l)
            responses_beside_write(last(w), l, out);
        else
            buf_str(out, ",\"annotations\":[],\"logprobs\":[]");
    }
    buf_char(out, '}');
    end_event(out);
}

static const struct inner *inner_of(const struct responses_writer *w)
{
    return &inners[last(w)->part];
}

static void write_open(struct responses_writer *w, struct losses *l,
                       struct buf *out)
{
    const struct gathered_block *b = last(w);

    if (!responses_has_item(b, l))
        return;
    item_event(w, false, out);
    if (inner_of(w)->added && b->part != PART_THINKING)
        part_event(w, inner_of(w)->added, inner_of(w), NULL, out);
}

static void write_text(struct responses_writer *w, const struct chunk *c,
                       struct buf *out)
{
    struct losses ignored = {0};
    bool probs = last(w)->part == PART_TEXT && logprobs_in(c->raw);

    if (!responses_has_item(last(w), &ignored))
        return;
    if (c->text.len || probs) {
        /* a summary's part begins with its first text */
        if (last(w)->part == PART_THINKING && last(w)->text.len == c->text.len)
            part_event(w, inner_of(w)->added, inner_of(w), NULL, out);
        inner_event(w, inner_of(w)->delta, inner_of(w), out);
        put_str(out, "delta", c->text);
        if (last(w)->part == PART_TEXT) {
            put_list(out, "logprobs");
            if (probs)
                (void)logprobs_put(c->raw, out);
            buf_char(out, ']');
        }
        end_event(out);
    }
}

static void write_close(struct responses_writer *w, struct losses *l,
                        struct buf *out)
{
    const struct gathered_block *b = last(w);
    const struct inner *in = inner_of(w);
    struct losses ignored = {0};

    if (!responses_has_item(b, &ignored))
        return;
    if (b->part != PART_THINKING || b->text.len) {
        inner_event(w, in->done, in, out);
        put_str(out, in->text,
                b->part == PART_TOOL_CALL && !b->text.len ? SPAN("{}")
                                                          : b->text);
        if (b->part == PART_TEXT) {
            put_list(out, "logprobs");
            (void)logprobs_put_block(b, &ignored, out);
            buf_char(out, ']');
        }
        if (b->part == PART_TOOL_CALL)
            put_str(out, "name", b->name);
        end_event(out);
        if (in->part_done)
            part_event(w, in->part_done, in, l, out);
    }
    item_event(w, true, out);
    w->items++;
    if (b->signature.len && b->part != PART_THINKING)
        lossy_add(l, LOSSY_SIGNATURE, "output");
}

static void write_end(struct responses_writer *w, const struct request *asked,
                      struct losses *l, struct buf *out)
{
    const char *status = responses_status(&w->g, l);

    if (span_is(span_of(status), "completed"))
        response_event(w, asked, "response.completed", status, out);
    else
        response_event(w, asked, "response.incomplete", status, out);
    w->over = true;
}

static void write_error(struct responses_writer *w, const struct request *asked,
                        const struct chunk *c, struct buf *out)
{
    if (w->begun)
        response_event(w, asked, "response.failed", "failed", out);
    begin_event(w, "error", out);
    put_str(out, "code", c->name.len ? c->name : SPAN("server_error"));
    put_str(out, "message", c->text);
    put_raw(out, "param", SPAN("null"));
    put_open(out, "error"); /* what the SDK throws */
    put_str(out, "message", c->text);
    put_cstr(out, "type", chat_error_type(c->status));
    put_str(out, "code", c->name.len ? c->name : SPAN("server_error"));
    put_raw(out, "param", SPAN("null"));
    buf_char(out, '}');
    end_event(out);
    w->over = true;
}

static void write_begin(struct responses_writer *w, const struct request *asked,
                        struct buf *out)
{
    w->begun = true;
    response_event(w, asked, "response.created", "in_progress", out);
    response_event(w, asked, "response.in_progress", "in_progress", out);
}

void responses_stream_write(void *state, const struct request *asked,
                            const struct chunk *c, struct losses *l,
                            struct buf *out)
{
    static const struct chunk full = {
        .kind = CHUNK_ERROR,
        .status = 503,
        .name = SPAN_INIT("out_of_memory"),
        .text = SPAN_INIT("the answer is too large to be repeated"),
    };
    struct responses_writer *w = state;

    if (w->over)
        return;
    if (c->choice > 0) {
        lossy_add(l, LOSSY_N, "n");
        return;
    }
    if (!w->sink.take(w->sink.ctx, c))
        c = &full;
    if (!w->begun && c->kind != CHUNK_ERROR)
        write_begin(w, asked, out);
    switch (c->kind) {
    case CHUNK_OPEN:
        write_open(w, l, out);
        break;
    case CHUNK_TEXT:
        write_text(w, c, out);
        break;
    case CHUNK_CLOSE:
        write_close(w, l, out);
        break;
    case CHUNK_ERROR:
        write_error(w, asked, c, out);
        break;
    case CHUNK_END:
        write_end(w, asked, l, out);
        break;
    default:
        break;
    }
}

const char *responses_status(const struct gathered *g, struct losses *l)
{
    switch (g->choices[0].finish) {
    case FINISH_LENGTH:
    case FINISH_CONTEXT:
    case FINISH_FILTER:
    case FINISH_REFUSAL:
        return "incomplete";
    case FINISH_PAUSE:
        lossy_add(l, LOSSY_OTHER, "pause_turn");
        return "completed";
    default:
        return "completed";
    }
}

void responses_answer_write(const struct gathered *g,
                            const struct request *asked, struct losses *l,
                            struct buf *out)
{
    if (g->error_status) {
        chat_error_write(g->error_status, g->error_type, g->error_message, out);
        return;
    }
    for (const struct gathered_block *b = g->choices[0].first; b; b = b->next) {
        size_t from = out->len;

        (void)responses_has_item(b, l);
        if (b->part == PART_TEXT && b->raw.len)
            responses_beside_write(b, l, out); /* only to count */
        if (!out->failed && out->len > from)
            out->len = from;
        if (b->signature.len && b->part != PART_THINKING)
            lossy_add(l, LOSSY_SIGNATURE, "output");
    }
    if (g->n_choices > 1)
        lossy_add(l, LOSSY_N, "n");
    responses_object_write(g, asked, responses_status(g, l), out);
}
