/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas for Gemini and from it.
 *
 * Models from 2.5 on take JSON Schema beside the OpenAPI subset
 * (parametersJsonSchema, responseJsonSchema), with $ref and
 * additionalProperties: less is lost, so that it is used where it is known.
 * Older ones get the subset.
 */
#include "router/codec/gemini_schema.h"
#include "router/codec/put.h"

#include <string.h>

void schema_lose(struct schema_writer *w, const char *keyword)
{
    lossy_add(w->t->l, LOSSY_SCHEMA, "%.24s.%.20s", w->t->where, keyword);
}

void schema_lose_key(struct schema_writer *w, const struct json *key)
{
    char name[24];

    span_copy(name, sizeof name, json_inner(key));
    schema_lose(w, name);
}

void schema_bound(struct schema_writer *w, const struct json *v,
                  const char *name, bool whole)
{
    bool least = !strcmp(name, "exclusiveMinimum");
    double d;

    if (!json_double(v, &d)) {
        schema_lose(w, name);
        return;
    }
    put_comma(w->out);
    buf_str(w->out, least ? "\"minimum\":" : "\"maximum\":");
    buf_json_num(w->out, !whole ? d : least ? d + 1 : d - 1);
    if (!whole)
        schema_lose(w, name);
}

enum rule { KEEP, ONE, LIST, MAP, QUIET, MAPPED };

static const struct {
    const char *keyword;
    enum rule rule;
} known[] = {
    {"$id", KEEP},
    {"$ref", KEEP},
    {"$anchor", KEEP},
    {"$defs", MAP},
    {"definitions", MAP},
    {"type", KEEP},
    {"format", KEEP},
    {"title", KEEP},
    {"description", KEEP},
    {"default", KEEP},
    {"enum", KEEP},
    {"const", MAPPED},
    {"items", ONE},
    {"prefixItems", LIST},
    {"minItems", KEEP},
    {"maxItems", KEEP},
    {"minimum", KEEP},
    {"maximum", KEEP},
    {"exclusiveMinimum", MAPPED},
    {"exclusiveMaximum", MAPPED},
    {"minLength", KEEP},
    {"maxLength", KEEP},
    {"pattern", KEEP},
    {"minProperties", KEEP},
    {"maxProperties", KEEP},
    {"anyOf", LIST},
    {"oneOf", MAPPED},
    {"allOf", MAPPED},
    {"properties", MAP},
    {"additionalProperties", ONE},
    {"required", KEEP},
    {"propertyOrdering", KEEP},
    {"$schema", QUIET}, /* say nothing about values */
    {"$comment", QUIET},
};

static void as_json(struct schema_writer *w, const struct json *v);

static void list_json(struct schema_writer *w, const char *name,
                      const struct json *v)
{
    struct json_iter it = json_begin(v);
    struct json one;

    put_comma(w->out);
    buf_printf(w->out, "\"%s\":[", name);
    while (v->type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        put_comma(w->out);
        as_json(w, &one);
    }
    buf_char(w->out, ']');
}

static void map_json(struct schema_writer *w, const struct json *key,
                     const struct json *v)
{
    struct json_iter it = json_begin(v);
    struct json name, one;

    put_comma(w->out);
    buf_span(w->out, key->raw);
    buf_str(w->out, ":{");
    while (v->type == JSON_OBJECT && json_next(&it, &name, &one)) {
        put_comma(w->out);
        buf_span(w->out, name.raw);
        buf_char(w->out, ':');
        as_json(w, &one);
    }
    buf_char(w->out, '}');
}

/* Whether the schema has itself what another keyword is written as. */
static bool clash(const struct json *in, const struct json *key)
{
    static const char *const pairs[][2] = {
        {"const", "enum"},
        {"oneOf", "anyOf"},
        {"exclusiveMinimum", "minimum"},
        {"exclusiveMaximum", "maximum"},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct json other = json_get(in, pairs[i][1]);

        if (json_is(key, pairs[i][0]) && other.type != JSON_NONE)
            return true;
    }
    return false;
}

