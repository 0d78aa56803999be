/* SPDX-License-Identifier: Apache-2.0 */
/* Chat answers and their streams -> chunks.  A whole answer is read as one
 * event that says everything. */
#include "router/codec/logprobs.h"
#include "router/codec/openai.h"
#include "router/codec/openai_chat.h"

#include <string.h>

enum { INDEX_MAX = 1 << 20 }; /* of calls; more are no index */

/* One event's reading. */
struct reading {
    struct chat_reader *state;
    struct feed *feed;
    struct arena *a;
    bool whole;
};

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "answer: wanted memory below its cap");
}

/* ---- tool calls ---- */

static bool call_error(struct reading *rd, const char *message)
{
    return feed_error(rd->feed, 502, SPAN("tool_call"), span_of(message));
}

static bool same_call(const struct chat_reader *s, unsigned choice,
                      int32_t index, struct span id)
{
    return s->calls[choice].any && s->calls[choice].call == index &&
           (id.len == 0 || span_hash(id, 1) == s->calls[choice].id ||
            s->calls[choice].id == 0);
}

/* What is known of a pending call becomes a block. */
static bool flush_pending(struct reading *rd)
{
    struct chat_pending *p = &rd->state->pending;
    unsigned choice = p->choice;
    struct chunk open = {.choice = choice,
                         .part = PART_TOOL_CALL,
                         .id = {p->id, p->n_id},
                         .name = {p->name, p->n_name}};

    if (!p->on)
        return true;
    p->on = false;
    if (p->n_name == 0)
        return call_error(rd, "a tool call came without a name");
    rd->state->calls[choice].id = p->n_id ? span_hash(open.id, 1) : 0;
    return feed_open(rd->feed, open) &&
           feed_more(rd->feed, choice,
                     (struct text){{p->args, p->n_args}, true});
}

static bool keep(char *dst, size_t *n, size_t room, struct span s)
{
    if (s.len > room - *n)
        return false;
    if (s.len)
        memcpy(dst + *n, s.ptr, s.len);
    *n += s.len;
    return true;
}

/* One delta of a call, taken apart. */
struct call_delta {
    int32_t index;
    struct span id, name;
    struct text arguments;
};

static bool pend(struct reading *rd, unsigned choice,
                 const struct call_delta *d)
{
    struct chat_pending *p = &rd->state->pending;

    if (p->n_name == 0 && !keep(p->name, &p->n_name, CHAT_NAME, d->name))
        return call_error(rd, "a tool's name is too long");
    if (p->n_id == 0 && !keep(p->id, &p->n_id, CHAT_NAME, d->id))
        return call_error(rd, "a tool call's id is too long");
    if (p->n_name && (p->n_id || d->arguments.raw.len))
        return flush_pending(rd) && feed_more(rd->feed, choice, d->arguments);
    if (!keep(p->args, &p->n_args, CHAT_ARGS, d->arguments.raw))
        return call_error(rd, "a tool call came without a name");
    return true;
}

static bool begin_call(struct reading *rd, unsigned choice,
                       const struct call_delta *d)
{
    struct chat_reader *s = rd->state;

    if (!flush_pending(rd) || !feed_close(rd->feed, choice, SPAN("")))
        return false;
    s->calls[choice].any = true;
    s->calls[choice].call = d->index;
    s->calls[choice].id = d->id.len ? span_hash(d->id, 1) : 0;
    if (d->index > s->calls[choice].most)
        s->calls[choice].most = d->index;
    if (d->name.len && d->id.len) {
        struct chunk open = {.choice = choice,
                             .part = PART_TOOL_CALL,
                             .id = d->id,
                             .name = d->name};

        return feed_open(rd->feed, open) &&
               feed_more(rd->feed, choice, d->arguments);
    }
    s->pending.on = true;
    s->pending.choice = choice;
    s->pending.n_id = s->pending.n_name = s->pending.n_args = 0;
    return pend(rd, choice, d);
}

