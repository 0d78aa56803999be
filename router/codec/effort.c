/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/effort.h"

#include "router/codec/put.h"
#include "router/codec/quirks.h"

/* Budgets up to (in tokens) and what they come to. */
static const struct {
    int64_t most;
    const char *effort;
} steps[] = {
    {0, "none"},       {1024, "minimal"},   {4096, "low"},
    {16384, "medium"}, {INT64_MAX, "high"},
};

struct span effort_of(const struct params *p, bool *rounded)
{
    *rounded = false;
    if (p->reasoning.len)
        return p->reasoning;
    if (p->thinking_budget == -2) /* as much as the model likes */
        return SPAN("medium");
    if (p->thinking_budget < 0)
        return (struct span){NULL, 0};
    *rounded = p->thinking_budget > 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (p->thinking_budget <= steps[i].most)
            return span_of(steps[i].effort);
    }
    return SPAN("high");
}

bool effort_refused(const struct target *t)
{
    return t->of && t->of->caps_known && !(t->of->caps & CAN_REASONING);
}

static void write_object(const struct params *p, struct buf *out)
{
    put_open(out, "reasoning");
    if (p->reasoning.len)
        put_str(out, "effort", p->reasoning);
    else if (p->thinking_budget > 0)
        put_int(out, "max_tokens", p->thinking_budget);
    else
        put_bool(out, "enabled", p->thinking_budget != 0);
    buf_char(out, '}');
}

/* {"type": "enabled"}; an effort goes beside it. */
static void write_thinking(const struct params *p, struct span effort,
                           struct buf *out)
{
    bool off = span_is(effort, "none") || p->thinking_budget == 0;

    put_open(out, "thinking");
    put_cstr(out, "type", off ? "disabled" : "enabled");
    buf_char(out, '}');
    if (!off && p->reasoning.len)
        put_str(out, "reasoning_effort", effort);
}

void effort_write(const struct params *p, const struct target *t,
                  struct losses *l, struct buf *out)
{
    bool rounded;
    struct span effort = effort_of(p, &rounded);
    enum effort_style style = t->quirks ? t->quirks->effort : EFFORT_PLAIN;

    if (!effort.len)
        return;
    if (effort_refused(t)) {
        if (!span_is(effort, "none"))
            lossy_add(l, LOSSY_REASONING, "reasoning_effort");
        return;
    }
    switch (style) {
    case EFFORT_OBJECT:
        write_object(p, out);
        return;
    case EFFORT_THINKING:
        write_thinking(p, effort, out);
        break;
    case EFFORT_SWITCH:
        put_open(out, "chat_template_kwargs");
        put_bool(out, "enable_thinking", !span_is(effort, "none"));
        buf_char(out, '}');
        rounded = rounded || !span_is(effort, "none");
        break;
    case EFFORT_PLAIN:
        put_str(out, "reasoning_effort", effort);
        break;
    }
    if (rounded)
        lossy_add(l, LOSSY_REASONING, "reasoning_effort=%.*s",
                  SPAN_ARGS(effort));
}
