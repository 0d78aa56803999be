/* SPDX-License-Identifier: Apache-2.0 */
#include "router/settings/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "models/registry.h"

enum { KEYS_MAX = 48, PATH_MAX_BYTES = 128 };

/* Everything a loader function needs beyond its row. */
struct load {
    struct arena *arena;
    struct err *err;
};

static bool no_memory(struct load *l)
{
    return err_set(l->err, ERR_MEMORY, "configuration: out of memory");
}

static bool load_text(struct load *l, const struct setting *r,
                      const struct conf *c, void *at)
{
    const char **out = at;
    struct span s;

    (void)r;
    if (!conf_str(c, &s, l->err))
        return false;
    if (memchr(s.ptr ? s.ptr : "", 0, s.len))
        return conf_fail(c, l->err, "text without NUL");
    *out = arena_strdup(l->arena, s);
    return *out || no_memory(l);
}

static bool load_bool(struct load *l, const struct setting *r,
                      const struct conf *c, void *at)
{
    (void)r;
    return conf_bool(c, at, l->err);
}

static bool load_word(struct load *l, const struct setting *r,
                      const struct conf *c, void *at)
{
    return conf_word(c, r->words, at, l->err);
}

static bool load_amount(struct load *l, const struct setting *r,
                        const struct conf *c, void *at)
{
    static const enum unit_kind kinds[] = {
        [SETTING_BYTES] = UNIT_BYTES,
        [SETTING_MS] = UNIT_MS,
        [SETTING_US] = UNIT_US,
        [SETTING_COUNT] = UNIT_COUNT,
    };
    uint64_t v;

    if (!conf_amount(c, kinds[r->kind], &v, l->err))
        return false;
    if ((double)v < r->min || (double)v > r->max)
        return conf_failf(c, l->err, "wanted %.0f to %.0f, found %.*s", r->min,
                          r->max, SPAN_ARGS(c->value));
    *(uint64_t *)at = v;
    return true;
}

static bool load_real(struct load *l, const struct setting *r,
                      const struct conf *c, void *at)
{
    return conf_double(c, r->min, r->max, at, l->err);
}

static bool load_price(struct load *l, const struct setting *r,
                       const struct conf *c, void *at)
{
    struct span s;

    (void)r;
    if (!conf_str(c, &s, l->err))
        return false;
    if (!price_parse(s, at))
        return conf_fail(c, l->err,
                         "USD per million tokens with at most 6 decimals");
    return true;
}

static unsigned count_kids(const struct conf *c)
{
    unsigned n = 0;

    for (const struct conf *k = c->kids; k; k = k->next)
        n++;
    return n;
}

static bool load_texts(struct load *l, const struct setting *r,
                       const struct conf *c, void *at)
{
    struct text_list *out = at;
    unsigned n = count_kids(c);

    if (c->type != CONF_LIST)
        return conf_fail(c, l->err, "a list such as [a, b]");
    out->at = arena_zalloc(l->arena, n + 1, sizeof *out->at);
    out->why = arena_zalloc(l->arena, n + 1, sizeof *out->why);
    if (!out->at || !out->why)
        return no_memory(l);
    for (const struct conf *k = c->kids; k; k = k->next) {
        if (!load_text(l, r, k, &out->at[out->n]))
            return false;
        out->why[out->n++] = k;
    }
    return true;
}

static bool load_pairs(struct load *l, const struct setting *r,
                       const struct conf *c, void *at)
{
    struct pair_list *out = at;

    if (c->type != CONF_MAP)
        return conf_fail(c, l->err, "a map such as {name: value}");
    out->at = arena_zalloc(l->arena, count_kids(c) + 1, sizeof *out->at);
    if (!out->at)
        return no_memory(l);
    for (const struct conf *k = c->kids; k; k = k->next) {
        struct pair *p = &out->at[out->n++];

        p->name = arena_strdup(l->arena, k->key);
        if (!p->name)
            return no_memory(l);
        if (!load_text(l, r, k, &p->value))
            return false;
    }
    return true;
}

static bool load_section(struct load *l, const struct setting *r,
                         const struct conf *c, void *at)
{
    return schema_load(r->section, c, at, l->arena, l->err);
}

static bool load_items(struct load *l, const struct setting *r,
                       const struct conf *c, void *at)
{
    struct item_list *out = at;
    bool named = r->kind == SETTING_ITEMS;

    if (c->type != (named ? CONF_MAP : CONF_LIST))
        return conf_fail(c, l->err,
                         named ? "a map of names" : "a list of maps");
    out->at = arena_zalloc(l->arena, count_kids(c) + 1, r->section->size);
    if (!out->at)
        return no_memory(l);
    for (const struct conf *k = c->kids; k; k = k->next) {
        char *item = (char *)out->at + out->n++ * r->section->size;
        const char *name = arena_strdup(l->arena, k->key);

        if (!name)
            return no_memory(l);
        if (!schema_load(r->section, k, item, l->arena, l->err))
            return false;
        *(struct item *)(void *)item = (struct item){named ? name : "", k};
    }
    return true;
}

