/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the Responses API and their streams -> chunks.  Items come one
 * after the other; what an item's last event says that no delta said before
 * (arguments, a text, encrypted reasoning) is taken from there.
 */
#include "router/codec/logprobs.h"
#include "router/codec/responses.h"

#include <string.h>

/* One event's reading. */
struct reading {
    struct responses_reader *s;
    struct feed *feed;
    struct arena *a;
};

#define NOTHING ((struct span){NULL, 0})

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "answer: wanted memory below its cap");
}

static bool get_text(const struct json *obj, const char *key, struct arena *a,
                     struct span *out)
{
    struct json v = json_get(obj, key);

    *out = NOTHING;
    return v.type != JSON_STRING || json_text(&v, a, out);
}

static int64_t get_int(const struct json *obj, const char *key, int64_t other)
{
    struct json v = json_get(obj, key);
    int64_t n;

    return json_i64(&v, &n) && n >= 0 && n < INT32_MAX ? n : other;
}

static struct text text_at(const struct json *obj, const char *key)
{
    struct json v = json_get(obj, key);

    if (v.type != JSON_STRING)
        return (struct text){NOTHING, false};
    return (struct text){json_inner(&v), v.escaped};
}

/* ---- whole items ---- */

static bool read_annotations(struct reading *rd, const struct json *part)
{
    struct json list = json_get(part, "annotations"), one;
    struct json_iter it = json_begin(&list);

    while (list.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (one.type == JSON_OBJECT && !feed_raw(rd->feed, 0, one.raw))
            return false;
    }
    return true;
}

static bool whole_content(struct reading *rd, const struct json *part)
{
    struct json type = json_get(part, "type"),
                probs = json_get(part, "logprobs");

    if (json_is(&type, "refusal"))
        return feed_close(rd->feed, 0, NOTHING) &&
               feed_text(rd->feed, 0, PART_REFUSAL, text_at(part, "refusal"));
    return feed_close(rd->feed, 0, NOTHING) &&
           feed_text(rd->feed, 0, PART_TEXT, text_at(part, "text")) &&
           read_annotations(rd, part) &&
           logprobs_feed(rd->feed, 0, &probs, rd->a) &&
           feed_close(rd->feed, 0, NOTHING);
}

static bool whole_message(struct reading *rd, const struct json *item)
{
    struct json list = json_get(item, "content"), one;
    struct json_iter it = json_begin(&list);

    while (list.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (one.type == JSON_OBJECT && !whole_content(rd, &one))
            return false;
    }
    return feed_close(rd->feed, 0, NOTHING);
}

static bool open_call(struct reading *rd, const struct json *item)
{
    struct chunk open = {.part = PART_TOOL_CALL};

    rd->s->any_calls = true;
    return get_text(item, "call_id", rd->a, &open.id) &&
           get_text(item, "name", rd->a, &open.name) &&
           (open.name.len ? feed_open(rd->feed, open)
                          : feed_error(rd->feed, 502, SPAN("tool_call"),
                                       SPAN("a tool call came without a "
                                            "name")));
}

static struct text arguments_of(const struct json *item)
{
    struct text t = text_at(item, "arguments");

    return t.raw.len ? t : text_at(item, "input"); /* of a custom tool */
}

static bool whole_call(struct reading *rd, const struct json *item)
{
    return open_call(rd, item) && feed_more(rd->feed, 0, arguments_of(item)) &&
           feed_close(rd->feed, 0, NOTHING);
}

static bool open_thinking(struct reading *rd, const struct json *item,
                          bool redacted)
{
    struct chunk open = {.part = PART_THINKING, .redacted = redacted};

    return get_text(item, "id", rd->a, &open.id) && feed_open(rd->feed, open);
}

