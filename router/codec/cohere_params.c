/* SPDX-License-Identifier: Apache-2.0 */
/* struct request -> tools and parameters of a chat request. */
#include "router/codec/carry.h"
#include "router/codec/cohere.h"
#include "router/codec/effort.h"
#include "router/codec/put.h"

#include <math.h>

enum { STOP_MOST = 5, TOP_K_MOST = 500 };

/* ---- tools ---- */

static void put_tool(const struct tool *tool, struct buf *out)
{
    put_comma(out);
    buf_str(out, "{\"type\":\"function\"");
    put_open(out, "function");
    put_str(out, "name", tool->name);
    if (tool->description.raw.len)
        put_text(out, "description", tool->description);
    put_raw(out, "parameters",
            tool->schema.len ? tool->schema
                             : SPAN("{\"type\":\"object\",\"properties\":{}}"));
    buf_str(out, "}}");
}

/* One tool by name is: none but that one, and one must be called. */
static bool offered(const struct request *r, const struct tool *tool)
{
    return r->params.tool_choice != CHOICE_NAMED ||
           span_eq(tool->name, r->params.tool_name);
}

/* Strictness is one switch for all. */
static void put_strict(const struct request *r, struct losses *l,
                       struct buf *out)
{
    size_t strict = 0, n = 0;

    for (size_t i = 0; i < r->n_tools; i++) {
        n += !r->tools[i].builtin;
        strict += !r->tools[i].builtin && r->tools[i].strict;
    }
    if (strict == 0)
        return;
    if (strict == n)
        put_bool(out, "strict_tools", true);
    else
        lossy_add(l, LOSSY_PARAMETER, "strict");
}

static void put_tools(const struct request *r, struct losses *l,
                      struct buf *out)
{
    size_t mark = out->len, start;

    put_list(out, "tools");
    start = out->len;
    for (size_t i = 0; i < r->n_tools; i++) {
        const struct tool *tool = &r->tools[i];

        if (tool->builtin)
            lossy_add(l, LOSSY_BUILTIN_TOOL, "%.*s", SPAN_ARGS(tool->name));
        else if (offered(r, tool))
            put_tool(tool, out);
        if (tool->cache.len)
            lossy_add(l, LOSSY_CACHE_CONTROL, "cache_control");
    }
    if (out->len == start) {
        carry_undo(out, mark);
        return;
    }
    buf_char(out, ']');
    if (r->params.tool_choice == CHOICE_NONE)
        put_cstr(out, "tool_choice", "NONE");
    else if (r->params.tool_choice != CHOICE_AUTO)
        put_cstr(out, "tool_choice", "REQUIRED");
    put_strict(r, l, out);
}

/* ---- the form of the answer ---- */

static bool has_documents(const struct request *r)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        for (size_t j = 0; j < r->messages[i].n_parts; j++) {
            if (cohere_is_document(&r->messages[i].parts[j]))
                return true;
        }
    }
    return false;
}

/* Not beside tools or documents. */
static void put_format(const struct request *r, struct losses *l,
                       struct buf *out)
{
    if (r->params.format == FORMAT_TEXT)
        return;
    if (r->n_tools || has_documents(r)) {
        lossy_add(l, LOSSY_PARAMETER, "response_format");
        return;
    }
    put_open(out, "response_format");
    put_cstr(out, "type", "json_object");
    if (r->params.schema.len)
        put_raw(out, "json_schema", r->params.schema);
    buf_char(out, '}');
}

static void put_thinking(const struct request *r, const struct target *t,
                         struct losses *l, struct buf *out)
{
    const struct params *p = &r->params;
    bool off = p->thinking_budget == 0 || span_is(p->reasoning, "none");

    if (p->thinking_budget == -1 && p->reasoning.len == 0)
        return;
    if (effort_refused(t)) {
        if (!off)
            lossy_add(l, LOSSY_REASONING, "thinking");
        return;
    }
    if (p->reasoning.len && !off)
        lossy_add(l, LOSSY_REASONING, "reasoning_effort");
    put_open(out, "thinking");
    put_cstr(out, "type", off ? "disabled" : "enabled");
    if (!off && p->thinking_budget > 0)
        put_int(out, "token_budget", p->thinking_budget);
    buf_char(out, '}');
}

/* ---- numbers ---- */

static void put_numbers(const struct request *r, struct losses *l,
                        struct buf *out)
{
    static const double unit[] = {0, 1}, most[] = {0.01, 0.99};
    const struct params *p = &r->params;

    if (p->max_tokens >= 0)
        put_int(out, "max_tokens", p->max_tokens);
    carry_number(out, "temperature", p->temperature, unit, l);
    if (!isnan(p->top_p) && p->top_p < 1) /* 1 is to leave all in */
        carry_number(out, "p", p->top_p, most, l);
    if (p->top_k > TOP_K_MOST)
        lossy_add(l, LOSSY_CLAMPED, "top_k");
    if (p->top_k >= 0)
        put_int(out, "k", p->top_k > TOP_K_MOST ? TOP_K_MOST : p->top_k);
    if (p->seed >= 0)
        put_int(out, "seed", p->seed);
    else if (p->seed != INT64_MIN)
        lossy_add(l, LOSSY_PARAMETER, "seed");
    carry_number(out, "frequency_penalty", p->frequency_penalty, unit, l);
    carry_number(out, "presence_penalty", p->presence_penalty, unit, l);
}

void cohere_write_params(const struct request *r, const struct target *t,
                         struct losses *l, struct buf *out)
{
    put_bool(out, "stream", t->stream);
    put_numbers(r, l, out);
    carry_stop(out, "stop_sequences", r, STOP_MOST, l);
    if (r->params.logprobs)
        put_bool(out, "logprobs", true);
    put_tools(r, l, out);
    put_format(r, l, out);
    put_thinking(r, t, l, out);
    carry_losses(r, CARRY_TOP_K | CARRY_SEED | CARRY_PENALTIES | CARRY_LOGPROBS,
                 l);
}