typedef bool load_fn(struct load *, const struct setting *, const struct conf *,
                     void *);

static load_fn *const loaders[] = {
    [SETTING_TEXT] = load_text,       [SETTING_SECRET] = load_text,
    [SETTING_BOOL] = load_bool,       [SETTING_WORD] = load_word,
    [SETTING_BYTES] = load_amount,    [SETTING_MS] = load_amount,
    [SETTING_US] = load_amount,       [SETTING_COUNT] = load_amount,
    [SETTING_REAL] = load_real,       [SETTING_PRICE] = load_price,
    [SETTING_TEXTS] = load_texts,     [SETTING_PAIRS] = load_pairs,
    [SETTING_SECTION] = load_section, [SETTING_ITEMS] = load_items,
    [SETTING_ROWS] = load_items,
};

/* What stands where nothing was given. */
static bool load_initial(struct load *l, const struct setting *r, void *at)
{
    struct conf c = {.type = CONF_SCALAR, .file = "built-in"};

    if (r->kind == SETTING_SECTION)
        return schema_load(r->section, NULL, at, l->arena, l->err);
    if (r->initial) {
        c.key = span_of(r->key);
        c.value = span_of(r->initial);
        return loaders[r->kind](l, r, &c, at);
    }
    if (r->kind == SETTING_REAL)
        *(double *)at = NAN;
    if (r->kind == SETTING_PRICE)
        *(int64_t *)at = -1;
    return true;
}

static bool check_keys(const struct section *s, const struct conf *map,
                       struct err *e)
{
    const char *keys[KEYS_MAX + 1] = {NULL};

    for (unsigned i = 0; i < s->n && i < KEYS_MAX; i++)
        keys[i] = s->rows[i].key;
    return conf_known(map, keys, e);
}

bool schema_load(const struct section *s, const struct conf *map, void *target,
                 struct arena *a, struct err *e)
{
    struct load l = {a, e};

    if (map && map->type != CONF_MAP)
        return conf_fail(map, e, "a map");
    if (map && !check_keys(s, map, e))
        return false;
    for (unsigned i = 0; i < s->n; i++) {
        const struct setting *r = &s->rows[i];
        const struct conf *c = map ? conf_get(map, r->key) : NULL;
        void *at = (char *)target + r->offset;

        if (!c && r->needed && map)
            return conf_failf(map, e, "%s is missing here", r->key);
        if (c ? !loaders[r->kind](&l, r, c, at) : !load_initial(&l, r, at))
            return false;
    }
    return true;
}

static bool nested(const struct setting *r)
{
    return r->section != NULL;
}

void schema_walk(const struct section *s, const char *prefix,
                 void (*row)(void *ctx, const char *path,
                             const struct setting *r),
                 void *ctx)
{
    static const char *const behind[] = {
        [SETTING_SECTION] = "",
        [SETTING_ITEMS] = ".NAME",
        [SETTING_ROWS] = "[]",
    };

    for (unsigned i = 0; i < s->n; i++) {
        const struct setting *r = &s->rows[i];
        char path[PATH_MAX_BYTES];

        snprintf(path, sizeof path, "%s%s%s%s", prefix, *prefix ? "." : "",
                 r->key, nested(r) ? behind[r->kind] : "");
        if (r->kind != SETTING_SECTION)
            row(ctx, path, r);
        if (nested(r))
            schema_walk(r->section, path, row, ctx);
    }
}

static void show_scalar(const struct setting *r, const void *at,
                        struct buf *out)
{
    char text[32];
    const char *str;

    switch (r->kind) {
    case SETTING_SECRET:
        str = *(const char *const *)at;
        buf_str(out, str ? log_mask(str, text) : "null");
        return;
    case SETTING_TEXT:
        str = *(const char *const *)at;
        buf_json_str(out, span_of(str ? str : ""));
        return;
    case SETTING_BOOL:
        buf_str(out, *(const bool *)at ? "true" : "false");
        return;
    case SETTING_WORD:
        buf_str(out, r->words[*(const unsigned *)at]);
        return;
    case SETTING_REAL:
        buf_json_num(out, *(const double *)at);
        return;
    case SETTING_PRICE:
        price_format(*(const int64_t *)at, text);
        buf_str(out, text);
        return;
    default:
        buf_printf(out, "%llu%s", (unsigned long long)*(const uint64_t *)at,
                   r->kind == SETTING_MS   ? "ms"
                   : r->kind == SETTING_US ? "us"
                                           : "");
    }
}

static void show_texts(const struct text_list *list, struct buf *out)
{
    buf_char(out, '[');
    for (unsigned i = 0; i < list->n; i++) {
        buf_str(out, i ? ", " : "");
        buf_json_str(out, span_of(list->at[i]));
    }
    buf_char(out, ']');
}