static bool take_call(struct reading *rd, unsigned choice,
                      const struct call_delta *d)
{
    struct chat_reader *s = rd->state;
    struct feed_choice *at = &rd->feed->at[choice];

    if (!same_call(s, choice, d->index, d->id)) {
        if (s->calls[choice].any && !d->id.len && !d->name.len &&
            d->index <= s->calls[choice].most)
            return !d->arguments.raw.len ||
                   call_error(rd, "arguments came for a call that had ended");
        return begin_call(rd, choice, d);
    }
    if (s->pending.on && s->pending.choice == choice)
        return pend(rd, choice, d);
    if (!at->open || at->part != PART_TOOL_CALL)
        return !d->arguments.raw.len ||
               call_error(rd, "arguments came for a call that had ended");
    return feed_more(rd->feed, choice, d->arguments);
}

/* Arguments are a string; some servers give the object itself. */
static struct text arguments_of(const struct json *v)
{
    if (v->type == JSON_STRING)
        return (struct text){json_inner(v), v->escaped};
    if (v->type == JSON_OBJECT)
        return (struct text){v->raw, false};
    return (struct text){{NULL, 0}, false};
}

static bool name_of(const struct json *obj, const char *key, struct arena *a,
                    struct span *out)
{
    struct json v = json_get(obj, key);

    *out = (struct span){NULL, 0};
    return v.type != JSON_STRING || json_text(&v, a, out);
}

/* Google's own OpenAI API says it with the call, which ends there. */
static bool read_call_signature(struct reading *rd, unsigned choice,
                                const struct json *call)
{
    struct json in = json_get(call, "extra_content");
    struct span signature;

    in = json_get(&in, "google");
    if (in.type != JSON_OBJECT || rd->feed->at[choice].part != PART_TOOL_CALL)
        return true;
    return name_of(&in, "thought_signature", rd->a, &signature) &&
           (!signature.len || feed_close(rd->feed, choice, signature));
}

static bool read_call(struct reading *rd, unsigned choice,
                      const struct json *call, int64_t position)
{
    struct json f = json_get(call, "function"), v;
    struct json index = json_get(call, "index");
    struct call_delta d;
    const char *arguments = "arguments";
    int64_t n;

    if (f.type == JSON_NONE) {
        f = json_get(call, "custom");
        arguments = "input";
    }
    v = json_get(&f, arguments);
    d.arguments = arguments_of(&v);
    if (!name_of(call, "id", rd->a, &d.id) ||
        !name_of(&f, "name", rd->a, &d.name))
        return false;
    if (json_i64(&index, &n) && n >= 0 && n < INDEX_MAX && !rd->whole) {
        d.index = (int32_t)n;
    } else {
        d.index = (int32_t)position;
        if (!rd->whole && rd->state->calls[choice].any)
            d.index =
                rd->state->calls[choice].call +
                (d.id.len && !same_call(rd->state, choice,
                                        rd->state->calls[choice].call, d.id));
    }
    return take_call(rd, choice, &d) && read_call_signature(rd, choice, call);
}

static bool read_calls(struct reading *rd, unsigned choice,
                       const struct json *calls)
{
    struct json_iter it = json_begin(calls);
    struct json one;

    if (calls->type != JSON_ARRAY)
        return true;
    for (int64_t i = 0; i < INDEX_MAX && json_next(&it, NULL, &one); i++) {
        if (one.type == JSON_OBJECT && !read_call(rd, choice, &one, i))
            return false;
    }
    return true;
}

/* ---- text and thinking ---- */

static bool flush_of(struct reading *rd, unsigned choice)
{
    return rd->state->pending.choice != choice || flush_pending(rd);
}

static bool take_text(struct reading *rd, unsigned choice, enum part_kind part,
                      const struct json *v)
{
    if (v->type != JSON_STRING || json_inner(v).len == 0)
        return true;
    return flush_of(rd, choice) &&
           feed_text(rd->feed, choice, part,
                     (struct text){json_inner(v), v->escaped});
}

