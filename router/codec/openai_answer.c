/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an OpenAI chat answer says about itself: usage, finish reason, text.
 * Bytes are only looked at; the client gets them as they came.
 */
#include "router/codec/openai.h"

#include <string.h>

enum { CHOICE_MAX = 1024 };

/*
 * Every object is walked once: a walk costs a scan of all that stands in it,
 * and answers are long.
 */

/* Tokens are counts: what is no count, or absurd, is not said. */
static int64_t count_of(const struct json *v)
{
    int64_t n;

    if (!json_i64(v, &n) || n < 0 || n > INT32_MAX)
        return 0;
    return n;
}

static int64_t at_most(int64_t n, int64_t max)
{
    return n < max ? n : max;
}

/* Counts of a usage object, in the order of usage_keys; the details stand
 * one level below. */
enum count {
    COUNT_PROMPT,
    COUNT_COMPLETION,
    COUNT_TOTAL,
    COUNT_CACHE_HIT,
    COUNT_CACHED,
    COUNT_WRITTEN,
    COUNT_REASONING,
    COUNTS,
};

static const char *const usage_keys[COUNTS] = {
    [COUNT_PROMPT] = "prompt_tokens",
    [COUNT_COMPLETION] = "completion_tokens",
    [COUNT_TOTAL] = "total_tokens",
    [COUNT_CACHE_HIT] = "prompt_cache_hit_tokens",
    [COUNT_CACHED] = "cached_tokens",
    [COUNT_WRITTEN] = "cache_write_tokens",
    [COUNT_REASONING] = "reasoning_tokens",
};

/*
 * The bill in USD: OpenRouter's `cost`, with what the own key's provider
 * charges beside it; Perplexity's `cost.total_cost`; xAI's ticks of a ten
 * thousand millionth USD.  Sources: openrouter.ai/docs, usage accounting;
 * docs.perplexity.ai, chat completions; docs.x.ai, chat completions.
 */
void openai_bill(const struct json *v, struct usage *u)
{
    struct json cost = json_get(v, "cost");
    struct json ticks = json_get(v, "cost_in_usd_ticks");
    struct json byok = json_get(v, "is_byok");
    struct json details = json_get(v, "cost_details");
    struct json upstream = json_get(&details, "upstream_inference_cost");
    int64_t more = 0, n;

    if (cost.type == JSON_OBJECT)
        cost = json_get(&cost, "total_cost");
    if (cost.type == JSON_NUMBER) {
        u->told = usd_parse(cost.raw, &u->told_pico);
        if (u->told && json_true(&byok) && upstream.type == JSON_NUMBER &&
            usd_parse(upstream.raw, &more))
            u->told_pico += more;
    } else if (json_i64(&ticks, &n) && n >= 0 && n < INT64_MAX / 100) {
        u->told = true;
        u->told_pico = n * 100;
    }
}

static void read_counts(const struct json *v, unsigned depth,
                        int64_t counts[COUNTS])
{
    unsigned from = depth ? COUNT_CACHED : 0;
    unsigned to = depth ? COUNTS : COUNT_CACHED;
    struct json_iter it = json_begin(v);
    struct json key, value;

    while (json_next(&it, &key, &value)) {
        if (value.type == JSON_OBJECT && depth == 0)
            read_counts(&value, 1, counts);
        for (unsigned i = from; value.type == JSON_NUMBER && i < to; i++) {
            if (json_is(&key, usage_keys[i]))
                counts[i] = count_of(&value);
        }
    }
}

/*
 * prompt_tokens holds the cached and written ones, completion_tokens the
 * reasoning.  Deviations: DeepSeek names cached tokens at the top level;
 * xAI and Gemini's compatible API leave reasoning out of completion_tokens
 * but not out of total_tokens.
 */
void openai_usage(const struct json *v, struct usage *out)
{
    int64_t n[COUNTS] = {0};
    struct usage u = {0};

    read_counts(v, 0, n);
    u.input = n[COUNT_PROMPT];
    u.output = n[COUNT_COMPLETION];
    u.reasoning = n[COUNT_REASONING];
    u.cached = n[COUNT_CACHED] ? n[COUNT_CACHED] : n[COUNT_CACHE_HIT];
    if (u.reasoning > 0 && n[COUNT_TOTAL] == u.input + u.output + u.reasoning)
        u.output += u.reasoning;
    u.cached = at_most(u.cached, u.input);
    u.cache_write = at_most(n[COUNT_WRITTEN], u.input - u.cached);
    u.reasoning = at_most(u.reasoning, u.output);
    openai_bill(v, &u);
    *out = u;
}

bool openai_usage_in(const struct json *top, struct usage *out)
{
    struct json usage = json_get(top, "usage");
    struct json tier = json_get(top, "service_tier");

    if (usage.type != JSON_OBJECT)
        return false;
    openai_usage(&usage, out);
    out->service = service_of(json_inner(&tier));
    return true;
}

static void read_usage(const struct json *v, struct answer *out)
{
    openai_usage(v, &out->usage);
    out->has_usage = out->usage.input > 0 || out->usage.output > 0;
}

static void keep_text(const struct json *str, bool first, struct answer *out)
{
    struct span inner = json_inner(str);
    char *room;

    out->text_bytes += inner.len;
    if (!first || !out->text)
        return;
    room = buf_room(out->text, inner.len);
    if (room) {
        out->text->len += json_unescape(inner, room, inner.len);
        room[out->text->len - (size_t)(room - out->text->ptr)] = '\0';
    }
}