/* allOf with one element is that element; of several only those members are
 * taken that stand nowhere else yet. */
static void all_json(struct schema_writer *w, const struct json *in,
                     const struct json *list);

static void mapped(struct schema_writer *w, const struct json *in,
                   const struct json *key, const struct json *v)
{
    struct json type = json_get(in, "type");

    if (json_is(key, "allOf")) {
        all_json(w, in, v);
    } else if (clash(in, key)) {
        schema_lose_key(w, key);
    } else if (json_is(key, "const")) {
        put_comma(w->out);
        buf_str(w->out, "\"enum\":[");
        buf_span(w->out, v->raw);
        buf_char(w->out, ']');
    } else if (json_is(key, "oneOf")) {
        list_json(w, "anyOf", v);
    } else {
        schema_bound(w, v,
                     json_is(key, "exclusiveMinimum") ? "exclusiveMinimum"
                                                      : "exclusiveMaximum",
                     json_is(&type, "integer"));
    }
}

static void member_json(struct schema_writer *w, const struct json *in,
                        const struct json *key, const struct json *v)
{
    size_t i = 0, n = sizeof known / sizeof known[0];
    char name[24];

    while (i < n && !json_is(key, known[i].keyword))
        i++;
    switch (i < n ? known[i].rule : QUIET) {
    case KEEP:
        put_raw(w->out, known[i].keyword, v->raw);
        return;
    case ONE:
        put_comma(w->out);
        buf_span(w->out, key->raw);
        buf_char(w->out, ':');
        as_json(w, v);
        return;
    case LIST:
        span_copy(name, sizeof name, json_inner(key));
        list_json(w, name, v);
        return;
    case MAP:
        map_json(w, key, v);
        return;
    case MAPPED:
        mapped(w, in, key, v);
        return;
    case QUIET:
        if (i == n)
            schema_lose_key(w, key);
        return;
    }
}

static void all_json(struct schema_writer *w, const struct json *in,
                     const struct json *list)
{
    struct json_iter it = json_begin(list), members;
    struct json one, key, v;
    bool only = json_count(list) == 1;

    if (list->type != JSON_ARRAY || !only)
        schema_lose(w, "allOf");
    if (list->type != JSON_ARRAY || !json_next(&it, NULL, &one) ||
        one.type != JSON_OBJECT || w->depth >= SCHEMA_DEPTH_MAX)
        return;
    w->depth++;
    members = json_begin(&one);
    while (json_next(&members, &key, &v)) {
        char name[64];
        struct json own;

        span_copy(name, sizeof name, json_inner(&key));
        own = json_get(in, name);
        if (own.type == JSON_NONE)
            member_json(w, &one, &key, &v);
        else
            schema_lose(w, "allOf");
    }
    w->depth--;
}

static void as_json(struct schema_writer *w, const struct json *v)
{
    struct json_iter it = json_begin(v);
    struct json key, one;

    if (v->type != JSON_OBJECT) { /* true and false are schemas too */
        buf_span(w->out, v->type == JSON_BOOL ? v->raw : SPAN("{}"));
        return;
    }
    if (w->depth++ >= SCHEMA_DEPTH_MAX) {
        schema_lose(w, "depth");
        buf_str(w->out, "{}");
    } else {
        buf_char(w->out, '{');
        while (json_next(&it, &key, &one))
            member_json(w, v, &key, &one);
        buf_char(w->out, '}');
    }
    w->depth--;
}

void gemini_schema_write(struct span schema, const struct schema_target *t,
                         struct buf *out)
{
    struct schema_writer w;
    struct err e;

    memset(&w, 0, sizeof w);
    w.t = t;
    w.out = out;
    if (!json_parse(schema, &w.root, &e))
        w.root = (struct json){JSON_NONE, false, {NULL, 0}};
    if (t->json)
        as_json(&w, &w.root);
    else
        schema_as_openapi(&w, &w.root);
}
