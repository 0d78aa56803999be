/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks -> an answer of Cohere's chat, whole or as server-sent events. */
#include "router/codec/carry.h"
#include "router/codec/cohere.h"
#include "router/codec/put.h"

#include <string.h>

struct state {
    enum part_kind part;                /* of the open block */
    bool skip;                          /* it has no place here */
    unsigned content, calls, citations; /* written so far */
    bool has_usage;
    struct usage usage; /* goes with the finish */
};
_Static_assert(sizeof(struct state) <= COHERE_WRITER_SIZE, "room for it");

enum { EVENT_MAX = 32 << 20 };

/* ---- pieces ---- */

static struct json value_of(struct span raw)
{
    struct json v = {JSON_NONE, false, {NULL, 0}};
    struct err why;

    if (raw.len && !json_parse(raw, &v, &why))
        v.type = JSON_NONE;
    return v;
}

/* What of a text's raw JSON is of this dialect. */
static bool is_citation(const struct json *v)
{
    return json_get(v, "sources").type == JSON_ARRAY;
}

static bool is_logprob(const struct json *v)
{
    return json_get(v, "token_ids").type == JSON_ARRAY;
}

static struct span reason_of(enum finish finish, struct span name)
{
    if (name.len && !cohere_failure(name) && cohere_finish(name) == finish)
        return name;
    return span_of(cohere_finish_reason(finish));
}

static void put_usage(struct buf *out, const struct usage *u)
{
    put_open(out, "usage");
    if (u->billed) {
        put_open(out, "billed_units");
        put_int(out, "input_tokens", u->billed_input);
        put_int(out, "output_tokens", u->billed_output);
        buf_char(out, '}');
    }
    put_open(out, "tokens");
    put_int(out, "input_tokens", u->input);
    put_int(out, "output_tokens", u->output);
    if (u->reasoning)
        put_int(out, "reasoning_tokens", u->reasoning);
    buf_char(out, '}');
    if (u->cached)
        put_int(out, "cached_tokens", u->cached);
    buf_char(out, '}');
}

static void put_call(struct buf *out, struct span id, struct span name,
                     struct span arguments)
{
    put_str(out, "id", id);
    put_cstr(out, "type", "function");
    put_open(out, "function");
    put_str(out, "name", name);
    put_str(out, "arguments", arguments);
    buf_char(out, '}');
}

static bool is_words(enum part_kind part)
{
    return part == PART_TEXT || part == PART_REFUSAL;
}

/* ---- a stream ---- */

static void begin(struct buf *data, const char *type)
{
    buf_char(data, '{');
    put_cstr(data, "type", type);
}

static void send(struct buf *out, const char *type, struct buf *data)
{
    if (data->failed)
        out->failed = true;
    buf_str(out, "event: ");
    buf_str(out, type);
    buf_str(out, "\ndata: ");
    buf_span(out, buf_view(data));
    buf_str(out, "\n\n");
    buf_reset(data);
}

static void write_start(const struct chunk *c, struct buf *out,
                        struct buf *data)
{
    begin(data, "message-start");
    put_str(data, "id", c->id);
    put_raw(data, "delta",
            SPAN("{\"message\":{\"role\":\"assistant\",\"content\":[],"
                 "\"tool_plan\":\"\",\"tool_calls\":[],\"citations\":[]}}"));
    buf_char(data, '}');
    send(out, "message-start", data);
}

static void write_open(struct state *s, const struct chunk *c, struct losses *l,
                       struct buf *out, struct buf *data)
{
    bool call = c->part == PART_TOOL_CALL;

    s->part = c->part;
    s->skip = !call && !is_words(c->part) && c->part != PART_THINKING;
    if (c->part == PART_THINKING && c->redacted)
        s->skip = true;
    if (s->skip) {
        lossy_add(l, c->redacted ? LOSSY_THINKING : LOSSY_OTHER, "block %u",
                  c->block);
        return;
    }
    begin(data, call ? "tool-call-start" : "content-start");
    put_int(data, "index", call ? s->calls : s->content);
    put_open(data, "delta");
    put_open(data, "message");
    put_open(data, call ? "tool_calls" : "content");
    if (call)
        put_call(data, c->id, c->name, SPAN(""));
    else if (c->part == PART_THINKING)
        buf_str(data, "\"type\":\"thinking\",\"thinking\":\"\"");
    else
        buf_str(data, "\"type\":\"text\",\"text\":\"\"");
    buf_str(data, "}}}}");
    send(out, call ? "tool-call-start" : "content-start", data);
}

