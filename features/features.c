/* SPDX-License-Identifier: Apache-2.0 */
#include "features/features.h"

#include "features/dense.h"
#include "features/grams.h"
#include "features/keywords.h"
#include "features/marks.h"
#include "features/view.h"
#include "features/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SYSTEM_HEAD = 1024, /* bytes that tell one system prompt from another */
    FIRST_HEAD = 512,   /* and one conversation's first message */
    RESULT_HEAD = 512,  /* bytes of a tool result searched for errors */
    RESULT_TAIL = 1024,
    OPENING_MAX = 3, /* first words of a message are terms of their own */
};

/* Namespaces of hashed words. */
#define NS_WORD 0x243f6a8885a308d3ULL
#define NS_PAIR 0x13198a2e03707344ULL
#define NS_OPENING 0xa4093822299f31d0ULL

struct features_scratch {
    struct keywords keywords; /* filled once, then only read */
    struct view view;
    struct window window;
    struct words words;
    struct grams grams;
};

struct features_scratch *features_scratch_new(void)
{
    struct features_scratch *s = malloc(sizeof *s);

    if (s)
        keywords_init(&s->keywords, &s->words);
    return s;
}

void features_scratch_free(struct features_scratch *s)
{
    free(s);
}

/* ---- hashed words ---- */

static uint32_t term_index(uint64_t hash, uint64_t ns)
{
    return (uint32_t)(((hash ^ ns) * 0x9e3779b97f4a7c15ULL) >> 32);
}

/* The opening: the first word, the first two and the first three. */
static uint32_t opening_index(const struct words *w, unsigned n)
{
    uint64_t h = 0;
    unsigned seen = 0;

    for (uint32_t i = 0; i < w->n_tokens && seen < n; i++) {
        if (w->tokens[i].kind == TOKEN_SIGN)
            continue;
        h = seen++ ? words_chain(h, w->tokens[i].hash) : w->tokens[i].hash;
    }
    return seen == n ? term_index(h, NS_OPENING + n) : 0;
}

static uint64_t pair_hash(const struct words *w, uint32_t i)
{
    return words_chain(w->tokens[i - 1].hash, w->tokens[i].hash);
}

static void add_words(struct features_scratch *s)
{
    const struct words *w = &s->words;
    uint32_t index;

    grams_clear(&s->grams);
    for (uint32_t i = 0; i < w->n_tokens; i++)
        grams_put_single(&s->grams, term_index(w->tokens[i].hash, NS_WORD));
    for (uint32_t i = 1; i < w->n_tokens; i++) {
        grams_put(&s->grams, term_index(pair_hash(w, i), NS_PAIR));
        grams_drop(&s->grams, w->tokens[i].apart);
    }
    for (unsigned n = 1; n <= OPENING_MAX; n++) {
        index = opening_index(w, n);
        if (index)
            grams_put(&s->grams, index);
    }
    grams_count(&s->grams);
    s->view.tokens.distinct = s->grams.n_singles;
}

/* ---- identities ---- */

/*
 * System prompts are told apart by how they begin: what stands further down
 * is often a date or the state of a workspace.  A conversation's first
 * message counts with its length, as many begin with the same preamble.
 */
static uint64_t text_identity(struct text t, size_t head, uint64_t seed)
{
    char text[SYSTEM_HEAD];

    return span_hash((struct span){text, text_head(t, text, head)}, seed);
}

static uint64_t message_identity(const struct message *m, size_t head,
                                 bool with_length, uint64_t seed)
{
    uint64_t h = seed;

    for (size_t i = 0; i < m->n_parts; i++) {
        const struct part *p = &m->parts[i];

        if (p->kind != PART_TEXT)
            continue;
        h = text_identity(p->text, head, h);
        if (with_length)
            return h + p->text.raw.len;
    }
    return h;
}

static void identify(struct view *v)
{
    const struct request *r = v->r;
    uint64_t h = 0x73797374;
    size_t i = 0;

    for (size_t k = 0; k < r->n_messages && v->n_system; k++) {
        if (r->messages[k].role == ROLE_SYSTEM)
            h = message_identity(&r->messages[k], SYSTEM_HEAD, false, h);
    }
    v->system_hash = v->n_system ? h : 0;
    while (i < r->n_messages && r->messages[i].role != ROLE_USER)
        i++;
    if (i < r->n_messages)
        h = message_identity(&r->messages[i], FIRST_HEAD, true, h + 1);
    v->session_hash = h;
}

static bool is_operand(const struct words *w, const struct token *t)
{
    if (t->kind == TOKEN_SIGN)
        return w->fold[t->at] == '(' || w->fold[t->at] == ')';
    return t->kind == TOKEN_NUMBER || t->len == 1;
}

/* In 5 - 3 and x > 2 the sign is the question; in well-known it is not. */
static bool is_operator(const struct words *w, uint32_t i)
{
    const struct token *t = &w->tokens[i];

    return t->len == 1 && strchr("+-*/=<>^", w->fold[t->at]) &&
           ((i > 0 && is_operand(w, t - 1)) ||
            (i + 1 < w->n_tokens && is_operand(w, t + 1)));
}

/* Letters, digits and signs of arithmetic of the last user message; of a
 * longer one than is read also its length; of one without text its JSON. */
static uint64_t stem_hash(const struct view *v)
{
    uint64_t h = v->window->split < v->window->n ? v->window->whole : 0;
    bool any = false;

    for (uint32_t i = 0; i < v->words->n_tokens; i++) {
        if (v->words->tokens[i].kind == TOKEN_SIGN && !is_operator(v->words, i))
            continue;
        h = words_chain(h, v->words->tokens[i].hash);
        any = true;
    }
    if (any || !v->user)
        return h;
    return span_hash((struct span){v->user->raw.ptr, v->user->raw.len < 4096
                                                         ? v->user->raw.len
                                                         : 4096},
                     v->user->raw.len);
}

