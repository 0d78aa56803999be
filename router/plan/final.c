/* SPDX-License-Identifier: Apache-2.0 */
#include "router/plan/final.h"

#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "base/json_canon.h"

enum {
    SHORT_MAX = 96,       /* bytes of an answer that is compared as words */
    TEXT_MAX = 64 * 1024, /* beyond this an answer is long, whatever it says */
    OPTIONS_READ = 16 * 1024, /* of the last user message */
    CALLS_MAX = 64,
};

/* ---- options of the question ---- */

/* "A) ...", "(b) ...", "C. ...", "D: ..." at the start of a line. */
static int option_letter(struct span line)
{
    size_t i = 0;
    char c;

    line = span_trim(line);
    i += line.len > 0 && line.ptr[0] == '(';
    if (line.len < i + 3)
        return -1;
    c = (char)(line.ptr[i] | 32);
    if (c < 'a' || c > 'j' || !strchr(").:", line.ptr[i + 1]))
        return -1;
    return c - 'a';
}

static bool lists_options(struct span text)
{
    unsigned next = 0;

    while (text.ptr && next < 2) {
        int letter = option_letter(span_cut(&text, '\n'));

        if (letter == 0)
            next = 1;
        else if (letter == (int)next)
            next++;
    }
    return next >= 2;
}

static bool part_has_options(const struct part *p)
{
    char text[OPTIONS_READ];
    size_t n;

    if (p->kind != PART_TEXT)
        return false;
    n = text_tail(p->text, text, sizeof text);
    return lists_options((struct span){text, n});
}

bool final_has_options(const struct request *asked)
{
    for (size_t i = asked->n_messages; i-- > 0;) {
        const struct message *m = &asked->messages[i];

        if (m->role != ROLE_USER)
            continue;
        for (size_t k = 0; k < m->n_parts; k++)
            if (part_has_options(&m->parts[k]))
                return true;
        return false;
    }
    return false;
}

/* ---- words, numbers, letters ---- */

static bool is_markup(char c)
{
    return c != '\0' && strchr("*_`$\"'~{}", c) != NULL;
}

/* Markup and what surrounds a short answer taken off, spaces made one. */
static struct span plain(struct span s, struct arena *a)
{
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0;

    if (!out)
        return (struct span){NULL, 0};
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';

        if (is_markup(c) || (space && (n == 0 || out[n - 1] == ' ')))
            continue;
        out[n++] = space ? ' ' : c;
    }
    while (n > 0 && strchr(" .,;:!?", out[n - 1]))
        n--;
    return (struct span){out, n};
}

/* "(b)", "b)", "b.", "b", "b: text": the letter, else -1. */
static int lone_letter(struct span s)
{
    size_t i = s.len > 0 && s.ptr[0] == '(';
    char c;

    if (s.len <= i)
        return -1;
    c = (char)(s.ptr[i] | 32);
    if (c < 'a' || c > 'j')
        return -1;
    if (s.len == i + 1 || strchr(").:,", s.ptr[i + 1]))
        return c - 'a';
    return -1;
}

/* Digits with sign, point and percent; thousands' commas left out. */
static struct span as_number(struct span s, struct arena *a)
{
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0, digits = 0, points = 0;
    size_t i = 0;

    if (!out)
        return (struct span){NULL, 0};
    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+'))
        i += s.ptr[i] == '+' ? 1u : 0u;
    for (; i < s.len; i++) {
        char c = s.ptr[i];

        if (c == ',' && digits > 0 && s.len - i > 3)
            continue;
        if (c == '%' && i + 1 == s.len && digits > 0) {
            out[n++] = c;
            break;
        }
        if (!((c >= '0' && c <= '9') || (c == '-' && n == 0) ||
              (c == '.' && points == 0)))
            return (struct span){NULL, 0};
        points += c == '.';
        digits += c >= '0' && c <= '9';
        out[n++] = c;
    }
    return (struct span){digits ? out : NULL, digits ? n : 0};
}

/* 1.50 and 1.5 and 01.5 are one. */
static struct span shortest(struct span number)
{
    bool percent = number.len > 0 && number.ptr[number.len - 1] == '%';
    size_t n = number.len - percent;
    char *s;

    if (!memchr(number.ptr, '.', n))
        return number;
    /* The bytes are the arena's, and ours. */
    s = (char *)(uintptr_t)number.ptr;
    while (n > 0 && s[n - 1] == '0')
        n--;
    n -= n > 0 && s[n - 1] == '.';
    if (percent)
        s[n++] = '%';
    return (struct span){s, n};
}

