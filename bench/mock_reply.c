/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the mock answers: from the dataset that it plays, from a directive in
 * the last user message ("[mock tokens=20 finish=length]"), else made up from
 * a hash of the request, so that the same request gets the same answer.
 */
#include "bench/mock.h"

#include "base/rng.h"
#include "bench/mock_schema.h"
#include "features/features.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TOKENS_DEFAULT = 24, TOKENS_MOST = 20000, DIRECTIVE_MAX = 1024 };

/* ---- directives ---- */

struct directive {
    char text[DIRECTIVE_MAX]; /* between "[mock " and "]" */
    struct span value_text, tool, args, finish, thinking;
    int64_t tokens, tools, loop, cached, reasoning;
    bool echo;
    struct mock_fault fault;
    const struct mock_played *played; /* what the dataset has, or NULL */
};

static const struct {
    const char *name;
    size_t offset; /* of an int64_t in struct directive */
} numbers[] = {
    {"tokens", offsetof(struct directive, tokens)},
    {"tools", offsetof(struct directive, tools)},
    {"loop", offsetof(struct directive, loop)},
    {"cached", offsetof(struct directive, cached)},
    {"reasoning", offsetof(struct directive, reasoning)},
};

static const struct {
    const char *name;
    size_t offset; /* of a struct span in struct directive */
} texts[] = {
    {"text", offsetof(struct directive, value_text)},
    {"tool", offsetof(struct directive, tool)},
    {"args", offsetof(struct directive, args)},
    {"finish", offsetof(struct directive, finish)},
    {"thinking", offsetof(struct directive, thinking)},
};

static void set_key(struct directive *d, struct span key, struct span value)
{
    uint64_t n = 0;

    if (mock_fault_set(&d->fault, key, value))
        return;
    d->echo |= span_is(key, "echo");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (span_is(key, texts[i].name))
            memcpy((char *)d + texts[i].offset, &value, sizeof value);
    }
    if (!span_u64(value, &n) || n > 1000000)
        return;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (span_is(key, numbers[i].name))
            memcpy((char *)d + numbers[i].offset, &(int64_t){(int64_t)n},
                   sizeof(int64_t));
    }
}

/* key@model: of one model's answers alone. */
static bool is_for(struct span *key, struct span model)
{
    struct span rest = *key;

    *key = span_cut(&rest, '@');
    return !rest.ptr || span_eq(rest, model);
}

/* key=value key="value with spaces" key@model=value flag */
static void read_pairs(struct directive *d, struct span rest, struct span model)
{
    while ((rest = span_trim(rest)).len) {
        struct span key = {rest.ptr, 0}, value;
        char end = ' ';

        while (key.len < rest.len && rest.ptr[key.len] != '=' &&
               rest.ptr[key.len] != ' ')
            key.len++;
        rest.ptr += key.len;
        rest.len -= key.len;
        value = (struct span){NULL, 0};
        if (rest.len && rest.ptr[0] == '=') {
            rest.ptr++;
            rest.len--;
            if (rest.len && (rest.ptr[0] == '"' || rest.ptr[0] == '\'')) {
                end = rest.ptr[0];
                rest.ptr++;
                rest.len--;
            }
            value = span_cut(&rest, end);
        }
        if (is_for(&key, model))
            set_key(d, key, value);
    }
}

static const struct message *last_of(const struct request *r, enum role role)
{
    for (size_t i = r->n_messages; i-- > 0;) {
        if (r->messages[i].role == role)
            return &r->messages[i];
    }
    return NULL;
}

static void read_directive(const struct request *r, struct directive *d)
{
    const struct message *m = last_of(r, ROLE_USER);
    char *from = NULL, *to;

    memset(d, 0, sizeof *d);
    d->tokens = d->tools = d->loop = d->cached = d->reasoning = -1;
    mock_fault_init(&d->fault);
    for (size_t i = 0; m && i < m->n_parts && !from; i++) {
        size_t n =
            m->parts[i].kind == PART_TEXT
                ? text_tail(m->parts[i].text, d->text, sizeof d->text - 1)
                : 0;

        d->text[n] = '\0';
        from = strstr(d->text, "[mock ");
    }
    to = from ? strrchr(from, ']') : NULL;
    if (to)
        read_pairs(d, (struct span){from + 6, (size_t)(to - from) - 6},
                   r->model);
}

