/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters and tools of any dialect -> generationConfig, tools and
 * toolConfig. */
#include "router/codec/gemini.h"
#include "router/codec/logprobs.h"

#include <math.h>
#include <string.h>

enum { STOP_MAX = 5, CANDIDATES_MAX = 8 };

/* A member of the object that is being written. */
static void name(struct gemini_out *w, const char *key, bool *any)
{
    buf_printf(w->out, "%s\"%s\":", *any ? "," : "", key);
    *any = true;
}

static void put_i64(struct gemini_out *w, const char *key, int64_t v, bool *any)
{
    name(w, key, any);
    buf_printf(w->out, "%lld", (long long)v);
}

/* ---- thinking ---- */

static const struct {
    const char *effort, *level;
    int32_t budget; /* as Google's own OpenAI endpoint has them */
} efforts[] = {
    {"none", "MINIMAL", 0},  {"minimal", "MINIMAL", 512},
    {"low", "LOW", 1024},    {"medium", "MEDIUM", 8192},
    {"high", "HIGH", 24576}, {"xhigh", "HIGH", 32768},
    {"max", "HIGH", 32768},
};
enum { EFFORTS = sizeof efforts / sizeof efforts[0] };

static int find_effort(struct span effort)
{
    for (int i = 0; i < EFFORTS; i++) {
        if (span_is(effort, efforts[i].effort))
            return i;
    }
    return -1;
}

/* The first effort whose budget reaches the wanted one. */
static int effort_for(int64_t budget)
{
    int i = 0;

    while (i < EFFORTS - 1 && efforts[i].budget < budget)
        i++;
    return i;
}

static void put_level(struct gemini_out *w, int effort, bool *any)
{
    const char *level = efforts[effort].level;

    if (effort == 0 || effort >= 5 || (!w->traits->minimal && effort == 1) ||
        (!w->traits->medium && effort == 3))
        lossy_add(w->l, LOSSY_REASONING, "%s", efforts[effort].effort);
    if (!w->traits->minimal && effort <= 1)
        level = "LOW";
    if (!w->traits->medium && effort == 3)
        level = "HIGH";
    name(w, "thinkingLevel", any);
    buf_printf(w->out, "\"%s\"", level);
}

static void put_budget(struct gemini_out *w, int64_t budget, bool *any)
{
    const struct gemini_traits *t = w->traits;
    int64_t had = budget;

    if (budget == -2) { /* the model decides */
        put_i64(w, "thinkingBudget", -1, any);
        return;
    }
    if (budget > t->most)
        budget = t->most;
    if (budget < t->least && (budget > 0 || !t->off))
        budget = t->least;
    if (budget != had)
        lossy_add(w->l, LOSSY_REASONING, "%lld", (long long)had);
    put_i64(w, "thinkingBudget", budget, any);
}

void gemini_write_thinking(struct gemini_out *w, const struct params *p,
                           bool *any)
{
    int effort = find_effort(p->reasoning);
    int64_t budget = p->thinking_budget;
    bool in = false;

    if (!p->reasoning.len && budget == -1 && !p->show_thinking)
        return;
    if (w->traits->most == 0 && !w->traits->levels) {
        if (effort > 0 || budget > 0 || budget == -2)
            lossy_add(w->l, LOSSY_REASONING, "reasoning");
        return;
    }
    name(w, "thinkingConfig", any);
    buf_char(w->out, '{');
    if (w->traits->levels) {
        if (budget >= 0 && effort < 0) {
            effort = effort_for(budget);
            if (efforts[effort].budget != budget)
                lossy_add(w->l, LOSSY_REASONING, "%lld", (long long)budget);
        }
        if (effort >= 0)
            put_level(w, effort, &in);
    } else if (budget != -1) {
        put_budget(w, budget, &in);
    } else if (effort >= 0) {
        put_budget(w, efforts[effort].budget, &in);
    }
    if (p->reasoning.len && effort < 0)
        lossy_add(w->l, LOSSY_REASONING, "%.*s", SPAN_ARGS(p->reasoning));
    if (p->show_thinking) {
        name(w, "includeThoughts", &in);
        buf_str(w->out, "true");
    }
    buf_char(w->out, '}');
}

/* ---- generationConfig ---- */

