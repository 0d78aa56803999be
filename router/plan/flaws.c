/* SPDX-License-Identifier: Apache-2.0 */
#include "router/plan/flaws.h"

#include <string.h>

#include "base/buf.h"
#include "base/fold.h"
#include "base/json_schema.h"

enum {
    TEXT_MAX = 256 * 1024,
    REFUSAL_READ = 240, /* bytes at the start in which a refusal stands */
    REFUSAL_MAX = 1200, /* a longer answer did not just refuse */
    LOOP_LEN = 12,      /* bytes of a stretch that repeats, at the least */
    LOOP_TIMES = 12,
};

struct check {
    const struct request *asked;
    const struct gathered_choice *choice;
    struct span text; /* of the first choice */
    size_t n_calls;
    struct arena *work;
    struct err *why;
    uint32_t found;
};

static void flawed(struct check *c, enum flaw f, const char *why)
{
    if (c->found == 0)
        err_set(c->why, ERR_INPUT, "%s", why);
    c->found |= (uint32_t)f;
}

/* ---- refusals ---- */

/* Folded beginnings; ' stands for every apostrophe. */
static const char *const refusals[] = {
    "i'm sorry, but i can",
    "i'm sorry, i can",
    "i am sorry, but i can",
    "sorry, but i can",
    "sorry, i can",
    "i can't assist",
    "i can't help with",
    "i can't provide",
    "i cannot assist",
    "i cannot help with",
    "i cannot provide",
    "i cannot fulfill",
    "i can't fulfill",
    "i'm not able to help",
    "i'm unable to",
    "i am unable to",
    "i won't be able to",
    "as an ai language model, i can",
    "as an ai, i can",
    "es tut mir leid, aber ich kann",
    "je suis désolé, mais je ne peux",
    "lo siento, pero no puedo",
    "抱歉，我无法",
    "很抱歉，我无法",
    "申し訳ありませんが",
    "죄송하지만",
};

/* Apostrophes of typographers become the typewriter's. */
static struct span plain_quotes(struct span s, struct arena *a)
{
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0;

    if (!out)
        return (struct span){NULL, 0};
    for (size_t i = 0; i < s.len; i++) {
        if (i + 3 <= s.len && !memcmp(s.ptr + i, "\xe2\x80\x99", 3)) {
            out[n++] = '\'';
            i += 2;
        } else {
            out[n++] = s.ptr[i];
        }
    }
    return (struct span){out, n};
}

bool text_refuses(struct span text, struct arena *work)
{
    size_t n;

    text = span_trim(text);
    if (text.len == 0 || text.len > REFUSAL_MAX)
        return false;
    n = text.len;
    if (n > REFUSAL_READ) {
        n = REFUSAL_READ;
        while (n > 0 && ((unsigned char)text.ptr[n] & 0xc0) == 0x80)
            n--;
    }
    text = plain_quotes((struct span){text.ptr, n}, work);
    text = fold_text(text, work);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct span r = fold_text(span_of(refusals[i]), work);

        if (r.len && text.len >= r.len && !memcmp(text.ptr, r.ptr, r.len))
            return true;
    }
    return false;
}

/* ---- loops ---- */

/* Does the text end in one stretch over and over?  The period is looked for
 * at the end, up to 200 bytes long. */
static bool text_repeats(struct span t)
{
    t = span_trim(t);
    for (size_t period = 1; period <= 200; period++) {
        size_t times =
            period < LOOP_LEN ? LOOP_LEN * LOOP_TIMES / period : LOOP_TIMES;
        size_t need = period * times, i;

        if (t.len < need)
            break;
        for (i = 1; i <= need - period; i++)
            if (t.ptr[t.len - i] != t.ptr[t.len - i - period])
                break;
        if (i > need - period)
            return true;
    }
    return false;
}

/* ---- JSON ---- */

static void check_json(struct check *c)
{
    const struct params *p = &c->asked->params;
    struct json v, schema;
    struct err e;

    if (p->format == FORMAT_TEXT || c->n_calls > 0)
        return;
    if (!json_parse(c->text, &v, &e)) {
        flawed(c, FLAW_BAD_JSON, "the answer is not the JSON asked for");
        return;
    }
    if (p->format == FORMAT_JSON_SCHEMA && p->schema.len > 0 &&
        json_parse(p->schema, &schema, &e) &&
        json_fits(&schema, &v, c->work, &e) == FITS_NOT)
        flawed(c, FLAW_BAD_SCHEMA, e.msg);
}

