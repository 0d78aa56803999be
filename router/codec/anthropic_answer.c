/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An Anthropic answer -> chunks.  A whole message is read as the stream that
 * it could have come as: its start, each block begun with all its content
 * and stopped, and the delta with the reason why it ended.
 *
 *   AWAY --start--> PENDING --first text--> OPEN --stop--> AWAY
 *                      |                      \--signature--> SHUT --stop-->
 *                      \--stop--> AWAY (an empty text is no block)
 */
#include "base/utf8.h"
#include "router/codec/anthropic_parts.h"
#include "router/codec/ids.h"

#include <string.h>

enum block_state {
    BLOCK_AWAY,    /* none */
    BLOCK_PENDING, /* a text that has nothing in it yet */
    BLOCK_OPEN,
    BLOCK_SHUT, /* its CLOSE went out before its stop came */
};

struct stream {
    struct anthropic_counts counts;
    unsigned next; /* block number of the next OPEN */
    enum block_state block;
    enum part_kind part; /* of the block */
    bool answer_tool;    /* the block is the answer of a schema's tool */
    bool any;            /* the block has had text */
    bool started, finished, over;
    bool calls; /* the client's own tools were called */
};

/* One event while it is read. */
struct reading {
    struct stream *s;
    struct arena *a;
    struct chunk_sink *sink;
};

_Static_assert(sizeof(struct stream) <= ANTHROPIC_READER_SIZE, "its size");

static bool give(struct reading *r, struct chunk c)
{
    return r->sink->take(r->sink->ctx, &c);
}

/* A member's text: empty when it is not there or is none. */
static bool get_text(struct reading *r, const struct json *obj,
                     const char *name, struct span *out)
{
    struct json v = json_get(obj, name);

    *out = (struct span){NULL, 0};
    return v.type != JSON_STRING || json_text(&v, r->a, out);
}

/* ---- blocks ---- */

static bool open_block(struct reading *r, struct chunk c)
{
    c.kind = CHUNK_OPEN;
    c.block = r->s->next++;
    r->s->block = BLOCK_OPEN;
    r->s->part = c.part;
    return give(r, c);
}

static bool close_block(struct reading *r, struct span signature)
{
    return give(r, (struct chunk){.kind = CHUNK_CLOSE,
                                  .block = r->s->next - 1,
                                  .part = r->s->part,
                                  .signature = signature});
}

/* Text of the block that is begun, which it opens where needed. */
static bool add_text(struct reading *r, struct span text, struct span raw)
{
    struct stream *s = r->s;

    if (text.len == 0 && raw.len == 0)
        return true;
    if (s->block == BLOCK_PENDING &&
        !open_block(r, (struct chunk){.part = s->part}))
        return false;
    s->any = s->any || text.len;
    return give(r, (struct chunk){.kind = CHUNK_TEXT,
                                  .block = s->next - 1,
                                  .part = s->part,
                                  .text = text,
                                  .raw = raw});
}

/* A call's arguments are whole JSON whatever came. */
static bool stop_block(struct reading *r)
{
    struct stream *s = r->s;
    bool wants_input = s->part == PART_TOOL_CALL || s->answer_tool;
    bool ok = true;

    if (s->block == BLOCK_AWAY)
        return true;
    if (s->block != BLOCK_SHUT && wants_input && !s->any)
        ok = add_text(r, SPAN("{}"), (struct span){NULL, 0});
    if (ok && s->block == BLOCK_OPEN)
        ok = close_block(r, (struct span){NULL, 0});
    s->block = BLOCK_AWAY;
    return ok;
}

static bool shut_block(struct reading *r, struct span signature)
{
    r->s->block = BLOCK_SHUT;
    return close_block(r, signature);
}

static bool begin_text(struct reading *r, const struct json *b)
{
    struct json citations = json_get(b, "citations"), one;
    struct json_iter it = json_begin(&citations);
    struct span text, none = {NULL, 0};

    r->s->block = BLOCK_PENDING;
    r->s->part = PART_TEXT;
    if (!get_text(r, b, "text", &text) || !add_text(r, text, none))
        return false;
    while (citations.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        static const char head[] = "{\"type\":\"citations_delta\","
                                   "\"citation\":";
        size_t n = sizeof head - 1 + one.raw.len + 1;
        char *delta = arena_alloc(r->a, n);

        if (!delta)
            return false;
        memcpy(delta, head, sizeof head - 1);
        memcpy(delta + sizeof head - 1, one.raw.ptr, one.raw.len);
        delta[n - 1] = '}';
        if (!add_text(r, none, (struct span){delta, n}))
            return false;
    }
    return true;
}

