/* SPDX-License-Identifier: Apache-2.0 */
/* A gathered answer -> the message that an Anthropic client reads; and what
 * its events have in common with it. */
#include "router/codec/anthropic_parts.h"
#include "router/codec/ids.h"
#include "router/codec/put.h"

#include <string.h>

static void close_object(struct buf *out)
{
    buf_char(out, '}');
}

/* ---- shared with the stream ---- */

void anthropic_put_id(struct buf *out, struct span id)
{
    if (id.len)
        put_str(out, "id", id);
    else
        put_cstr(out, "id", "msg_weir");
}

struct span anthropic_model_of(struct span named, const struct request *asked)
{
    return named.len || !asked ? named : asked->model;
}

/* In a message with calls clients act on nothing else. */
const char *anthropic_reason(enum finish f, struct span name, bool calls,
                             struct losses *l)
{
    const char *known = anthropic_stop_reason(f);

    if (calls && f == FINISH_STOP)
        return "tool_use";
    if (!known)
        lossy_add(l, LOSSY_OTHER, "finish %.*s", SPAN_ARGS(name));
    return known ? known : "end_turn";
}

void anthropic_put_sequence(struct buf *out, enum finish f,
                            struct span sequence)
{
    if (f == FINISH_SEQUENCE && sequence.len)
        put_str(out, "stop_sequence", sequence);
    else
        put_raw(out, "stop_sequence", SPAN("null"));
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

void anthropic_put_call_head(struct buf *out, const struct chunk *c)
{
    put_key(out, "id");
    id_write(out, c->id);
    put_key(out, "name");
    id_write(out, c->name);
    put_caller(out, own_call(c->raw) ? c->raw : (struct span){NULL, 0});
}

enum lossy anthropic_lost_part(enum part_kind part)
{
    return part == PART_IMAGE   ? LOSSY_IMAGE
           : part == PART_AUDIO ? LOSSY_AUDIO
           : part == PART_FILE  ? LOSSY_FILE
                                : LOSSY_OTHER;
}

/* "mark" and data as one JSON string. */
void anthropic_put_marked(struct buf *out, const char *mark, struct span data)
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

/* ---- blocks ---- */

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
    anthropic_put_call_head(out, &head);
    put_whole_input(b->text, l, out);
    close_object(out);
    if (b->signature.len == 0)
        return;
    begin_whole(out, "redacted_thinking");
    put_key(out, "data");
    anthropic_put_marked(out, ANTHROPIC_CALL_SIGNATURE, b->signature);
    close_object(out);
}

/* A built-in tool's call has its input from the deltas, if there were any. */
static void put_other_block(const struct gathered_block *b, struct losses *l,
                            struct buf *out)
{
    struct json raw = {JSON_OBJECT, false, b->raw}, key, v;
    struct json_iter it;

    if (b->part != PART_OTHER || !anthropic_is_block(b->raw)) {
        lossy_add(l, anthropic_lost_part(b->part), "answer");
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
    anthropic_put_id(out, g->id);
    put_cstr(out, "type", "message");
    put_cstr(out, "role", "assistant");
    put_str(out, "model", anthropic_model_of(g->model, asked));
    bytes = put_content(ch, l, out);
    put_cstr(out, "stop_reason",
             anthropic_reason(ch->finish, ch->finish_name, has_calls(ch), l));
    anthropic_put_sequence(out, ch->finish, ch->sequence);
    put_raw(out, "stop_details", SPAN("null"));
    put_raw(out, "container", SPAN("null"));
    put_raw(out, "diagnostics", SPAN("null"));
    if (!g->has_usage || u.input <= 0)
        u.input = anthropic_estimated_input(asked);
    if (!g->has_usage || u.output <= 0)
        u.output = anthropic_estimated_output(bytes);
    anthropic_put_usage(out, &u);
    close_object(out);
}
