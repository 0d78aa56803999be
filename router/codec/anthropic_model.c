/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Claude models take, by generation, and how thinking is asked of them.
 * Sources: Anthropic's pages on adaptive thinking, effort and migration to
 * Claude Opus 4.7; AWS's page on adaptive thinking with Claude.
 */
#include "router/codec/anthropic_parts.h"

#include <string.h>

/* ---- generations ---- */

/* The first row that fits: family ("" any) and version at least. */
static const struct {
    const char *family;
    unsigned version; /* major * 100 + minor */
    unsigned can;
} generations[] = {
    {"opus", 407, CLAUDE_ADAPTIVE | CLAUDE_EFFORT | CLAUDE_XHIGH},
    {"opus", 406,
     CLAUDE_ADAPTIVE | CLAUDE_BUDGET | CLAUDE_EFFORT | CLAUDE_SAMPLING |
         CLAUDE_ONE_OF},
    {"opus", 405,
     CLAUDE_BUDGET | CLAUDE_EFFORT | CLAUDE_SAMPLING | CLAUDE_ONE_OF},
    {"opus", 401, CLAUDE_BUDGET | CLAUDE_SAMPLING | CLAUDE_ONE_OF},
    {"", 500, CLAUDE_ADAPTIVE | CLAUDE_EFFORT | CLAUDE_XHIGH},
    {"mythos", 0, CLAUDE_ADAPTIVE | CLAUDE_EFFORT | CLAUDE_XHIGH},
    {"sonnet", 406,
     CLAUDE_ADAPTIVE | CLAUDE_BUDGET | CLAUDE_EFFORT | CLAUDE_SAMPLING |
         CLAUDE_ONE_OF},
    {"", 405, CLAUDE_BUDGET | CLAUDE_SAMPLING | CLAUDE_ONE_OF},
    {"", 307, CLAUDE_BUDGET | CLAUDE_SAMPLING},
    {"", 1, CLAUDE_SAMPLING},
};

/* A name that says nothing: what every model since 3.7 has taken. */
enum { CAN_UNKNOWN = CLAUDE_BUDGET | CLAUDE_SAMPLING };

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One or two digits that stand alone; behind them the rest. */
static bool number(struct span *s, unsigned *n)
{
    size_t len = 0;

    *n = 0;
    while (len < s->len && digit(s->ptr[len])) {
        if (len == 2)
            return false; /* a date */
        *n = *n * 10 + (unsigned)(s->ptr[len++] - '0');
    }
    s->ptr += len;
    s->len -= len;
    return len > 0;
}

/* "4-6", "4.6", "5" at the start of s; 0: none. */
static unsigned version_at(struct span s)
{
    unsigned major, minor;

    if (!number(&s, &major))
        return 0;
    if (s.len > 1 && (*s.ptr == '-' || *s.ptr == '.')) {
        s.ptr++;
        s.len--;
        if (number(&s, &minor))
            return major * 100 + minor;
    }
    return major * 100;
}

/* The name behind "claude-"; empty: none of these models. */
static struct span behind_claude(struct span model)
{
    static const char mark[] = "claude-";
    const char *at =
        model.len ? memmem(model.ptr, model.len, mark, sizeof mark - 1) : NULL;

    if (!at)
        return (struct span){NULL, 0};
    at += sizeof mark - 1;
    return (struct span){at, (size_t)(model.ptr + model.len - at)};
}

/* "opus-4-6-20260101" and the older "3-5-sonnet" both. */
unsigned claude_can(struct span model)
{
    struct span s = behind_claude(model), family = s;
    unsigned version = 0;

    if (s.len == 0)
        return CAN_UNKNOWN;
    if (digit(*s.ptr)) {
        version = version_at(s);
    } else {
        family = span_cut(&s, '-');
        version = s.len ? version_at(s) : 0;
    }
    for (size_t i = 0; i < sizeof generations / sizeof generations[0]; i++) {
        if ((!*generations[i].family ||
             span_is(family, generations[i].family)) &&
            version >= generations[i].version)
            return generations[i].can;
    }
    return CAN_UNKNOWN;
}

/* ---- thinking ---- */

