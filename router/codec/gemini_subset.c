/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Schema -> the OpenAPI subset that Gemini's older models take:
 * references are put in place (one that leads back into itself once more, then
 * cut), allOf is merged, const becomes enum, null becomes nullable.
 */
#include "router/codec/gemini_schema.h"
#include "router/codec/put.h"

#include <string.h>

enum {
    NODES_MAX = 4000, /* schemas written, references followed included */
    VIEWS_MAX = 8,    /* schemas merged into one */
    REQUIRED_MAX = 512,
};

static const struct json nothing = {JSON_NONE, false, {NULL, 0}};

static bool true_at(const struct json *v, const char *name)
{
    struct json b = json_get(v, name);

    return b.type == JSON_BOOL && json_true(&b);
}

/* One schema as several that all hold: what refers, what it refers to, the
 * elements of allOf.  The first that has a keyword says it. */
struct view {
    struct json at[VIEWS_MAX];
    int n, refs;
    bool nullable;
    struct json any; /* alternatives, when there are several */
    int n_any;       /* of them that are not null */
};

static struct json get(const struct view *s, const char *keyword)
{
    for (int i = 0; i < s->n; i++) {
        struct json v = json_get(&s->at[i], keyword);

        if (v.type != JSON_NONE)
            return v;
    }
    return nothing;
}

/* "#/$defs/name": what stands there, or nothing. */
static struct json resolve(struct schema_writer *w, const struct json *ref)
{
    struct span rest = json_inner(ref);
    struct json at = w->root;
    char name[256];

    if (ref->type != JSON_STRING || !span_starts(rest, "#"))
        return nothing;
    span_cut(&rest, '/');
    while (rest.ptr && at.type == JSON_OBJECT) {
        struct span step = span_cut(&rest, '/');

        if (!span_copy(name, sizeof name, step))
            return nothing;
        at = json_get(&at, name);
    }
    return at;
}

static bool followed_twice(const struct schema_writer *w, struct span ref)
{
    int n = 0;

    for (int i = 0; i < w->n_path; i++)
        n += span_eq(w->path[i], ref);
    return n >= 2;
}

static void look(struct schema_writer *w, struct view *s, const struct json *v);

static void look_ref(struct schema_writer *w, struct view *s,
                     const struct json *ref)
{
    struct json to = resolve(w, ref);

    if (to.type != JSON_OBJECT || w->n_path == SCHEMA_DEPTH_MAX ||
        followed_twice(w, ref->raw)) {
        schema_lose(w, "$ref");
        return;
    }
    w->path[w->n_path++] = ref->raw;
    s->refs++;
    look(w, s, &to);
}

static bool is_null(const struct json *v)
{
    struct json type = json_get(v, "type");

    return json_is(&type, "null");
}

static void look_any(struct schema_writer *w, struct view *s,
                     const struct json *list)
{
    struct json_iter it = json_begin(list);
    struct json one, last = nothing;
    int n = 0;

    while (json_next(&it, NULL, &one)) {
        if (is_null(&one)) {
            s->nullable = true;
            continue;
        }
        n++;
        last = one;
    }
    if (n == 1 && last.type == JSON_OBJECT) {
        look(w, s, &last);
    } else if (n > 1 && s->n_any == 0) {
        s->any = *list;
        s->n_any = n;
    } else if (n > 1) {
        schema_lose(w, "anyOf");
    }
}

static void look(struct schema_writer *w, struct view *s, const struct json *v)
{
    static const char *const lists[] = {"anyOf", "oneOf", "allOf"};
    struct json in;

    if (v->type != JSON_OBJECT)
        return;
    if (s->n == VIEWS_MAX) {
        schema_lose(w, "allOf");
        return;
    }
    s->at[s->n++] = *v;
    in = json_get(v, "$ref");
    if (in.type != JSON_NONE)
        look_ref(w, s, &in);
    for (int i = 0; i < 3; i++) {
        struct json_iter it;
        struct json one;

        in = json_get(v, lists[i]);
        it = json_begin(&in);
        if (in.type == JSON_ARRAY && i < 2)
            look_any(w, s, &in);
        while (in.type == JSON_ARRAY && i == 2 && json_next(&it, NULL, &one))
            look(w, s, &one);
    }
    s->nullable |= true_at(v, "nullable");
}

/* The keywords that need nothing but to be copied; the others of the subset
 * are written one by one. */
static const char *const plain[] = {
    "title",         "description",      "default",   "minimum",
    "maximum",       "minLength",        "maxLength", "pattern",
    "minItems",      "maxItems",         "example",   "minProperties",
    "maxProperties", "propertyOrdering",
};
static const char *const handled[] = {
    "type",
    "format",
    "enum",
    "const",
    "items",
    "properties",
    "required",
    "nullable",
    "anyOf",
    "oneOf",
    "allOf",
    "$ref",
    "$defs",
    "$schema",
    "$id",
    "definitions",
    "$comment",
    "exclusiveMinimum",
    "exclusiveMaximum",
};
static const char *const formats[] = {
    "date-time", "enum", "int32", "int64", "float", "double",
};

