/* SPDX-License-Identifier: Apache-2.0 */
/* An Anthropic request -> struct request. */
#include "router/codec/anthropic_parts.h"
#include "router/codec/ids.h"

#include <string.h>

/* The body's members, before they are put together. */
struct body {
    struct json model, messages, system, tools;
};

/* ---- content blocks: rows whose target is struct part ---- */

static bool read_part(struct reader *rd, const struct json *v, struct part *p);

static bool read_parts(struct reader *rd, const char *name,
                       const struct json *v, struct part *p)
{
    struct json_iter it = json_begin(v);
    struct json one;

    p->parts = arena_zalloc(rd->a, json_count(v) + 1, sizeof *p->parts);
    if (!p->parts)
        return reader_no_memory(rd);
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, name, i);
        if (!read_part(rd, &one, &p->parts[p->n_parts]))
            return false;
        reader_leave(rd);
        p->n_parts++;
    }
    return true;
}

/* A string, or blocks. */
static bool read_content(struct reader *rd, const struct field *f,
                         const struct json *v, void *target)
{
    struct part *p = target;

    if (v->type == JSON_ARRAY)
        return read_parts(rd, f->name, v, p);
    if (v->type != JSON_STRING)
        return reader_wrong(rd, f->name, "a string or an array of blocks",
                            v->type);
    p->text = (struct text){json_inner(v), v->escaped};
    return true;
}

/* base64 {media_type, data}; text {data}; url; content; file {file_id} */
struct source {
    struct span type;
    struct json data;
};

static const struct field source_fields[] = {
    {"type", read_str, offsetof(struct source, type), true},
    {"data", read_json, offsetof(struct source, data), true},
    {NULL, NULL, 0, false},
};
#define AT(member) offsetof(struct part, member)
static const struct field source_part_fields[] = {
    {"media_type", read_str, AT(media), false},
    {"url", read_str, AT(url), false},
    {"file_id", read_str, AT(url), false},
    {"content", read_content, 0, false},
    {NULL, NULL, 0, false},
};

static bool read_data(struct reader *rd, const struct source *s, struct part *p)
{
    if (s->data.type == JSON_NONE)
        return true;
    if (s->data.type != JSON_STRING)
        return reader_wrong(rd, "data", "a string", s->data.type);
    if (!span_is(s->type, "text"))
        return json_text(&s->data, rd->a, &p->data) || reader_no_memory(rd);
    p->text = (struct text){json_inner(&s->data), s->data.escaped};
    return true;
}

static bool read_source(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct part *p = target;
    struct source s;

    memset(&s, 0, sizeof s);
    reader_enter(rd, f->name, READER_NO_INDEX);
    if (!reader_object(rd, v, source_fields, &s) ||
        !reader_object(rd, v, source_part_fields, p))
        return false;
    if (!s.type.ptr)
        return reader_wrong(rd, "type", "a string", JSON_NONE);
    if (!read_data(rd, &s, p))
        return false;
    reader_leave(rd);
    return true;
}

static bool read_id(struct reader *rd, const struct field *f,
                    const struct json *v, void *target)
{
    struct part *p = target;

    if (!read_str(rd, f, v, target))
        return false;
    return id_read(p->id, rd->a, &p->id) || reader_no_memory(rd);
}

static bool read_name(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    struct part *p = target;

    if (!read_str(rd, f, v, target))
        return false;
    return id_read(p->name, rd->a, &p->name) || reader_no_memory(rd);
}

static bool read_input(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    struct part *p = target;

    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, f->name, "an object", v->type);
    p->text = (struct text){v->raw, false};
    p->text_is_json = true;
    return true;
}

