/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct request -> an Anthropic request.  From this dialect's own clients
 * the members go over as they were written, but for those that another model
 * does not take; from the others' they are made one by one.
 */
#include "router/codec/anthropic_parts.h"
#include "router/codec/carry.h"
#include "router/codec/ids.h"
#include "router/codec/put.h"

#include <math.h>
#include <string.h>

/* Where neither the client nor the registry knows better: what every model
 * on offer can write. */
enum { MAX_TOKENS_UNKNOWN = 32000 };

static void end(struct writing *w)
{
    buf_char(w->out, '}');
}

static bool has_cap(const struct writing *w, uint32_t cap)
{
    const struct model *m = w->t->of;

    return m && m->caps_known && (m->caps & cap);
}

static bool lacks_cap(const struct writing *w, uint32_t cap)
{
    const struct model *m = w->t->of;

    return m && m->caps_known && !(m->caps & cap);
}

/* ---- limits ---- */

static void decide_limit(struct writing *w)
{
    int64_t asked = w->r->params.max_tokens;
    int64_t most = w->t->of ? w->t->of->max_output : 0;

    w->max_tokens = asked > 0 ? asked : most > 0 ? most : MAX_TOKENS_UNKNOWN;
    if (most > 0 && w->max_tokens > most) {
        lossy_add(w->l, LOSSY_CLAMPED, "max_tokens");
        w->max_tokens = most;
    }
}

/* ---- tools ---- */

/* The root must say that it is an object. */
static void put_input_schema(struct writing *w, struct span schema)
{
    struct json v = {JSON_OBJECT, false, span_trim(schema)}, type;

    if (schema.len == 0) {
        buf_str(w->out, "{\"type\":\"object\",\"properties\":{}}");
        return;
    }
    type = json_get(&v, "type");
    if (type.type != JSON_NONE) {
        buf_span(w->out, schema);
        return;
    }
    buf_str(w->out, "{\"type\":\"object\"");
    if (json_count(&v))
        buf_char(w->out, ',');
    buf_span(w->out, (struct span){v.raw.ptr + 1, v.raw.len - 1});
}

static void put_function(struct writing *w, const struct tool *t)
{
    bool strict = t->strict && has_cap(w, CAN_SCHEMA) && t->schema.len;

    put_comma(w->out);
    buf_char(w->out, '{');
    put_key(w->out, "name");
    id_write(w->out, t->name);
    if (t->description.raw.len)
        put_text(w->out, "description", t->description);
    put_key(w->out, "input_schema");
    if (strict)
        anthropic_write_schema(t->schema, "tools", w->l, w->out);
    else
        put_input_schema(w, t->schema);
    if (strict)
        put_bool(w->out, "strict", true);
    else if (t->strict)
        lossy_add(w->l, LOSSY_PARAMETER, "tools.strict");
    if (t->cache.len)
        put_raw(w->out, "cache_control", t->cache);
    end(w);
}

/* The schema is the input of a tool that must be called. */
static void put_answer_tool(struct writing *w)
{
    const struct params *p = &w->r->params;
    struct json schema = {p->schema.len ? JSON_OBJECT : JSON_NONE, false,
                          span_trim(p->schema)};
    struct json type = json_get(&schema, "type");
    put_comma(w->out);
    buf_char(w->out, '{');
    put_cstr(w->out, "name", ANTHROPIC_ANSWER_TOOL);
    put_cstr(w->out, "description",
             "Gives the final answer to the user, in the form that was asked "
             "for.");
    put_key(w->out, "input_schema");
    if (p->schema.len && type.type != JSON_NONE && !json_is(&type, "object")) {
        lossy_add(w->l, LOSSY_SCHEMA, "response_format");
        buf_str(w->out, "{\"type\":\"object\",\"properties\":{\"value\":");
        buf_span(w->out, p->schema);
        buf_str(w->out, "},\"required\":[\"value\"]}");
    } else if (p->schema.len) {
        put_input_schema(w, p->schema);
    } else {
        buf_str(w->out, "{\"type\":\"object\"}");
    }
    end(w);
}

static void put_tools(struct writing *w)
{
    const struct request *r = w->r;
    bool any = false;

    for (size_t i = 0; i < r->n_tools; i++) {
        if (r->tools[i].builtin) {
            lossy_add(w->l, LOSSY_BUILTIN_TOOL, "tools[%zu]", i);
            continue;
        }
        if (!any)
            put_list(w->out, "tools");
        any = true;
        put_function(w, &r->tools[i]);
    }
    if (w->answer_tool) {
        if (!any)
            put_list(w->out, "tools");
        any = true;
        put_answer_tool(w);
    }
    if (any)
        buf_char(w->out, ']');
}

