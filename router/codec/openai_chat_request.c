/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request for a provider of chat completions.  One that came in this
 * dialect is copied member by member, but for what the provider's quirks
 * change; any other is put together.
 */
#include "router/codec/carry.h"
#include "router/codec/effort.h"
#include "router/codec/openai_chat.h"
#include "router/codec/put.h"
#include "router/codec/quirks.h"
#include "router/codec/state.h"

#include <math.h>
#include <string.h>

struct writing {
    const struct request *r;
    const struct target *t;
    uint32_t bits, rules;
    struct losses *l;
    struct buf *out;
    bool limit_done, stream_done, options_done;
};

/* Whether the provider takes the member; what it refuses is lost. */
static bool takes(struct writing *w, const char *member)
{
    if (!quirks_refuse(w->t->quirks, span_of(member)))
        return true;
    lossy_add(w->l, LOSSY_PARAMETER, "%s", member);
    return false;
}

static bool wants_usage(const struct writing *w)
{
    return w->t->stream && w->t->ask_usage &&
           !(w->bits & QUIRK_NO_STREAM_OPTIONS);
}

/* ---- the same dialect: member by member ---- */

static bool foreign_id(const struct part *p)
{
    return p->kind == PART_TOOL_CALL || p->kind == PART_TOOL_RESULT;
}

/* Whether the provider would refuse the message as it stands. */
static bool must_change(const struct writing *w, const struct message *m)
{
    struct json v = {JSON_OBJECT, false, m->raw}, role;
    bool ids = w->bits & QUIRK_ID_9;

    for (size_t i = 0; ids && i < m->n_parts; i++) {
        if (foreign_id(&m->parts[i]) && m->parts[i].id.len != 9)
            return true;
    }
    for (size_t i = 0; w->bits & QUIRK_IMAGE_DATA && i < m->n_parts; i++) {
        const struct part *p = &m->parts[i];

        if (p->kind == PART_IMAGE &&
            ((p->url.len && !span_starts(p->url, "data:")) ||
             !chat_image_fits(p, w->bits)))
            return true;
    }
    if (w->bits & QUIRK_NO_NAME && m->name.len)
        return true;
    if (!(w->bits & QUIRK_NO_DEVELOPER) || m->role != ROLE_SYSTEM)
        return false;
    role = json_get(&v, "role");
    return json_is(&role, "developer");
}

static void copy_messages(struct writing *w, struct span raw)
{
    bool change = false;

    for (size_t i = 0; i < w->r->n_messages; i++)
        change = change || must_change(w, &w->r->messages[i]);
    if (!change) {
        put_raw(w->out, "messages", raw);
        return;
    }
    put_list(w->out, "messages");
    for (size_t i = 0; i < w->r->n_messages; i++) {
        const struct message *m = &w->r->messages[i];

        if (must_change(w, m)) {
            chat_message_write(w->r, i, w->t, w->l, w->out);
            continue;
        }
        put_comma(w->out);
        buf_span(w->out, m->raw);
    }
    buf_char(w->out, ']');
}

static void copy_limit(struct writing *w, const char *as, struct span raw)
{
    if (w->limit_done)
        return;
    if (w->bits & QUIRK_MAX_TOKENS)
        as = "max_tokens";
    else if (w->rules & RULE_NEW_LIMIT)
        as = "max_completion_tokens";
    put_raw(w->out, as, raw);
    w->limit_done = true;
}

/* {"include_usage": true} beside what else was asked for. */
static void copy_options(struct writing *w, const struct json *v)
{
    struct json_iter it = json_begin(v);
    struct json key, value;

    if (w->bits & QUIRK_NO_STREAM_OPTIONS)
        return;
    if (!wants_usage(w) || w->r->params.stream_usage) {
        put_raw(w->out, "stream_options", v->raw);
        return;
    }
    put_open(w->out, "stream_options");
    put_bool(w->out, "include_usage", true);
    while (json_next(&it, &key, &value)) {
        if (json_is(&key, "include_usage"))
            continue;
        put_comma(w->out);
        buf_span(w->out, key.raw);
        buf_char(w->out, ':');
        buf_span(w->out, value.raw);
    }
    buf_char(w->out, '}');
}

/* What a rule refuses but for one value; none: any value. */
static const struct refusal {
    uint32_t rule;
    const char *name, *harmless;
} refusals[] = {
    {RULE_NO_SAMPLING, "temperature", "1"},
    {RULE_NO_SAMPLING, "top_p", "1"},
    {RULE_NO_SAMPLING | RULE_NO_PENALTIES, "frequency_penalty", "0"},
    {RULE_NO_SAMPLING | RULE_NO_PENALTIES, "presence_penalty", "0"},
    {RULE_NO_PENALTIES, "stop", NULL},
    {RULE_ONE_ANSWER, "n", "1"},
};

