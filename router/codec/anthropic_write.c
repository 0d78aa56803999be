/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks -> the events that an Anthropic client reads.
 *
 *   message_start, ping, [content_block_start, content_block_delta*,
 *   content_block_stop]*, message_delta, message_stop
 *
 * A text block starts with its first text, so that there is no empty one.
 * chunk.h has USAGE before FINISH, so that message_delta says the final
 * figures; where no provider said any, they are estimated, since clients
 * take 0 for a broken answer.
 */
#include "router/codec/anthropic_parts.h"
#include "router/codec/put.h"

#include <string.h>

enum block_state { BLOCK_NONE, BLOCK_LAZY, BLOCK_OPEN, BLOCK_SKIPPED };

struct writer {
    struct usage usage;
    uint64_t bytes; /* of text, for an estimate of output */
    unsigned next;  /* index of the next block */
    enum block_state block;
    bool started, over, estimated, calls;
    bool redacted; /* the block is all in its CLOSE */
};

_Static_assert(sizeof(struct writer) <= ANTHROPIC_WRITER_SIZE, "its size");

/* ---- events ---- */

static void begin(struct buf *out, const char *event)
{
    buf_str(out, "event: ");
    buf_str(out, event);
    buf_str(out, "\ndata: {");
    put_cstr(out, "type", event);
}

static void end(struct buf *out)
{
    buf_str(out, "}\n\n");
}

static void close_object(struct buf *out)
{
    buf_char(out, '}');
}

/* ---- the message's frame ---- */

static void start(struct writer *w, const struct request *asked,
                  const struct chunk *c, struct buf *out)
{
    w->started = true;
    w->estimated = !c->has_usage || c->usage.input <= 0;
    if (c->has_usage)
        w->usage = c->usage;
    if (w->estimated)
        w->usage.input = anthropic_estimated_input(asked);
    if (w->usage.output <= 0)
        w->usage.output = 1;
    begin(out, "message_start");
    put_open(out, "message");
    anthropic_put_id(out, c->id);
    put_cstr(out, "type", "message");
    put_cstr(out, "role", "assistant");
    put_str(out, "model", anthropic_model_of(c->name, asked));
    put_raw(out, "content", SPAN("[]"));
    put_raw(out, "stop_reason", SPAN("null"));
    put_raw(out, "stop_sequence", SPAN("null"));
    put_raw(out, "stop_details", SPAN("null"));
    put_raw(out, "container", SPAN("null"));
    put_raw(out, "diagnostics", SPAN("null"));
    anthropic_put_usage(out, &w->usage);
    close_object(out);
    end(out);
    begin(out, "ping");
    end(out);
}

/* Results that say less than what was estimated at the start are right. */
static void use(struct writer *w, const struct chunk *c)
{
    int64_t input = w->usage.input, output = w->usage.output;

    w->usage = c->usage;
    if (w->usage.input <= 0)
        w->usage.input = input;
    else
        w->estimated = false;
    if (w->usage.output <= 0)
        w->usage.output = output;
}

/* ---- blocks ---- */

static void begin_delta(struct writer *w, struct buf *out, const char *type)
{
    begin(out, "content_block_delta");
    put_int(out, "index", w->next - 1);
    if (!type)
        return;
    put_open(out, "delta");
    put_cstr(out, "type", type);
}

static void begin_block(struct writer *w, struct buf *out, const char *type)
{
    begin(out, "content_block_start");
    put_int(out, "index", w->next++);
    w->block = BLOCK_OPEN;
    if (!type)
        return;
    put_open(out, "content_block");
    put_cstr(out, "type", type);
}

static void end_block(struct writer *w, struct buf *out)
{
    begin(out, "content_block_stop");
    put_int(out, "index", w->next - 1);
    end(out);
    w->block = BLOCK_NONE;
}

static void end_inner(struct buf *out)
{
    close_object(out);
    end(out);
}

static void start_text(struct writer *w, struct buf *out)
{
    begin_block(w, out, "text");
    put_cstr(out, "text", "");
    put_raw(out, "citations", SPAN("null"));
    end_inner(out);
}

static void open_call(struct writer *w, const struct chunk *c, struct buf *out)
{
    w->calls = true;
    begin_block(w, out, "tool_use");
    anthropic_put_call_head(out, c);
    put_raw(out, "input", SPAN("{}"));
    end_inner(out);
}

static void open_thinking(struct writer *w, const struct chunk *c,
                          struct buf *out)
{
    w->redacted = c->redacted;
    if (c->redacted) {
        w->block = BLOCK_LAZY;
        return;
    }
    begin_block(w, out, "thinking");
    put_cstr(out, "thinking", "");
    put_cstr(out, "signature", "");
    end_inner(out);
}

/* A built-in tool's block as it came; those of others have no form here. */
static void open_other(struct writer *w, const struct chunk *c,
                       struct losses *l, struct buf *out)
{
    if (c->part == PART_OTHER && anthropic_is_block(c->raw)) {
        begin_block(w, out, NULL);
        put_raw(out, "content_block", c->raw);
        end(out);
        return;
    }
    w->block = BLOCK_SKIPPED;
    lossy_add(l, anthropic_lost_part(c->part), "answer");
}