static const char *const choice_types[] = {
    [CHOICE_AUTO] = "auto",
    [CHOICE_NONE] = "none",
    [CHOICE_REQUIRED] = "any",
    [CHOICE_NAMED] = "tool",
};

static bool own_tools(const struct request *r)
{
    for (size_t i = 0; i < r->n_tools; i++) {
        if (!r->tools[i].builtin)
            return true;
    }
    return false;
}

static void put_choice(struct writing *w)
{
    const struct params *p = &w->r->params;
    bool own = own_tools(w->r), alone = p->parallel_tool_calls == 0;
    enum tool_choice choice = p->tool_choice;
    bool answer = w->answer_tool && (!own || choice == CHOICE_NONE);

    if (!own && !w->answer_tool)
        return;
    if (w->answer_tool && !answer && choice == CHOICE_AUTO)
        choice = CHOICE_REQUIRED; /* a tool of theirs, or the answer */
    if (choice == CHOICE_AUTO && !alone && !answer)
        return;
    put_open(w->out, "tool_choice");
    put_cstr(w->out, "type", answer ? "tool" : choice_types[choice]);
    if (answer)
        put_cstr(w->out, "name", ANTHROPIC_ANSWER_TOOL);
    if (!answer && choice == CHOICE_NAMED) {
        put_key(w->out, "name");
        id_write(w->out, p->tool_name);
    }
    if (alone && choice != CHOICE_NONE)
        put_bool(w->out, "disable_parallel_tool_use", true);
    end(w);
}

/* ---- sampling and stops ---- */

static void put_temperature(struct writing *w, double t)
{
    if (t > 1)
        lossy_add(w->l, LOSSY_CLAMPED, "temperature");
    put_num(w->out, "temperature", t > 1 ? 1 : t < 0 ? 0 : t);
}

static void lost_if(struct writing *w, bool said, const char *what)
{
    if (said)
        lossy_add(w->l, LOSSY_PARAMETER, "%s", what);
}

static void put_sampling(struct writing *w)
{
    const struct params *p = &w->r->params;
    bool warm = !isnan(p->temperature), top = !isnan(p->top_p);

    if (w->thinks || !(w->can & CLAUDE_SAMPLING) ||
        lacks_cap(w, CAN_SAMPLING)) {
        lost_if(w, warm && p->temperature != 1, "temperature");
        lost_if(w, top && p->top_p != 1, "top_p");
        lost_if(w, p->top_k > 0, "top_k");
        return;
    }
    if (warm)
        put_temperature(w, p->temperature);
    if (top && warm && (w->can & CLAUDE_ONE_OF))
        lost_if(w, p->top_p != 1, "top_p");
    else if (top)
        put_num(w->out, "top_p", p->top_p);
    if (p->top_k > 0)
        put_int(w->out, "top_k", p->top_k);
}

static bool blank(struct span inner)
{
    char text[64];
    size_t n = json_unescape(inner, text, sizeof text);

    return span_trim((struct span){text, n}).len == 0 && n < sizeof text;
}

static void put_stops(struct writing *w)
{
    struct span stop = span_trim(w->r->params.stop);
    bool list = stop.len && stop.ptr[0] == '[';
    struct json all = {list ? JSON_ARRAY : JSON_NONE, false, stop}, one = all;
    struct json_iter it = json_begin(&all);
    bool single = stop.len && stop.ptr[0] == '"', any = false, more;

    if (stop.len == 0)
        return;
    if (single)
        one = (struct json){JSON_STRING, true, stop};
    more = single || json_next(&it, NULL, &one);
    for (; more; more = !single && json_next(&it, NULL, &one)) {
        if (one.type != JSON_STRING || blank(json_inner(&one))) {
            lossy_add(w->l, LOSSY_STOP, "stop");
            continue;
        }
        if (!any)
            put_list(w->out, "stop_sequences");
        any = true;
        put_comma(w->out);
        buf_span(w->out, one.raw);
    }
    if (any)
        buf_char(w->out, ']');
}

/* ---- thinking and the form of the answer ---- */