static void write_delta(const struct state *s, const struct chunk *c,
                        struct buf *out, struct buf *data)
{
    bool call = s->part == PART_TOOL_CALL;
    const char *type = call ? "tool-call-delta" : "content-delta";

    begin(data, type);
    put_int(data, "index", call ? s->calls : s->content);
    put_open(data, "delta");
    put_open(data, "message");
    put_open(data, call ? "tool_calls" : "content");
    if (call) {
        put_open(data, "function");
        put_str(data, "arguments", c->text);
        buf_char(data, '}');
    } else {
        put_str(data, s->part == PART_THINKING ? "thinking" : "text", c->text);
    }
    buf_str(data, "}}}");
    if (c->raw.len) /* log-probabilities: beside the text */
        put_raw(data, "logprobs", c->raw);
    buf_char(data, '}');
    send(out, type, data);
}

static void write_citation(struct state *s, struct span raw, struct buf *out,
                           struct buf *data)
{
    begin(data, "citation-start");
    put_int(data, "index", s->citations);
    put_open(data, "delta");
    put_open(data, "message");
    put_raw(data, "citations", raw);
    buf_str(data, "}}}");
    send(out, "citation-start", data);
    begin(data, "citation-end");
    put_int(data, "index", s->citations++);
    buf_char(data, '}');
    send(out, "citation-end", data);
}

static void write_text(struct state *s, const struct chunk *c, struct losses *l,
                       struct buf *out, struct buf *data)
{
    struct json raw = value_of(c->raw);
    struct chunk text = *c;

    if (s->skip)
        return;
    if (c->raw.len && !(is_logprob(&raw) && is_words(s->part)))
        text.raw = (struct span){NULL, 0};
    if (text.text.len || text.raw.len)
        write_delta(s, &text, out, data);
    if (is_citation(&raw))
        write_citation(s, c->raw, out, data);
    else if (c->raw.len && !text.raw.len)
        lossy_add(l, LOSSY_CITATION, "block %u", c->block);
}

static void write_close(struct state *s, const struct chunk *c,
                        struct losses *l, struct buf *out, struct buf *data)
{
    bool call = s->part == PART_TOOL_CALL;
    const char *type = call ? "tool-call-end" : "content-end";

    if (c->signature.len)
        lossy_add(l, LOSSY_SIGNATURE, "block %u", c->block);
    if (s->skip)
        return;
    begin(data, type);
    put_int(data, "index", call ? s->calls++ : s->content++);
    buf_char(data, '}');
    send(out, type, data);
}

static void write_finish(const struct state *s, const struct chunk *c,
                         struct buf *out, struct buf *data)
{
    begin(data, "message-end");
    put_open(data, "delta");
    if (c->kind == CHUNK_ERROR) {
        put_str(data, "error", c->text);
        put_cstr(data, "finish_reason", c->status == 504 ? "TIMEOUT" : "ERROR");
    } else {
        put_str(data, "finish_reason", reason_of(c->finish, c->name));
    }
    if (s->has_usage)
        put_usage(data, &s->usage);
    buf_str(data, "}}");
    send(out, "message-end", data);
}

static void write_done(struct buf *out)
{
    buf_str(out, "data: [DONE]\n\n");
}

static void write_chunk(struct state *s, const struct chunk *c,
                        struct losses *l, struct buf *out, struct buf *data)
{
    if (c->has_usage) {
        s->usage = c->usage;
        s->has_usage = true;
    }
    switch (c->kind) {
    case CHUNK_START:
        write_start(c, out, data);
        break;
    case CHUNK_OPEN:
        write_open(s, c, l, out, data);
        break;
    case CHUNK_TEXT:
        write_text(s, c, l, out, data);
        break;
    case CHUNK_CLOSE:
        write_close(s, c, l, out, data);
        break;
    case CHUNK_USAGE:
        break;
    case CHUNK_FINISH:
        write_finish(s, c, out, data);
        break;
    case CHUNK_ERROR:
        write_finish(s, c, out, data);
        write_done(out);
        break;
    case CHUNK_END:
        write_done(out);
        break;
    }
}