static const struct field text_block[] = {
    {"text", read_text, AT(text), true},
    {"cache_control", read_raw_object, AT(cache), false},
    {NULL, NULL, 0, false},
};
static const struct field image_block[] = {
    {"source", read_source, 0, true},
    {"cache_control", read_raw_object, AT(cache), false},
    {NULL, NULL, 0, false},
};
static const struct field document_block[] = {
    {"source", read_source, 0, true},
    {"title", read_str, AT(name), false},
    {"cache_control", read_raw_object, AT(cache), false},
    {NULL, NULL, 0, false},
};
static const struct field call_block[] = {
    {"id", read_id, AT(id), true},
    {"name", read_name, AT(name), true},
    {"input", read_input, 0, true},
    {"cache_control", read_raw_object, AT(cache), false},
    {NULL, NULL, 0, false},
};
static const struct field result_block[] = {
    {"tool_use_id", read_id, AT(id), true},
    {"content", read_content, 0, false},
    {"is_error", read_bool, AT(is_error), false},
    {"cache_control", read_raw_object, AT(cache), false},
    {NULL, NULL, 0, false},
};
static const struct field thinking_block[] = {
    {"thinking", read_text, AT(text), true},
    {"signature", read_str, AT(signature), false},
    {NULL, NULL, 0, false},
};
static const struct field redacted_block[] = {
    {"data", read_str, AT(signature), true},
    {NULL, NULL, 0, false},
};
#undef AT

/* The first `needed` fields must be there. */
static const struct block_row {
    const char *type;
    enum part_kind kind;
    const struct field *fields;
    unsigned needed;
} block_rows[] = {
    {"text", PART_TEXT, text_block, 1},
    {"image", PART_IMAGE, image_block, 1},
    {"document", PART_FILE, document_block, 1},
    {"tool_use", PART_TOOL_CALL, call_block, 3},
    {"tool_result", PART_TOOL_RESULT, result_block, 1},
    {"thinking", PART_THINKING, thinking_block, 1},
    {"redacted_thinking", PART_THINKING, redacted_block, 1},
};

static bool read_known(struct reader *rd, const struct json *v,
                       const struct block_row *row, struct part *p)
{
    p->kind = row->kind;
    p->redacted = row->fields == redacted_block;
    for (unsigned i = 0; i < row->needed; i++) {
        struct json given = json_get(v, row->fields[i].name);

        if (given.type == JSON_NONE)
            return reader_wrong(rd, row->fields[i].name, "a value", JSON_NONE);
    }
    return reader_object(rd, v, row->fields, p);
}

static bool read_part(struct reader *rd, const struct json *v, struct part *p)
{
    struct json type = json_get(v, "type");

    p->kind = PART_OTHER;
    p->raw = v->raw;
    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", v->type);
    if (type.type != JSON_STRING)
        return reader_wrong(rd, "type", "a string", type.type);
    if (rd->n_places >= READER_PLACES - 2) /* blocks in blocks in blocks */
        return true;
    for (size_t i = 0; i < sizeof block_rows / sizeof block_rows[0]; i++) {
        if (json_is(&type, block_rows[i].type))
            return read_known(rd, v, &block_rows[i], p);
    }
    return true;
}

/* ---- messages ---- */

static const struct {
    const char *name;
    enum role role;
} roles[] = {
    {"user", ROLE_USER},
    {"assistant", ROLE_ASSISTANT},
    {"system", ROLE_SYSTEM},
};

static bool read_role(struct reader *rd, const struct json *v, enum role *role)
{
    struct json name = json_get(v, "role");

    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", v->type);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (json_is(&name, roles[i].name)) {
            *role = roles[i].role;
            return true;
        }
    }
    return reader_wrong(rd, "role", "user, assistant or system", name.type);
}

/* What was carried to the client in a block of its own goes back on the call
 * before it. */
static bool is_call_signature(struct part *before, const struct part *p)
{
    static const size_t mark = sizeof ANTHROPIC_CALL_SIGNATURE - 1;

    if (before->kind != PART_TOOL_CALL || !p->redacted ||
        !span_starts(p->signature, ANTHROPIC_CALL_SIGNATURE))
        return false;
    before->signature =
        (struct span){p->signature.ptr + mark, p->signature.len - mark};
    return true;
}

