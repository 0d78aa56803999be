/* SPDX-License-Identifier: Apache-2.0 */
/* Typed reading of configuration nodes, and the messages about them. */
#include "base/conf.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

/* "a.b[2].c" from the root down to c. */
static void path_of(const struct conf *c, struct buf *out)
{
    unsigned i = 0;

    if (!c->parent)
        return;
    path_of(c->parent, out);
    if (c->parent->type == CONF_MAP) {
        if (out->len)
            buf_char(out, '.');
        buf_span(out, c->key);
        return;
    }
    for (const struct conf *k = c->parent->kids; k && k != c; k = k->next)
        i++;
    buf_printf(out, "[%u]", i);
}

bool conf_failf(const struct conf *at, struct err *e, const char *fmt, ...)
{
    char text[320];
    struct buf path;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    buf_init(&path, 4096);
    path_of(at, &path);
    err_set(e, ERR_INPUT, "%s:%u:%u: %.120s%s%s", at->file, at->line,
            at->column, buf_cstr(&path), path.len ? ": " : "", text);
    buf_free(&path);
    return false;
}

bool conf_fail(const struct conf *at, struct err *e, const char *wanted)
{
    if (at->type == CONF_LIST)
        return conf_failf(at, e, "wanted %s, found a list", wanted);
    if (at->type == CONF_MAP)
        return conf_failf(at, e, "wanted %s, found a mapping", wanted);
    if (at->value.len == 0)
        return conf_failf(at, e, "wanted %s, found nothing", wanted);
    return conf_failf(at, e, "wanted %s, found '%.*s'", wanted,
                      at->value.len > 80 ? 80 : (int)at->value.len,
                      at->value.ptr);
}

bool conf_str(const struct conf *c, struct span *out, struct err *e)
{
    if (c->type != CONF_SCALAR || (c->value.len == 0 && !c->quoted))
        return conf_fail(c, e, "a text");
    *out = c->value;
    return true;
}

bool conf_bool(const struct conf *c, bool *out, struct err *e)
{
    static const char *const words[] = {"false", "true", "no",
                                        "yes",   "off",  "on"};

    for (unsigned i = 0; c->type == CONF_SCALAR && i < 6; i++) {
        if (span_is_nocase(c->value, words[i])) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return conf_fail(c, e, "true or false");
}

bool conf_double(const struct conf *c, double min, double max, double *out,
                 struct err *e)
{
    char wanted[80];

    if (c->type == CONF_SCALAR && span_double(c->value, out) && *out >= min &&
        *out <= max)
        return true;
    snprintf(wanted, sizeof wanted, "a number from %g to %g", min, max);
    return conf_fail(c, e, wanted);
}

bool conf_u64(const struct conf *c, uint64_t min, uint64_t max, uint64_t *out,
              struct err *e)
{
    char wanted[80];

    if (c->type == CONF_SCALAR && span_u64(c->value, out) && *out >= min &&
        *out <= max)
        return true;
    snprintf(wanted, sizeof wanted, "a whole number from %llu to %llu",
             (unsigned long long)min, (unsigned long long)max);
    return conf_fail(c, e, wanted);
}

bool conf_amount(const struct conf *c, enum unit_kind kind, uint64_t *out,
                 struct err *e)
{
    if (c->type == CONF_SCALAR && units_parse(c->value, kind, out))
        return true;
    return conf_fail(c, e, units_wanted(kind));
}

bool conf_word(const struct conf *c, const char *const *words, unsigned *out,
               struct err *e)
{
    char wanted[256] = "one of";
    size_t n = strlen(wanted);

    for (unsigned i = 0; words[i]; i++) {
        if (c->type == CONF_SCALAR && span_is(c->value, words[i])) {
            *out = i;
            return true;
        }
        if (n < sizeof wanted)
            n += (size_t)snprintf(wanted + n, sizeof wanted - n, "%s %s",
                                  i ? "," : "", words[i]);
    }
    return conf_fail(c, e, wanted);
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

/* Levenshtein distance of texts up to 63 bytes; longer ones are far. */
static unsigned distance(struct span a, struct span b)
{
    unsigned row[64];

    if (a.len > 63 || b.len > 63)
        return 99;
    for (unsigned j = 0; j <= b.len; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned above = row[j];
            unsigned same = a.ptr[i - 1] == b.ptr[j - 1] ? 0 : 1;

            row[j] = least(above + 1, row[j - 1] + 1, diagonal + same);
            diagonal = above;
        }
    }
    return row[b.len];
}

static const char *nearest(struct span key, const char *const *known)
{
    unsigned best = 4;
    const char *name = NULL;

    for (; *known; known++) {
        unsigned d = distance(key, span_of(*known));

        if (d < best) {
            best = d;
            name = *known;
        }
    }
    return name;
}

static bool is_known(struct span key, const char *const *known)
{
    for (; *known; known++) {
        if (span_is(key, *known))
            return true;
    }
    return false;
}

bool conf_known(const struct conf *map, const char *const *known, struct err *e)
{
    if (map->type != CONF_MAP)
        return conf_fail(map, e, "a mapping");
    for (const struct conf *k = map->kids; k; k = k->next) {
        struct conf at = *k;
        const char *near;

        if (is_known(k->key, known))
            continue;
        near = nearest(k->key, known);
        at.line = k->key_line;
        at.column = k->key_column;
        if (near)
            return conf_failf(&at, e, "unknown key; did you mean '%s'?", near);
        return conf_failf(&at, e, "unknown key; known here: %s, %s%s", known[0],
                          known[0] && known[1] ? known[1] : "-",
                          " ... (see weir.yaml(5))");
    }
    return true;
}
