/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/mock_schema.h"

#include "base/buf.h"
#include "base/json.h"

#include <string.h>

enum { DEPTH_MAX = 12, BYTES_MAX = 1 << 16 };

struct maker {
    struct json root;
    struct buf out;
};

static void make(struct maker *k, struct json schema, unsigned depth);

/* "#/$defs/Name" -> the schema there. */
static struct json resolve(struct maker *k, struct json ref)
{
    struct span path = json_inner(&ref);
    struct json at = k->root;

    if (!span_starts(path, "#"))
        return (struct json){.type = JSON_NONE};
    span_cut(&path, '/');
    while (path.len) {
        char name[128];
        struct span step = span_cut(&path, '/');

        if (!span_copy(name, sizeof name, step))
            return (struct json){.type = JSON_NONE};
        at = json_get(&at, name);
    }
    return at;
}

static void make_object(struct maker *k, struct json schema, unsigned depth)
{
    struct json properties = json_get(&schema, "properties");
    struct json_iter it = json_begin(&properties);
    struct json key, value;
    bool first = true;

    buf_char(&k->out, '{');
    while (depth < DEPTH_MAX && json_next(&it, &key, &value)) {
        if (!first)
            buf_char(&k->out, ',');
        first = false;
        buf_span(&k->out, key.raw);
        buf_char(&k->out, ':');
        make(k, value, depth + 1);
    }
    buf_char(&k->out, '}');
}

static void make_array(struct maker *k, struct json schema, unsigned depth)
{
    struct json items = json_get(&schema, "items");
    struct json least = json_get(&schema, "minItems");
    int64_t n = 1;

    if (least.type == JSON_NUMBER && (!json_i64(&least, &n) || n > 8))
        n = 8;
    buf_char(&k->out, '[');
    for (int64_t i = 0; i < n && items.type == JSON_OBJECT; i++) {
        if (i)
            buf_char(&k->out, ',');
        make(k, items, depth + 1);
    }
    buf_char(&k->out, ']');
}

static void make_number(struct maker *k, struct json schema)
{
    struct json least = json_get(&schema, "minimum");

    if (least.type == JSON_NUMBER)
        buf_span(&k->out, least.raw);
    else
        buf_str(&k->out, "1");
}

/* The type, or the first that is not null of a list of types. */
static struct json type_of(struct json schema)
{
    struct json type = json_get(&schema, "type"), one;
    struct json_iter it = json_begin(&type);

    while (type.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (!json_is(&one, "null"))
            return one;
    }
    return type;
}

static void make_typed(struct maker *k, struct json schema, unsigned depth)
{
    struct json type = type_of(schema);
    struct json properties = json_get(&schema, "properties");

    if (json_is(&type, "object") || properties.type == JSON_OBJECT)
        make_object(k, schema, depth);
    else if (json_is(&type, "array"))
        make_array(k, schema, depth);
    else if (json_is(&type, "integer") || json_is(&type, "number"))
        make_number(k, schema);
    else if (json_is(&type, "boolean"))
        buf_str(&k->out, "true");
    else if (json_is(&type, "null"))
        buf_str(&k->out, "null");
    else
        buf_str(&k->out, "\"sample\"");
}

static bool make_first(struct maker *k, struct json list, unsigned depth,
                       bool is_schema)
{
    struct json_iter it = json_begin(&list);
    struct json one;

    if (list.type != JSON_ARRAY || !json_next(&it, NULL, &one))
        return false;
    if (is_schema)
        make(k, one, depth + 1);
    else
        buf_span(&k->out, one.raw);
    return true;
}

static void make(struct maker *k, struct json schema, unsigned depth)
{
    struct json ref = json_get(&schema, "$ref");
    struct json constant = json_get(&schema, "const");

    if (depth > DEPTH_MAX)
        buf_str(&k->out, "null");
    else if (ref.type == JSON_STRING)
        make(k, resolve(k, ref), depth + 1);
    else if (constant.type != JSON_NONE)
        buf_span(&k->out, constant.raw);
    else if (!make_first(k, json_get(&schema, "enum"), depth, false) &&
             !make_first(k, json_get(&schema, "anyOf"), depth, true) &&
             !make_first(k, json_get(&schema, "oneOf"), depth, true))
        make_typed(k, schema, depth);
}

struct span mock_from_schema(struct span schema, struct arena *a)
{
    struct maker k;
    struct span out;
    struct err e;

    if (!json_parse(schema, &k.root, &e) || k.root.type != JSON_OBJECT)
        return SPAN("{}");
    buf_init(&k.out, BYTES_MAX);
    make(&k, k.root, 0);
    out = k.out.failed ? SPAN("{}") : arena_copy(a, buf_view(&k.out));
    buf_free(&k.out);
    return out;
}