/* ---- content ---- */

/* What the request asks, and not how it wants to be answered: a stream says
 * the same as a whole answer, and fails with it. */
static uint64_t hash_of(const struct request *r, uint64_t seed)
{
    uint64_t h = span_hash(r->model, seed);

    for (size_t i = 0; i < r->n_messages; i++)
        h = span_hash(r->messages[i].raw, h);
    for (size_t i = 0; i < r->n_tools; i++)
        h = span_hash(r->tools[i].raw, h);
    return h;
}

static const char *const words[] = {
    "the",   "water", "level", "of",     "this",  "answer", "is",   "held",
    "by",    "a",     "low",   "wall",   "and",   "passes", "over", "it",
    "where", "each",  "small", "stream", "finds", "its",    "way",  "down",
};

static struct span filler(struct arena *a, uint64_t seed, int64_t tokens)
{
    struct buf b;
    struct span out;

    buf_init(&b, (size_t)1 << 22);
    for (int64_t i = 0; i < tokens; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        if (i)
            buf_char(&b, ' ');
        buf_str(&b, words[(seed >> 33) % (sizeof words / sizeof words[0])]);
    }
    out = arena_copy(a, buf_view(&b));
    buf_free(&b);
    return out;
}

/* Cuts the text behind its first `tokens` pieces. */
static struct span cut_tokens(struct span text, int64_t tokens)
{
    size_t n = 0;

    for (int64_t i = 0; i < tokens; i++) {
        struct span rest = {text.ptr + n, text.len - n};
        size_t piece = mock_piece(rest).len;

        if (piece == 0)
            break;
        n += piece;
    }
    return (struct span){text.ptr, n};
}

struct span mock_piece(struct span text)
{
    size_t end = 1;

    if (text.len == 0)
        return text;
    while (end < text.len && text.ptr[end] != ' ')
        end++;
    return (struct span){text.ptr, end};
}

/* Rounds of calls since the user spoke. */
static int64_t rounds(const struct request *r)
{
    int64_t n = 0;

    for (size_t i = r->n_messages; i-- > 0;) {
        const struct message *m = &r->messages[i];

        if (m->role == ROLE_USER)
            break;
        if (m->role == ROLE_ASSISTANT)
            n++;
    }
    return n;
}

/* A forced call always comes; else one round of them, or as many as the
 * directive says. */
static bool wants_tool(const struct request *r, const struct directive *d)
{
    if (r->n_tools == 0 || r->params.tool_choice == CHOICE_NONE ||
        d->tools == 0 || d->echo || d->value_text.len)
        return false;
    if (r->params.tool_choice == CHOICE_REQUIRED ||
        r->params.tool_choice == CHOICE_NAMED)
        return true;
    return rounds(r) < (d->loop >= 0 ? d->loop : 1);
}

static const struct tool *pick_tool(const struct request *r,
                                    const struct directive *d, size_t i)
{
    struct span name = d->tool.len ? d->tool : r->params.tool_name;

    for (size_t k = 0; name.len && k < r->n_tools; k++) {
        if (span_eq(r->tools[k].name, name))
            return &r->tools[k];
    }
    return &r->tools[i % r->n_tools];
}

static bool make_calls(const struct request *r, const struct directive *d,
                       struct arena *a, struct mock_reply *m)
{
    unsigned n = d->tools > 0 ? (unsigned)d->tools : 1;

