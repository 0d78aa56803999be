/* SPDX-License-Identifier: Apache-2.0 */
/* struct request -> tools and parameters of a Converse request. */
#include "router/codec/anthropic_parts.h"
#include "router/codec/bedrock.h"
#include "router/codec/carry.h"
#include "router/codec/effort.h"
#include "router/codec/ids.h"
#include "router/codec/put.h"

#include <math.h>
#include <string.h>

/* ---- whose model it is ---- */

static const struct {
    const char *in_name;
    enum bedrock_maker maker;
} makers[] = {
    {"anthropic", BEDROCK_CLAUDE},
    {"claude", BEDROCK_CLAUDE},
    {"nova", BEDROCK_NOVA},
    {"gpt", BEDROCK_GPT},
};

static bool named(const struct target *t, const char *what)
{
    return span_has(t->model, span_of(what)) ||
           (t->of && t->of->name && strstr(t->of->name, what));
}

enum bedrock_maker bedrock_maker(const struct target *t)
{
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        if (named(t, makers[i].in_name))
            return makers[i].maker;
    }
    return BEDROCK_OTHER;
}

/* ---- thinking ---- */

enum { OUTPUT_UNKNOWN = 32768 }; /* tokens, where nobody says how many */

/* As Claude's own dialect has it. */
static void think_claude(struct bedrock_thinking *k, const struct request *r,
                         const struct target *t, struct losses *l)
{
    int64_t most =
        t->of && t->of->max_output ? t->of->max_output : OUTPUT_UNKNOWN;
    struct writing w = {
        .r = r,
        .t = t,
        .l = l,
        .can = claude_can(t->model),
        .answer_tool = bedrock_answer_tool(r, t),
        .max_tokens = r->params.max_tokens > 0 ? r->params.max_tokens : most};

    anthropic_decide_thinking(&w);
    k->budget = w.thinks ? w.budget : 0;
    k->adaptive = k->budget < 0;
    k->effort = span_of(w.effort);
}

struct bedrock_thinking bedrock_thinking(const struct request *r,
                                         const struct target *t,
                                         struct losses *l)
{
    struct bedrock_thinking k = {bedrock_maker(t), false, 0, {NULL, 0}};
    struct span effort;
    bool rounded;

    if (k.maker == BEDROCK_CLAUDE) {
        think_claude(&k, r, t, l);
        return k;
    }
    effort = effort_of(&r->params, &rounded);
    if (effort.len == 0 || span_is(effort, "none"))
        return k;
    if (k.maker == BEDROCK_OTHER || effort_refused(t)) {
        lossy_add(l, LOSSY_REASONING, "reasoning");
        return k;
    }
    if (rounded)
        lossy_add(l, LOSSY_REASONING, "thinking");
    k.budget = -1;
    k.effort = span_is(effort, "minimal") ? SPAN("low") : effort;
    return k;
}

/* ---- tools ---- */

bool bedrock_answer_tool(const struct request *r, const struct target *t)
{
    return r->params.format == FORMAT_JSON_SCHEMA && r->params.schema.len &&
           r->n_tools == 0 && t->of && t->of->caps_known &&
           !(t->of->caps & CAN_SCHEMA) && (t->of->caps & CAN_TOOLS);
}

static void put_spec(struct buf *out, const struct tool *tool)
{
    bool bare = tool->schema.len == 0;

    put_comma(out);
    buf_str(out, "{\"toolSpec\":{");
    put_key(out, "name");
    id_write(out, tool->name);
    if (!carry_blank(tool->description))
        put_text(out, "description", tool->description);
    put_open(out, "inputSchema");
    put_raw(out, "json",
            bare ? SPAN("{\"type\":\"object\",\"properties\":{}}")
                 : tool->schema);
    buf_char(out, '}');
    if (tool->strict)
        put_bool(out, "strict", true);
    buf_str(out, "}}");
    bedrock_write_cache(tool->cache, out);
}

/* Whether an earlier message's call has this part's name. */
static bool called_before(const struct request *r, const struct part *p)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t j = 0; j < r->messages[i].n_parts; j++) {
            const struct part *q = &r->messages[i].parts[j];

            if (q == p)
                return false;
            if (q->kind == PART_TOOL_CALL && span_eq(q->name, p->name))
                return true;
        }
    }
    return false;
}

/* Calls in a conversation need tools beside them, even if none may be called
 * any more: each by its name. */
static void put_called(const struct request *r, struct losses *l,
                       struct buf *out)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t j = 0; j < r->messages[i].n_parts; j++) {
            const struct part *p = &r->messages[i].parts[j];

            if (p->kind != PART_TOOL_CALL || called_before(r, p))
                continue;
            put_spec(out, &(struct tool){.name = p->name});
            lossy_add(l, LOSSY_OTHER, "tools: %.*s", SPAN_ARGS(p->name));
        }
    }
}

static bool has_calls(const struct request *r)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t j = 0; j < r->messages[i].n_parts; j++) {
            if (r->messages[i].parts[j].kind == PART_TOOL_CALL)
                return true;
        }
    }
    return false;
}

