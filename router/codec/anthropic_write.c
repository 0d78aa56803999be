/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks -> what an Anthropic client reads, whole or event by event.
 *
 *   message_start, ping, [content_block_start, content_block_delta*,
 *   content_block_stop]*, message_delta, message_stop
 *
 * A text block starts with its first text, so that there is no empty one.
 * chunk.h has USAGE before FINISH, so that message_delta says the final
 * figures; where no provider said any, they are estimated, since clients
 * take 0 for a broken answer.
 */
#include "features/tokens.h"
#include "router/codec/anthropic.h"
#include "router/codec/ids.h"
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

/* ---- usage ---- */

static int64_t at_least_0(int64_t n)
{
    return n > 0 ? n : 0;
}

static void put_counts(struct buf *out, const struct usage *u)
{
    int64_t written = u->cache_write + u->cache_write_1h;

    put_int(out, "input_tokens", at_least_0(u->input - u->cached - written));
    put_int(out, "cache_creation_input_tokens", written);
    put_int(out, "cache_read_input_tokens", u->cached);
    put_int(out, "output_tokens", u->output);
    if (u->reasoning > 0) {
        put_open(out, "output_tokens_details");
        put_int(out, "thinking_tokens", u->reasoning);
        close_object(out);
    } else {
        put_raw(out, "output_tokens_details", SPAN("null"));
    }
    put_raw(out, "server_tool_use", SPAN("null"));
}

static void put_usage(struct buf *out, const struct usage *u)
{
    put_open(out, "usage");
    put_counts(out, u);
    put_open(out, "cache_creation");
    put_int(out, "ephemeral_5m_input_tokens", u->cache_write);
    put_int(out, "ephemeral_1h_input_tokens", u->cache_write_1h);
    close_object(out);
    put_raw(out, "inference_geo", SPAN("null"));
    put_cstr(out, "service_tier", "standard");
    put_raw(out, "speed", SPAN("null"));
    close_object(out);
}

static int64_t estimated_input(const struct request *asked)
{
    int64_t n = asked ? tokens_request(asked) : 0;

    return n > 0 ? n : 1;
}

/* About 4 bytes a token. */
static int64_t estimated_output(uint64_t bytes)
{
    return (int64_t)(bytes / 4) + 1;
}

/* ---- the message's frame ---- */

static void put_id(struct buf *out, struct span id)
{
    if (id.len)
        put_str(out, "id", id);
    else
        put_cstr(out, "id", "msg_weir");
}

static struct span model_of(struct span named, const struct request *asked)
{
    return named.len || !asked ? named : asked->model;
}

