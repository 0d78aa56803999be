/* SPDX-License-Identifier: Apache-2.0 */
/* A chat request of Cohere's -> struct request. */
#include "router/codec/carry.h"
#include "router/codec/cohere.h"

#include <string.h>

#define PART(member) offsetof(struct part, member)
#define PARAM(member) offsetof(struct params, member)
#define END                                                                    \
    {                                                                          \
        NULL, NULL, 0, false                                                   \
    }

/* ---- content ---- */

static const struct field url_fields[] = {
    {"url", read_str, PART(url), true},
    END,
};

static bool read_image(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, url_fields, target);
}

static const struct field data_fields[] = {
    {"text", read_text, PART(text), false},
    {"title", read_str, PART(name), false},
    {"url", read_str, PART(url), false},
    END,
};

static bool read_data(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, data_fields, target);
}

static const struct field document_fields[] = {
    {"data", read_data, 0, false},
    END,
};

static bool read_document(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, document_fields, target);
}

static const struct field text_part[] = {
    {"text", read_text, PART(text), true},
    END,
};
static const struct field thinking_part[] = {
    {"thinking", read_text, PART(text), true},
    END,
};
static const struct field image_part[] = {
    {"image_url", read_image, 0, true},
    END,
};
static const struct field document_part[] = {
    {"document", read_document, 0, true},
    END,
};

static const struct {
    const char *type;
    enum part_kind kind;
    const struct field *fields;
} kinds[] = {
    {"text", PART_TEXT, text_part},
    {"thinking", PART_THINKING, thinking_part},
    {"image_url", PART_IMAGE, image_part},
    {"document", PART_FILE, document_part},
};

/* "data:image/png;base64,...": its type and its data, where they stand. */
static void split_data(struct part *p)
{
    struct span rest = p->url, head;

    if (!span_starts(rest, "data:"))
        return;
    head = span_cut(&rest, ',');
    head.ptr += strlen("data:");
    head.len -= strlen("data:");
    p->media = span_cut(&head, ';');
    if (span_is(head, "base64"))
        p->data = rest;
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
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!json_is(&type, kinds[i].type))
            continue;
        p->kind = kinds[i].kind;
        if (!reader_object(rd, v, kinds[i].fields, p))
            return false;
        split_data(p);
    }
    return true;
}

/* ---- messages ---- */

struct written {
    struct span role, call_id;
    struct json content, plan, calls;
};

#define AT(member) offsetof(struct written, member)
static const struct field message_fields[] = {
    {"role", read_str, AT(role), true},
    {"tool_call_id", read_str, AT(call_id), false},
    {"content", read_json, AT(content), false},
    {"tool_plan", read_json, AT(plan), false},
    {"tool_calls", read_json, AT(calls), false},
    END,
};
#undef AT

static const struct {
    const char *name;
    enum role role;
} roles[] = {
    {"system", ROLE_SYSTEM},
    {"user", ROLE_USER},
    {"assistant", ROLE_ASSISTANT},
    {"tool", ROLE_TOOL},
};

static const struct field function_fields[] = {
    {"name", read_str, PART(name), true},
    {"arguments", read_text, PART(text), false},
    END,
};

static bool read_function(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, function_fields, target);
}

static const struct field call_fields[] = {
    {"id", read_str, PART(id), false},
    {"function", read_function, 0, true},
    END,
};

static bool read_call(struct reader *rd, const struct json *v, struct part *p)
{
    p->kind = PART_TOOL_CALL;
    p->raw = v->raw;
    if (!reader_object(rd, v, call_fields, p))
        return false;
    return p->name.ptr ||
           reader_wrong(rd, "function.name", "a string", JSON_NONE);
}

struct list {
    struct part *parts;
    size_t n;
};

static bool read_list(struct reader *rd, const char *name, const struct json *v,
                      struct list *to,
                      bool (*read)(struct reader *, const struct json *,
                                   struct part *))
{
    struct json_iter it = json_begin(v);
    struct json one;

