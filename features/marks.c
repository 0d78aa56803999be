/* SPDX-License-Identifier: Apache-2.0 */
#include "features/marks.h"

#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

/* Where marks go: to a list of terms, or, for explain, past a comparison
 * with the index whose name is wanted. */
struct sink {
    struct term *terms; /* NULL: looking for `wanted` */
    uint32_t n;
    uint32_t wanted;
    char *name;
    size_t size;
};

static uint32_t mark_index(const char *row, struct span value)
{
    return (uint32_t)(span_hash(value, span_hash(span_of(row), 0x6d61726b)) >>
                      32);
}

static void put(struct sink *s, const char *row, struct span value)
{
    uint32_t index = mark_index(row, value);

    if (s->terms && s->n < VEC_MARKS_MAX) {
        s->terms[s->n++] = (struct term){index, 1.0F};
    } else if (!s->terms && index == s->wanted) {
        snprintf(s->name, s->size, "%s=%.*s", row, SPAN_ARGS(value));
    }
}

static void put_word(struct sink *s, const char *row, const char *value)
{
    put(s, row, span_of(value));
}

/* A count by its size: 0, 1, 2, 4, 8, ... */
static void put_size(struct sink *s, const char *row, uint64_t n)
{
    char text[DECIMAL_MAX];
    uint64_t step = n ? 1ULL << (63 - __builtin_clzll(n)) : 0;

    put(s, row, (struct span){text, decimal_put(text, step)});
}

static void put_hash(struct sink *s, const char *row, uint64_t hash)
{
    char text[HEX_MAX];

    if (hash == 0)
        return;
    hex_put(text, hash);
    put(s, row, (struct span){text, sizeof text});
}

static void put_given(struct sink *s, const char *row, struct span value)
{
    if (value.len)
        put(s, row, value);
}

/* ---- the rows ---- */

static void role(const struct view *v, struct sink *s, const char *row)
{
    static const char *const names[] = {"system", "user", "assistant", "tool"};

    if (v->last)
        put_word(s, row, names[v->last->role]);
}

static void depth(const struct view *v, struct sink *s, const char *row)
{
    put_size(s, row, v->n_user);
}

static void loop(const struct view *v, struct sink *s, const char *row)
{
    put_size(s, row, v->n_calls);
}

static void system_is(const struct view *v, struct sink *s, const char *row)
{
    put_hash(s, row, v->system_hash);
}

static void offered(const struct view *v, struct sink *s, const char *row)
{
    enum { OFFERED_MAX = 48 };

    for (size_t i = 0; i < v->r->n_tools && i < OFFERED_MAX; i++)
        put_given(s, row, v->r->tools[i].name);
}

static void n_offered(const struct view *v, struct sink *s, const char *row)
{
    put_size(s, row, v->r->n_tools);
}

static void last_tool(const struct view *v, struct sink *s, const char *row)
{
    put_given(s, row, v->last_tool);
}

static void result_size(const struct view *v, struct sink *s, const char *row)
{
    if (v->result)
        put_size(s, row, v->bytes_result);
}

static void result_error(const struct view *v, struct sink *s, const char *row)
{
    for (unsigned g = 0; v->result && keywords_group(g); g++) {
        const char *name = keywords_group(g);

        if (v->result_groups[g] && strncmp(name, "err_", 4) == 0)
            put_word(s, row, name + 4);
    }
    if (v->result && v->result->is_error)
        put_word(s, row, "said");
}

static void format(const struct view *v, struct sink *s, const char *row)
{
    static const char *const names[] = {"text", "json", "json_schema"};

    put_word(s, row, names[v->r->params.format]);
}

static void choice(const struct view *v, struct sink *s, const char *row)
{
    static const char *const names[] = {"auto", "none", "required", "named"};

    if (v->r->n_tools)
        put_word(s, row, names[v->r->params.tool_choice]);
}

static void media(const struct view *v, struct sink *s, const char *row)
{
    if (v->n_images)
        put_word(s, row, "image");
    if (v->n_files)
        put_word(s, row, "file");
    if (v->n_audios)
        put_word(s, row, "audio");
}

/* The script that most characters of the last user message are of. */
static void script(const struct view *v, struct sink *s, const char *row)
{
    static const char *const names[] = {"latin", "cyrillic", "greek", "arabic",
                                        "indic", "han",      "kana",  "other"};
    const struct word_counts *c = &v->words->counts;
    unsigned most = 0;

    if (c->bytes == 0)
        return;
    for (unsigned i = 1; i < 8; i++) {
        if (c->script[i] > c->script[most])
            most = i;
    }
    /* Letters beyond ASCII are one in ten in many Latin languages. */
    if (c->wide * 40 < v->words->counts.bytes)
        put_word(s, row, "ascii");
    else
        put_word(s, row, names[most]);
}

static void effort(const struct view *v, struct sink *s, const char *row)
{
    put_given(s, row, v->r->params.reasoning);
}

static void task(const struct view *v, struct sink *s, const char *row)
{
    put_given(s, row, v->r->task);
}

static void key(const struct view *v, struct sink *s, const char *row)
{
    put_given(s, row, v->r->key_name);
}

static const struct {
    const char *name;
    void (*f)(const struct view *v, struct sink *s, const char *row);
} rows[] = {
    {"role", role},        {"depth", depth},        {"loop", loop},
    {"system", system_is}, {"offered", n_offered},  {"tool", offered},
    {"called", last_tool}, {"result", result_size}, {"error", result_error},
    {"format", format},    {"choice", choice},      {"media", media},
    {"script", script},    {"effort", effort},      {"task", task},
    {"key", key},
};

static void run(const struct view *v, struct sink *s)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i].f(v, s, rows[i].name);
}

uint32_t marks_fill(const struct view *v, struct term *dst)
{
    struct sink s = {.terms = dst};
    uint32_t n = 0;

    run(v, &s);
    for (uint32_t i = 1; i < s.n; i++) { /* few: insertion sort */
        struct term t = dst[i];
        uint32_t at = i;

        for (; at > 0 && dst[at - 1].index > t.index; at--)
            dst[at] = dst[at - 1];
        dst[at] = t;
    }
    for (uint32_t i = 0; i < s.n; i++) {
        if (n == 0 || dst[n - 1].index != dst[i].index)
            dst[n++] = dst[i];
    }
    memset(dst + n, 0, (s.n - n) * sizeof *dst);
    return n;
}

void marks_name(const struct view *v, uint32_t index, char *dst, size_t size)
{
    struct sink s = {.wanted = index, .name = dst, .size = size};

    dst[0] = '\0';
    run(v, &s);
}
