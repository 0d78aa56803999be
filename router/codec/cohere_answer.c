/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer of Cohere's chat, whole or as events, -> chunks.
 *
 * Citations come beside the text they belong to, also behind its end: a text
 * block stays open until something else begins.
 */
#include "router/codec/carry.h"
#include "router/codec/cohere.h"
#include "router/codec/feed.h"

#include "base/utf8.h"

#include <string.h>

struct state {
    struct feed feed;
    bool stopped; /* the open text's end came; only citations may join */
    bool plan;    /* the open text is a tool plan */
};
_Static_assert(sizeof(struct state) <= COHERE_READER_SIZE, "room for it");

static struct span no_span(void)
{
    return (struct span){NULL, 0};
}

static struct text text_of(const struct json *v)
{
    return v->type == JSON_STRING ? (struct text){json_inner(v), v->escaped}
                                  : (struct text){no_span(), false};
}

static bool open_part(const struct state *s, enum part_kind part)
{
    return s->feed.at[0].open && s->feed.at[0].part == part;
}

/* ---- pieces of blocks ---- */

static bool add_words(struct state *s, struct text t, bool plan)
{
    if (t.raw.len == 0)
        return true;
    if ((s->stopped || s->plan != plan) && !feed_close(&s->feed, 0, no_span()))
        return false;
    s->stopped = false;
    s->plan = plan;
    return feed_text(&s->feed, 0, PART_TEXT, t);
}

static bool add_thought(struct state *s, struct text t)
{
    if (t.raw.len == 0)
        return true;
    if (s->stopped && !feed_close(&s->feed, 0, no_span()))
        return false;
    s->stopped = false;
    return feed_text(&s->feed, 0, PART_THINKING, t);
}

/* A content item, or what a delta has of one. */
static bool add_content(struct state *s, const struct json *v)
{
    struct json text = json_get(v, "text"), thought = json_get(v, "thinking");

    return add_thought(s, text_of(&thought)) &&
           add_words(s, text_of(&text), false);
}

/* A citation, or log-probabilities: of the text. */
static bool add_raw(struct state *s, const struct json *v)
{
    if (v->type != JSON_OBJECT)
        return true;
    if (!open_part(s, PART_TEXT) &&
        !feed_open(&s->feed, (struct chunk){.part = PART_TEXT}))
        return false;
    return feed_raw(&s->feed, 0, v->raw);
}

static bool add_items(struct state *s, const struct json *list)
{
    struct json_iter it = json_begin(list);
    struct json one;

    while (list->type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (!add_raw(s, &one))
            return false;
    }
    return true;
}

static bool open_call(struct state *s, const struct json *v, struct arena *a)
{
    struct json function = json_get(v, "function"),
                args = json_get(&function, "arguments");
    struct chunk c = {.part = PART_TOOL_CALL};

    return carry_str(v, "id", a, &c.id) &&
           carry_str(&function, "name", a, &c.name) && feed_open(&s->feed, c) &&
           feed_more(&s->feed, 0, text_of(&args));
}

/* ---- usage, finish, errors ---- */

/* `tokens` is what the model read and wrote, `billed_units` leaves out what
 * Cohere itself put into the prompt. */
static void add_usage(struct state *s, const struct json *v)
{
    struct usage *u = &s->feed.usage;
    struct json tokens = json_get(v, "tokens");
    struct json billed = json_get(v, "billed_units");

    if (tokens.type != JSON_OBJECT)
        tokens = billed;
    if (tokens.type != JSON_OBJECT)
        return;
    memset(u, 0, sizeof *u);
    s->feed.has_usage = true;
    u->input = carry_count(&tokens, "input_tokens") +
               carry_count(&tokens, "image_tokens");
    u->output = carry_count(&tokens, "output_tokens");
    u->reasoning = carry_count(&tokens, "reasoning_tokens");
    u->cached = carry_count(v, "cached_tokens");
    if (u->cached > u->input)
        u->cached = u->input;
    u->billed = billed.type == JSON_OBJECT;
    if (u->billed) {
        u->billed_input = carry_count(&billed, "input_tokens") +
                          carry_count(&billed, "image_tokens");
        u->billed_output = carry_count(&billed, "output_tokens");
    }
}

static bool add_finish(struct state *s, const struct json *v, struct arena *a)
{
    struct span reason, message;

    if (!carry_str(v, "finish_reason", a, &reason) ||
        !carry_str(v, "error", a, &message))
        return false;
    if (cohere_failure(reason))
        return feed_error(&s->feed, cohere_failure(reason), reason,
                          message.len ? message
                                      : SPAN("the provider's model failed"));
    if (reason.len)
        feed_finish(&s->feed, 0, cohere_finish(reason), reason);
    return true;
}

static bool fail(struct state *s, int status, struct span body, struct arena *a)
{
    struct span message = {NULL, 0}, type = {NULL, 0};
    struct json v;
    struct err why;

    if (json_parse(body, &v, &why)) {
        if (!carry_str(&v, "message", a, &message) ||
            !carry_str(&v, "error_type", a, &type))
            return false;
    } else if (utf8_valid(body)) {
        message = (struct span){body.ptr, utf8_cut(body, 500)};
    }
    return feed_error(&s->feed, status, type,
                      message.len ? message : SPAN("error of the provider"));
}

/* ---- a whole answer ---- */

static bool read_contents(struct state *s, const struct json *list)
{
    struct json_iter it = json_begin(list);
    struct json one;

    while (list->type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        s->stopped = true;
        if (!add_content(s, &one))
            return false;
    }
    return true;
}

static bool read_calls(struct state *s, const struct json *list,
                       struct arena *a)
{
    struct json_iter it = json_begin(list);
    struct json one;