/* Content that is a list of parts: {"type":"text","text":...}. */
static void read_parts(const struct json *list, bool first, struct answer *out)
{
    struct json_iter it = json_begin(list);
    struct json part;

    while (json_next(&it, NULL, &part)) {
        struct json text = json_get(&part, "text");

        if (text.type == JSON_STRING)
            keep_text(&text, first, out);
    }
}

static void read_content(const struct json *v, bool first, struct answer *out)
{
    if (v->type == JSON_STRING)
        keep_text(v, first, out);
    else if (v->type == JSON_ARRAY)
        read_parts(v, first, out);
}

static void read_calls(const struct json *calls, struct answer *out)
{
    struct json_iter it = json_begin(calls);
    struct json call;

    while (json_next(&it, NULL, &call)) {
        struct json f = json_get(&call, "function");
        struct json arguments = json_get(&f, "arguments");
        struct json name = json_get(&f, "name");

        out->tool_calls += name.type == JSON_STRING;
        out->text_bytes += name.raw.len + arguments.raw.len;
    }
}

/* A choice's `message` or `delta`. */
static void read_message(const struct json *m, bool first, struct answer *out)
{
    struct json_iter it = json_begin(m);
    struct json key, value;

    if (m->type != JSON_OBJECT)
        return;
    while (json_next(&it, &key, &value)) {
        if (json_is(&key, "content"))
            read_content(&value, first, out);
        else if (json_is(&key, "tool_calls"))
            read_calls(&value, out);
        else if (value.type == JSON_STRING &&
                 (json_is(&key, "reasoning_content") ||
                  json_is(&key, "reasoning") || json_is(&key, "refusal")))
            out->text_bytes += json_inner(&value).len;
    }
}

static void read_choice(const struct json *choice, uint32_t position,
                        struct answer *out)
{
    struct json_iter it = json_begin(choice);
    struct json key, value, message = {0};
    int64_t i = position;

    if (choice->type != JSON_OBJECT)
        return;
    while (json_next(&it, &key, &value)) {
        if (json_is(&key, "message") || json_is(&key, "delta"))
            message = value;
        else if (json_is(&key, "index") && !json_i64(&value, &i))
            i = position;
        else if (json_is(&key, "finish_reason") && value.type == JSON_STRING &&
                 json_inner(&value).len > 0)
            span_copy(out->finish, sizeof out->finish, json_inner(&value));
    }
    if (i < 0 || i > CHOICE_MAX)
        i = position < CHOICE_MAX ? position : CHOICE_MAX;
    if (i >= out->choices)
        out->choices = (uint32_t)i + 1;
    read_message(&message, i == 0, out);
}

static void read_choices(const struct json *list, struct answer *out)
{
    struct json_iter it = json_begin(list);
    struct json choice;
    uint32_t position = 0;

    while (json_next(&it, NULL, &choice))
        read_choice(&choice, position++, out);
}

/* The error's type or else its code: short words for the log. */
static void read_error(const struct json *v, struct answer *out)
{
    struct json word = json_get(v, "type");

    if (word.type != JSON_STRING)
        word = json_get(v, "code");
    out->is_error = true;
    if (word.type == JSON_STRING)
        span_copy(out->error, sizeof out->error, json_inner(&word));
    else
        span_copy(out->error, sizeof out->error, SPAN("error"));
}

struct top {
    struct json choices, usage, error, tier;
};

static struct top read_top(const struct json *v)
{
    struct json_iter it = json_begin(v);
    struct json key, value;
    struct top t = {0};

    while (json_next(&it, &key, &value)) {
        if (json_is(&key, "choices"))
            t.choices = value;
        else if (json_is(&key, "usage"))
            t.usage = value;
        else if (json_is(&key, "error"))
            t.error = value;
        else if (json_is(&key, "service_tier"))
            t.tier = value;
    }
    return t;
}

static bool is_there(const struct json *v)
{
    return v->type != JSON_NONE && v->type != JSON_NULL;
}

static void read_body(const struct top *t, struct answer *out)
{
    if (is_there(&t->error))
        read_error(&t->error, out);
    if (t->usage.type == JSON_OBJECT) {
        read_usage(&t->usage, out);
        out->usage.service = service_of(json_inner(&t->tier));
    }
    if (t->choices.type == JSON_ARRAY)
        read_choices(&t->choices, out);
}

bool openai_read(struct span body, struct answer *out, struct err *e)
{
    struct json v;
    struct top t;

    if (!json_parse(body, &v, e))
        return false;
    if (v.type != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "wanted an object, found %s",
                       json_type_name(v.type));
    t = read_top(&v);
    if (t.choices.type != JSON_ARRAY && !is_there(&t.error))
        return err_set(e, ERR_INPUT, "wanted choices, found none");
    read_body(&t, out);
    return true;
}

enum event_view openai_event(struct span data, bool stripped,
                             struct answer *out)
{
    struct span text = span_trim(data);
    struct json v;
    struct top t;

    if (span_is(text, "[DONE]")) {
        out->done = true;
        return EVENT_LAST;
    }
    if (!json_parse(text, &v, NULL) || v.type != JSON_OBJECT)
        return EVENT_BAD;
    t = read_top(&v);
    read_body(&t, out);
    if (stripped && t.usage.type == JSON_OBJECT && !is_there(&t.error) &&
        t.choices.type == JSON_ARRAY && json_count(&t.choices) == 0)
        return EVENT_DROP;
    return EVENT_PASS;
}

bool openai_is_error(struct span body)
{
    struct json v, error;

    if (!json_parse(body, &v, NULL))
        return false;
    error = json_get(&v, "error");
    return is_there(&error);
}
