/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas as structured outputs take them: every object closed, only the
 * keywords that the official SDK's own transformation keeps; oneOf becomes
 * anyOf.  What was left out is named, never silent.
 */
#include "router/codec/anthropic.h"

#include <stdio.h>
#include <string.h>

enum keep {
    KEEP_VALUE,  /* as it is */
    KEEP_SCHEMA, /* a schema */
    KEEP_LIST,   /* an array of schemas */
    KEEP_MAP,    /* an object whose values are schemas */
    KEEP_FORMAT, /* where it is one of the list */
    KEEP_FEW,    /* where it is 0 or 1 */
    KEEP_NOT,    /* silently: it constrains nothing */
    KEEP_CLOSED, /* false is said of every object anyway */
};

static const struct keyword {
    const char *name, *as;
    enum keep keep;
} keywords[] = {
    {"type", "type", KEEP_VALUE},
    {"properties", "properties", KEEP_MAP},
    {"required", "required", KEEP_VALUE},
    {"description", "description", KEEP_VALUE},
    {"items", "items", KEEP_SCHEMA},
    {"enum", "enum", KEEP_VALUE},
    {"const", "const", KEEP_VALUE},
    {"title", "title", KEEP_VALUE},
    {"default", "default", KEEP_VALUE},
    {"$ref", "$ref", KEEP_VALUE},
    {"$defs", "$defs", KEEP_MAP},
    {"definitions", "definitions", KEEP_MAP},
    {"anyOf", "anyOf", KEEP_LIST},
    {"oneOf", "anyOf", KEEP_LIST},
    {"allOf", "allOf", KEEP_LIST},
    {"format", "format", KEEP_FORMAT},
    {"minItems", "minItems", KEEP_FEW},
    {"additionalProperties", NULL, KEEP_CLOSED},
    {"$schema", NULL, KEEP_NOT},
};

enum { KEYWORDS = sizeof keywords / sizeof keywords[0] };

struct fitting {
    const char *what; /* for losses */
    struct losses *l;
    struct buf *out;
};

static void fit(struct fitting *f, const struct json *schema);

static void fit_list(struct fitting *f, const struct json *list)
{
    struct json_iter it = json_begin(list);
    struct json one;

    buf_char(f->out, '[');
    for (unsigned i = 0; json_next(&it, NULL, &one); i++) {
        if (i)
            buf_char(f->out, ',');
        fit(f, &one);
    }
    buf_char(f->out, ']');
}

static void fit_map(struct fitting *f, const struct json *map)
{
    struct json_iter it = json_begin(map);
    struct json key, one;

    buf_char(f->out, '{');
    for (unsigned i = 0; json_next(&it, &key, &one); i++) {
        if (i)
            buf_char(f->out, ',');
        buf_span(f->out, key.raw);
        buf_char(f->out, ':');
        fit(f, &one);
    }
    buf_char(f->out, '}');
}

static bool known_format(const struct json *v)
{
    static const char *const names[] = {
        "date-time", "time", "date", "duration", "email",
        "hostname",  "uri",  "ipv4", "ipv6",     "uuid",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (json_is(v, names[i]))
            return true;
    }
    return false;
}

/* Whether a keyword's value may stand; says so where it may not. */
static bool stands(struct fitting *f, const struct keyword *k,
                   const struct json *key, const struct json *v)
{
    int64_t n;
    bool silent =
        k->name &&
        (k->keep == KEEP_NOT ||
         (k->keep == KEEP_CLOSED && !json_true(v) && v->type == JSON_BOOL));
    bool ok = k->as && (k->keep != KEEP_FORMAT || known_format(v)) &&
              (k->keep != KEEP_FEW || (json_i64(v, &n) && n >= 0 && n <= 1));

    if (!ok && !silent)
        lossy_add(f->l, LOSSY_SCHEMA, "%s: %.*s", f->what,
                  SPAN_ARGS(json_inner(key)));
    return ok;
}

static void fit_keyword(struct fitting *f, const struct keyword *k,
                        const struct json *v)
{
    buf_json_str(f->out, span_of(k->as));
    buf_char(f->out, ':');
    if (k->keep == KEEP_MAP && v->type == JSON_OBJECT)
        fit_map(f, v);
    else if (k->keep == KEEP_LIST && v->type == JSON_ARRAY)
        fit_list(f, v);
    else if (k->keep == KEEP_SCHEMA)
        fit(f, v);
    else
        buf_span(f->out, v->raw);
}

static bool is_object(const struct json *schema)
{
    struct json type = json_get(schema, "type"), one;
    struct json_iter it = json_begin(&type);

    if (type.type == JSON_STRING)
        return json_is(&type, "object");
    while (type.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (json_is(&one, "object"))
            return true;
    }
    one = json_get(schema, "properties");
    return one.type == JSON_OBJECT;
}

static void fit(struct fitting *f, const struct json *schema)
{
    struct json_iter it = json_begin(schema);
    struct json key, v;
    unsigned n = 0;

    if (schema->type != JSON_OBJECT) {
        buf_span(f->out, schema->raw);
        return;
    }
    buf_char(f->out, '{');
    while (json_next(&it, &key, &v)) {
        static const struct keyword unknown = {NULL, NULL, KEEP_NOT};
        const struct keyword *k = &unknown;

        for (unsigned i = 0; i < KEYWORDS; i++) {
            if (json_is(&key, keywords[i].name))
                k = &keywords[i];
        }
        if (!stands(f, k, &key, &v))
            continue;
        if (n++)
            buf_char(f->out, ',');
        fit_keyword(f, k, &v);
    }
    if (is_object(schema))
        buf_str(f->out, n ? ",\"additionalProperties\":false"
                          : "\"additionalProperties\":false");
    buf_char(f->out, '}');
}

void anthropic_write_schema(struct span schema, const char *what,
                            struct losses *l, struct buf *out)
{
    struct fitting f = {what, l, out};
    struct json top = {JSON_OBJECT, false, span_trim(schema)};

    fit(&f, &top);
}