static const struct refusal *refusal_of(const struct writing *w,
                                        struct span name)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (w->rules & refusals[i].rule && span_is(name, refusals[i].name))
            return &refusals[i];
    }
    return NULL;
}

static bool refuses_value(const struct writing *w, const struct json *key,
                          const struct json *v)
{
    const struct refusal *r = refusal_of(w, json_inner(key));

    if (!r || v->type == JSON_NULL)
        return false;
    return !r->harmless ||
           (v->type == JSON_NUMBER && !span_is(v->raw, r->harmless));
}

static void copy_plain(struct writing *w, const struct json *key,
                       const struct json *v)
{
    if (refuses_value(w, key, v)) {
        lossy_add(w->l, LOSSY_PARAMETER, "%.*s", SPAN_ARGS(json_inner(key)));
        return;
    }
    if (quirks_refuse(w->t->quirks, json_inner(key))) {
        lossy_add(w->l, LOSSY_PARAMETER, "%.*s", SPAN_ARGS(json_inner(key)));
        return;
    }
    if (w->bits & QUIRK_RANDOM_SEED && json_is(key, "seed")) {
        put_raw(w->out, "random_seed", v->raw);
        return;
    }
    put_comma(w->out);
    buf_span(w->out, key->raw);
    buf_char(w->out, ':');
    buf_span(w->out, v->raw);
}

static void copy_member(struct writing *w, const struct json *key,
                        const struct json *v)
{
    if (json_is(key, "model")) {
        put_str(w->out, "model", w->t->model);
    } else if (json_is(key, "messages")) {
        copy_messages(w, v->raw);
    } else if (json_is(key, "stream")) {
        put_bool(w->out, "stream", w->t->stream);
        w->stream_done = true;
    } else if (json_is(key, "stream_options")) {
        copy_options(w, v);
        w->options_done = true;
    } else if (json_is(key, "max_completion_tokens")) {
        copy_limit(w, "max_completion_tokens", v->raw);
    } else if (json_is(key, "max_tokens")) {
        struct json top = {JSON_OBJECT, false, span_trim(w->r->body)};
        struct json newer = json_get(&top, "max_completion_tokens");

        if (newer.type == JSON_NONE)
            copy_limit(w, "max_tokens", v->raw);
        else if (!(w->bits & QUIRK_MAX_TOKENS) && !(w->rules & RULE_NEW_LIMIT))
            put_raw(w->out, "max_tokens", v->raw);
    } else {
        copy_plain(w, key, v);
    }
}

static void copy_body(struct writing *w)
{
    struct json top = {JSON_OBJECT, false, span_trim(w->r->body)};
    struct json_iter it = json_begin(&top);
    struct json key, v;

    while (json_next(&it, &key, &v))
        copy_member(w, &key, &v);
    if (!w->stream_done && w->t->stream)
        put_bool(w->out, "stream", true);
    if (!w->options_done && wants_usage(w))
        put_raw(w->out, "stream_options", SPAN("{\"include_usage\":true}"));
}

static bool is_copied(const struct writing *w, const struct json *key,
                      const struct json *v)
{
    bool home = w->bits & QUIRK_OPENAI_RULES; /* the dialect's own house */

    if (json_is(key, "max_completion_tokens"))
        return !(w->bits & QUIRK_MAX_TOKENS);
    if (json_is(key, "max_tokens"))
        return !(w->rules & RULE_NEW_LIMIT);
    if (json_is(key, "stream_options"))
        return !(w->bits & QUIRK_NO_STREAM_OPTIONS);
    if (json_is(key, "seed") && w->bits & QUIRK_RANDOM_SEED)
        return false;
    return (home || !quirks_refuse(w->t->quirks, json_inner(key))) &&
           !refuses_value(w, key, v);
}

bool chat_request_fits(const struct request *r, const struct target *t)
{
    const struct writing w = {.r = r,
                              .t = t,
                              .bits = t->quirks ? t->quirks->bits : 0,
                              .rules = quirks_of_model(t->quirks, t->model)};
    struct json top = {JSON_OBJECT, false, span_trim(r->body)}, key, v;
    struct json_iter it = json_begin(&top);

    if (!t->quirks || !t->quirks->known)
        return true;
    while (json_next(&it, &key, &v)) {
        if (!is_copied(&w, &key, &v))
            return false;
    }
    for (size_t i = 0; i < r->n_messages; i++) {
        if (must_change(&w, &r->messages[i]))
            return false;
    }
    return true;
}