/* Thinking's parts, as Mistral writes them. */
static bool read_thoughts(struct reading *rd, unsigned choice,
                          const struct json *v)
{
    struct json_iter it = json_begin(v);
    struct json one, text;

    if (v->type == JSON_STRING)
        return take_text(rd, choice, PART_THINKING, v);
    while (v->type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        text = json_get(&one, "text");
        if (!take_text(rd, choice, PART_THINKING, &text))
            return false;
    }
    return true;
}

static bool read_content(struct reading *rd, unsigned choice,
                         const struct json *v)
{
    struct json_iter it = json_begin(v);
    struct json one, in;

    if (v->type == JSON_STRING)
        return take_text(rd, choice, PART_TEXT, v);
    while (v->type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        in = json_get(&one, "thinking");
        if (in.type != JSON_NONE && !read_thoughts(rd, choice, &in))
            return false;
        in = json_get(&one, "text");
        if (!take_text(rd, choice, PART_TEXT, &in))
            return false;
    }
    return true;
}

/* OpenRouter's: text or a summary, then perhaps the signature of the block;
 * or what only the provider can read. */
static bool read_detail(struct reading *rd, unsigned choice,
                        const struct json *v)
{
    struct json text = json_get(v, "text"), type = json_get(v, "type");
    struct chunk open = {
        .choice = choice, .part = PART_THINKING, .redacted = true};
    struct feed_choice *at = &rd->feed->at[choice];
    struct span signature;

    if (text.type != JSON_STRING)
        text = json_get(v, "summary");
    if (json_is(&type, "reasoning.encrypted"))
        return name_of(v, "data", rd->a, &signature) &&
               name_of(v, "id", rd->a, &open.id) && flush_of(rd, choice) &&
               (!signature.len || (feed_open(rd->feed, open) &&
                                   feed_close(rd->feed, choice, signature)));
    if (!name_of(v, "signature", rd->a, &signature) ||
        !take_text(rd, choice, PART_THINKING, &text))
        return false;
    if (!signature.len)
        return true;
    open.redacted = false;
    if ((!at->open || at->part != PART_THINKING) &&
        (!flush_of(rd, choice) || !feed_open(rd->feed, open)))
        return false;
    return feed_close(rd->feed, choice, signature);
}

/* Each object of the list, where it is one. */
static bool read_each(struct reading *rd, unsigned choice,
                      const struct json *list,
                      bool (*read)(struct reading *rd, unsigned choice,
                                   const struct json *v))
{
    struct json_iter it = json_begin(list);
    struct json one;

    while (list->type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (one.type == JSON_OBJECT && !read(rd, choice, &one))
            return false;
    }
    return true;
}

static bool read_annotation(struct reading *rd, unsigned choice,
                            const struct json *v)
{
    return rd->feed->at[choice].part != PART_TEXT ||
           feed_raw(rd->feed, choice, v->raw);
}

/* ---- pictures: message.images, as OpenRouter gives them ---- */

static bool read_image(struct reading *rd, unsigned choice,
                       const struct json *v)
{
    struct json at = json_get(v, "image_url"), url = json_get(&at, "url");
    struct chunk open = {.choice = choice, .part = PART_IMAGE};
    struct span s, head;

    if (url.type != JSON_STRING)
        return true;
    if (!json_text(&url, rd->a, &s))
        return false;
    if (!span_starts(s, "data:"))
        return true;
    s.ptr += 5;
    s.len -= 5;
    head = span_cut(&s, ',');
    open.media = span_cut(&head, ';');
    return flush_of(rd, choice) && feed_open(rd->feed, open) &&
           feed_more(rd->feed, choice, (struct text){s, false}) &&
           feed_close(rd->feed, choice, SPAN(""));
}

/* ---- a message or delta ---- */

