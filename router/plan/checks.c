/* SPDX-License-Identifier: Apache-2.0 */
#include "router/plan/checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fold.h"

enum {
    TEXT_MAX = 256 * 1024,
    TERMS_MAX = 1 << 16, /* words and pairs of a text that are compared */
};

/* ---- what an answer shows of itself ---- */

static struct span text_of(const struct gathered *g, struct arena *a)
{
    struct span text = {NULL, 0};
    struct buf out;

    buf_init(&out, TEXT_MAX);
    for (const struct gathered_block *b = g->choices[0].first; b; b = b->next) {
        if (b->part == PART_TEXT)
            buf_span(&out, b->text);
    }
    if (!out.failed)
        text = arena_copy(a, buf_view(&out));
    buf_free(&out);
    return text;
}

struct sum {
    double logs, lead;
    size_t n, n_lead;
};

/* How far ahead the likeliest token was of the next. */
static void add_lead(const struct json *token, struct sum *s)
{
    struct json top = json_get(token, "top_logprobs"), one;
    struct json_iter it = json_begin(&top);
    double best = -INFINITY, second = -INFINITY, v;

    while (top.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        struct json log = json_get(&one, "logprob");

        if (!json_double(&log, &v))
            continue;
        second = v > best ? best : fmax(second, v);
        best = fmax(best, v);
    }
    if (isinf(second))
        return;
    s->lead += exp(fmin(best, 0)) - exp(fmin(second, 0));
    s->n_lead++;
}

static void add_tokens(const struct json *logprobs, struct sum *s)
{
    struct json content = json_get(logprobs, "content"), token;
    struct json_iter it = json_begin(&content);
    double v;

    while (content.type == JSON_ARRAY && json_next(&it, NULL, &token)) {
        struct json log = json_get(&token, "logprob");

        if (!json_double(&log, &v))
            continue;
        s->logs += fmax(fmin(v, 0), -50);
        s->n++;
        add_lead(&token, s);
    }
}

/* Items of texts that only their dialect reads: OpenAI's log-probabilities
 * are among them. */
static void look_at_logprobs(struct answered *a)
{
    struct sum s = {0, 0, 0, 0};

    for (const struct gathered_block *b = a->g.choices[0].first; b;
         b = b->next) {
        struct json all, one;
        struct json_iter it;

        if (b->part != PART_TEXT || b->raw.len == 0 ||
            !json_parse(b->raw, &all, NULL) || all.type != JSON_ARRAY)
            continue;
        it = json_begin(&all);
        while (json_next(&it, NULL, &one)) {
            struct json probs = json_get(&one, "logprobs");

            add_tokens(&probs, &s);
        }
    }
    a->told = s.n > 0;
    a->sure = s.n ? exp(s.logs / (double)s.n) : 0;
    a->margin = s.n_lead ? s.lead / (double)s.n_lead : 0;
}

void answered_look(struct answered *a, const struct request *asked,
                   struct arena *arena)
{
    a->flaws = answer_flaws(asked, &a->g, arena, NULL);
    a->final = final_of(&a->g, final_has_options(asked), arena);
    a->text = a->g.n_choices ? text_of(&a->g, arena) : (struct span){NULL, 0};
    a->tokens = a->g.has_usage ? (double)a->g.usage.output : 0;
    look_at_logprobs(a);
}

/* ---- words in common ---- */

static bool is_word(unsigned char c)
{
    return c >= 0x80 || c == '_' || (c >= '0' && c <= '9') ||
           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int by_value(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

    return (a > b) - (a < b);
}

struct terms {
    uint64_t *at; /* (arena) [n] hashes, ascending, each once */
    size_t n;
};

static size_t once(uint64_t *at, size_t n)
{
    size_t kept = 0;

    qsort(at, n, sizeof *at, by_value);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || at[kept - 1] != at[i])
            at[kept++] = at[i];
    }
    return kept;
}

static struct terms terms_of(struct span text, struct arena *a)
{
    struct span folded = fold_text(text, a);
    struct terms t = {NULL, 0};
    uint64_t last = 0;

    if (folded.len)
        text = folded;
    t.at = arena_alloc(a, TERMS_MAX * sizeof *t.at);
    if (!t.at)
        return t;
    for (size_t i = 0, from; i < text.len && t.n + 2 <= TERMS_MAX;) {
        uint64_t word;

        for (from = i; i < text.len && is_word((unsigned char)text.ptr[i]);)
            i++;
        if (i == from) {
            i++;
            continue;
        }
        word = span_hash((struct span){text.ptr + from, i - from}, 1);
        t.at[t.n++] = word;
        if (last)
            t.at[t.n++] = word * 31 + last;
        last = word;
    }
    t.n = once(t.at, t.n);
    return t;
}