static void show_pairs(const struct pair_list *list, struct buf *out)
{
    char mask[16];

    buf_char(out, '{');
    for (unsigned i = 0; i < list->n; i++)
        buf_printf(out, "%s%s: \"%s\"", i ? ", " : "", list->at[i].name,
                   log_mask(list->at[i].value, mask));
    buf_char(out, '}');
}

static void show_items(const struct setting *r, const struct item_list *list,
                       unsigned indent, struct buf *out)
{
    for (unsigned i = 0; i < list->n; i++) {
        const void *at = (const char *)list->at + i * r->section->size;
        const struct item *item = at;

        if (r->kind == SETTING_ITEMS)
            buf_printf(out, "%*s%s:\n", (int)indent, "", item->name);
        else
            buf_printf(out, "%*s-\n", (int)indent, "");
        schema_show(r->section, at, indent + 2, out);
    }
}

static bool absent(const struct setting *r, const void *at)
{
    switch (r->kind) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        return *(const char *const *)at == NULL;
    case SETTING_REAL:
        return isnan(*(const double *)at);
    case SETTING_PRICE:
        return *(const int64_t *)at < 0;
    case SETTING_TEXTS:
        return ((const struct text_list *)at)->n == 0;
    case SETTING_PAIRS:
        return ((const struct pair_list *)at)->n == 0;
    case SETTING_ITEMS:
    case SETTING_ROWS:
        return ((const struct item_list *)at)->n == 0;
    default:
        return false;
    }
}

void schema_show(const struct section *s, const void *target, unsigned indent,
                 struct buf *out)
{
    for (unsigned i = 0; i < s->n; i++) {
        const struct setting *r = &s->rows[i];
        const void *at = (const char *)target + r->offset;

        if (absent(r, at))
            continue;
        buf_printf(out, "%*s%s:%s", (int)indent, "", r->key,
                   nested(r) ? "\n" : " ");
        if (r->kind == SETTING_SECTION)
            schema_show(r->section, at, indent + 2, out);
        else if (nested(r))
            show_items(r, at, indent + 2, out);
        else if (r->kind == SETTING_TEXTS)
            show_texts(at, out);
        else if (r->kind == SETTING_PAIRS)
            show_pairs(at, out);
        else
            show_scalar(r, at, out);
        if (!nested(r))
            buf_char(out, '\n');
    }
}

static bool same(const struct setting *r, const void *a, const void *b)
{
    struct buf x, y;
    bool equal;

    buf_init(&x, 1 << 16);
    buf_init(&y, 1 << 16);
    show_scalar(r, a, &x);
    show_scalar(r, b, &y);
    equal = span_eq(buf_view(&x), buf_view(&y));
    buf_free(&x);
    buf_free(&y);
    return equal;
}

struct listener {
    void (*row)(void *ctx, const char *path);
    void *ctx;
};

static void changed(const struct section *s, const char *prefix,
                    const void *was, const void *now, const struct listener *l)
{
    for (unsigned i = 0; i < s->n; i++) {
        const struct setting *r = &s->rows[i];
        const void *a = (const char *)was + r->offset;
        const void *b = (const char *)now + r->offset;
        char path[PATH_MAX_BYTES];

        snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "",
                 r->key);
        if (r->kind == SETTING_SECTION)
            changed(r->section, path, a, b, l);
        else if (r->restart && !same(r, a, b))
            l->row(l->ctx, path);
    }
}

void schema_changed(const struct section *s, const void *was, const void *now,
                    void (*row)(void *ctx, const char *path), void *ctx)
{
    changed(s, "", was, now, &(struct listener){row, ctx});
}

static void wanted_words(const struct setting *r, struct buf *out)
{
    for (unsigned i = 0; r->words[i]; i++)
        buf_printf(out, "%s%s", i ? " or " : "", r->words[i]);
}

void schema_wanted(const struct setting *r, struct buf *out)
{
    static const char *const texts[] = {
        [SETTING_TEXT] = "text",
        [SETTING_SECRET] = "text, usually ${NAME}",
        [SETTING_BOOL] = "true or false",
        [SETTING_PRICE] = "USD per million tokens",
        [SETTING_TEXTS] = "a list",
        [SETTING_PAIRS] = "a map of names to texts",
        [SETTING_ITEMS] = "a map of names",
        [SETTING_ROWS] = "a list of maps",
    };

    switch (r->kind) {
    case SETTING_WORD:
        wanted_words(r, out);
        return;
    case SETTING_BYTES:
        buf_str(out, units_wanted(UNIT_BYTES));
        return;
    case SETTING_MS:
        buf_str(out, units_wanted(UNIT_MS));
        return;
    case SETTING_US:
        buf_str(out, units_wanted(UNIT_US));
        return;
    case SETTING_COUNT:
        buf_str(out, units_wanted(UNIT_COUNT));
        return;
    case SETTING_REAL:
        buf_printf(out, "a number from %g to %g", r->min, r->max);
        return;
    default:
        buf_str(out, texts[r->kind]);
    }
}