/* Efforts by OpenAI's and Anthropic's names, and the budget (tokens) that
 * Google's table of the same efforts has.  From a budget: the first row that
 * covers it. */
static const struct {
    const char *asked, *effort;
    int64_t budget;
    bool above_high;
} efforts[] = {
    {"none", NULL, 0, false},
    {"minimal", "low", 1024, false},
    {"low", "low", 1024, false},
    {"medium", "medium", 8192, false},
    {"high", "high", 24576, false},
    {"xhigh", "xhigh", 32768, true},
    {"max", "max", INT64_MAX / 2, true},
};

enum { EFFORTS = sizeof efforts / sizeof efforts[0], BUDGET_MIN = 1024 };

static unsigned effort_of(const struct params *p)
{
    for (unsigned i = 0; i < EFFORTS; i++) {
        if (p->reasoning.len && span_is(p->reasoning, efforts[i].asked))
            return i;
    }
    for (unsigned i = 0; i < EFFORTS; i++) {
        if (p->thinking_budget >= 0 && p->thinking_budget <= efforts[i].budget)
            return i;
    }
    return 3; /* medium: asked, but not how much */
}

static bool has_reasoning(const struct writing *w)
{
    const struct model *m = w->t->of;

    if (m && m->caps_known && !(m->caps & CAN_REASONING))
        return false;
    return w->can & (CLAUDE_ADAPTIVE | CLAUDE_BUDGET);
}

static void no_thinking(struct writing *w, const char *why)
{
    w->thinks = false;
    lossy_add(w->l, LOSSY_REASONING, "%s", why);
}

/* Models with a budget: it must leave room for the answer. */
static void decide_budget(struct writing *w, unsigned i)
{
    const struct params *p = &w->r->params;
    int64_t most = w->max_tokens / 5 * 4;

    w->budget = p->thinking_budget > 0 ? p->thinking_budget : efforts[i].budget;
    if (w->budget < BUDGET_MIN) {
        w->budget = BUDGET_MIN;
        lossy_add(w->l, LOSSY_REASONING, "thinking_budget");
    }
    if (w->budget >= w->max_tokens) {
        w->budget = most;
        if (p->thinking_budget > 0 || p->max_tokens > 0)
            lossy_add(w->l, LOSSY_REASONING, "thinking_budget");
    }
    if (w->budget < BUDGET_MIN)
        no_thinking(w, "max_tokens");
    else if (anthropic_bare_calls(w->r, w->t))
        no_thinking(w, "messages");
}

static void decide_effort(struct writing *w, unsigned i)
{
    const struct params *p = &w->r->params;
    bool said = p->reasoning.len || p->thinking_budget > 0;

    if (!said || !(w->can & CLAUDE_EFFORT))
        return;
    w->effort = efforts[i].effort;
    if (efforts[i].above_high && !(w->can & CLAUDE_XHIGH))
        w->effort = "high";
    if (!w->effort || !p->reasoning.len || !span_is(p->reasoning, w->effort))
        lossy_add(w->l, LOSSY_REASONING, "%s",
                  p->reasoning.len ? "reasoning_effort" : "thinking_budget");
}

/* Effort alone does not mean thinking in this dialect; in the others it
 * does, and there a client says no more than that. */
void anthropic_decide_thinking(struct writing *w)
{
    const struct params *p = &w->r->params;
    unsigned i = effort_of(p);
    bool asked =
        p->thinking_budget > 0 || p->thinking_budget == -2 ||
        (p->reasoning.len && !w->t->same_dialect && p->thinking_budget != 0);

    if (!asked && !p->reasoning.len)
        return;
    if (!has_reasoning(w)) {
        if (!p->reasoning.len || efforts[i].effort)
            no_thinking(w, "thinking");
        return;
    }
    w->thinks = asked && efforts[i].effort;
    if (efforts[i].effort)
        decide_effort(w, i);
    if (!w->thinks)
        return;
    if (p->tool_choice == CHOICE_REQUIRED || p->tool_choice == CHOICE_NAMED ||
        w->answer_tool)
        no_thinking(w, "tool_choice");
    else if (w->can & CLAUDE_ADAPTIVE)
        w->budget = -2;
    else
        decide_budget(w, i);
}