static void put_number(struct gemini_out *w, const char *key, double v,
                       bool *any)
{
    if (isnan(v))
        return;
    name(w, key, any);
    buf_json_num(w->out, v);
}

static double clamp(struct gemini_out *w, const char *key, double v, double lo,
                    double hi)
{
    double in = v < lo ? lo : v > hi ? hi : v;

    if (!isnan(v) && in != v)
        lossy_add(w->l, LOSSY_CLAMPED, "%s", key);
    return isnan(v) ? v : in;
}

static void put_stop(struct gemini_out *w, struct span stop, bool *any)
{
    struct json list, one;
    struct json_iter it;
    struct err e;
    int n = 0;

    if (stop.len == 0 || !json_parse(stop, &list, &e) ||
        (list.type != JSON_STRING && list.type != JSON_ARRAY))
        return;
    it = json_begin(&list);
    for (;;) {
        if (list.type == JSON_STRING)
            one = list;
        else if (!json_next(&it, NULL, &one))
            break;
        if (one.type == JSON_STRING && one.raw.len > 2 && n < STOP_MAX) {
            if (n == 0)
                name(w, "stopSequences", any);
            buf_char(w->out, n++ ? ',' : '[');
            buf_span(w->out, one.raw);
        } else {
            lossy_add(w->l, LOSSY_STOP, "stop");
        }
        if (list.type == JSON_STRING)
            break;
    }
    if (n)
        buf_char(w->out, ']');
}

static bool any_function(const struct request *r)
{
    for (size_t i = 0; i < r->n_tools; i++) {
        if (!r->tools[i].builtin && r->tools[i].name.len)
            return true;
    }
    return false;
}

/* Models before 3 refuse a wanted form of the answer beside functions. */
static void put_format(struct gemini_out *w, const struct params *p, bool *any)
{
    struct schema_target s = {w->traits->json_schema, "response_format", w->l};

    if (p->format == FORMAT_TEXT)
        return;
    if (!w->traits->strict && any_function(w->r)) {
        lossy_add(w->l, LOSSY_PARAMETER, "response_format");
        return;
    }
    name(w, "responseMimeType", any);
    buf_str(w->out, "\"application/json\"");
    if (p->format != FORMAT_JSON_SCHEMA || p->schema.len == 0)
        return;
    name(w, s.json ? "responseJsonSchema" : "responseSchema", any);
    gemini_schema_write(p->schema, &s, w->out);
}

static void put_limits(struct gemini_out *w, const struct params *p, bool *any)
{
    const struct model *of = w->t->of;
    int64_t most = p->max_tokens, n = p->n;

    if (of && of->max_output > 0 && most > of->max_output) {
        most = of->max_output;
        lossy_add(w->l, LOSSY_CLAMPED, "max_tokens");
    }
    if (most > 0)
        put_i64(w, "maxOutputTokens", most, any);
    if (n > CANDIDATES_MAX) {
        n = CANDIDATES_MAX;
        lossy_add(w->l, LOSSY_N, "n");
    }
    if (n > 1)
        put_i64(w, "candidateCount", n, any);
    if (p->top_k >= 0)
        put_i64(w, "topK", p->top_k, any);
    if (p->seed >= INT32_MIN && p->seed <= INT32_MAX)
        put_i64(w, "seed", p->seed, any);
    else if (p->seed != INT64_MIN)
        lossy_add(w->l, LOSSY_CLAMPED, "seed");
}

static void put_logprobs(struct gemini_out *w, const struct params *p,
                         bool *any)
{
    if (p->logprobs && !logprobs_known(w->t->of)) {
        lossy_add(w->l, LOSSY_LOGPROBS, "logprobs");
    } else if (p->logprobs) {
        name(w, "responseLogprobs", any);
        buf_str(w->out, "true");
        if (p->top_logprobs > 0)
            put_i64(w, "logprobs", p->top_logprobs, any);
    }
}

static void write_config(struct gemini_out *w, const struct params *p)
{
    bool any = false;

    buf_str(w->out, ",\"generationConfig\":{");
    put_limits(w, p, &any);
    put_number(w, "temperature", clamp(w, "temperature", p->temperature, 0, 2),
               &any);
    put_number(w, "topP", clamp(w, "top_p", p->top_p, 0, 1), &any);
    put_number(w, "presencePenalty",
               clamp(w, "presence_penalty", p->presence_penalty, -2, 2), &any);
    put_number(w, "frequencyPenalty",
               clamp(w, "frequency_penalty", p->frequency_penalty, -2, 2),
               &any);
    put_stop(w, p->stop, &any);
    put_logprobs(w, p, &any);
    put_format(w, p, &any);
    gemini_write_thinking(w, p, &any);
    buf_char(w->out, '}');
}