/* ---- from another dialect ---- */

static void put_tool(struct writing *w, const struct tool *t, size_t i)
{
    if (t->builtin) {
        lossy_add(w->l, LOSSY_BUILTIN_TOOL, "tools[%zu]", i);
        return;
    }
    put_comma(w->out);
    buf_str(w->out, "{\"type\":\"function\",\"function\":{");
    put_str(w->out, "name", t->name);
    if (t->description.raw.len)
        put_text(w->out, "description", t->description);
    if (t->schema.len)
        put_raw(w->out, "parameters", t->schema);
    if (t->strict && !(w->bits & QUIRK_NO_STRICT))
        put_bool(w->out, "strict", true);
    else if (t->strict)
        lossy_add(w->l, LOSSY_PARAMETER, "tools[%zu].strict", i);
    buf_char(w->out, '}');
    if (t->cache.len && w->bits & QUIRK_CACHE_CONTROL)
        put_raw(w->out, "cache_control", t->cache);
    else if (t->cache.len)
        lossy_add(w->l, LOSSY_CACHE_CONTROL, "tools[%zu]", i);
    buf_char(w->out, '}');
}

static void put_choice(struct writing *w)
{
    static const char *const words[] = {
        [CHOICE_NONE] = "none",
        [CHOICE_REQUIRED] = "required",
    };
    const struct params *p = &w->r->params;

    if (p->tool_choice == CHOICE_AUTO || !takes(w, "tool_choice"))
        return;
    if (p->tool_choice != CHOICE_NAMED) {
        put_cstr(w->out, "tool_choice", words[p->tool_choice]);
        return;
    }
    put_open(w->out, "tool_choice");
    put_cstr(w->out, "type", "function");
    put_open(w->out, "function");
    put_str(w->out, "name", p->tool_name);
    buf_str(w->out, "}}");
}

static void put_tools(struct writing *w)
{
    size_t own = 0;

    for (size_t i = 0; i < w->r->n_tools; i++)
        own += !w->r->tools[i].builtin;
    if (own && takes(w, "tools")) {
        put_list(w->out, "tools");
        for (size_t i = 0; i < w->r->n_tools; i++)
            put_tool(w, &w->r->tools[i], i);
        buf_char(w->out, ']');
        put_choice(w);
        if (w->r->params.parallel_tool_calls >= 0 &&
            takes(w, "parallel_tool_calls"))
            put_bool(w->out, "parallel_tool_calls",
                     w->r->params.parallel_tool_calls);
        return;
    }
    for (size_t i = 0; i < w->r->n_tools; i++) {
        if (w->r->tools[i].builtin)
            lossy_add(w->l, LOSSY_BUILTIN_TOOL, "tools[%zu]", i);
    }
}

static void put_format(struct writing *w)
{
    const struct params *p = &w->r->params;
    bool schema = p->format == FORMAT_JSON_SCHEMA;

    if (p->format == FORMAT_TEXT)
        return;
    if (schema && w->bits & QUIRK_NO_SCHEMA) {
        lossy_add(w->l, LOSSY_SCHEMA, "response_format");
        schema = false;
    }
    put_open(w->out, "response_format");
    if (!schema) {
        put_cstr(w->out, "type", "json_object");
        buf_char(w->out, '}');
        return;
    }
    put_cstr(w->out, "type", "json_schema");
    put_open(w->out, "json_schema");
    put_str(w->out, "name",
            p->schema_name.len ? p->schema_name : SPAN("response"));
    if (p->schema_strict >= 0)
        put_bool(w->out, "strict", p->schema_strict);
    if (p->schema.len)
        put_raw(w->out, "schema", p->schema);
    buf_str(w->out, "}}");
}

static void put_number(struct writing *w, const char *name, double v,
                       double usual)
{
    const struct refusal *r = refusal_of(w, span_of(name));

    if (isnan(v) || (r && v < usual + 1e-9 && v > usual - 1e-9))
        return;
    if (r)
        lossy_add(w->l, LOSSY_PARAMETER, "%s", name);
    else if (takes(w, name))
        put_num(w->out, name, v);
}