static const struct tool *tool_named(const struct request *r, struct span name)
{
    for (size_t i = 0; i < r->n_tools; i++)
        if (span_eq(r->tools[i].name, name))
            return &r->tools[i];
    return NULL;
}

static void check_call(struct check *c, const struct gathered_block *b)
{
    const struct tool *tool = tool_named(c->asked, b->name);
    struct span text = b->text.len ? b->text : SPAN("{}");
    struct json args, schema;
    struct err e;

    if (!tool) {
        flawed(c, FLAW_UNKNOWN_TOOL, "a tool is called that was not offered");
        return;
    }
    if (!json_parse(text, &args, &e) || args.type != JSON_OBJECT) {
        flawed(c, FLAW_BAD_ARGUMENTS, "a call's arguments are no JSON object");
        return;
    }
    if (tool->schema.len > 0 && json_parse(tool->schema, &schema, &e) &&
        json_fits(&schema, &args, c->work, &e) == FITS_NOT)
        flawed(c, FLAW_BAD_ARGUMENTS, e.msg);
}

static void check_calls(struct check *c)
{
    enum tool_choice wanted = c->asked->params.tool_choice;

    for (struct gathered_block *b = c->choice->first; b; b = b->next)
        if (b->part == PART_TOOL_CALL && b->raw.len == 0)
            check_call(c, b);
    if (c->n_calls == 0 && c->asked->n_tools > 0 &&
        (wanted == CHOICE_REQUIRED || wanted == CHOICE_NAMED))
        flawed(c, FLAW_NO_CALL, "a tool was to be called, and none was");
}

/* ---- the end ---- */

static void check_finish(struct check *c)
{
    switch (c->choice->finish) {
    case FINISH_LENGTH:
        if (c->asked->params.max_tokens >= 0)
            flawed(c, FLAW_LENGTH, "max_tokens ended the answer");
        else
            flawed(c, FLAW_TRUNCATED, "the model's output limit ended it");
        break;
    case FINISH_CONTEXT:
        flawed(c, FLAW_TRUNCATED, "the context window was full");
        break;
    case FINISH_FILTER:
        flawed(c, FLAW_FILTERED, "the provider's filter ended the answer");
        break;
    case FINISH_REFUSAL:
        flawed(c, FLAW_REFUSED, "the model declined");
        break;
    default:
        break;
    }
}

static void check_text(struct check *c)
{
    if (c->n_calls > 0)
        return;
    if (span_trim(c->text).len == 0) {
        if (c->found == 0)
            flawed(c, FLAW_EMPTY, "the answer is empty");
        return;
    }
    if (text_refuses(c->text, c->work))
        flawed(c, FLAW_REFUSED, "the answer is worded as a refusal");
    if (text_repeats(c->text))
        flawed(c, FLAW_REPEATS, "the answer repeats itself without end");
}

uint32_t answer_flaws(const struct request *asked, const struct gathered *g,
                      struct arena *work, struct err *why)
{
    struct err unread;
    struct check c = {asked, &g->choices[0], {NULL, 0}, 0, work, NULL, 0};
    struct buf text;

    c.why = why ? why : &unread;
    if (g->error_status != 0 || g->n_choices == 0) {
        flawed(&c, g->error_status ? FLAW_ERROR : FLAW_EMPTY,
               g->error_status ? "the provider answered with an error"
                               : "there is no answer");
        return c.found;
    }
    buf_init(&text, TEXT_MAX);
    for (struct gathered_block *b = c.choice->first; b; b = b->next) {
        if (b->part == PART_TEXT)
            buf_span(&text, b->text);
        if (b->part == PART_REFUSAL)
            flawed(&c, FLAW_REFUSED, "the model declined");
        c.n_calls += b->part == PART_TOOL_CALL;
    }
    c.text = buf_view(&text);
    check_finish(&c);
    check_text(&c);
    if (!text.failed && !(c.found & (FLAW_EMPTY | FLAW_REFUSED)))
        check_json(&c);
    check_calls(&c);
    buf_free(&text);
    return c.found;
}

static const char *const names[FLAWS] = {
    "error",        "empty",         "truncated", "length",
    "filtered",     "refused",       "bad_json",  "bad_schema",
    "unknown_tool", "bad_arguments", "no_call",   "repeats",
};

const char *flaw_name(enum flaw f)
{
    for (unsigned i = 0; i < FLAWS; i++)
        if ((unsigned)f == 1u << i)
            return names[i];
    return "?";
}

uint32_t flaw_find(struct span name)
{
    for (unsigned i = 0; i < FLAWS; i++)
        if (span_is(name, names[i]))
            return 1u << i;
    return 0;
}