struct delta {
    struct json content, reasoning_content, reasoning, details, refusal, calls,
        call, annotations, images;
};

static struct delta message_of(const struct json *v)
{
    static const struct {
        const char *name;
        size_t at;
    } rows[] = {
        {"content", offsetof(struct delta, content)},
        {"reasoning_content", offsetof(struct delta, reasoning_content)},
        {"reasoning", offsetof(struct delta, reasoning)},
        {"reasoning_details", offsetof(struct delta, details)},
        {"refusal", offsetof(struct delta, refusal)},
        {"tool_calls", offsetof(struct delta, calls)},
        {"function_call", offsetof(struct delta, call)},
        {"annotations", offsetof(struct delta, annotations)},
        {"images", offsetof(struct delta, images)},
    };
    struct json_iter it = json_begin(v);
    struct json key, value;
    struct delta m;

    memset(&m, 0, sizeof m);
    while (json_next(&it, &key, &value)) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            if (json_is(&key, rows[i].name))
                memcpy((char *)&m + rows[i].at, &value, sizeof value);
        }
    }
    return m;
}

static bool read_reasoning(struct reading *rd, unsigned choice,
                           const struct delta *m)
{
    if (m->details.type == JSON_ARRAY && json_count(&m->details))
        return read_each(rd, choice, &m->details, read_detail);
    if (m->reasoning_content.type == JSON_STRING)
        return take_text(rd, choice, PART_THINKING, &m->reasoning_content);
    return take_text(rd, choice, PART_THINKING, &m->reasoning);
}

/* The call of the API before tools: without id. */
static bool read_old_call(struct reading *rd, unsigned choice,
                          const struct json *v)
{
    struct json arguments = json_get(v, "arguments");
    struct call_delta d = {.index = 0, .arguments = arguments_of(&arguments)};

    return v->type != JSON_OBJECT ||
           (name_of(v, "name", rd->a, &d.name) && take_call(rd, choice, &d));
}

static bool read_message(struct reading *rd, unsigned choice,
                         const struct json *v)
{
    struct delta m = message_of(v);

    return read_reasoning(rd, choice, &m) &&
           read_content(rd, choice, &m.content) &&
           read_each(rd, choice, &m.annotations, read_annotation) &&
           take_text(rd, choice, PART_REFUSAL, &m.refusal) &&
           read_each(rd, choice, &m.images, read_image) &&
           read_calls(rd, choice, &m.calls) &&
           read_old_call(rd, choice, &m.call);
}

/* ---- choices ---- */

static bool read_finish(struct reading *rd, unsigned choice,
                        const struct json *v)
{
    struct json finish = json_get(v, "finish_reason");
    struct span name;

    if (finish.type != JSON_STRING || json_inner(&finish).len == 0) {
        if (rd->whole)
            feed_finish(rd->feed, choice, FINISH_STOP, SPAN(""));
        return true;
    }
    if (!json_text(&finish, rd->a, &name))
        return false;
    if (span_is(name, "error"))
        return feed_error(rd->feed, 502, SPAN("error"),
                          SPAN("the provider ended with an error"));
    if (!flush_of(rd, choice) || !feed_close(rd->feed, choice, SPAN("")))
        return false;
    feed_finish(rd->feed, choice, chat_finish(name), name);
    return true;
}

static bool read_logprobs(struct reading *rd, unsigned choice,
                          const struct json *v)
{
    struct json probs = json_get(v, "logprobs");

    return logprobs_feed(rd->feed, choice, &probs, rd->a);
}

static bool read_choice(struct reading *rd, const struct json *v,
                        int64_t position)
{
    struct json index = json_get(v, "index"), m;
    int64_t i;

    if (!json_i64(&index, &i) || i < 0 || rd->whole)
        i = position;
    if (i >= GATHER_CHOICES_MAX)
        return true;
    if (rd->feed->at[i].finish != FINISH_NONE) /* said again: OpenRouter */
        return true;
    m = json_get(v, rd->whole ? "message" : "delta");
    return (m.type != JSON_OBJECT || read_message(rd, (unsigned)i, &m)) &&
           read_logprobs(rd, (unsigned)i, v) && read_finish(rd, (unsigned)i, v);
}

