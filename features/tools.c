/* SPDX-License-Identifier: Apache-2.0 */
#include "features/messages.h"

#include <string.h>

/* One tool as it is written: {"type": "function", "function": {...}}. */
struct written {
    struct span type;
    struct json function, custom;
    struct span cache;
};

#define AT(member) offsetof(struct tool, member)
static const struct field function_fields[] = {
    {"name", read_str, AT(name), true},
    {"description", read_text, AT(description), false},
    {"parameters", read_raw_object, AT(schema), false},
    {"strict", read_bool, AT(strict), false},
    {NULL, NULL, 0, false},
};
static const struct field custom_fields[] = {
    {"name", read_str, AT(name), true},
    {"description", read_text, AT(description), false},
    {NULL, NULL, 0, false},
};
#undef AT

static const struct field written_fields[] = {
    {"type", read_str, offsetof(struct written, type), true},
    {"function", read_json, offsetof(struct written, function), true},
    {"custom", read_json, offsetof(struct written, custom), true},
    {"cache_control", read_raw_object, offsetof(struct written, cache), false},
    {NULL, NULL, 0, false},
};

static bool read_named(struct reader *rd, const struct json *v, const char *in,
                       const struct field *fields, struct tool *t)
{
    if (in)
        reader_enter(rd, in, READER_NO_INDEX);
    if (!reader_object(rd, v, fields, t))
        return false;
    if (t->name.len == 0)
        return reader_wrong(rd, "name", "a string that is not empty",
                            t->name.ptr ? JSON_STRING : JSON_NONE);
    if (in)
        reader_leave(rd);
    return true;
}

static bool read_tool(struct reader *rd, const struct json *v, struct tool *t)
{
    struct written w;

    memset(&w, 0, sizeof w);
    t->raw = v->raw;
    if (!reader_object(rd, v, written_fields, &w))
        return false;
    if (!w.type.ptr)
        return reader_wrong(rd, "type", "a string", JSON_NONE);
    t->cache = w.cache;
    if (span_is(w.type, "function"))
        return read_named(rd, &w.function, "function", function_fields, t);
    t->builtin = true; /* also custom ones, whose input is no JSON */
    if (span_is(w.type, "custom"))
        return read_named(rd, &w.custom, "custom", custom_fields, t);
    return true; /* a provider's own tool: known by its raw JSON only */
}

static bool read_function(struct reader *rd, const struct json *v,
                          struct tool *t)
{
    t->raw = v->raw;
    return read_named(rd, v, NULL, function_fields, t);
}

/* Appends v's elements to the request's tools. */
static bool append(struct reader *rd, const struct json *v, struct request *r,
                   const char *name,
                   bool (*read)(struct reader *, const struct json *,
                                struct tool *))
{
    struct json_iter it = json_begin(v);
    size_t n = r->n_tools + json_count(v);
    struct json one;
    struct tool *all;

    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, name, "an array", v->type);
    all = arena_zalloc(rd->a, n, sizeof *all);
    if (!all)
        return reader_no_memory(rd);
    if (r->n_tools)
        memcpy(all, r->tools, r->n_tools * sizeof *all);
    r->tools = all;
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, name, i);
        if (!read(rd, &one, &r->tools[r->n_tools]))
            return false;
        reader_leave(rd);
        r->n_tools++;
    }
    return true;
}

bool tools_read(struct reader *rd, const struct json *v, struct request *r)
{
    return append(rd, v, r, "tools", read_tool);
}

bool functions_read(struct reader *rd, const struct json *v, struct request *r)
{
    return append(rd, v, r, "functions", read_function);
}