void cohere_stream_write(void *state, const struct request *asked,
                         const struct chunk *c, struct losses *l,
                         struct buf *out)
{
    struct buf data;

    (void)asked;
    if (c->choice) {
        lossy_add(l, LOSSY_N, "choice %u", c->choice);
        return;
    }
    buf_init(&data, EVENT_MAX);
    write_chunk(state, c, l, out, &data);
    buf_free(&data);
}

/* ---- a whole answer ---- */

/* The text in front of calls is their plan. */
static const struct gathered_block *plan_of(const struct gathered_choice *ch)
{
    const struct gathered_block *plan = NULL;

    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        if (is_words(b->part))
            plan = b;
        if (b->part == PART_TOOL_CALL)
            return plan;
    }
    return NULL;
}

static void put_content(const struct gathered_choice *ch, struct losses *l,
                        struct buf *out)
{
    const struct gathered_block *plan = plan_of(ch);
    size_t mark = out->len, start;

    put_list(out, "content");
    start = out->len;
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        bool thought = b->part == PART_THINKING && !b->redacted;

        if (b->signature.len)
            lossy_add(l, LOSSY_SIGNATURE, "block");
        if (b == plan || b->part == PART_TOOL_CALL)
            continue;
        if (!thought && !is_words(b->part)) {
            lossy_add(l, b->redacted ? LOSSY_THINKING : LOSSY_OTHER, "block");
            continue;
        }
        put_comma(out);
        buf_char(out, '{');
        put_cstr(out, "type", thought ? "thinking" : "text");
        put_str(out, thought ? "thinking" : "text", b->text);
        buf_char(out, '}');
    }
    if (out->len == start)
        carry_undo(out, mark);
    else
        buf_char(out, ']');
    if (plan)
        put_str(out, "tool_plan", plan->text);
}

static void put_calls(const struct gathered_choice *ch, struct buf *out)
{
    size_t mark = out->len, start;

    put_list(out, "tool_calls");
    start = out->len;
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        if (b->part != PART_TOOL_CALL)
            continue;
        put_comma(out);
        buf_char(out, '{');
        put_call(out, b->id, b->name, b->text);
        buf_char(out, '}');
    }
    if (out->len == start)
        carry_undo(out, mark);
    else
        buf_char(out, ']');
}

/* The items of the texts' raw JSON that are of this kind. */
static void put_items(const struct gathered_choice *ch, const char *name,
                      bool (*is)(const struct json *), struct buf *out)
{
    size_t mark = out->len, start;

    put_list(out, name);
    start = out->len;
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        struct json raw = value_of(b->raw), one;
        struct json_iter it = json_begin(&raw);

        while (is_words(b->part) && raw.type == JSON_ARRAY &&
               json_next(&it, NULL, &one)) {
            if (!is(&one))
                continue;
            put_comma(out);
            buf_span(out, one.raw);
        }
    }
    if (out->len == start)
        carry_undo(out, mark);
    else
        buf_char(out, ']');
}

static void count_foreign(const struct gathered_choice *ch, struct losses *l)
{
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        struct json raw = value_of(b->raw), one;
        struct json_iter it = json_begin(&raw);

        while (is_words(b->part) && json_next(&it, NULL, &one)) {
            if (!is_citation(&one) && !is_logprob(&one))
                lossy_add(l, LOSSY_CITATION, "block");
        }
    }
}

void cohere_answer_write(const struct gathered *g, const struct request *asked,
                         struct losses *l, struct buf *out)
{
    const struct gathered_choice *ch = &g->choices[0];

    (void)asked;
    buf_char(out, '{');
    if (g->error_status) {
        if (g->error_type.len)
            put_str(out, "error_type", g->error_type);
        put_str(out, "message", g->error_message);
        buf_char(out, '}');
        return;
    }
    if (g->n_choices > 1)
        lossy_add(l, LOSSY_N, "%u", g->n_choices);
    count_foreign(ch, l);
    put_str(out, "id", g->id);
    put_open(out, "message");
    put_cstr(out, "role", "assistant");
    put_content(ch, l, out);
    put_calls(ch, out);
    put_items(ch, "citations", is_citation, out);
    buf_char(out, '}');
    put_str(out, "finish_reason", reason_of(ch->finish, ch->finish_name));
    put_items(ch, "logprobs", is_logprob, out);
    if (g->has_usage)
        put_usage(out, &g->usage);
    buf_char(out, '}');
}
