/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI subset in which Gemini's clients write schemas -> JSON Schema. */
#include "router/codec/gemini.h"

#include <string.h>

enum { DEPTH_MAX = 64 };

enum rule { COPY, TYPE, COUNT, ONE, LIST, MAP, LEAVE };

static const struct {
    const char *keyword;
    enum rule rule;
} rules[] = {
    {"type", TYPE},       {"nullable", LEAVE},      {"items", ONE},
    {"properties", MAP},  {"anyOf", LIST},          {"propertyOrdering", LEAVE},
    {"minItems", COUNT},  {"maxItems", COUNT},      {"minLength", COUNT},
    {"maxLength", COUNT}, {"minProperties", COUNT}, {"maxProperties", COUNT},
    {"example", LEAVE},
};

static void convert(const struct json *v, int depth, struct buf *out);

static void put_type(const struct json *v, bool nullable, struct buf *out)
{
    struct span name = json_inner(v);

    if (v->type != JSON_STRING) {
        buf_span(out, v->raw);
        return;
    }
    buf_str(out, nullable ? "[\"" : "\"");
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        buf_char(out, c >= 'A' && c <= 'Z' ? (char)(c | 32) : c);
    }
    buf_str(out, nullable ? "\",\"null\"]" : "\"");
}

/* Google's JSON has 64-bit numbers as strings. */
static void put_count(const struct json *v, struct buf *out)
{
    uint64_t n;

    if (v->type == JSON_STRING && span_u64(json_inner(v), &n))
        buf_span(out, json_inner(v));
    else
        buf_span(out, v->raw);
}

static void put_all(const struct json *v, int depth, struct buf *out)
{
    struct json_iter it = json_begin(v);
    struct json key, one;
    bool map = v->type == JSON_OBJECT, any = false;

    buf_char(out, map ? '{' : '[');
    while (json_next(&it, map ? &key : NULL, &one)) {
        if (any)
            buf_char(out, ',');
        any = true;
        if (map) {
            buf_span(out, key.raw);
            buf_char(out, ':');
        }
        convert(&one, depth + 1, out);
    }
    buf_char(out, map ? '}' : ']');
}

static enum rule rule_of(const struct json *key)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (gemini_is(key, rules[i].keyword))
            return rules[i].rule;
    }
    return COPY;
}

static void put_key(const struct json *key, struct buf *out)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (gemini_is(key, rules[i].keyword)) {
            buf_printf(out, "\"%s\":", rules[i].keyword);
            return;
        }
    }
    buf_span(out, key->raw);
    buf_char(out, ':');
}

static void put_value(enum rule rule, const struct json *v, bool nullable,
                      int depth, struct buf *out)
{
    if (rule == TYPE)
        put_type(v, nullable, out);
    else if (rule == COUNT)
        put_count(v, out);
    else if (rule == ONE)
        convert(v, depth + 1, out);
    else if (rule == LIST || rule == MAP)
        put_all(v, depth, out);
    else
        buf_span(out, v->raw);
}

static void convert(const struct json *v, int depth, struct buf *out)
{
    struct json_iter it = json_begin(v);
    struct json key, one, null = json_get(v, "nullable");
    bool nullable = null.type == JSON_BOOL && json_true(&null), any = false;

    if (v->type != JSON_OBJECT || depth > DEPTH_MAX) {
        buf_span(out, v->raw);
        return;
    }
    buf_char(out, '{');
    while (json_next(&it, &key, &one)) {
        enum rule rule = rule_of(&key);

        if (rule == LEAVE)
            continue;
        if (any)
            buf_char(out, ',');
        any = true;
        put_key(&key, out);
        put_value(rule, &one, nullable, depth, out);
    }
    buf_char(out, '}');
}

bool gemini_schema_read(struct span written, struct arena *a,
                        struct span *schema)
{
    struct json v;
    struct err e;
    struct buf b;

    if (!json_parse(written, &v, &e))
        return false;
    buf_init(&b, written.len * 2 + 64);
    convert(&v, 0, &b);
    *schema = arena_copy(a, buf_view(&b));
    buf_free(&b);
    return schema->len;
}