double words_overlap(struct span a, struct span b, struct arena *work)
{
    struct terms x = terms_of(a, work), y = terms_of(b, work);
    size_t both = 0;

    for (size_t i = 0, k = 0; i < x.n && k < y.n;) {
        both += x.at[i] == y.at[k];
        if (x.at[i] == y.at[k])
            i++, k++;
        else if (x.at[i] < y.at[k])
            i++;
        else
            k++;
    }
    return x.n + y.n ? 2.0 * (double)both / (double)(x.n + y.n) : 0;
}

/* ---- the table ---- */

static double agree(const struct checked *c)
{
    return c->check && final_agree(&c->draft->final, &c->check->final);
}

static double is_long(const struct checked *c)
{
    return c->draft->final.kind == FINAL_LONG ||
           (c->check && c->check->final.kind == FINAL_LONG);
}

static double overlap(const struct checked *c)
{
    struct arena work;
    double v;

    if (!c->check)
        return 0;
    arena_init(&work, 8 * TEXT_MAX + 2 * TERMS_MAX * sizeof(uint64_t));
    v = words_overlap(c->draft->text, c->check->text, &work);
    arena_free(&work);
    return v;
}

static double length_ratio(const struct checked *c)
{
    double a = (double)c->draft->text.len, b;

    if (!c->check)
        return 0;
    b = (double)c->check->text.len;
    if (a == 0 || b == 0)
        return a == b;
    return a < b ? a / b : b / a;
}

static double log_tokens(const struct checked *c)
{
    return log1p(c->draft->tokens);
}

static double sure(const struct checked *c)
{
    return c->draft->told ? c->draft->sure : 0;
}

static double margin(const struct checked *c)
{
    return c->draft->told ? c->draft->margin : 0;
}

static double is_told(const struct checked *c)
{
    return c->draft->told;
}

static double quality(const struct checked *c)
{
    return isnan(c->quality) ? 0 : c->quality;
}

static double calls(const struct checked *c)
{
    return c->draft->final.kind == FINAL_CALLS;
}

static double has_code(const struct checked *c)
{
    return span_has(c->draft->text, SPAN("```"));
}

static double check_flawed(const struct checked *c)
{
    return c->check && c->check->flaws != 0;
}

static double flawed(const struct checked *c, enum flaw f)
{
    return (c->draft->flaws & (uint32_t)f) != 0;
}

static double cut(const struct checked *c)
{
    return flawed(c, FLAW_TRUNCATED) || flawed(c, FLAW_LENGTH);
}

static double refused(const struct checked *c)
{
    return flawed(c, FLAW_REFUSED) || flawed(c, FLAW_FILTERED);
}

static double bad_form(const struct checked *c)
{
    return flawed(c, FLAW_BAD_JSON) || flawed(c, FLAW_BAD_SCHEMA);
}

static double bad_calls(const struct checked *c)
{
    return flawed(c, FLAW_UNKNOWN_TOOL) || flawed(c, FLAW_BAD_ARGUMENTS) ||
           flawed(c, FLAW_NO_CALL);
}

static double repeats(const struct checked *c)
{
    return flawed(c, FLAW_REPEATS);
}

static const struct {
    const char *name;
    double (*of)(const struct checked *c);
} rows[] = {
    {"agree", agree},
    {"long", is_long},
    {"overlap", overlap},
    {"length_ratio", length_ratio},
    {"log_tokens", log_tokens},
    {"told", is_told},
    {"sure", sure},
    {"margin", margin},
    {"quality", quality},
    {"calls", calls},
    {"code", has_code},
    {"check_flawed", check_flawed},
    {"cut", cut},
    {"refused", refused},
    {"bad_form", bad_form},
    {"bad_calls", bad_calls},
    {"repeats", repeats},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

_Static_assert((int)ROWS <= (int)CHECKS_MAX, "room for each check");

unsigned checks_count(void)
{
    return ROWS;
}

const char *checks_name(unsigned i)
{
    return rows[i].name;
}

void checks_all(const struct checked *c, double *out)
{
    for (unsigned i = 0; i < ROWS; i++)
        out[i] = rows[i].of(c);
}

bool long_agree(const struct checked *c, double least)
{
    return c->check && length_ratio(c) >= 0.5 && overlap(c) >= least;
}

/* ---- the acceptance head ---- */

static int find(const struct json *key)
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (json_is(key, rows[i].name))
            return (int)i;
    }
    return -1;
}

bool acceptance_read(const struct json *v, struct acceptance *out)
{
    struct json weights = json_get(v, "weights");
    struct json intercept = json_get(v, "intercept");
    struct json_iter it = json_begin(&weights);
    struct json key, weight;

    *out = (struct acceptance){.intercept = 0};
    if (weights.type != JSON_OBJECT ||
        !json_double(&intercept, &out->intercept))
        return false;
    while (json_next(&it, &key, &weight)) {
        int i = find(&key);

        if (i < 0 || !json_double(&weight, &out->weights[i]))
            return false;
    }
    return true;
}

double acceptance_of(const struct acceptance *a, const double *checks)
{
    double z = a->intercept;

    for (unsigned i = 0; i < ROWS; i++)
        z += a->weights[i] * checks[i];
    return 1 / (1 + exp(-z));
}