static bool among(const struct json *v, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (json_is(v, list[i]))
            return true;
    }
    return false;
}
#define AMONG(v, list) among(v, list, sizeof(list) / sizeof(list)[0])

static void lose_unknown(struct schema_writer *w, const struct view *s)
{
    for (int i = 0; i < s->n; i++) {
        struct json_iter it = json_begin(&s->at[i]);
        struct json key, v;

        while (json_next(&it, &key, &v)) {
            if (!AMONG(&key, plain) && !AMONG(&key, handled))
                schema_lose_key(w, &key);
        }
    }
}

/* The one type; *several: the list where there are more. */
static struct span type_of(struct view *s, struct json *several)
{
    struct json type = get(s, "type"), one;
    struct json_iter it = json_begin(&type);
    struct span found = SPAN("");
    int n = 0;

    if (type.type == JSON_STRING)
        return json_inner(&type);
    while (type.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (json_is(&one, "null")) {
            s->nullable = true;
        } else {
            found = json_inner(&one);
            n++;
        }
    }
    if (n > 1)
        *several = type;
    if (n)
        return found;
    if (get(s, "properties").type != JSON_NONE)
        return SPAN("object");
    if (get(s, "items").type != JSON_NONE)
        return SPAN("array");
    return SPAN("");
}

static bool all_strings(const struct json *list, struct view *s)
{
    struct json_iter it = json_begin(list);
    struct json one;
    bool ok = list->type == JSON_ARRAY;

    while (ok && json_next(&it, NULL, &one)) {
        s->nullable |= one.type == JSON_NULL;
        ok = one.type == JSON_STRING || one.type == JSON_NULL;
    }
    return ok;
}

static void write_enum(struct schema_writer *w, const struct json *list)
{
    struct json_iter it = json_begin(list);
    struct json one;

    put_comma(w->out);
    buf_str(w->out, "\"enum\":[");
    while (json_next(&it, NULL, &one)) {
        if (one.type != JSON_STRING)
            continue;
        put_comma(w->out);
        buf_span(w->out, one.raw);
    }
    buf_char(w->out, ']');
}

/* Gemini's enum has strings only.  A fixed number is its own bounds. */
static void write_values(struct schema_writer *w, struct view *s)
{
    struct json list = get(s, "enum"), one = get(s, "const");

    if (list.type != JSON_NONE) {
        if (all_strings(&list, s))
            write_enum(w, &list);
        else
            schema_lose(w, "enum");
    } else if (one.type == JSON_STRING) {
        put_comma(w->out);
        buf_str(w->out, "\"enum\":[");
        buf_span(w->out, one.raw);
        buf_char(w->out, ']');
    } else if (one.type == JSON_NUMBER) {
        put_raw(w->out, "minimum", one.raw);
        put_raw(w->out, "maximum", one.raw);
    } else if (one.type != JSON_NONE) {
        schema_lose(w, "const");
    }
}

static void write_plain(struct schema_writer *w, const struct view *s,
                        struct span type)
{
    static const char *const open[] = {"exclusiveMinimum", "exclusiveMaximum"};
    static const char *const closed[] = {"minimum", "maximum"};
    struct json v = get(s, "format"), number = get(s, "const");

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        struct json p = get(s, plain[i]);

        if (p.type != JSON_NONE && !(number.type == JSON_NUMBER &&
                                     span_starts(span_of(plain[i]), "m")))
            put_raw(w->out, plain[i], p.raw);
    }
    if (v.type != JSON_NONE && AMONG(&v, formats))
        put_raw(w->out, "format", v.raw);
    else if (v.type != JSON_NONE)
        schema_lose(w, "format");
    for (int i = 0; i < 2; i++) {
        v = get(s, open[i]);
        if (v.type == JSON_NONE)
            continue;
        if (get(s, closed[i]).type != JSON_NONE)
            schema_lose(w, open[i]);
        else
            schema_bound(w, &v, open[i], span_is(type, "integer"));
    }
}

static void write_items(struct schema_writer *w, const struct view *s)
{
    struct json items = get(s, "items"), list = get(s, "prefixItems"), first;
    struct json_iter it;

    if (items.type != JSON_OBJECT) {
        list = items.type == JSON_ARRAY ? items : list;
        it = json_begin(&list);
        schema_lose(w, "items");
        if (list.type == JSON_ARRAY && json_next(&it, NULL, &first))
            items = first;
    }
    put_comma(w->out);
    buf_str(w->out, "\"items\":");
    if (items.type == JSON_OBJECT)
        schema_as_openapi(w, &items);
    else
        buf_str(w->out, "{\"type\":\"string\"}");
}

/* Said by an earlier schema of the view. */
static bool said_before(const struct view *s, int before, const char *keyword,
                        const struct json *name)
{
    for (int i = 0; i < before; i++) {
        struct json in = json_get(&s->at[i], keyword), one, key;
        struct json_iter it = json_begin(&in);
        bool map = in.type == JSON_OBJECT;

        while (json_next(&it, map ? &key : NULL, &one)) {
            if (span_eq(map ? key.raw : one.raw, name->raw))
                return true;
        }
    }
    return false;
}