enum { SKETCHED = 512 }; /* tokens */

/* Words and pairs of neighbours, so that a changed word changes three. */
static struct sketch stem_sketch(const struct view *v)
{
    const struct token *t = v->words->tokens;
    struct sketch_work w = {{0}};
    uint32_t n = v->words->n_tokens < SKETCHED ? v->words->n_tokens : SKETCHED;
    uint64_t before = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (t[i].kind == TOKEN_SIGN)
            continue;
        sketch_add(&w, words_chain(1, t[i].hash));
        if (before)
            sketch_add(&w, words_chain(before, t[i].hash));
        before = t[i].hash;
    }
    return sketch_of(&w);
}

/* ---- the whole ---- */

static void read_result(struct features_scratch *s)
{
    struct view *v = &s->view;

    if (!v->result)
        return;
    window_fill_text(&s->window, v->result->text, RESULT_HEAD, RESULT_TAIL);
    words_clear(&s->words);
    words_add(&s->words, window_head(&s->window), WORDS_TOKENS_MAX / 2);
    words_add(&s->words, window_tail(&s->window), WORDS_TOKENS_MAX);
    keywords_count(&s->keywords, &s->words, v->result_groups);
}

static void read_user(struct features_scratch *s)
{
    struct view *v = &s->view;
    bool cut;

    window_fill(&s->window, v->user, PART_TEXT, FEATURES_HEAD, FEATURES_TAIL);
    cut = s->window.split < s->window.n;
    words_clear(&s->words);
    words_add(&s->words, window_head(&s->window),
              cut ? WORDS_TOKENS_MAX / 4 * 3 : WORDS_TOKENS_MAX);
    words_add(&s->words, window_tail(&s->window), WORDS_TOKENS_MAX);
    keywords_count(&s->keywords, &s->words, v->groups);
    view_shape(&v->shape, &s->window);
    view_tokens(&v->tokens, &s->words);
}

static void look(const struct request *r, struct features_scratch *s)
{
    struct view *v = &s->view;

    view_gather(v, r);
    v->window = &s->window;
    v->words = &s->words;
    v->input_tokens = tokens_request(r);
    identify(v);
    read_result(s);
    read_user(s);
    add_words(s);
}

static void fill_facts(const struct view *v, struct facts *f)
{
    *f = (struct facts){
        .input_tokens = v->input_tokens,
        .images = v->n_images,
        .files = v->n_files,
        .audios = v->n_audios,
        .turns = v->n_user,
        .tools = v->r->n_tools > 0,
        .json_schema = v->r->params.format == FORMAT_JSON_SCHEMA,
        .json_mode = v->r->params.format == FORMAT_JSON,
        .system_hash = v->system_hash,
        .session_hash = v->session_hash,
        .stem_hash = stem_hash(v),
        .stem_sketch = stem_sketch(v),
    };
}

void features_extract(const struct request *r, struct features_scratch *s,
                      struct vec *out, struct facts *facts)
{
    look(r, s);
    out->version = FEATURES_VERSION;
    out->n_words = grams_take(&s->grams, out->words, VEC_WORDS_MAX);
    out->n_marks = marks_fill(&s->view, out->marks);
    out->n_dense = dense_fill(&s->view, out->dense);
    if (facts)
        fill_facts(&s->view, facts);
}

const char *features_dense_name(unsigned i)
{
    return dense_name(i);
}

/* ---- names, for explain ---- */

static bool name_word(const struct words *w, uint32_t i, uint32_t index,
                      char *dst, size_t size)
{
    struct span a = words_text(w, &w->tokens[i]), b;

    if (term_index(w->tokens[i].hash, NS_WORD) == index) {
        snprintf(dst, size, "word:%.*s", SPAN_ARGS(a));
        return true;
    }
    if (i == 0 || w->tokens[i].apart ||
        term_index(pair_hash(w, i), NS_PAIR) != index)
        return false;
    b = words_text(w, &w->tokens[i - 1]);
    snprintf(dst, size, "pair:%.*s %.*s", SPAN_ARGS(b), SPAN_ARGS(a));
    return true;
}

static void name_opening(const struct words *w, unsigned n, char *dst,
                         size_t size)
{
    size_t at = (size_t)snprintf(dst, size, "opening:");

    for (uint32_t i = 0; i < w->n_tokens && n > 0 && at < size; i++) {
        struct span t = words_text(w, &w->tokens[i]);

        if (w->tokens[i].kind == TOKEN_SIGN)
            continue;
        at += (size_t)snprintf(dst + at, size - at, "%s%.*s",
                               dst[at - 1] == ':' ? "" : " ", SPAN_ARGS(t));
        n--;
    }
}

void features_name(const struct request *r, struct features_scratch *s,
                   bool is_mark, uint32_t index, char dst[FEATURES_NAME_MAX])
{
    const size_t size = FEATURES_NAME_MAX;
    const struct words *w = &s->words;

    dst[0] = '\0';
    look(r, s);
    if (is_mark) {
        marks_name(&s->view, index, dst, size);
        return;
    }
    for (uint32_t i = 0; i < w->n_tokens; i++) {
        if (name_word(w, i, index, dst, size))
            return;
    }
    for (unsigned n = 1; n <= OPENING_MAX; n++) {
        if (index && opening_index(w, n) == index) {
            name_opening(w, n, dst, size);
            return;
        }
    }
}