    if (n > MOCK_CALLS_MAX)
        n = MOCK_CALLS_MAX;
    if (r->params.parallel_tool_calls == 0)
        n = 1;
    for (unsigned i = 0; i < n; i++) {
        const struct tool *t = pick_tool(r, d, i);
        struct mock_call *c = &m->calls[m->n_calls++];
        char id[64] = "";

        if (m->dialect->call)
            snprintf(id, sizeof id, "%s%016llx%02llx%02u", m->dialect->call,
                     (unsigned long long)m->hash, (unsigned long long)rounds(r),
                     i);
        c->id = arena_copy(a, span_of(id));
        c->name = t->name;
        c->arguments = d->args.len ? arena_copy(a, d->args)
                                   : mock_from_schema(t->schema, a);
        if ((m->dialect->call && !c->id.ptr) || !c->arguments.ptr)
            return false;
    }
    m->finish = "tool_calls";
    return true;
}

static struct span content(const struct mock_context *c,
                           const struct request *r, const struct directive *d,
                           struct arena *a)
{
    const struct mock_played *played = d->played;
    int64_t tokens = d->tokens >= 0 ? d->tokens : TOKENS_DEFAULT;

    if (d->value_text.len)
        return arena_copy(a, d->value_text);
    if (d->echo)
        return mock_echo(r, a);
    if (played && played->answer.len)
        return played->answer;
    if (r->params.format == FORMAT_JSON_SCHEMA)
        return mock_from_schema(r->params.schema, a);
    if (r->params.format == FORMAT_JSON)
        return SPAN("{\"answer\": \"the water level\"}");
    if (played && isfinite(played->output_tokens) && d->tokens < 0)
        tokens = (int64_t)played->output_tokens;
    if (tokens > TOKENS_MOST)
        tokens = TOKENS_MOST;
    return filler(a, hash_of(r, c->options->seed), tokens);
}

static int64_t pieces(struct span text)
{
    int64_t n = 0;
    struct span piece;

    while ((piece = mock_piece(text)).len) {
        text.ptr += piece.len;
        text.len -= piece.len;
        n++;
    }
    return n;
}

/* Seeded by the request, so that a retry of it fails in the same way unless
 * it goes elsewhere; the seed is the server's. */
static void draw_error(const struct mock_context *c, const struct request *r,
                       struct mock_fault *f)
{
    static const int kinds[] = {500, 429, 503, 529};
    uint64_t h = hash_of(r, c->options->seed ^ 0x6d6f636bU);
    double u = (double)(h >> 11) * 0x1p-53;

    if (u >= c->options->error_rate)
        return;
    f->status = kinds[h % (sizeof kinds / sizeof kinds[0])];
    f->retry_after = f->status == 429 ? 1 : -1;
}

static void usage(const struct request *r, const struct facts *facts,
                  const struct directive *d, struct mock_reply *m)
{
    const struct mock_played *played = d->played;

    m->input_tokens = played && isfinite(played->input_tokens)
                          ? (int64_t)played->input_tokens
                          : (int64_t)facts->input_tokens;
    m->cached_tokens = d->cached >= 0 ? d->cached : 0;
    if (m->cached_tokens > m->input_tokens)
        m->cached_tokens = m->input_tokens;
    m->reasoning_tokens =
        d->reasoning >= 0 ? d->reasoning : pieces(m->thinking);
    m->output_tokens = pieces(m->text) + m->reasoning_tokens;
    for (unsigned i = 0; i < m->n_calls; i++)
        m->output_tokens += 8 + (int64_t)m->calls[i].arguments.len / 4;
    if (played && isfinite(played->output_tokens) && !m->n_calls)
        m->output_tokens = (int64_t)played->output_tokens;
    if (r->params.max_tokens > 0 && m->output_tokens > r->params.max_tokens) {
        m->output_tokens = r->params.max_tokens;
        m->text = cut_tokens(m->text, r->params.max_tokens);
        if (!m->n_calls)
            m->finish = "length";
    }
    /* Each of several answers is paid for. */
    if (r->params.n > 1)
        m->output_tokens *= r->params.n < 16 ? r->params.n : 16;
}

/* ---- thinking and stop sequences ---- */