static bool begin_thinking(struct reading *r, const struct json *b)
{
    struct span text, signature;

    return get_text(r, b, "thinking", &text) &&
           get_text(r, b, "signature", &signature) &&
           open_block(r, (struct chunk){.part = PART_THINKING}) &&
           add_text(r, text, (struct span){NULL, 0}) &&
           (signature.len == 0 || shut_block(r, signature));
}

static bool begin_redacted(struct reading *r, const struct json *b)
{
    struct span data;

    return get_text(r, b, "data", &data) &&
           open_block(
               r, (struct chunk){.part = PART_THINKING, .redacted = true}) &&
           shut_block(r, data);
}

/* What only its own dialect can use of a call: a caller that is not the
 * model itself, a toolset. */
static struct span call_raw(const struct json *b)
{
    struct json caller = json_get(b, "caller"), type;
    struct json set = json_get(b, "toolset_name");

    type = json_get(&caller, "type");
    if (set.type == JSON_STRING ||
        (caller.type == JSON_OBJECT && !json_is(&type, "direct")))
        return b->raw;
    return (struct span){NULL, 0};
}

static bool begin_call(struct reading *r, const struct json *b)
{
    struct json input = json_get(b, "input");
    struct chunk c = {.part = PART_TOOL_CALL, .raw = call_raw(b)};

    if (!get_text(r, b, "name", &c.name) || !get_text(r, b, "id", &c.id) ||
        !id_read(c.id, r->a, &c.id) || !id_read(c.name, r->a, &c.name))
        return false;
    r->s->answer_tool = span_is(c.name, ANTHROPIC_ANSWER_TOOL);
    if (r->s->answer_tool) {
        r->s->block = BLOCK_PENDING;
        r->s->part = PART_TEXT;
    } else {
        r->s->calls = true;
        if (!open_block(r, c))
            return false;
    }
    /* Some servers give the whole input here, before its deltas or for
     * them; the real one gives {} and then deltas. */
    return input.type != JSON_OBJECT || json_count(&input) == 0 ||
           add_text(r, input.raw, (struct span){NULL, 0});
}

/* A built-in tool's block; its input is text, as streams have it. */
static bool begin_other(struct reading *r, const struct json *b)
{
    struct json input = json_get(b, "input");
    struct chunk c = {.part = PART_OTHER, .raw = b->raw};
    size_t before, after;
    char *p;

    if (input.type != JSON_OBJECT || json_count(&input) == 0)
        return open_block(r, c);
    before = (size_t)(input.raw.ptr - b->raw.ptr);
    after = b->raw.len - before - input.raw.len;
    p = arena_alloc(r->a, before + 2 + after);
    if (!p)
        return false;
    memcpy(p, b->raw.ptr, before);
    memcpy(p + before, "{}", 2);
    memcpy(p + before + 2, input.raw.ptr + input.raw.len, after);
    c.raw = (struct span){p, before + 2 + after};
    return open_block(r, c) && add_text(r, input.raw, (struct span){NULL, 0});
}

static const struct {
    const char *type;
    bool (*begin)(struct reading *r, const struct json *b);
} block_rows[] = {
    {"text", begin_text},
    {"thinking", begin_thinking},
    {"redacted_thinking", begin_redacted},
    {"tool_use", begin_call},
    {NULL, begin_other},
};

static bool start_message(struct reading *r, const struct json *m)
{
    struct chunk c = {.kind = CHUNK_START};
    struct json usage = json_get(m, "usage");

    if (r->s->started)
        return true;
    r->s->started = true;
    if (usage.type == JSON_OBJECT) {
        anthropic_count_usage(&usage, &r->s->counts);
        c.usage = anthropic_usage_of(&r->s->counts);
        c.has_usage = true;
    }
    return get_text(r, m, "id", &c.id) && get_text(r, m, "model", &c.name) &&
           give(r, c);
}

static bool begin_block(struct reading *r, const struct json *b)
{
    struct json type = json_get(b, "type");
    unsigned i = 0;

    if (r->s->finished || type.type != JSON_STRING)
        return true;
    if (!start_message(r, &(struct json){JSON_NONE, false, {NULL, 0}}) ||
        !stop_block(r))
        return false;
    r->s->any = false;
    r->s->answer_tool = false;
    while (block_rows[i].type && !json_is(&type, block_rows[i].type))
        i++;
    return block_rows[i].begin(r, b);
}

/* ---- deltas ---- */

/* Whether the block that is begun takes this; where there is none, one that
 * does is begun. */
static bool takes(struct reading *r, enum part_kind part, bool *ok)
{
    struct stream *s = r->s;

    *ok = true;
    if (s->finished)
        return false;
    if (s->block == BLOCK_AWAY && part != PART_TOOL_CALL) {
        *ok = start_message(r, &(struct json){JSON_NONE, false, {NULL, 0}});
        s->any = false;
        s->answer_tool = false;
        s->part = part;
        s->block = BLOCK_PENDING;
    }
    if (s->block != BLOCK_PENDING && s->block != BLOCK_OPEN)
        return false;
    return s->part == part && !s->answer_tool;
}