    while (list->type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (!open_call(s, &one, a))
            return false;
    }
    return true;
}

static bool read_answer(struct state *s, const struct json *top,
                        struct arena *a)
{
    struct json message = json_get(top, "message"),
                content = json_get(&message, "content"),
                plan = json_get(&message, "tool_plan"),
                calls = json_get(&message, "tool_calls"),
                citations = json_get(&message, "citations"),
                logprobs = json_get(top, "logprobs"),
                usage = json_get(top, "usage");
    struct span id;

    if (!carry_str(top, "id", a, &id) ||
        !feed_start(&s->feed, id, no_span(), 0) || !read_contents(s, &content))
        return false;
    s->stopped = true;
    if (!add_words(s, text_of(&plan), true) || !add_items(s, &citations) ||
        !add_items(s, &logprobs) || !read_calls(s, &calls, a))
        return false;
    add_usage(s, &usage);
    return add_finish(s, top, a) && feed_end(&s->feed);
}

bool cohere_answer_read(struct span body, int status, struct arena *a,
                        struct chunk_sink *sink, struct err *e)
{
    struct json top, message;
    struct state s;
    struct err why;
    bool ok;

    memset(&s, 0, sizeof s);
    s.feed.sink = sink;
    ok = json_parse(body, &top, &why);
    message = ok ? json_get(&top, "message") : top;
    if (status >= 400)
        ok = fail(&s, status, body, a);
    else if (!ok || message.type != JSON_OBJECT)
        ok = fail(&s, 502, body, a);
    else
        ok = read_answer(&s, &top, a);
    return ok || err_set(e, ERR_MEMORY, "answer: no memory");
}

/* ---- events ---- */

static struct json message_of(const struct json *v, const char *name)
{
    struct json delta = json_get(v, "delta"),
                message = json_get(&delta, "message");

    return json_get(&message, name);
}

static bool on_start(struct state *s, const struct json *v, struct arena *a)
{
    struct span id;

    return carry_str(v, "id", a, &id) && feed_start(&s->feed, id, no_span(), 0);
}

static bool on_content(struct state *s, const struct json *v, struct arena *a)
{
    struct json content = message_of(v, "content"),
                logprobs = json_get(v, "logprobs");

    (void)a;
    return add_content(s, &content) && add_raw(s, &logprobs);
}

static bool on_content_start(struct state *s, const struct json *v,
                             struct arena *a)
{
    s->stopped = true;
    return on_content(s, v, a);
}

static bool on_end(struct state *s, const struct json *v, struct arena *a)
{
    (void)v;
    (void)a;
    s->stopped = true;
    return open_part(s, PART_TEXT) || feed_close(&s->feed, 0, no_span());
}

static bool on_plan(struct state *s, const struct json *v, struct arena *a)
{
    struct json plan = message_of(v, "tool_plan");

    (void)a;
    return add_words(s, text_of(&plan), true);
}

static bool on_call_start(struct state *s, const struct json *v,
                          struct arena *a)
{
    struct json call = message_of(v, "tool_calls");

    return open_call(s, &call, a);
}

static bool on_call(struct state *s, const struct json *v, struct arena *a)
{
    struct json call = message_of(v, "tool_calls"),
                function = json_get(&call, "function"),
                args = json_get(&function, "arguments");

    (void)a;
    return !open_part(s, PART_TOOL_CALL) ||
           feed_more(&s->feed, 0, text_of(&args));
}

static bool on_citation(struct state *s, const struct json *v, struct arena *a)
{
    struct json citation = message_of(v, "citations");

    (void)a;
    return citation.type == JSON_ARRAY ? add_items(s, &citation)
                                       : add_raw(s, &citation);
}

static bool on_last(struct state *s, const struct json *v, struct arena *a)
{
    struct json delta = json_get(v, "delta"), usage = json_get(&delta, "usage");

    add_usage(s, &usage);
    return add_finish(s, &delta, a);
}

static const struct {
    const char *type;
    bool (*read)(struct state *s, const struct json *v, struct arena *a);
} events[] = {
    {"message-start", on_start},     {"content-start", on_content_start},
    {"content-delta", on_content},   {"content-end", on_end},
    {"tool-plan-delta", on_plan},    {"tool-call-start", on_call_start},
    {"tool-call-delta", on_call},    {"tool-call-end", on_end},
    {"citation-start", on_citation}, {"message-end", on_last},
};

static bool read_event(struct state *s, struct span event, struct span data,
                       struct arena *a)
{
    struct json v, type;
    struct err why;

    if (span_is(span_trim(data), "[DONE]"))
        return true;
    if (!json_parse(data, &v, &why))
        return feed_error(&s->feed, 502, SPAN("bad_event"), span_of(why.msg));
    type = json_get(&v, "type");
    if (type.type == JSON_STRING)
        event = json_inner(&type);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (span_is(event, events[i].type))
            return events[i].read(s, &v, a);
    }
    if (span_is(event, "error") || json_get(&v, "message").type == JSON_STRING)
        return fail(s, 502, data, a);
    return true; /* citation-end, debug, and what may come */
}

bool cohere_stream_read(void *state, const struct framed *got, struct arena *a,
                        struct chunk_sink *sink, struct err *e)
{
    struct span event = got->name;
    struct span data = got->data;
    struct state *s = state;

    s->feed.sink = sink;
    if (s->feed.failed || s->feed.ended)
        return true;
    return read_event(s, event, data, a) ||
           err_set(e, ERR_MEMORY, "answer: no memory");
}

bool cohere_stream_end(void *state, struct chunk_sink *sink, struct err *e)
{
    struct state *s = state;

    s->feed.sink = sink;
    return feed_end(&s->feed) || err_set(e, ERR_MEMORY, "answer: no memory");
}