static void put_thinking(struct writing *w)
{
    const struct params *p = &w->r->params;

    if (!w->thinks) {
        if (p->thinking_budget == 0 && (w->can & CLAUDE_BUDGET)) {
            put_open(w->out, "thinking");
            put_cstr(w->out, "type", "disabled");
            end(w);
        }
        return;
    }
    put_open(w->out, "thinking");
    put_cstr(w->out, "type", w->budget == -2 ? "adaptive" : "enabled");
    if (w->budget != -2)
        put_int(w->out, "budget_tokens", w->budget);
    if (p->show_thinking && w->budget == -2)
        put_cstr(w->out, "display", "summarized");
    end(w);
}

/* Native where the registry says so; a schema-less JSON mode has no native
 * form at all. */
static void decide_format(struct writing *w)
{
    const struct params *p = &w->r->params;

    w->answer_tool =
        p->format == FORMAT_JSON ||
        (p->format == FORMAT_JSON_SCHEMA && !has_cap(w, CAN_SCHEMA));
}

static void put_output(struct writing *w)
{
    const struct params *p = &w->r->params;
    bool native =
        p->format == FORMAT_JSON_SCHEMA && !w->answer_tool && p->schema.len;

    if (!w->effort && !native)
        return;
    put_open(w->out, "output_config");
    if (w->effort)
        put_cstr(w->out, "effort", w->effort);
    if (native) {
        put_open(w->out, "format");
        put_cstr(w->out, "type", "json_schema");
        put_key(w->out, "schema");
        if (w->t->same_dialect)
            buf_span(w->out, p->schema);
        else
            anthropic_write_schema(p->schema, "response_format", w->l, w->out);
        end(w);
    }
    end(w);
}

/* ---- the rest ---- */

static void put_user(struct writing *w)
{
    if (!w->r->params.user.len)
        return;
    put_open(w->out, "metadata");
    put_str(w->out, "user_id", w->r->params.user);
    end(w);
}

static void put_tier(struct writing *w)
{
    struct span tier = w->r->params.service_tier;

    if (span_is(tier, "auto") || span_is(tier, "priority"))
        put_cstr(w->out, "service_tier", "auto");
    else if (span_is(tier, "default"))
        put_cstr(w->out, "service_tier", "standard_only");
    else
        lost_if(w, tier.len > 0, "service_tier");
}

static void name_losses(struct writing *w)
{
    const struct params *p = &w->r->params;

    if (p->n > 1)
        lossy_add(w->l, LOSSY_N, "n");
    if (p->logprobs || p->top_logprobs > 0)
        lossy_add(w->l, LOSSY_LOGPROBS, "logprobs");
    lost_if(w, p->seed != INT64_MIN, "seed");
    lost_if(w, !isnan(p->frequency_penalty) && p->frequency_penalty != 0,
            "frequency_penalty");
    lost_if(w, !isnan(p->presence_penalty) && p->presence_penalty != 0,
            "presence_penalty");
    lost_if(w, p->metadata.len > 0, "metadata");
    for (size_t i = 0; i < w->r->n_extras; i++) {
        struct span name = w->r->extras[i].name;

        lossy_add(w->l, LOSSY_PARAMETER, "%.*s", SPAN_ARGS(name));
    }
}

static void put_model(struct writing *w)
{
    if (w->t->model.len) /* else it is in the path: Vertex */
        put_str(w->out, "model", w->t->model);
    else if (!w->t->same_dialect || !w->count)
        put_cstr(w->out, "anthropic_version", "vertex-2023-10-16");
}

static bool write_foreign(struct writing *w, struct err *e)
{
    put_model(w);
    if (!w->count)
        put_int(w->out, "max_tokens", w->max_tokens);
    if (!anthropic_write_messages(w, e))
        return false;
    put_tools(w);
    put_choice(w);
    put_thinking(w);
    put_output(w);
    if (w->count)
        return true;
    put_sampling(w);
    put_stops(w);
    put_user(w);
    put_tier(w);
    if (w->t->stream)
        put_bool(w->out, "stream", true);
    name_losses(w);
    return true;
}

/* ---- this dialect's own members ---- */

static void own_max_tokens(struct writing *w, const struct json *v)
{
    if (w->r->params.max_tokens > 0 && w->max_tokens != w->r->params.max_tokens)
        put_int(w->out, "max_tokens", w->max_tokens);
    else
        put_raw(w->out, "max_tokens", v->raw);
}

static void own_thinking(struct writing *w, const struct json *v)
{
    struct json type = json_get(v, "type");
    bool fits = json_is(&type, "adaptive")   ? w->can & CLAUDE_ADAPTIVE
                : json_is(&type, "enabled")  ? w->can & CLAUDE_BUDGET
                : json_is(&type, "disabled") ? w->can & CLAUDE_BUDGET
                                             : true;

    if (w->t->same_model || (fits && w->thinks && w->budget != 0 &&
                             w->budget == w->r->params.thinking_budget))
        put_raw(w->out, "thinking", v->raw);
    else
        put_thinking(w);
}