    if (v->type == JSON_NONE || v->type == JSON_NULL)
        return true;
    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, name, "an array", v->type);
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, name, i);
        if (!read(rd, &one, &to->parts[to->n++]))
            return false;
        reader_leave(rd);
    }
    return true;
}

static bool read_content(struct reader *rd, const char *name,
                         const struct json *v, struct list *to)
{
    struct part *p = &to->parts[to->n];

    if (v->type != JSON_STRING)
        return read_list(rd, name, v, to, read_part);
    p->kind = PART_TEXT;
    p->text = (struct text){json_inner(v), v->escaped};
    p->raw = v->raw;
    to->n++;
    return true;
}

static bool read_plan(struct reader *rd, const struct json *v, struct list *to)
{
    if (v->type == JSON_NONE || v->type == JSON_NULL)
        return true;
    if (v->type != JSON_STRING)
        return reader_wrong(rd, "tool_plan", "a string", v->type);
    return json_inner(v).len == 0 || read_content(rd, "tool_plan", v, to);
}

/* A tool's content is one result: its text, or its parts. */
static bool make_result(struct reader *rd, const struct written *w,
                        struct message *m)
{
    struct part *result = arena_zalloc(rd->a, 1, sizeof *result);

    if (!result)
        return reader_no_memory(rd);
    if (m->n_parts == 1 && m->parts[0].kind == PART_TEXT) {
        *result = m->parts[0];
    } else {
        result->parts = m->parts;
        result->n_parts = m->n_parts;
        result->raw = m->raw;
    }
    result->kind = PART_TOOL_RESULT;
    result->id = w->call_id;
    m->parts = result;
    m->n_parts = 1;
    return true;
}

static bool read_role(struct reader *rd, const struct written *w,
                      struct message *m)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (span_is(w->role, roles[i].name)) {
            m->role = roles[i].role;
            return true;
        }
    }
    return reader_wrong(rd, "role", "system, user, assistant or tool",
                        w->role.ptr ? JSON_STRING : JSON_NONE);
}

static bool read_message(struct reader *rd, const struct json *v,
                         struct message *m)
{
    struct written w;
    struct list to;

    memset(&w, 0, sizeof w);
    m->raw = v->raw;
    if (!reader_object(rd, v, message_fields, &w) || !read_role(rd, &w, m))
        return false;
    to.n = 0;
    to.parts =
        arena_zalloc(rd->a, 2 + json_count(&w.content) + json_count(&w.calls),
                     sizeof *to.parts);
    if (!to.parts)
        return reader_no_memory(rd);
    if (!read_content(rd, "content", &w.content, &to) ||
        !read_plan(rd, &w.plan, &to))
        return false;
    if (!read_list(rd, "tool_calls", &w.calls, &to, read_call))
        return false;
    m->parts = to.parts;
    m->n_parts = to.n;
    return m->role != ROLE_TOOL || make_result(rd, &w, m);
}

static bool read_messages(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    struct request *r = target;
    struct json_iter it = json_begin(v);
    struct json one;

    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, f->name, "an array", v->type);
    r->n_messages = 0;
    r->messages = arena_zalloc(rd->a, json_count(v) + 1, sizeof *r->messages);
    if (!r->messages)
        return reader_no_memory(rd);
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, f->name, i);
        if (!read_message(rd, &one, &r->messages[r->n_messages++]))
            return false;
        reader_leave(rd);
    }
    return true;
}

/* ---- tools ---- */

static const struct field spec_fields[] = {
    {"name", read_str, offsetof(struct tool, name), true},
    {"description", read_text, offsetof(struct tool, description), false},
    {"parameters", read_raw_object, offsetof(struct tool, schema), false},
    END,
};

static bool read_spec(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, spec_fields, target);
}

static const struct field tool_fields[] = {
    {"function", read_spec, 0, true},
    END,
};