static bool text_delta(struct reading *r, const struct json *d)
{
    struct span text;
    bool ok;

    if (!takes(r, PART_TEXT, &ok) || !ok)
        return ok;
    return get_text(r, d, "text", &text) &&
           add_text(r, text, (struct span){NULL, 0});
}

static bool thinking_delta(struct reading *r, const struct json *d)
{
    struct span text;
    bool ok;

    if (!takes(r, PART_THINKING, &ok) || !ok)
        return ok;
    return get_text(r, d, "thinking", &text) &&
           add_text(r, text, (struct span){NULL, 0});
}

static bool signature_delta(struct reading *r, const struct json *d)
{
    struct span signature;

    if (r->s->block != BLOCK_OPEN || r->s->part != PART_THINKING)
        return true;
    return get_text(r, d, "signature", &signature) &&
           (signature.len == 0 || shut_block(r, signature));
}

static bool input_delta(struct reading *r, const struct json *d)
{
    struct stream *s = r->s;
    struct span text;

    if ((s->block != BLOCK_OPEN && s->block != BLOCK_PENDING) ||
        (s->part == PART_TEXT && !s->answer_tool) || s->part == PART_THINKING)
        return true;
    return get_text(r, d, "partial_json", &text) &&
           add_text(r, text, (struct span){NULL, 0});
}

/* Citations, and what may come: for the same dialect only. */
static bool other_delta(struct reading *r, const struct json *d)
{
    struct stream *s = r->s;

    if ((s->block != BLOCK_OPEN && s->block != BLOCK_PENDING) ||
        !anthropic_is_delta(d->raw))
        return true;
    return add_text(r, (struct span){NULL, 0}, d->raw);
}

static const struct {
    const char *type;
    bool (*read)(struct reading *r, const struct json *d);
} delta_rows[] = {
    {"text_delta", text_delta},
    {"input_json_delta", input_delta},
    {"thinking_delta", thinking_delta},
    {"signature_delta", signature_delta},
    {NULL, other_delta},
};

static bool block_delta(struct reading *r, const struct json *ev)
{
    struct json d = json_get(ev, "delta"), type = json_get(&d, "type");
    unsigned i = 0;

    if (type.type != JSON_STRING)
        return true;
    while (delta_rows[i].type && !json_is(&type, delta_rows[i].type))
        i++;
    return delta_rows[i].read(r, &d);
}

/* ---- the message's frame ---- */

static bool finish(struct reading *r, const struct json *delta)
{
    struct stream *s = r->s;
    struct json details = json_get(delta, "stop_details");
    struct chunk c = {.kind = CHUNK_FINISH};

    if (!get_text(r, delta, "stop_reason", &c.name) ||
        !get_text(r, delta, "stop_sequence", &c.sequence))
        return false;
    if (c.name.len == 0)
        return true;
    c.finish = anthropic_finish(c.name);
    if (c.finish == FINISH_TOOLS && !s->calls)
        c.finish = FINISH_STOP; /* the schema's tool is the answer */
    if (details.type == JSON_OBJECT)
        c.raw = details.raw;
    s->finished = true;
    return give(r, c);
}

static bool end_message(struct reading *r, const struct json *delta,
                        const struct json *usage)
{
    struct stream *s = r->s;

    if (s->finished)
        return true;
    if (!start_message(r, &(struct json){JSON_NONE, false, {NULL, 0}}) ||
        !stop_block(r))
        return false;
    if (usage->type == JSON_OBJECT) {
        anthropic_count_usage(usage, &s->counts);
        if (!give(r, (struct chunk){.kind = CHUNK_USAGE,
                                    .usage = anthropic_usage_of(&s->counts),
                                    .has_usage = true}))
            return false;
    }
    return finish(r, delta);
}

static bool fail(struct reading *r, struct chunk c)
{
    r->s->over = true;
    c.kind = CHUNK_ERROR;
    return give(r, c);
}

static bool read_error(struct reading *r, const struct json *ev, int status)
{
    struct json error = json_get(ev, "error");
    struct chunk c = {.status = status};

    if (!get_text(r, &error, "type", &c.name) ||
        !get_text(r, &error, "message", &c.text))
        return false;
    if (c.text.len == 0)
        c.text = error.type == JSON_NONE ? ev->raw : error.raw;
    if (c.name.len == 0)
        c.name = span_of(anthropic_error_type(status ? status : 502));
    if (status < 400)
        c.status = anthropic_error_status(c.name);
    return fail(r, c);
}