/* ---- tools ---- */

/* A schema that says nothing but "an object": parameters are left out. */
static bool says_something(struct span schema)
{
    struct json v, in;
    struct err e;

    if (schema.len == 0 || !json_parse(schema, &v, &e) || v.type != JSON_OBJECT)
        return false;
    in = json_get(&v, "properties");
    return json_count(&in) || json_get(&v, "$ref").type ||
           json_get(&v, "anyOf").type || json_get(&v, "oneOf").type ||
           json_get(&v, "allOf").type;
}

static void write_tool(struct gemini_out *w, const struct tool *t)
{
    struct schema_target s = {w->traits->json_schema, NULL, w->l};
    char where[25];

    span_copy(where, sizeof where, t->name);
    s.where = where;
    buf_str(w->out, "{\"name\":");
    buf_json_str(w->out, t->name);
    if (t->description.raw.len) {
        buf_str(w->out, ",\"description\":\"");
        buf_span(w->out, t->description.raw);
        buf_char(w->out, '"');
    }
    if (says_something(t->schema)) {
        buf_str(w->out,
                s.json ? ",\"parametersJsonSchema\":" : ",\"parameters\":");
        gemini_schema_write(t->schema, &s, w->out);
    }
    buf_char(w->out, '}');
    if (t->strict)
        lossy_add(w->l, LOSSY_SCHEMA, "%s.strict", where);
    if (t->cache.len)
        lossy_add(w->l, LOSSY_CACHE_CONTROL, "cache_control");
}

static void write_tools(struct gemini_out *w)
{
    bool any = false;

    for (size_t i = 0; i < w->r->n_tools; i++) {
        const struct tool *t = &w->r->tools[i];

        if (t->builtin || t->name.len == 0) {
            lossy_add(w->l, LOSSY_BUILTIN_TOOL, "tools[%zu]", i);
            continue;
        }
        buf_str(w->out, any ? "," : ",\"tools\":[{\"functionDeclarations\":[");
        any = true;
        write_tool(w, t);
    }
    if (any)
        buf_str(w->out, "]}]");
}

static void write_choice(struct gemini_out *w, const struct params *p)
{
    static const char *const modes[] = {
        [CHOICE_AUTO] = NULL,
        [CHOICE_NONE] = "NONE",
        [CHOICE_REQUIRED] = "ANY",
        [CHOICE_NAMED] = "ANY",
    };

    if (!modes[p->tool_choice] || !any_function(w->r))
        return;
    buf_printf(w->out,
               ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"%s\"",
               modes[p->tool_choice]);
    if (p->tool_choice == CHOICE_NAMED) {
        buf_str(w->out, ",\"allowedFunctionNames\":[");
        buf_json_str(w->out, p->tool_name);
        buf_char(w->out, ']');
    }
    buf_str(w->out, "}}");
}

/* What Gemini has no word for. */
static void lose_rest(struct gemini_out *w, const struct params *p)
{
    if (p->parallel_tool_calls == 0)
        lossy_add(w->l, LOSSY_PARAMETER, "parallel_tool_calls");
    if (p->user.len)
        lossy_add(w->l, LOSSY_PARAMETER, "user");
    if (p->metadata.len)
        lossy_add(w->l, LOSSY_PARAMETER, "metadata");
    if (p->service_tier.len && !span_is(p->service_tier, "auto") &&
        !span_is(p->service_tier, "default"))
        lossy_add(w->l, LOSSY_PARAMETER, "service_tier");
    for (size_t i = 0; i < w->r->n_extras; i++)
        lossy_add(w->l, LOSSY_PARAMETER, "%.*s",
                  SPAN_ARGS(w->r->extras[i].name));
}

void gemini_write_params(struct gemini_out *w)
{
    write_tools(w);
    write_choice(w, &w->r->params);
    write_config(w, &w->r->params);
    lose_rest(w, &w->r->params);
}