static void write_properties(struct schema_writer *w, const struct view *s)
{
    put_comma(w->out);
    buf_str(w->out, "\"properties\":{");
    for (int i = 0; i < s->n; i++) {
        struct json in = json_get(&s->at[i], "properties"), key, one;
        struct json_iter it = json_begin(&in);

        while (in.type == JSON_OBJECT && json_next(&it, &key, &one)) {
            if (said_before(s, i, "properties", &key))
                continue;
            put_comma(w->out);
            buf_span(w->out, key.raw);
            buf_char(w->out, ':');
            schema_as_openapi(w, &one);
        }
    }
    buf_char(w->out, '}');
}

/* Names without a property are refused. */
static void write_required(struct schema_writer *w, const struct view *s)
{
    bool any = false;

    for (int i = 0; i < s->n; i++) {
        struct json in = json_get(&s->at[i], "required"), one;
        struct json_iter it = json_begin(&in);

        if (json_count(&in) > REQUIRED_MAX) { /* compared one by one */
            schema_lose(w, "required");
            continue;
        }
        while (in.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
            if (one.type != JSON_STRING ||
                said_before(s, i, "required", &one) ||
                !said_before(s, s->n, "properties", &one))
                continue;
            if (!any) {
                put_comma(w->out);
                buf_str(w->out, "\"required\":[");
            }
            any = true;
            put_comma(w->out);
            buf_span(w->out, one.raw);
        }
    }
    if (any)
        buf_char(w->out, ']');
}

/* Beside anyOf nothing else may stand. */
static void write_any(struct schema_writer *w, struct view *s)
{
    struct json_iter it = json_begin(&s->any);
    struct json one;

    if (get(s, "description").type != JSON_NONE)
        schema_lose(w, "description");
    buf_str(w->out, "{\"anyOf\":[");
    while (json_next(&it, NULL, &one)) {
        if (is_null(&one))
            continue;
        put_comma(w->out);
        schema_as_openapi(w, &one);
        if (s->nullable && w->out->len && !w->out->failed) {
            w->out->len--; /* into the alternative */
            put_raw(w->out, "nullable", SPAN("true"));
            buf_char(w->out, '}');
        }
    }
    buf_str(w->out, "]}");
}

static void write_types(struct schema_writer *w, const struct json *types,
                        bool nullable)
{
    struct json_iter it = json_begin(types);
    struct json one;

    buf_str(w->out, "{\"anyOf\":[");
    while (json_next(&it, NULL, &one)) {
        if (json_is(&one, "null"))
            continue;
        put_comma(w->out);
        buf_str(w->out, "{\"type\":");
        buf_span(w->out, one.raw);
        if (json_is(&one, "array"))
            buf_str(w->out, ",\"items\":{\"type\":\"string\"}");
        buf_str(w->out, nullable ? ",\"nullable\":true}" : "}");
    }
    buf_str(w->out, "]}");
}

/* The type of a schema that says none: any value is not to be had. */
static struct span guess(struct schema_writer *w, const struct view *s)
{
    struct json one = get(s, "const");

    if (one.type == JSON_NONE && get(s, "enum").type == JSON_NONE)
        schema_lose(w, "type");
    if (one.type == JSON_NUMBER)
        return SPAN("number");
    return one.type == JSON_BOOL ? SPAN("boolean") : SPAN("string");
}

static void write_view(struct schema_writer *w, struct view *s)
{
    struct json several = nothing;
    struct span type = type_of(s, &several);
    bool object = get(s, "properties").type == JSON_OBJECT;

    lose_unknown(w, s);
    if (s->n_any && !object) {
        write_any(w, s);
        return;
    }
    if (s->n_any)
        schema_lose(w, "anyOf");
    if (several.type != JSON_NONE) {
        schema_lose(w, "type");
        write_types(w, &several, s->nullable);
        return;
    }
    if (type.len == 0)
        type = guess(w, s);
    buf_str(w->out, "{\"type\":\"");
    buf_span(w->out, type);
    buf_char(w->out, '"');
    write_plain(w, s, type);
    write_values(w, s);
    if (span_is_nocase(type, "array"))
        write_items(w, s);
    if (object) {
        write_properties(w, s);
        write_required(w, s);
    }
    if (s->nullable)
        put_raw(w->out, "nullable", SPAN("true"));
    buf_char(w->out, '}');
}

void schema_as_openapi(struct schema_writer *w, const struct json *v)
{
    struct view s;
    int path = w->n_path;

    memset(&s, 0, sizeof s);
    if (w->depth >= SCHEMA_DEPTH_MAX || w->nodes++ >= NODES_MAX) {
        schema_lose(w, "depth");
        buf_str(w->out, "{\"type\":\"string\"}");
        return;
    }
    w->depth++;
    look(w, &s, v);
    write_view(w, &s);
    w->depth--;
    w->n_path = path;
}