static bool end_stream(struct reading *r)
{
    r->s->over = true;
    if (r->s->finished)
        return give(r, (struct chunk){.kind = CHUNK_END});
    return fail(r, (struct chunk){.status = 502,
                                  .name = SPAN("api_error"),
                                  .text = SPAN("The provider's answer ended "
                                               "before it was finished.")});
}

/* ---- events ---- */

static bool on_start(struct reading *r, const struct json *ev)
{
    struct json m = json_get(ev, "message");

    return start_message(r, &m);
}

static bool on_block(struct reading *r, const struct json *ev)
{
    struct json b = json_get(ev, "content_block");

    return begin_block(r, &b);
}

static bool on_block_stop(struct reading *r, const struct json *ev)
{
    (void)ev;
    return stop_block(r);
}

static bool on_delta(struct reading *r, const struct json *ev)
{
    struct json delta = json_get(ev, "delta"), usage = json_get(ev, "usage");

    return end_message(r, &delta, &usage);
}

static bool on_stop(struct reading *r, const struct json *ev)
{
    (void)ev;
    return end_stream(r);
}

static bool on_error(struct reading *r, const struct json *ev)
{
    return read_error(r, ev, 0);
}

static const struct {
    const char *type;
    bool (*read)(struct reading *r, const struct json *ev);
} event_rows[] = {
    {"content_block_delta", block_delta},
    {"content_block_start", on_block},
    {"content_block_stop", on_block_stop},
    {"message_start", on_start},
    {"message_delta", on_delta},
    {"message_stop", on_stop},
    {"error", on_error},
};

static bool read_event(struct reading *r, struct span event,
                       const struct json *ev)
{
    struct json type = json_get(ev, "type"), error = json_get(ev, "error");

    for (size_t i = 0; i < sizeof event_rows / sizeof event_rows[0]; i++) {
        if (json_is(&type, event_rows[i].type))
            return event_rows[i].read(r, ev);
    }
    if (span_is(event, "error") || error.type == JSON_OBJECT)
        return on_error(r, ev);
    return true; /* ping, and what may come */
}

static bool done(bool ok, struct err *e)
{
    return ok || err_set(e, ERR_MEMORY,
                         "answer: wanted memory or room for it, found none");
}

bool anthropic_stream_read(void *state, const struct framed *got,
                           struct arena *a, struct chunk_sink *sink,
                           struct err *e)
{
    struct span event = got->name;
    struct span data = got->data;
    struct reading r = {state, a, sink};
    struct json ev;
    struct err why;

    if (r.s->over || data.len == 0)
        return true;
    if (!json_parse(data, &ev, &why))
        return done(fail(&r, (struct chunk){.status = 502,
                                            .name = SPAN("api_error"),
                                            .text = span_of(why.msg)}),
                    e);
    return done(read_event(&r, event, &ev), e);
}

bool anthropic_stream_end(void *state, struct chunk_sink *sink, struct err *e)
{
    struct reading r = {state, NULL, sink};

    return r.s->over || done(end_stream(&r), e);
}

/* ---- whole answers ---- */

static bool read_message(struct reading *r, const struct json *m)
{
    struct json content = json_get(m, "content"), one;
    struct json usage = json_get(m, "usage");
    struct json_iter it = json_begin(&content);

    if (!start_message(r, m))
        return false;
    while (content.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (!begin_block(r, &one) || !stop_block(r))
            return false;
    }
    return end_message(r, m, &usage) && end_stream(r);
}

/* A body that is no JSON: what a proxy between says. */
static bool read_page(struct reading *r, struct span body, int status)
{
    struct span said = span_trim(body);

    said.len = said.len < 400 ? said.len : 400;
    while (said.len && !utf8_valid(said))
        said.len--;
    if (said.len == 0)
        said = SPAN("The provider gave no reason.");
    return fail(r, (struct chunk){.status = status,
                                  .name = span_of(anthropic_error_type(status)),
                                  .text = said});
}

bool anthropic_answer_read(struct span body, int status, struct arena *a,
                           struct chunk_sink *sink, struct err *e)
{
    struct stream s;
    struct reading r = {&s, a, sink};
    struct json top, type, error;
    bool is_json = json_parse(body, &top, e);

    memset(&s, 0, sizeof s);
    if (!is_json)
        return status >= 400 && done(read_page(&r, body, status), e);
    type = json_get(&top, "type");
    error = json_get(&top, "error");
    if (status >= 400 || json_is(&type, "error") || error.type == JSON_OBJECT)
        return done(read_error(&r, &top, status), e);
    if (!json_is(&type, "message"))
        return err_set(e, ERR_INPUT, "answer: wanted a message, found %s",
                       json_type_name(top.type));
    return done(read_message(&r, &top), e);
}