static bool thinking_texts(struct reading *rd, const struct json *item,
                           const char *name)
{
    struct json list = json_get(item, name), one;
    struct json_iter it = json_begin(&list);

    while (list.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (rd->feed->at[0].filled &&
            !feed_more(rd->feed, 0, (struct text){SPAN("\n\n"), false}))
            return false;
        if (one.type == JSON_OBJECT &&
            !feed_more(rd->feed, 0, text_at(&one, "text")))
            return false;
    }
    return true;
}

static bool signature_of(struct reading *rd, const struct json *item,
                         struct span *out, bool *redacted)
{
    if (!get_text(item, "encrypted_content", rd->a, out))
        return false;
    *redacted = span_starts(*out, RESPONSES_REDACTED);
    if (*redacted) {
        out->ptr += sizeof RESPONSES_REDACTED - 1;
        out->len -= sizeof RESPONSES_REDACTED - 1;
    }
    return true;
}

/* Reasoning that says nothing at all is no block. */
static bool whole_reasoning(struct reading *rd, const struct json *item)
{
    struct json summary = json_get(item, "summary"),
                content = json_get(item, "content");
    size_t texts = (summary.type == JSON_ARRAY ? json_count(&summary) : 0) +
                   (content.type == JSON_ARRAY ? json_count(&content) : 0);
    struct span signature;
    bool redacted;

    if (!signature_of(rd, item, &signature, &redacted))
        return false;
    if (!texts && !signature.len)
        return true;
    return open_thinking(rd, item, redacted) &&
           (redacted || (thinking_texts(rd, item, "summary") &&
                         thinking_texts(rd, item, "content"))) &&
           feed_close(rd->feed, 0, signature);
}

/* A tool of the provider's own: for the same dialect only. */
static bool whole_other(struct reading *rd, const struct json *item)
{
    struct chunk open = {.part = PART_OTHER, .raw = item->raw};

    return get_text(item, "id", rd->a, &open.id) && feed_open(rd->feed, open) &&
           feed_close(rd->feed, 0, NOTHING);
}

static const struct {
    const char *type;
    bool (*read)(struct reading *rd, const struct json *item);
} item_rows[] = {
    {"message", whole_message},
    {"function_call", whole_call},
    {"custom_tool_call", whole_call},
    {"reasoning", whole_reasoning},
};

static bool whole_item(struct reading *rd, const struct json *item)
{
    struct json type = json_get(item, "type");

    for (size_t i = 0; i < sizeof item_rows / sizeof item_rows[0]; i++) {
        if (json_is(&type, item_rows[i].type))
            return item_rows[i].read(rd, item);
    }
    return type.type != JSON_STRING || whole_other(rd, item);
}

static bool whole_output(struct reading *rd, const struct json *response)
{
    struct json list = json_get(response, "output"), one;
    struct json_iter it = json_begin(&list);

    while (list.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (one.type == JSON_OBJECT && !whole_item(rd, &one))
            return false;
    }
    return true;
}

/* ---- the response around them ---- */

static bool read_start(struct reading *rd, const struct json *response)
{
    struct json created = json_get(response, "created_at");
    struct span id, model;
    double when; /* vLLM writes it with a fraction */

    if (!json_double(&created, &when) || !(when >= 0 && when < 1e12))
        when = 0;
    return get_text(response, "id", rd->a, &id) &&
           get_text(response, "model", rd->a, &model) &&
           feed_start(rd->feed, id, model, (int64_t)when);
}

static void read_usage(struct reading *rd, const struct json *response)
{
    struct usage u;

    if (!responses_usage(response, &u))
        return;
    rd->feed->usage = u;
    rd->feed->has_usage = u.input > 0 || u.output > 0;
}

static void read_incomplete(struct reading *rd, const struct json *response)
{
    struct json details = json_get(response, "incomplete_details");
    struct json reason = json_get(&details, "reason");

    if (json_is(&reason, "content_filter"))
        feed_finish(rd->feed, 0, FINISH_FILTER, SPAN("content_filter"));
    else
        feed_finish(rd->feed, 0, FINISH_LENGTH, SPAN("max_output_tokens"));
}