static bool read_tools(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    struct request *r = target;
    struct json_iter it = json_begin(v);
    struct json one;

    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, f->name, "an array", v->type);
    r->n_tools = 0;
    r->tools = arena_zalloc(rd->a, json_count(v) + 1, sizeof *r->tools);
    if (!r->tools)
        return reader_no_memory(rd);
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        struct tool *tool = &r->tools[r->n_tools++];

        tool->raw = one.raw;
        reader_enter(rd, f->name, i);
        if (!reader_object(rd, &one, tool_fields, tool))
            return false;
        if (!tool->name.ptr)
            return reader_wrong(rd, "function.name", "a string", JSON_NONE);
        reader_leave(rd);
    }
    return true;
}

/* ---- parameters: the target is the request ---- */

static bool read_choice(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct request *r = target;

    if (json_is(v, "NONE"))
        r->params.tool_choice = CHOICE_NONE;
    else if (json_is(v, "REQUIRED"))
        r->params.tool_choice = CHOICE_REQUIRED;
    else
        return reader_wrong(rd, f->name, "NONE or REQUIRED", v->type);
    return true;
}

static bool read_strict(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct request *r = target;

    if (v->type != JSON_BOOL)
        return reader_wrong(rd, f->name, "a boolean", v->type);
    for (size_t i = 0; i < r->n_tools; i++)
        r->tools[i].strict = json_true(v);
    return true;
}

static bool read_format(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct request *r = target;
    struct json type = json_get(v, "type"), schema = json_get(v, "json_schema");

    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, f->name, "an object", v->type);
    if (schema.type == JSON_NONE)
        schema = json_get(v, "schema");
    if (json_is(&type, "json_object"))
        r->params.format = FORMAT_JSON;
    if (schema.type != JSON_OBJECT)
        return true;
    r->params.format = FORMAT_JSON_SCHEMA;
    r->params.schema = schema.raw;
    return true;
}

struct thinking {
    struct span type;
    int64_t budget;
};

static const struct field thinking_fields[] = {
    {"type", read_str, offsetof(struct thinking, type), false},
    {"token_budget", read_i64, offsetof(struct thinking, budget), false},
    END,
};

static bool read_thinking(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    struct thinking t = {.budget = -2};
    struct request *r = target;

    if (!carry_inside(rd, f->name, v, thinking_fields, &t))
        return false;
    r->params.show_thinking = !span_is(t.type, "disabled");
    r->params.thinking_budget = r->params.show_thinking ? t.budget : 0;
    return true;
}

static bool read_model(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    struct request *r = target;

    if (v->type != JSON_STRING)
        return reader_wrong(rd, f->name, "a string", v->type);
    r->model_raw = v->raw;
    return json_text(v, rd->a, &r->model) || reader_no_memory(rd);
}

#define AT(member) offsetof(struct request, params.member)
static const struct field fields[] = {
    {"model", read_model, 0, true},
    {"messages", read_messages, 0, true},
    {"tools", read_tools, 0, false},
    {"stream", read_bool, AT(stream), false},
    {"max_tokens", read_i64, AT(max_tokens), false},
    {"temperature", read_double, AT(temperature), false},
    {"p", read_double, AT(top_p), false},
    {"k", read_i64, AT(top_k), false},
    {"seed", read_i64, AT(seed), false},
    {"stop_sequences", carry_strings, AT(stop), false},
    {"frequency_penalty", read_double, AT(frequency_penalty), false},
    {"presence_penalty", read_double, AT(presence_penalty), false},
    {"logprobs", read_bool, AT(logprobs), false},
    {"response_format", read_format, 0, false},
    {"tool_choice", read_choice, 0, false},
    {"strict_tools", read_strict, 0, false},
    {"thinking", read_thinking, 0, false},
    END,
};
#undef AT

bool cohere_request_read(const struct inbound *in, struct arena *a,
                         struct request *r, struct err *e)
{
    struct span body = in->body;
    struct span model = in->model;
    bool stream = in->stream;
    struct reader rd = {.a = a, .e = e};
    struct json top;

    *r = (struct request){
        .body = body, .model = model, .params = params_unsaid()};
    r->params.stream = stream;
    if (!json_parse(body, &top, e) || !reader_object(&rd, &top, fields, r))
        return false;
    if (!r->messages)
        return reader_wrong(&rd, "messages", "an array", JSON_NONE);
    return carry_extras(&rd, &top, fields, r);
}