static struct span without_article(struct span s)
{
    static const char *const articles[] = {"the ", "a ", "an "};

    for (size_t i = 0; i < sizeof articles / sizeof articles[0]; i++) {
        size_t n = strlen(articles[i]);

        if (s.len > n && span_starts(s, articles[i]))
            return (struct span){s.ptr + n, s.len - n};
    }
    return s;
}

/* A stretch that is the answer itself. */
static struct final of_words(struct span s, bool options, struct arena *a)
{
    struct final out = {FINAL_SHORT, {NULL, 0}};
    static const char letters[] = "ABCDEFGHIJ";
    struct span number;
    int letter;

    s = plain(s, a);
    s = fold_text(s, a);
    if (s.len == 0)
        return (struct final){FINAL_NONE, {NULL, 0}};
    if (s.len > SHORT_MAX)
        return (struct final){FINAL_LONG, {NULL, 0}};
    letter = options ? lone_letter(s) : -1;
    number = as_number(s, a);
    if (letter >= 0) {
        out.kind = FINAL_CHOICE;
        out.form = (struct span){&letters[letter], 1};
    } else if (number.len > 0) {
        out.kind = FINAL_NUMBER;
        out.form = shortest(number);
    } else {
        out.form = without_article(s);
    }
    return out;
}

/* ---- where the answer stands ---- */

/* Inside of the last \boxed{...}, braces paired; {NULL, 0}: none. */
static struct span boxed(struct span text)
{
    static const char mark[] = "\\boxed{";
    struct span found = {NULL, 0};
    const size_t len = sizeof mark - 1;

    for (size_t i = 0; i + len < text.len; i++) {
        unsigned depth = 1;
        size_t k = i + len;

        if (memcmp(text.ptr + i, mark, len) != 0)
            continue;
        while (k < text.len && depth > 0) {
            depth += text.ptr[k] == '{';
            depth -= text.ptr[k] == '}';
            k++;
        }
        if (depth == 0)
            found = (struct span){text.ptr + i + len, k - 1 - (i + len)};
    }
    return found;
}

/* What leads an answer in, folded; what follows on the line is it. */
static const char *const cues[] = {
    "answer is",   "answer:",     "answers:",     "####",      "the result is",
    "antwort:",    "antwort ist", "ergebnis:",    "réponse :", "réponse:",
    "réponse est", "respuesta:",  "respuesta es", "resposta:", "risposta:",
    "答案:",       "答案是",      "答えは",       "答え:",     "정답:",
    "정답은",      "ответ:",
};

/* Behind the last cue of a folded line; {NULL, 0}: none. */
static struct span behind_cue(struct span line)
{
    struct span found = {NULL, 0};
    size_t best = 0;

    for (size_t c = 0; c < sizeof cues / sizeof cues[0]; c++) {
        size_t n = strlen(cues[c]);

        for (size_t i = 0; i + n <= line.len; i++) {
            if (i + n < best || memcmp(line.ptr + i, cues[c], n) != 0)
                continue;
            best = i + n;
            found = (struct span){line.ptr + best, line.len - best};
        }
    }
    return found;
}

/* Of the last three lines that say anything the last one with a cue. */
static struct span cued(struct span text, struct arena *a)
{
    unsigned seen = 0;

    while (text.len > 0 && seen < 3) {
        const char *nl = memrchr(text.ptr, '\n', text.len);
        size_t from = nl ? (size_t)(nl - text.ptr) + 1 : 0;
        struct span line = {text.ptr + from, text.len - from}, found;

        text.len = nl ? from - 1 : 0;
        line = span_trim(line);
        if (line.len == 0 || line.len > 1024)
            continue;
        seen++;
        found = behind_cue(fold_text(line, a));
        if (span_trim(found).len > 0)
            return found;
    }
    return (struct span){NULL, 0};
}

/* The inside of a text that is one fenced block and nothing else. */
static struct span unfenced(struct span text)
{
    const char *nl, *end;

    if (!span_starts(text, "```") || !(nl = memchr(text.ptr, '\n', text.len)) ||
        text.len < 7)
        return text;
    end = text.ptr + text.len - 3;
    if (memcmp(end, "```", 3) != 0 || end <= nl)
        return text;
    return span_trim((struct span){nl + 1, (size_t)(end - nl - 1)});
}