/* The last event, or a whole answer, once its items are read. */
static bool read_end(struct reading *rd, const struct json *response,
                     const char *state)
{
    struct json status = json_get(response, "status");

    rd->s->done = true;
    read_usage(rd, response);
    if (!feed_close(rd->feed, 0, NOTHING))
        return false;
    if (json_is(&status, "failed") || json_is(&status, "cancelled") ||
        !strcmp(state, "failed"))
        return feed_error_body(rd->feed, 200, response, rd->a);
    if (json_is(&status, "incomplete") || !strcmp(state, "incomplete"))
        read_incomplete(rd, response);
    else
        feed_finish(rd->feed, 0, FINISH_STOP, SPAN("completed"));
    return feed_end(rd->feed);
}

/* ---- events ---- */

struct event {
    struct json v;
    int64_t item; /* output_index + 1 */
    int64_t part; /* content_index or summary_index */
};

/* Whether the event speaks of an item that has ended. */
static bool is_past(const struct reading *rd, const struct event *ev)
{
    return ev->item <= rd->s->closed;
}

/* Makes the event's item the open one; false once it cannot be. */
static bool enter(struct reading *rd, const struct event *ev, bool *ok)
{
    *ok = true;
    if (is_past(rd, ev)) {
        *ok = feed_error(rd->feed, 502, SPAN("order"),
                         SPAN("an event came for an item that had ended"));
        return false;
    }
    if (rd->s->item == ev->item)
        return true;
    *ok = feed_close(rd->feed, 0, NOTHING);
    if (rd->s->item)
        rd->s->closed = rd->s->item;
    rd->s->item = ev->item;
    rd->s->before = rd->feed->at[0].blocks;
    rd->s->part = -1;
    return *ok;
}

static bool on_response(struct reading *rd, const struct event *ev)
{
    struct json response = json_get(&ev->v, "response");

    return response.type != JSON_OBJECT || read_start(rd, &response);
}

static bool end_with(struct reading *rd, const struct event *ev,
                     const char *state)
{
    struct json response = json_get(&ev->v, "response");
    bool nothing = !rd->feed->at[0].blocks;

    if (response.type != JSON_OBJECT)
        response = ev->v;
    return read_start(rd, &response) &&
           (!nothing || whole_output(rd, &response)) &&
           read_end(rd, &response, state);
}

static bool on_completed(struct reading *rd, const struct event *ev)
{
    return end_with(rd, ev, "completed");
}

static bool on_incomplete(struct reading *rd, const struct event *ev)
{
    return end_with(rd, ev, "incomplete");
}

static bool on_failed(struct reading *rd, const struct event *ev)
{
    return end_with(rd, ev, "failed");
}

static bool on_error(struct reading *rd, const struct event *ev)
{
    rd->s->done = true;
    return feed_error_body(rd->feed, 200, &ev->v, rd->a);
}

static bool on_added(struct reading *rd, const struct event *ev)
{
    struct json item = json_get(&ev->v, "item"), type = json_get(&item, "type");
    bool ok;

    if (!enter(rd, ev, &ok))
        return ok;
    if (json_is(&type, "function_call") || json_is(&type, "custom_tool_call"))
        return open_call(rd, &item) &&
               feed_more(rd->feed, 0, arguments_of(&item));
    return true;
}

static bool delta_of(struct reading *rd, const struct event *ev,
                     enum part_kind kind)
{
    bool ok;

    if (!enter(rd, ev, &ok))
        return ok;
    if (rd->s->part != ev->part && !feed_close(rd->feed, 0, NOTHING))
        return false;
    rd->s->part = ev->part;
    return feed_text(rd->feed, 0, kind, text_at(&ev->v, "delta"));
}

static bool on_text(struct reading *rd, const struct event *ev)
{
    struct json probs = json_get(&ev->v, "logprobs");

    return delta_of(rd, ev, PART_TEXT) &&
           logprobs_feed(rd->feed, 0, &probs, rd->a);
}