static void put_sampling(struct writing *w)
{
    const struct params *p = &w->r->params;

    put_number(w, "temperature", p->temperature, 1);
    put_number(w, "top_p", p->top_p, 1);
    put_number(w, "frequency_penalty", p->frequency_penalty, 0);
    put_number(w, "presence_penalty", p->presence_penalty, 0);
    if (p->top_k >= 0) {
        if (w->bits & QUIRK_TOP_K)
            put_int(w->out, "top_k", p->top_k);
        else
            lossy_add(w->l, LOSSY_PARAMETER, "top_k");
    }
    if (p->seed != INT64_MIN && takes(w, "seed"))
        put_int(w->out, w->bits & QUIRK_RANDOM_SEED ? "random_seed" : "seed",
                p->seed);
    if (p->n > 1 && refusal_of(w, SPAN("n")))
        lossy_add(w->l, LOSSY_N, "%lld", (long long)p->n);
    else if (p->n > 1 && takes(w, "n"))
        put_int(w->out, "n", p->n);
    if (p->logprobs && takes(w, "logprobs")) {
        put_bool(w->out, "logprobs", true);
        if (p->top_logprobs >= 0)
            put_int(w->out, "top_logprobs", p->top_logprobs);
    }
}

static void put_limits(struct writing *w)
{
    const struct params *p = &w->r->params;
    struct json stop = {p->stop.len && p->stop.ptr[0] == '[' ? JSON_ARRAY
                                                             : JSON_STRING,
                        false, p->stop};
    struct json_iter it = json_begin(&stop);
    struct json one;

    if (p->max_tokens >= 0)
        put_int(w->out,
                w->bits & QUIRK_MAX_TOKENS ? "max_tokens"
                                           : "max_completion_tokens",
                p->max_tokens);
    if (!p->stop.len || span_is(p->stop, "null") || !takes(w, "stop"))
        return;
    if (refusal_of(w, SPAN("stop"))) {
        lossy_add(w->l, LOSSY_STOP, "stop");
        return;
    }
    if (stop.type == JSON_STRING || json_count(&stop) <= 4) {
        put_raw(w->out, "stop", p->stop);
        return;
    }
    put_list(w->out, "stop"); /* four at the most */
    for (unsigned i = 0; i < 4 && json_next(&it, NULL, &one); i++) {
        put_comma(w->out);
        buf_span(w->out, one.raw);
    }
    buf_char(w->out, ']');
    lossy_add(w->l, LOSSY_STOP, "stop");
}

static void put_rest(struct writing *w)
{
    static const char *const tiers[] = {"auto", "default", "flex", "priority",
                                        "scale"};
    const struct params *p = &w->r->params;
    bool known = false;

    for (size_t i = 0; i < sizeof tiers / sizeof tiers[0]; i++)
        known = known || span_is(p->service_tier, tiers[i]);
    if (p->service_tier.len && !known)
        lossy_add(w->l, LOSSY_PARAMETER, "service_tier");
    else if (p->service_tier.len && takes(w, "service_tier"))
        put_str(w->out, "service_tier", p->service_tier);
    if (p->user.len && takes(w, "user"))
        put_str(w->out, "user", p->user);
    if (p->metadata.len) /* OpenAI takes it with store only */
        lossy_add(w->l, LOSSY_PARAMETER, "metadata");
    for (size_t i = 0; i < w->r->n_extras; i++) {
        const struct extra *x = &w->r->extras[i];

        if (!extra_is_shared(x->name) || quirks_refuse(w->t->quirks, x->name)) {
            lossy_add(w->l, LOSSY_PARAMETER, "%.*s", SPAN_ARGS(x->name));
            continue;
        }
        put_comma(w->out);
        buf_json_str(w->out, x->name);
        buf_char(w->out, ':');
        buf_span(w->out, x->value);
    }
}

static void put_body(struct writing *w)
{
    put_str(w->out, "model", w->t->model);
    put_list(w->out, "messages");
    for (size_t i = 0; i < w->r->n_messages; i++)
        chat_message_write(w->r, i, w->t, w->l, w->out);
    buf_char(w->out, ']');
    put_tools(w);
    put_limits(w);
    put_sampling(w);
    put_format(w);
    effort_write(&w->r->params, w->t, w->l, w->out);
    put_rest(w);
    if (w->t->stream)
        put_bool(w->out, "stream", true);
    if (wants_usage(w))
        put_raw(w->out, "stream_options", SPAN("{\"include_usage\":true}"));
}

bool chat_request_write(const struct request *r, const struct target *t,
                        struct losses *l, struct buf *out, struct err *e)
{
    struct writing w = {
        .r = r,
        .t = t,
        .bits = t->quirks ? t->quirks->bits : 0,
        .rules = quirks_of_model(t->quirks, t->model),
        .l = l,
        .out = out,
    };

    buf_char(out, '{');
    if (t->same_dialect && r->body.len)
        copy_body(&w);
    else if (!state_portable(r, e))
        return false;
    else
        put_body(&w);
    if (!t->same_dialect)
        carry_no_signatures(r, l);
    buf_char(out, '}');
    return !out->failed ||
           err_set(e, ERR_MEMORY, "request too large to pass on");
}