/* Content as a part that holds them: a string is one text. */
static bool read_all(struct reader *rd, const char *name, const struct json *v,
                     struct part *all)
{
    static const struct field content = {"content", NULL, 0, true};
    struct field f = content;

    memset(all, 0, sizeof *all);
    f.name = name;
    if (!read_content(rd, &f, v, all))
        return false;
    if (v->type != JSON_STRING)
        return true;
    all->parts = arena_zalloc(rd->a, 1, sizeof *all->parts);
    if (!all->parts)
        return reader_no_memory(rd);
    all->parts[0] =
        (struct part){.kind = PART_TEXT, .text = all->text, .raw = v->raw};
    all->n_parts = 1;
    return true;
}

/* Results are messages of their own, since all other dialects have them so. */
static void add_messages(struct request *r, struct message whole)
{
    struct message *m = NULL;
    size_t kept = 0;

    for (size_t i = 0; i < whole.n_parts; i++) {
        struct part *p = &whole.parts[i];
        bool result = whole.role == ROLE_USER && p->kind == PART_TOOL_RESULT;
        enum role role = result ? ROLE_TOOL : whole.role;

        if (kept && is_call_signature(&whole.parts[kept - 1], p))
            continue;
        if (kept != i)
            whole.parts[kept] = *p;
        if (!m || m->role != role) {
            m = &r->messages[r->n_messages++];
            *m = whole;
            m->role = role;
            m->parts = &whole.parts[kept];
            m->n_parts = 0;
        }
        m->n_parts++;
        kept++;
    }
    if (!m)
        r->messages[r->n_messages++] = whole;
}

static size_t most_messages(const struct json *v)
{
    struct json_iter it = json_begin(v);
    struct json one, content;
    size_t n = 1;

    while (json_next(&it, NULL, &one)) {
        content = json_get(&one, "content");
        n += 1 + (content.type == JSON_ARRAY ? json_count(&content) : 0);
    }
    return n;
}

static bool read_system(struct reader *rd, const struct json *v,
                        struct request *r)
{
    struct message m = {.role = ROLE_SYSTEM, .raw = v->raw};
    struct part all;

    if (v->type == JSON_NONE || v->type == JSON_NULL)
        return true;
    if (!read_all(rd, "system", v, &all))
        return false;
    m.parts = all.parts;
    m.n_parts = all.n_parts;
    r->messages[r->n_messages++] = m;
    return true;
}

static bool read_messages(struct reader *rd, const struct body *b,
                          struct request *r)
{
    struct json_iter it = json_begin(&b->messages);
    struct json one, content;
    struct part all;

    if (b->messages.type != JSON_ARRAY)
        return reader_wrong(rd, "messages", "an array", b->messages.type);
    if (json_count(&b->messages) == 0)
        return err_set(rd->e, ERR_INPUT,
                       "messages: wanted at least one message, found none");
    r->messages =
        arena_zalloc(rd->a, most_messages(&b->messages), sizeof *r->messages);
    if (!r->messages)
        return reader_no_memory(rd);
    if (!read_system(rd, &b->system, r))
        return false;
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        struct message m = {.raw = one.raw};

        reader_enter(rd, "messages", i);
        if (!read_role(rd, &one, &m.role))
            return false;
        content = json_get(&one, "content");
        if (!read_all(rd, "content", &content, &all))
            return false;
        reader_leave(rd);
        m.parts = all.parts;
        m.n_parts = all.n_parts;
        add_messages(r, m);
    }
    return true;
}

/* ---- tools ---- */

#define AT(member) offsetof(struct tool, member)
static const struct field tool_fields[] = {
    {"name", read_str, AT(name), false},
    {"description", read_text, AT(description), false},
    {"input_schema", read_raw_object, AT(schema), false},
    {"strict", read_bool, AT(strict), false},
    {"cache_control", read_raw_object, AT(cache), false},
    {NULL, NULL, 0, false},
};
#undef AT