static bool on_refusal(struct reading *rd, const struct event *ev)
{
    return delta_of(rd, ev, PART_REFUSAL);
}

/* Parts of one item's reasoning are one block. */
static bool on_thought(struct reading *rd, const struct event *ev)
{
    struct feed_choice *at = &rd->feed->at[0];
    struct text delta = text_at(&ev->v, "delta");
    struct chunk open = {.part = PART_THINKING};
    bool ok;

    if (!enter(rd, ev, &ok))
        return ok;
    if (!delta.raw.len)
        return true;
    if ((!at->open || at->part != PART_THINKING) &&
        (!get_text(&ev->v, "item_id", rd->a, &open.id) ||
         !feed_open(rd->feed, open)))
        return false;
    if (at->filled && rd->s->part != ev->part &&
        !feed_more(rd->feed, 0, (struct text){SPAN("\n\n"), false}))
        return false;
    rd->s->part = ev->part;
    return feed_more(rd->feed, 0, delta);
}

static bool on_arguments(struct reading *rd, const struct event *ev)
{
    struct feed_choice *at = &rd->feed->at[0];
    bool ok;

    if (!enter(rd, ev, &ok))
        return ok;
    if (!at->open || at->part != PART_TOOL_CALL)
        return feed_error(rd->feed, 502, SPAN("tool_call"),
                          SPAN("arguments came without their call"));
    return feed_more(rd->feed, 0, text_at(&ev->v, "delta"));
}

/* What no delta said. */
static bool on_arguments_done(struct reading *rd, const struct event *ev)
{
    struct feed_choice *at = &rd->feed->at[0];

    if (rd->s->item != ev->item || !at->open || at->filled ||
        at->part != PART_TOOL_CALL)
        return true;
    return feed_more(rd->feed, 0, arguments_of(&ev->v));
}

static bool on_text_done(struct reading *rd, const struct event *ev)
{
    struct feed_choice *at = &rd->feed->at[0];
    bool said = at->open && at->filled && at->part == PART_TEXT &&
                rd->s->part == ev->part;

    if (rd->s->item != ev->item || said)
        return true;
    rd->s->part = ev->part;
    return feed_close(rd->feed, 0, NOTHING) &&
           feed_text(rd->feed, 0, PART_TEXT, text_at(&ev->v, "text"));
}

static bool on_part_done(struct reading *rd, const struct event *ev)
{
    struct json part = json_get(&ev->v, "part");
    struct feed_choice *at = &rd->feed->at[0];

    if (rd->s->item != ev->item || !at->open || at->part != PART_TEXT)
        return true;
    return read_annotations(rd, &part) && feed_close(rd->feed, 0, NOTHING);
}

/* Closes what deltas opened; an item without any is read whole. */
static bool on_item_done(struct reading *rd, const struct event *ev)
{
    struct json item = json_get(&ev->v, "item"), type = json_get(&item, "type");
    struct feed_choice *at = &rd->feed->at[0];
    struct span signature = NOTHING;
    bool ok, redacted;

    if (is_past(rd, ev) || item.type != JSON_OBJECT)
        return true;
    if (!enter(rd, ev, &ok))
        return ok;
    if (json_is(&type, "reasoning")) {
        if (!signature_of(rd, &item, &signature, &redacted))
            return false;
        ok = at->open ? feed_close(rd->feed, 0, signature)
                      : whole_reasoning(rd, &item);
    } else if (at->open) {
        ok = (at->part != PART_TOOL_CALL || at->filled ||
              feed_more(rd->feed, 0, arguments_of(&item))) &&
             feed_close(rd->feed, 0, NOTHING);
    } else if (at->blocks == rd->s->before) {
        ok = whole_item(rd, &item);
    }
    rd->s->closed = ev->item;
    rd->s->item = 0;
    return ok;
}