static bool thinks(const struct request *r)
{
    const struct params *p = &r->params;

    return p->thinking_budget > 0 || p->thinking_budget == -2 ||
           (p->reasoning.len && !span_is(p->reasoning, "none") &&
            !span_is(p->reasoning, "minimal"));
}

/* What is said of it: all by Anthropic's kind, summaries where asked for by
 * others, nothing by chat completions. */
static bool shows(const struct mock_dialect *d, const struct request *r)
{
    if (d == &mock_openai)
        return false;
    return r->params.show_thinking ||
           (d != &mock_gemini && d != &mock_responses);
}

static void think(const struct mock_context *c, const struct request *r,
                  const struct directive *d, struct arena *a,
                  struct mock_reply *m)
{
    enum { WORDS = 12 };

    if (d->thinking.len)
        m->thinking = arena_copy(a, d->thinking);
    else if (thinks(r) && shows(c->dialect, r))
        m->thinking = filler(a, rng_mix(m->hash, 1), WORDS);
    if (c->dialect == &mock_openai || c->dialect == &mock_cohere)
        return;
    if (m->thinking.len || (c->dialect == &mock_gemini && m->n_calls))
        m->signature = mock_sign(c->options->seed, m->thinking, a);
}

static void stop_at(struct mock_reply *m, struct json stop, struct arena *a)
{
    struct span sequence;
    const char *at;

    if (!json_text(&stop, a, &sequence) || sequence.len == 0 || !m->text.len)
        return;
    at = memmem(m->text.ptr, m->text.len, sequence.ptr, sequence.len);
    if (!at)
        return;
    m->text.len = (size_t)(at - m->text.ptr);
    m->sequence = sequence;
}

/* The text ends before the first stop sequence that it has. */
static void stop(const struct request *r, struct arena *a, struct mock_reply *m)
{
    struct json stop, one;
    struct json_iter it;
    struct err e;

    if (!r->params.stop.len || !json_parse(r->params.stop, &stop, &e))
        return;
    stop_at(m, stop, a);
    it = json_begin(&stop);
    while (stop.type == JSON_ARRAY && json_next(&it, NULL, &one))
        stop_at(m, one, a);
}

/* ---- all of it ---- */

static bool say(const struct mock_context *c, const struct request *r,
                const struct directive *d, struct arena *a,
                struct mock_reply *m)
{
    if (wants_tool(r, d)) {
        if (!make_calls(r, d, a, m))
            return false;
    } else {
        m->text = content(c, r, d, a);
        if (!d->echo) /* it has the sequences in it */
            stop(r, a, m);
    }
    think(c, r, d, a, m);
    return true;
}

bool mock_reply(const struct mock_context *c, const struct request *r,
                struct arena *a, struct mock_reply *m, struct err *e)
{
    struct directive *d = arena_alloc(a, sizeof *d);
    struct mock_played played;
    struct facts facts;
    uint64_t h = hash_of(r, c->options->seed);

    memset(m, 0, sizeof *m);
    if (!d)
        return err_set(e, ERR_MEMORY, "no memory for the answer");
    read_directive(r, d);
    features_extract(r, c->scratch, c->vec, &facts);
    if (c->book && mock_book_find(c->book, facts.stem_hash, r->model, &played))
        d->played = &played;
    m->dialect = c->dialect;
    m->hash = h;
    snprintf(m->id, sizeof m->id, "%s%016llx%08llx", c->dialect->id,
             (unsigned long long)h, (unsigned long long)(h * 31 >> 32));
    m->created = 1750000000 + (int64_t)(h % 10000000);
    m->finish = "stop";
    mock_fault_init(&m->fault);
    draw_error(c, r, &m->fault);
    mock_fault_merge(&m->fault, &d->fault);
    if (!say(c, r, d, a, m))
        return err_set(e, ERR_MEMORY, "no memory for the answer");
    usage(r, &facts, d, m);
    if (d->finish.len)
        m->finish = arena_strdup(a, d->finish);
    return m->finish != NULL ||
           err_set(e, ERR_MEMORY, "no memory for the answer");
}