static void start(struct writer *w, const struct request *asked,
                  const struct chunk *c, struct buf *out)
{
    w->started = true;
    w->estimated = !c->has_usage || c->usage.input <= 0;
    if (c->has_usage)
        w->usage = c->usage;
    if (w->estimated)
        w->usage.input = estimated_input(asked);
    if (w->usage.output <= 0)
        w->usage.output = 1;
    begin(out, "message_start");
    put_open(out, "message");
    put_id(out, c->id);
    put_cstr(out, "type", "message");
    put_cstr(out, "role", "assistant");
    put_str(out, "model", model_of(c->name, asked));
    put_raw(out, "content", SPAN("[]"));
    put_raw(out, "stop_reason", SPAN("null"));
    put_raw(out, "stop_sequence", SPAN("null"));
    put_raw(out, "stop_details", SPAN("null"));
    put_raw(out, "container", SPAN("null"));
    put_raw(out, "diagnostics", SPAN("null"));
    put_usage(out, &w->usage);
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

/* In a message with calls clients act on nothing else. */
static const char *reason(enum finish f, struct span name, bool calls,
                          struct losses *l)
{
    const char *known = anthropic_stop_reason(f);

    if (calls && f == FINISH_STOP)
        return "tool_use";
    if (!known)
        lossy_add(l, LOSSY_OTHER, "finish %.*s", SPAN_ARGS(name));
    return known ? known : "end_turn";
}

static void put_sequence(struct buf *out, enum finish f, struct span sequence)
{
    if (f == FINISH_SEQUENCE && sequence.len)
        put_str(out, "stop_sequence", sequence);
    else
        put_raw(out, "stop_sequence", SPAN("null"));
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

/* The raw block's own caller, else the model itself. */
static void put_caller(struct buf *out, struct span raw)
{
    struct json b = {raw.len ? JSON_OBJECT : JSON_NONE, false, raw};
    struct json caller = json_get(&b, "caller");
    struct json set = json_get(&b, "toolset_name");

    if (caller.type == JSON_OBJECT)
        put_raw(out, "caller", caller.raw);
    else
        put_raw(out, "caller", SPAN("{\"type\":\"direct\"}"));
    if (set.type == JSON_STRING)
        put_raw(out, "toolset_name", set.raw);
}

static bool own_call(struct span raw)
{
    struct json b = {JSON_OBJECT, false, raw}, type;

    if (raw.len == 0 || raw.ptr[0] != '{')
        return false;
    type = json_get(&b, "type");
    return json_is(&type, "tool_use");
}

static void put_call_head(struct buf *out, const struct chunk *c)
{
    put_key(out, "id");
    id_write(out, c->id);
    put_key(out, "name");
    id_write(out, c->name);
    put_caller(out, own_call(c->raw) ? c->raw : (struct span){NULL, 0});
}

static void open_call(struct writer *w, const struct chunk *c, struct buf *out)
{
    w->calls = true;
    begin_block(w, out, "tool_use");
    put_call_head(out, c);
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

static enum lossy lost_part(enum part_kind part)
{
    return part == PART_IMAGE   ? LOSSY_IMAGE
           : part == PART_AUDIO ? LOSSY_AUDIO
           : part == PART_FILE  ? LOSSY_FILE
                                : LOSSY_OTHER;
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
    lossy_add(l, lost_part(c->part), "answer");
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

/* "mark" and data as one JSON string. */
static void put_marked(struct buf *out, const char *mark, struct span data)
{
    size_t at;

    buf_char(out, '"');
    buf_str(out, mark);
    at = out->len;
    buf_json_str(out, data);
    if (out->failed)
        return;
    memmove(out->ptr + at, out->ptr + at + 1, out->len - at - 1);
    out->len--;
}

static void put_redacted(struct writer *w, const char *mark, struct span data,
                         struct buf *out)
{
    begin_block(w, out, "redacted_thinking");
    put_key(out, "data");
    put_marked(out, mark, data);
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

static void finish(struct writer *w, const struct chunk *c, struct losses *l,
                   struct buf *out)
{
    if (w->estimated && w->usage.output <= 1)
        w->usage.output = estimated_output(w->bytes);
    begin(out, "message_delta");
    put_open(out, "delta");
    put_cstr(out, "stop_reason", reason(c->finish, c->name, w->calls, l));
    put_sequence(out, c->finish, c->sequence);
    put_raw(out, "stop_details", SPAN("null"));
    put_raw(out, "container", SPAN("null"));
    close_object(out);
    put_open(out, "usage");
    put_counts(out, &w->usage);
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

/* ---- whole answers ---- */

/* Deltas as gathered: the citations among them. */
static void put_citations(const struct gathered_block *b, struct losses *l,
                          struct buf *out)
{
    bool list = b->raw.len && b->raw.ptr[0] == '[';
    struct json all = {list ? JSON_ARRAY : JSON_NONE, false, b->raw};
    struct json one, citation;
    struct json_iter it = json_begin(&all);
    bool any = false;

    while (list && json_next(&it, NULL, &one)) {
        citation = anthropic_is_delta(one.raw)
                       ? json_get(&one, "citation")
                       : (struct json){JSON_NONE, false, {NULL, 0}};
        if (citation.type != JSON_OBJECT) {
            lossy_add(l, LOSSY_CITATION, "answer");
            continue;
        }
        if (!any)
            put_list(out, "citations");
        any = true;
        put_comma(out);
        buf_span(out, citation.raw);
    }
    if (any)
        buf_char(out, ']');
    else
        put_raw(out, "citations", SPAN("null"));
}

static void begin_whole(struct buf *out, const char *type)
{
    put_comma(out);
    buf_char(out, '{');
    put_cstr(out, "type", type);
}

static void put_text_block(const struct gathered_block *b, struct losses *l,
                           struct buf *out)
{
    if (b->signature.len)
        lossy_add(l, LOSSY_SIGNATURE, "answer");
    if (b->text.len == 0)
        return;
    begin_whole(out, "text");
    put_str(out, "text", b->text);
    put_citations(b, l, out);
    close_object(out);
}

static void put_thinking_block(const struct gathered_block *b, struct buf *out)
{
    if (b->redacted && b->signature.len == 0)
        return;
    begin_whole(out, b->redacted ? "redacted_thinking" : "thinking");
    if (!b->redacted)
        put_str(out, "thinking", b->text);
    put_str(out, b->redacted ? "data" : "signature", b->signature);
    close_object(out);
}

/* The input must be an object, as clients index into it. */
static void put_whole_input(struct span text, struct losses *l, struct buf *out)
{
    struct json v;
    struct err e;

    if (span_trim(text).len == 0) {
        put_raw(out, "input", SPAN("{}"));
    } else if (json_parse(text, &v, &e) && v.type == JSON_OBJECT) {
        put_raw(out, "input", v.raw);
    } else {
        lossy_add(l, LOSSY_OTHER, "arguments");
        put_open(out, "input");
        put_str(out, "arguments", text);
        close_object(out);
    }
}

static void put_call_block(const struct gathered_block *b, struct losses *l,
                           struct buf *out)
{
    struct chunk head = {.id = b->id, .name = b->name, .raw = b->raw};

    begin_whole(out, "tool_use");
    put_call_head(out, &head);
    put_whole_input(b->text, l, out);
    close_object(out);
    if (b->signature.len == 0)
        return;
    begin_whole(out, "redacted_thinking");
    put_key(out, "data");
    put_marked(out, ANTHROPIC_CALL_SIGNATURE, b->signature);
    close_object(out);
}

/* A built-in tool's call has its input from the deltas, if there were any. */
static void put_other_block(const struct gathered_block *b, struct losses *l,
                            struct buf *out)
{
    struct json raw = {JSON_OBJECT, false, b->raw}, key, v;
    struct json_iter it;

    if (b->part != PART_OTHER || !anthropic_is_block(b->raw)) {
        lossy_add(l, lost_part(b->part), "answer");
        return;
    }
    put_comma(out);
    buf_char(out, '{');
    for (it = json_begin(&raw); json_next(&it, &key, &v);) {
        if (b->text.len && json_is(&key, "input")) {
            put_whole_input(b->text, l, out);
            continue;
        }
        put_comma(out);
        buf_span(out, key.raw);
        buf_char(out, ':');
        buf_span(out, v.raw);
    }
    close_object(out);
}

static uint64_t put_content(const struct gathered_choice *ch, struct losses *l,
                            struct buf *out)
{
    uint64_t bytes = 0;

    put_list(out, "content");
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        bytes += b->text.len;
        if (b->part == PART_TEXT || b->part == PART_REFUSAL)
            put_text_block(b, l, out);
        else if (b->part == PART_THINKING)
            put_thinking_block(b, out);
        else if (b->part == PART_TOOL_CALL)
            put_call_block(b, l, out);
        else
            put_other_block(b, l, out);
    }
    buf_char(out, ']');
    return bytes;
}

static bool has_calls(const struct gathered_choice *ch)
{
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        if (b->part == PART_TOOL_CALL)
            return true;
    }
    return false;
}

void anthropic_answer_write(const struct gathered *g,
                            const struct request *asked, struct losses *l,
                            struct buf *out)
{
    const struct gathered_choice *ch = &g->choices[0];
    struct anthropic_error p = {.status = g->error_status,
                                .message = g->error_message};
    struct usage u = g->usage;
    uint64_t bytes;

    if (g->error_status) {
        anthropic_write_error(&p, out);
        return;
    }
    if (g->n_choices > 1)
        lossy_add(l, LOSSY_N, "n");
    buf_char(out, '{');
    put_id(out, g->id);
    put_cstr(out, "type", "message");
    put_cstr(out, "role", "assistant");
    put_str(out, "model", model_of(g->model, asked));
    bytes = put_content(ch, l, out);
    put_cstr(out, "stop_reason",
             reason(ch->finish, ch->finish_name, has_calls(ch), l));
    put_sequence(out, ch->finish, ch->sequence);
    put_raw(out, "stop_details", SPAN("null"));
    put_raw(out, "container", SPAN("null"));
    put_raw(out, "diagnostics", SPAN("null"));
    if (!g->has_usage || u.input <= 0)
        u.input = estimated_input(asked);
    if (!g->has_usage || u.output <= 0)
        u.output = estimated_output(bytes);
    put_usage(out, &u);
    close_object(out);
}