static bool read_choices(struct reading *rd, const struct json *list)
{
    struct json_iter it = json_begin(list);
    struct json one;

    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        if (one.type == JSON_OBJECT && !read_choice(rd, &one, i))
            return false;
    }
    return true;
}

static bool start(struct reading *rd, const struct json *top)
{
    struct json created = json_get(top, "created");
    struct span id, model;
    int64_t when;

    if (!json_i64(&created, &when) || when < 0)
        when = 0;
    return name_of(top, "id", rd->a, &id) &&
           name_of(top, "model", rd->a, &model) &&
           feed_start(rd->feed, id, model, when);
}

/* The whole answer, or one event. */
static bool read_top(struct reading *rd, int status, const struct json *top)
{
    struct json choices = json_get(top, "choices");
    struct json error = json_get(top, "error");

    if (error.type != JSON_NONE && error.type != JSON_NULL)
        return feed_error_body(rd->feed, status, top, rd->a);
    if (openai_usage_in(top, &rd->feed->usage))
        rd->feed->has_usage =
            rd->feed->usage.input > 0 || rd->feed->usage.output > 0;
    if (choices.type != JSON_ARRAY || json_count(&choices) == 0)
        return true; /* usage, or a first event of Azure's */
    return start(rd, top) && read_choices(rd, &choices);
}

static bool check(bool ok, struct feed *f, struct err *e)
{
    f->sink = NULL;
    return ok || no_memory(e);
}

static bool no_json(struct feed *f)
{
    return feed_error(f, 502, SPAN("invalid_response"),
                      SPAN("what the provider sent is no JSON object"));
}

bool chat_answer_read(struct span body, int status, struct arena *a,
                      struct chunk_sink *sink, struct err *e)
{
    struct chat_reader *s = arena_zalloc(a, 1, sizeof *s);
    struct reading rd = {s, s ? &s->feed : NULL, a, true};
    struct json top, choices;

    if (!s)
        return no_memory(e);
    s->feed.sink = sink;
    if (!json_parse(body, &top, e) || top.type != JSON_OBJECT)
        return check(no_json(&s->feed), &s->feed, e);
    choices = json_get(&top, "choices");
    if (status >= 400 || choices.type != JSON_ARRAY)
        return check(feed_error_body(&s->feed, status, &top, a), &s->feed, e);
    return check(read_top(&rd, status, &top) && flush_pending(&rd) &&
                     feed_end(&s->feed),
                 &s->feed, e);
}

bool chat_stream_read(void *state, const struct framed *got, struct arena *a,
                      struct chunk_sink *sink, struct err *e)
{
    struct chat_reader *s = state;
    struct reading rd = {s, &s->feed, a, false};
    struct span text = span_trim(got->data);
    struct json top;

    s->feed.sink = sink;
    if (s->feed.failed || s->feed.ended || text.len == 0)
        return true;
    if (span_is(text, "[DONE]"))
        return check(flush_pending(&rd) && feed_end(&s->feed), &s->feed, e);
    if (!json_parse(text, &top, e) || top.type != JSON_OBJECT)
        return check(no_json(&s->feed), &s->feed, e);
    if (span_is(got->name, "error"))
        return check(feed_error_body(&s->feed, 200, &top, a), &s->feed, e);
    return check(read_top(&rd, 200, &top), &s->feed, e);
}

bool chat_stream_end(void *state, struct chunk_sink *sink, struct err *e)
{
    struct chat_reader *s = state;
    struct reading rd = {s, &s->feed, NULL, false};

    s->feed.sink = sink;
    return check(flush_pending(&rd) && feed_end(&s->feed), &s->feed, e);
}