static void put_choice(const struct request *r, struct losses *l,
                       struct buf *out)
{
    switch (r->params.tool_choice) {
    case CHOICE_AUTO:
        break;
    case CHOICE_NONE:
        lossy_add(l, LOSSY_TOOL_CHOICE, "none");
        break;
    case CHOICE_REQUIRED:
        put_raw(out, "toolChoice", SPAN("{\"any\":{}}"));
        break;
    case CHOICE_NAMED:
        put_open(out, "toolChoice");
        put_open(out, "tool");
        put_key(out, "name");
        id_write(out, r->params.tool_name);
        buf_str(out, "}}");
        break;
    }
}

static void put_answer_tool(const struct request *r, struct buf *out)
{
    static const char what[] = "Gives the answer in the form asked for.";
    struct tool tool = {.name = SPAN(BEDROCK_ANSWER_TOOL),
                        .description = {SPAN(what), false},
                        .schema = r->params.schema};

    put_open(out, "toolConfig");
    put_list(out, "tools");
    put_spec(out, &tool);
    buf_str(out, "],\"toolChoice\":{\"tool\":{\"name\":"
                 "\"" BEDROCK_ANSWER_TOOL "\"}}}");
}

void bedrock_write_tools(const struct request *r, const struct target *t,
                         struct losses *l, struct buf *out)
{
    bool calls = has_calls(r), none = r->params.tool_choice == CHOICE_NONE;
    size_t mark = out->len, start;

    if (bedrock_answer_tool(r, t) && !calls) {
        put_answer_tool(r, out);
        return;
    }
    if (none && !calls) /* what it may not call it need not know */
        return;
    put_open(out, "toolConfig");
    put_list(out, "tools");
    start = out->len;
    for (size_t i = 0; i < r->n_tools; i++) {
        if (!r->tools[i].builtin)
            put_spec(out, &r->tools[i]);
        else
            lossy_add(l, LOSSY_BUILTIN_TOOL, "%.*s",
                      SPAN_ARGS(r->tools[i].name));
    }
    if (out->len == start)
        put_called(r, l, out);
    if (out->len == start) {
        carry_undo(out, mark);
        return;
    }
    buf_char(out, ']');
    if (r->n_tools)
        put_choice(r, l, out);
    buf_char(out, '}');
}

/* ---- parameters ---- */

static bool samples(const struct target *t)
{
    if (bedrock_maker(t) == BEDROCK_CLAUDE &&
        !(claude_can(t->model) & CLAUDE_SAMPLING))
        return false;
    return !t->of || !t->of->caps_known || (t->of->caps & CAN_SAMPLING);
}

/* Newer Claude models take one of temperature and top_p. */
static bool one_of(const struct request *r, const struct target *t)
{
    return bedrock_maker(t) == BEDROCK_CLAUDE &&
           (claude_can(t->model) & CLAUDE_ONE_OF) &&
           !isnan(r->params.temperature) && !isnan(r->params.top_p);
}

/* Claude that thinks takes temperature 1, and top_p from 0.95 on. */
static void put_sampling(const struct request *r, const struct target *t,
                         bool thinks, struct losses *l, struct buf *out)
{
    static const double unit[] = {0, 1}, upper[] = {0.95, 1};
    const struct params *p = &r->params;

    if (!samples(t)) {
        if (!isnan(p->temperature))
            lossy_add(l, LOSSY_PARAMETER, "temperature");
        if (!isnan(p->top_p))
            lossy_add(l, LOSSY_PARAMETER, "top_p");
        return;
    }
    if (thinks && !isnan(p->temperature) && p->temperature < 1)
        lossy_add(l, LOSSY_PARAMETER, "temperature");
    else
        carry_number(out, "temperature", p->temperature, unit, l);
    if (one_of(r, t))
        lossy_add(l, LOSSY_PARAMETER, "top_p");
    else
        carry_number(out, "topP", p->top_p, thinks ? upper : unit, l);
}

static void put_inference(const struct request *r, const struct target *t,
                          bool thinks, struct losses *l, struct buf *out)
{
    size_t mark = out->len, start;

    put_open(out, "inferenceConfig");
    start = out->len;
    if (r->params.max_tokens >= 0)
        put_int(out, "maxTokens", r->params.max_tokens);
    put_sampling(r, t, thinks, l, out);
    carry_stop(out, "stopSequences", r, 2500, l);
    if (out->len == start)
        carry_undo(out, mark);
    else
        buf_char(out, '}');
}

/* A text with JSON in it; Claude takes schemas of closed objects only. */
static void put_schema(const struct request *r, const struct target *t,
                       struct losses *l, struct buf *out)
{
    struct buf closed;

    if (bedrock_maker(t) != BEDROCK_CLAUDE) {
        put_str(out, "schema", r->params.schema);
        return;
    }
    buf_init(&closed, out->max);
    anthropic_write_schema(r->params.schema, "response_format", l, &closed);
    put_str(out, "schema", buf_view(&closed));
    out->failed = out->failed || closed.failed;
    buf_free(&closed);
}