static void open_part(struct writer *w, const struct chunk *c, struct losses *l,
                      struct buf *out)
{
    w->redacted = false;
    switch (c->part) {
    case PART_TEXT:
    case PART_REFUSAL:
        w->block = BLOCK_LAZY;
        return;
    case PART_THINKING:
        open_thinking(w, c, out);
        return;
    case PART_TOOL_CALL:
        open_call(w, c, out);
        return;
    default:
        open_other(w, c, l, out);
    }
}

static void put_delta_text(struct writer *w, const struct chunk *c,
                           struct buf *out)
{
    bool thinking = c->part == PART_THINKING;
    bool input = c->part == PART_TOOL_CALL || c->part == PART_OTHER;

    w->bytes += c->text.len;
    begin_delta(w, out,
                input      ? "input_json_delta"
                : thinking ? "thinking_delta"
                           : "text_delta");
    put_str(out,
            input      ? "partial_json"
            : thinking ? "thinking"
                       : "text",
            c->text);
    end_inner(out);
}

static void text(struct writer *w, const struct chunk *c, struct losses *l,
                 struct buf *out)
{
    bool own = anthropic_is_delta(c->raw);

    if (c->raw.len && !own)
        lossy_add(l, LOSSY_CITATION, "answer");
    if (w->block == BLOCK_SKIPPED || w->redacted || (c->text.len == 0 && !own))
        return;
    if (w->block == BLOCK_LAZY)
        start_text(w, out);
    if (c->text.len)
        put_delta_text(w, c, out);
    if (!own)
        return;
    begin_delta(w, out, NULL);
    put_raw(out, "delta", c->raw);
    end(out);
}

static void put_redacted(struct writer *w, const char *mark, struct span data,
                         struct buf *out)
{
    begin_block(w, out, "redacted_thinking");
    put_key(out, "data");
    anthropic_put_marked(out, mark, data);
    end_inner(out);
    end_block(w, out);
}

static void put_signature(struct writer *w, struct span signature,
                          struct buf *out)
{
    begin_delta(w, out, "signature_delta");
    put_str(out, "signature", signature);
    end_inner(out);
}

static void close_part(struct writer *w, const struct chunk *c,
                       struct losses *l, struct buf *out)
{
    bool signs = c->signature.len > 0;

    if (c->part == PART_THINKING && w->block == BLOCK_OPEN && signs)
        put_signature(w, c->signature, out);
    if (w->block == BLOCK_OPEN)
        end_block(w, out);
    w->block = BLOCK_NONE;
    if (w->redacted && signs)
        put_redacted(w, "", c->signature, out);
    else if (c->part == PART_TOOL_CALL && signs)
        put_redacted(w, ANTHROPIC_CALL_SIGNATURE, c->signature, out);
    else if (signs && c->part != PART_THINKING)
        lossy_add(l, LOSSY_SIGNATURE, "answer");
    w->redacted = false;
}

/* What this dialect says of a refusal; others' raw is not for here. */
static void put_details(struct buf *out, struct span raw)
{
    bool object = raw.len && raw.ptr[0] == '{';
    struct json v = {object ? JSON_OBJECT : JSON_NONE, false, raw};
    struct json type = json_get(&v, "type");

    put_raw(out, "stop_details",
            json_is(&type, "refusal") ? raw : SPAN("null"));
}

static void finish(struct writer *w, const struct chunk *c, struct losses *l,
                   struct buf *out)
{
    if (w->estimated && w->usage.output <= 1)
        w->usage.output = anthropic_estimated_output(w->bytes);
    begin(out, "message_delta");
    put_open(out, "delta");
    put_cstr(out, "stop_reason",
             anthropic_reason(c->finish, c->name, w->calls, l));
    anthropic_put_sequence(out, c->finish, c->sequence);
    put_details(out, c->raw);
    put_raw(out, "container", SPAN("null"));
    close_object(out);
    put_open(out, "usage");
    anthropic_put_counts(out, &w->usage);
    close_object(out);
    end(out);
}

static void fail(struct writer *w, const struct chunk *c, struct buf *out)
{
    struct anthropic_error p = {.status = c->status, .message = c->text};

    w->over = true;
    anthropic_write_stream_error(&p, out);
}

void anthropic_stream_write(void *state, const struct request *asked,
                            const struct chunk *c, struct losses *l,
                            struct buf *out)
{
    struct writer *w = state;

    if (w->over)
        return;
    if (c->choice > 0) {
        lossy_add(l, LOSSY_N, "n");
        return;
    }
    switch (c->kind) {
    case CHUNK_START:
        start(w, asked, c, out);
        return;
    case CHUNK_OPEN:
        open_part(w, c, l, out);
        return;
    case CHUNK_TEXT:
        text(w, c, l, out);
        return;
    case CHUNK_CLOSE:
        close_part(w, c, l, out);
        return;
    case CHUNK_USAGE:
        use(w, c);
        return;
    case CHUNK_FINISH:
        finish(w, c, l, out);
        return;
    case CHUNK_ERROR:
        fail(w, c, out);
        return;
    case CHUNK_END:
        w->over = true;
        begin(out, "message_stop");
        end(out);
    }
}