static const struct {
    const char *type;
    bool (*on)(struct reading *rd, const struct event *ev);
} event_rows[] = {
    {"response.output_text.delta", on_text},
    {"response.function_call_arguments.delta", on_arguments},
    {"response.reasoning_summary_text.delta", on_thought},
    {"response.reasoning_text.delta", on_thought},
    {"response.output_item.added", on_added},
    {"response.output_item.done", on_item_done},
    {"response.content_part.done", on_part_done},
    {"response.output_text.done", on_text_done},
    {"response.function_call_arguments.done", on_arguments_done},
    {"response.custom_tool_call_input.delta", on_arguments},
    {"response.custom_tool_call_input.done", on_arguments_done},
    {"response.refusal.delta", on_refusal},
    {"response.created", on_response},
    {"response.in_progress", on_response},
    {"response.completed", on_completed},
    {"response.incomplete", on_incomplete},
    {"response.failed", on_failed},
    {"response.cancelled", on_failed},
    {"error", on_error},
};

static bool read_event(struct reading *rd, struct span name,
                       const struct json *v)
{
    struct json type = json_get(v, "type");
    struct event ev = {
        *v, get_int(v, "output_index", 0) + 1,
        get_int(v, "content_index", get_int(v, "summary_index", 0))};

    for (size_t i = 0; i < sizeof event_rows / sizeof event_rows[0]; i++) {
        if (json_is(&type, event_rows[i].type))
            return event_rows[i].on(rd, &ev);
    }
    if (span_is(name, "error") || type.type != JSON_STRING) {
        struct json error = json_get(v, "error");

        if (span_is(name, "error") || error.type == JSON_OBJECT)
            return on_error(rd, &ev);
    }
    return true; /* new kinds of events may come */
}

static bool check(bool ok, struct feed *f, struct err *e)
{
    f->sink = NULL;
    return ok || no_memory(e);
}

bool responses_answer_read(struct span body, int status, struct arena *a,
                           struct chunk_sink *sink, struct err *e)
{
    struct responses_reader *s = arena_zalloc(a, 1, sizeof *s);
    struct reading rd = {s, s ? &s->feed : NULL, a};
    struct json top, output;

    if (!s)
        return no_memory(e);
    s->feed.sink = sink;
    if (!json_parse(body, &top, e) || top.type != JSON_OBJECT)
        return check(feed_error(rd.feed, status, SPAN("invalid_response"),
                                SPAN("the provider's answer is no JSON "
                                     "object")),
                     rd.feed, e);
    output = json_get(&top, "output");
    if (status >= 400 || output.type != JSON_ARRAY)
        return check(feed_error_body(rd.feed, status, &top, a), rd.feed, e);
    return check(read_start(&rd, &top) && whole_output(&rd, &top) &&
                     read_end(&rd, &top, ""),
                 rd.feed, e);
}

bool responses_stream_read(void *state, const struct framed *got,
                           struct arena *a, struct chunk_sink *sink,
                           struct err *e)
{
    struct span event = got->name;
    struct span data = got->data;
    struct responses_reader *s = state;
    struct reading rd = {s, &s->feed, a};
    struct span text = span_trim(data);
    struct json v;

    s->feed.sink = sink;
    if (s->done || s->feed.failed || !text.len || span_is(text, "[DONE]"))
        return true;
    if (!json_parse(text, &v, e) || v.type != JSON_OBJECT)
        return check(feed_error(&s->feed, 502, SPAN("invalid_response"),
                                SPAN("an event of the provider is no JSON "
                                     "object")),
                     &s->feed, e);
    return check(read_event(&rd, event, &v), &s->feed, e);
}

bool responses_stream_end(void *state, struct chunk_sink *sink, struct err *e)
{
    struct responses_reader *s = state;

    s->feed.sink = sink;
    return check(feed_end(&s->feed), &s->feed, e);
}