static void put_format(const struct request *r, const struct target *t,
                       struct losses *l, struct buf *out)
{
    const struct params *p = &r->params;

    if (p->format == FORMAT_TEXT || bedrock_answer_tool(r, t))
        return;
    if (p->format == FORMAT_JSON || p->schema.len == 0 ||
        (t->of && t->of->caps_known && !(t->of->caps & CAN_SCHEMA))) {
        lossy_add(l, LOSSY_PARAMETER, "response_format");
        return;
    }
    put_open(out, "textFormat");
    put_cstr(out, "type", "json_schema");
    put_open(out, "structure");
    put_open(out, "jsonSchema");
    put_schema(r, t, l, out);
    put_str(out, "name",
            p->schema_name.len ? p->schema_name : SPAN("response"));
    buf_str(out, "}}}");
}

static void put_output(const struct request *r, const struct target *t,
                       const struct bedrock_thinking *k, struct losses *l,
                       struct buf *out)
{
    size_t mark = out->len, start;

    put_open(out, "outputConfig");
    start = out->len;
    put_format(r, t, l, out);
    if (k->maker == BEDROCK_CLAUDE && k->effort.len)
        put_str(out, "effort", k->effort);
    if (out->len == start)
        carry_undo(out, mark);
    else
        buf_char(out, '}');
}

static void put_thinking(const struct bedrock_thinking *k, struct buf *out)
{
    if (k->budget == 0)
        return;
    if (k->maker == BEDROCK_GPT) {
        put_str(out, "reasoning_effort", k->effort);
        return;
    }
    put_open(out, k->maker == BEDROCK_NOVA ? "reasoningConfig" : "thinking");
    put_cstr(out, "type", k->adaptive ? "adaptive" : "enabled");
    if (k->maker == BEDROCK_NOVA)
        put_str(out, "maxReasoningEffort", k->effort);
    else if (!k->adaptive)
        put_int(out, "budget_tokens", k->budget);
    buf_char(out, '}');
}

static void put_top_k(const struct request *r, const struct target *t,
                      const struct bedrock_thinking *k, struct losses *l,
                      struct buf *out)
{
    if (r->params.top_k < 0)
        return;
    if (k->maker == BEDROCK_NOVA) {
        put_open(out, "inferenceConfig");
        put_int(out, "topK", r->params.top_k);
        buf_char(out, '}');
    } else if (k->maker == BEDROCK_CLAUDE && k->budget == 0 && samples(t)) {
        put_int(out, "top_k", r->params.top_k);
    } else {
        lossy_add(l, LOSSY_PARAMETER, "top_k");
    }
}

/* Tags for the operator's own logs at Amazon: at most 16 short texts. */
static bool tags(struct span metadata)
{
    static const char more[] = " :_@$#=/+,-.";
    struct json v = {JSON_OBJECT, false, metadata}, key, one;
    struct json_iter it = json_begin(&v);

    while (json_next(&it, &key, &one)) {
        struct span s = json_inner(&one);

        if (one.type != JSON_STRING || s.len > 256 || json_count(&v) > 16)
            return false;
        for (size_t i = 0; i < s.len; i++) {
            char c = s.ptr[i];

            if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
                !(c >= '0' && c <= '9') && !strchr(more, c))
                return false;
        }
    }
    return true;
}

static void put_service(const struct request *r, struct losses *l,
                        struct buf *out)
{
    static const char *const tiers[] = {"default", "flex", "priority"};
    const struct params *p = &r->params;
    bool known = p->service_tier.len == 0 || span_is(p->service_tier, "auto");

    for (size_t i = 0; i < sizeof tiers / sizeof tiers[0]; i++) {
        if (!span_is(p->service_tier, tiers[i]))
            continue;
        known = true;
        put_open(out, "serviceTier");
        put_str(out, "type", p->service_tier);
        buf_char(out, '}');
    }
    if (!known)
        lossy_add(l, LOSSY_PARAMETER, "service_tier");
    if (p->metadata.len && tags(p->metadata))
        put_raw(out, "requestMetadata", p->metadata);
    else if (p->metadata.len)
        lossy_add(l, LOSSY_PARAMETER, "metadata");
}

void bedrock_write_params(const struct request *r, const struct target *t,
                          struct losses *l, struct buf *out)
{
    struct bedrock_thinking k = bedrock_thinking(r, t, l);
    size_t mark, start;

    put_inference(r, t, k.maker == BEDROCK_CLAUDE && k.budget != 0, l, out);
    put_output(r, t, &k, l, out);
    mark = out->len;
    put_open(out, "additionalModelRequestFields");
    start = out->len;
    put_thinking(&k, out);
    put_top_k(r, t, &k, l, out);
    if (out->len == start)
        carry_undo(out, mark);
    else
        buf_char(out, '}');
    put_service(r, l, out);
    carry_losses(r, CARRY_TOP_K | CARRY_TIER | CARRY_METADATA, l);
}