static bool as_json(struct span text, struct arena *a, struct span *form)
{
    struct json v;
    struct err e;
    struct buf out;
    bool ok;

    text = unfenced(text);
    if (text.len == 0 || (*text.ptr != '{' && *text.ptr != '[') ||
        !json_parse(text, &v, &e))
        return false;
    buf_init(&out, TEXT_MAX);
    ok = json_canon(&v, a, &out);
    if (ok)
        *form = arena_copy(a, buf_view(&out));
    buf_free(&out);
    return ok && form->len > 0;
}

struct final final_of_text(struct span text, bool options, struct arena *a)
{
    struct final out = {FINAL_JSON, {NULL, 0}};
    struct span at;

    text = span_trim(text);
    if (text.len == 0)
        return (struct final){FINAL_NONE, {NULL, 0}};
    if (text.len > TEXT_MAX)
        return (struct final){FINAL_LONG, {NULL, 0}};
    if (as_json(text, a, &out.form))
        return out;
    at = boxed(text);
    if (at.len == 0)
        at = cued(text, a);
    if (at.len == 0 && text.len <= SHORT_MAX)
        at = text;
    if (at.len == 0)
        return (struct final){FINAL_LONG, {NULL, 0}};
    out = of_words(at, options, a);
    return out.kind == FINAL_NONE ? (struct final){FINAL_LONG, {NULL, 0}} : out;
}

/* ---- tool calls ---- */

static int by_text(const void *x, const void *y)
{
    const struct span *a = x, *b = y;
    size_t n = a->len < b->len ? a->len : b->len;
    int order = n ? memcmp(a->ptr, b->ptr, n) : 0;

    return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* name(canonical arguments); arguments that are no JSON as they stand. */
static struct span call_form(const struct gathered_block *b, struct arena *a)
{
    struct buf out;
    struct json v;
    struct err e;
    struct span form;
    size_t keep;

    buf_init(&out, TEXT_MAX);
    buf_span(&out, b->name);
    buf_char(&out, '(');
    keep = out.len;
    if (b->text.len > 0 &&
        (!json_parse(b->text, &v, &e) || !json_canon(&v, a, &out))) {
        out.len = keep;
        buf_span(&out, b->text);
    }
    if (out.len == keep)
        buf_str(&out, "{}");
    buf_char(&out, ')');
    form = out.failed ? (struct span){NULL, 0} : arena_copy(a, buf_view(&out));
    buf_free(&out);
    return form;
}

static struct final of_calls(const struct gathered_choice *c, struct arena *a)
{
    struct final out = {FINAL_LONG, {NULL, 0}};
    struct span calls[CALLS_MAX];
    size_t n = 0;
    struct buf form;

    for (struct gathered_block *b = c->first; b; b = b->next) {
        if (b->part != PART_TOOL_CALL)
            continue;
        if (n == CALLS_MAX || !(calls[n++] = call_form(b, a)).ptr)
            return out;
    }
    if (n == 0)
        return (struct final){FINAL_NONE, {NULL, 0}};
    qsort(calls, n, sizeof calls[0], by_text);
    buf_init(&form, TEXT_MAX);
    for (size_t i = 0; i < n; i++) {
        buf_str(&form, i ? "\n" : "");
        buf_span(&form, calls[i]);
    }
    if (!form.failed)
        out = (struct final){FINAL_CALLS, arena_copy(a, buf_view(&form))};
    buf_free(&form);
    return out;
}

struct final final_of(const struct gathered *g, bool options, struct arena *a)
{
    const struct gathered_choice *c = &g->choices[0];
    struct final calls, out = {FINAL_NONE, {NULL, 0}};
    struct buf text;

    if (g->n_choices == 0)
        return out;
    calls = of_calls(c, a);
    if (calls.kind != FINAL_NONE)
        return calls;
    buf_init(&text, TEXT_MAX);
    for (struct gathered_block *b = c->first; b; b = b->next)
        if (b->part == PART_TEXT)
            buf_span(&text, b->text);
    if (text.failed)
        out.kind = FINAL_LONG;
    else
        out = final_of_text(buf_view(&text), options, a);
    /* Choices' letters and folded texts are no part of `text`. */
    buf_free(&text);
    return out;
}

bool final_agree(const struct final *a, const struct final *b)
{
    return a->kind == b->kind && a->kind != FINAL_NONE &&
           a->kind != FINAL_LONG && span_eq(a->form, b->form);
}

const char *final_kind_name(enum final_kind k)
{
    static const char *const names[] = {"none",   "calls", "json", "choice",
                                        "number", "short", "long"};

    return names[k];
}