static void own_output(struct writing *w, const struct json *v)
{
    struct json effort = json_get(v, "effort");

    if (w->t->same_model || effort.type != JSON_STRING ||
        (w->effort && json_is(&effort, w->effort)))
        put_raw(w->out, "output_config", v->raw);
    else
        put_output(w);
}

static void own_sampling(struct writing *w, const struct json *v,
                         const char *name)
{
    if (w->t->same_model ||
        ((w->can & CLAUDE_SAMPLING) && !lacks_cap(w, CAN_SAMPLING)))
        put_raw(w->out, name, v->raw);
    else
        lossy_add(w->l, LOSSY_PARAMETER, "%s", name);
}

static void own_temperature(struct writing *w, const struct json *v)
{
    own_sampling(w, v, "temperature");
}

static void own_top_p(struct writing *w, const struct json *v)
{
    own_sampling(w, v, "top_p");
}

static void own_top_k(struct writing *w, const struct json *v)
{
    own_sampling(w, v, "top_k");
}

/* Written at its end, where the target wants it. */
static void own_nothing(struct writing *w, const struct json *v)
{
    (void)w;
    (void)v;
}

/* in_count: count_tokens takes it; members without a row go over. */
static const struct own_row {
    const char *name;
    void (*put)(struct writing *w, const struct json *v);
    bool in_count;
} own_rows[] = {
    {"model", own_nothing, true},
    {"system", own_nothing, true},
    {"messages", own_nothing, true},
    {"stream", own_nothing, false},
    {"max_tokens", own_max_tokens, false},
    {"thinking", own_thinking, true},
    {"output_config", own_output, true},
    {"temperature", own_temperature, false},
    {"top_p", own_top_p, false},
    {"top_k", own_top_k, false},
    {"stop_sequences", NULL, false},
    {"metadata", NULL, false},
    {"service_tier", NULL, false},
    {NULL, NULL, true},
};

static void write_member(struct writing *w, const struct json *key,
                         const struct json *v)
{
    const struct own_row *row = own_rows;

    while (row->name && !json_is(key, row->name))
        row++;
    if (w->count && !row->in_count)
        return;
    if (row->put) {
        row->put(w, v);
        return;
    }
    put_comma(w->out);
    buf_span(w->out, key->raw);
    buf_char(w->out, ':');
    buf_span(w->out, v->raw);
}

static bool write_own(struct writing *w, struct err *e)
{
    struct json top, key, v, version, stream;
    struct json_iter it;

    if (!json_parse(w->r->body, &top, e))
        return err_wrap(e, "request");
    version = json_get(&top, "anthropic_version");
    stream = json_get(&top, "stream");
    if (w->t->model.len || version.type == JSON_NONE)
        put_model(w);
    if (!anthropic_write_messages(w, e))
        return false;
    for (it = json_begin(&top); json_next(&it, &key, &v);)
        write_member(w, &key, &v);
    if (!w->count && (w->t->stream || stream.type != JSON_NONE))
        put_bool(w->out, "stream", w->t->stream);
    return true;
}

/* ---- both ---- */

static bool write_request(struct writing *w, struct err *e)
{
    bool ok;

    w->can =
        claude_can(w->t->model.len || !w->t->of ? w->t->model
                                                : span_of(w->t->of->upstream));
    decide_limit(w);
    if (!w->t->same_dialect)
        decide_format(w);
    anthropic_decide_thinking(w);
    buf_char(w->out, '{');
    ok = w->t->same_dialect ? write_own(w, e) : write_foreign(w, e);
    end(w);
    if (ok && w->out->failed)
        return err_set(e, ERR_MEMORY,
                       "request: wanted room for it, found too little");
    return ok;
}

bool anthropic_request_write(const struct request *r, const struct target *t,
                             struct losses *l, struct buf *out, struct err *e)
{
    struct writing w = {.r = r, .t = t, .l = l, .out = out};

    if (!t->same_dialect)
        carry_no_signatures(r, l);
    return write_request(&w, e);
}

bool anthropic_count_write(const struct request *r, const struct target *t,
                           struct losses *l, struct buf *out, struct err *e)
{
    struct writing w = {.r = r, .t = t, .l = l, .out = out, .count = true};

    return write_request(&w, e);
}