static bool read_tool(struct reader *rd, const struct json *v, struct tool *t)
{
    struct json type = json_get(v, "type");

    t->raw = v->raw;
    if (!reader_object(rd, v, tool_fields, t))
        return false;
    if (!id_read(t->name, rd->a, &t->name))
        return reader_no_memory(rd);
    t->builtin = type.type == JSON_STRING && !json_is(&type, "custom");
    if (!t->builtin && t->name.len == 0)
        return reader_wrong(rd, "name", "a string that is not empty",
                            t->name.ptr ? JSON_STRING : JSON_NONE);
    if (!t->builtin && !t->schema.ptr)
        return reader_wrong(rd, "input_schema", "an object", JSON_NONE);
    return true;
}

static bool read_tools(struct reader *rd, const struct json *v,
                       struct request *r)
{
    struct json_iter it = json_begin(v);
    struct json one;

    if (v->type == JSON_NONE || v->type == JSON_NULL)
        return true;
    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, "tools", "an array", v->type);
    r->tools = arena_zalloc(rd->a, json_count(v) + 1, sizeof *r->tools);
    if (!r->tools)
        return reader_no_memory(rd);
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, "tools", i);
        if (!read_tool(rd, &one, &r->tools[r->n_tools]))
            return false;
        reader_leave(rd);
        r->n_tools++;
    }
    return true;
}

/* ---- the body ---- */

static const struct field body_fields[] = {
    {"model", read_json, offsetof(struct body, model), true},
    {"messages", read_json, offsetof(struct body, messages), true},
    {"system", read_json, offsetof(struct body, system), false},
    {"tools", read_json, offsetof(struct body, tools), false},
    {NULL, NULL, 0, false},
};

static bool has_row(const struct field *table, const struct json *key)
{
    for (; table->name; table++) {
        if (json_is(key, table->name))
            return true;
    }
    return false;
}

static bool read_extras(struct reader *rd, const struct json *top,
                        struct request *r)
{
    struct json_iter it = json_begin(top);
    struct json key, v;

    r->extras = arena_zalloc(rd->a, json_count(top) + 1, sizeof *r->extras);
    if (!r->extras)
        return reader_no_memory(rd);
    while (json_next(&it, &key, &v)) {
        if (!has_row(body_fields, &key) && !has_row(anthropic_params, &key))
            r->extras[r->n_extras++] = (struct extra){json_inner(&key), v.raw};
    }
    return true;
}

static bool read_model(struct reader *rd, const struct json *v,
                       struct span given, struct request *r)
{
    r->model = given; /* of the path, on Vertex */
    if (given.len)
        return true;
    if (v->type != JSON_STRING)
        return reader_wrong(rd, "model", "a string", v->type);
    if (!json_text(v, rd->a, &r->model))
        return reader_no_memory(rd);
    r->model_raw = v->raw;
    return r->model.len ||
           err_set(rd->e, ERR_INPUT, "model: wanted a name, found \"\"");
}

bool anthropic_request_read(const struct inbound *in, struct arena *a,
                            struct request *r, struct err *e)
{
    struct span body = in->body;
    struct span model = in->model;
    bool stream = in->stream;
    struct reader rd = {.a = a, .e = e};
    struct json top;
    struct body b;

    memset(&b, 0, sizeof b);
    *r = (struct request){.body = body, .params = params_unsaid()};
    r->params.stream_usage = true; /* this dialect always says it */
    if (!json_parse(body, &top, e) ||
        !reader_object(&rd, &top, body_fields, &b) ||
        !read_model(&rd, &b.model, model, r) || !read_messages(&rd, &b, r) ||
        !read_tools(&rd, &b.tools, r) ||
        !reader_object(&rd, &top, anthropic_params, &r->params))
        return false;
    r->params.stream |= stream;
    return read_extras(&rd, &top, r);
}
