/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the Responses API: all but the input's items. */
#include "router/codec/responses.h"

#include <string.h>

enum { EXTRAS_MAX = 64 };

struct body {
    struct params params; /* first: rows' offsets are from here */
    struct responses_input in;
    struct json model, tools;
    int n_models;
    struct extra extras[EXTRAS_MAX];
    size_t n_extras;
};

/* ---- tools ---- */

#define AT(member) offsetof(struct tool, member)
static const struct field tool_fields[] = {
    {"name", read_str, AT(name), true},
    {"description", read_text, AT(description), false},
    {"parameters", read_raw_object, AT(schema), false},
    {"strict", read_bool, AT(strict), false},
    {NULL, NULL, 0, false},
};
#undef AT

static bool read_tool(struct reader *rd, const struct json *v, struct tool *t)
{
    struct json type = json_get(v, "type");
    bool ours = json_is(&type, "function");

    t->raw = v->raw;
    t->builtin = !ours;
    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", v->type);
    if (type.type != JSON_STRING)
        return reader_wrong(rd, "type", "a string", type.type);
    if (!ours)
        return true;
    return reader_object(rd, v, tool_fields, t) &&
           (t->name.len || reader_wrong(rd, "name", "a string", JSON_NONE));
}

static bool read_tools(struct reader *rd, const struct json *v,
                       struct request *r)
{
    struct json_iter it = json_begin(v);
    struct json one;

    if (v->type == JSON_NONE)
        return true;
    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, "tools", "an array", v->type);
    r->tools = arena_zalloc(rd->a, json_count(v) + 1, sizeof *r->tools);
    if (!r->tools)
        return reader_no_memory(rd);
    for (; json_next(&it, NULL, &one); r->n_tools++) {
        reader_enter(rd, "tools", (int64_t)r->n_tools);
        if (!read_tool(rd, &one, &r->tools[r->n_tools]))
            return false;
        reader_leave(rd);
    }
    return true;
}

/* ---- parameters ---- */

static bool read_flag(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    int *at = (int *)(void *)((char *)target + f->at);

    if (v->type != JSON_BOOL)
        return reader_wrong(rd, f->name, "a boolean", v->type);
    *at = json_true(v);
    return true;
}

static bool read_choice(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct params *p = target;
    struct json type = json_get(v, "type"), name = json_get(v, "name");

    if (json_is(v, "none"))
        p->tool_choice = CHOICE_NONE;
    else if (json_is(v, "required"))
        p->tool_choice = CHOICE_REQUIRED;
    else if (v->type != JSON_OBJECT && !json_is(v, "auto"))
        return reader_wrong(rd, f->name, "auto, none, required or an object",
                            v->type);
    if (!json_is(&type, "function"))
        return true;
    if (name.type != JSON_STRING)
        return reader_wrong(rd, "tool_choice.name", "a string", name.type);
    p->tool_choice = CHOICE_NAMED;
    return json_text(&name, rd->a, &p->tool_name) || reader_no_memory(rd);
}

#define AT(member) offsetof(struct params, member)
static const struct field format_fields[] = {
    {"schema", read_raw_object, AT(schema), false},
    {"name", read_str, AT(schema_name), false},
    {"strict", read_flag, AT(schema_strict), false},
    {NULL, NULL, 0, false},
};

static bool add_extra(struct reader *rd, struct body *b, struct span name,
                      struct span value)
{
    if (b->n_extras == EXTRAS_MAX)
        return err_set(rd->e, ERR_LIMIT,
                       "wanted at most %d members, found more", EXTRAS_MAX);
    b->extras[b->n_extras++] = (struct extra){name, value};
    return true;
}

static bool read_format(struct reader *rd, const struct json *v,
                        struct params *p)
{
    struct json type = json_get(v, "type");

    if (v->type == JSON_NONE || v->type == JSON_NULL)
        return true;
    if (type.type != JSON_STRING)
        return reader_wrong(rd, "format.type", "a string", type.type);
    if (json_is(&type, "json_object"))
        p->format = FORMAT_JSON;
    if (!json_is(&type, "json_schema"))
        return true;
    p->format = FORMAT_JSON_SCHEMA;
    return reader_object(rd, v, format_fields, p);
}

static bool read_text_options(struct reader *rd, const struct field *f,
                              const struct json *v, void *target)
{
    struct body *b = target;
    struct json format = json_get(v, "format");
    struct json verbosity = json_get(v, "verbosity");

    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, f->name, "an object", v->type);
    reader_enter(rd, f->name, READER_NO_INDEX);
    if (!read_format(rd, &format, &b->params))
        return false;
    reader_leave(rd);
    return verbosity.type != JSON_STRING ||
           add_extra(rd, b, SPAN("verbosity"), verbosity.raw);
}

static bool read_reasoning(struct reader *rd, const struct field *f,
                           const struct json *v, void *target)
{
    struct params *p = target;
    struct json effort = json_get(v, "effort"), show = json_get(v, "summary");

    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, f->name, "an object", v->type);
    p->show_thinking = show.type == JSON_STRING;
    if (effort.type == JSON_NONE || effort.type == JSON_NULL)
        return true;
    if (effort.type != JSON_STRING)
        return reader_wrong(rd, "reasoning.effort", "a string", effort.type);
    return json_text(&effort, rd->a, &p->reasoning) || reader_no_memory(rd);
}

/* What else the answer is to hold: log-probabilities have a place here. */
static bool read_include(struct reader *rd, const struct field *f,
                         const struct json *v, void *target)
{
    struct params *p = target;
    struct json_iter it = json_begin(v);
    struct json one;

    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, f->name, "an array", v->type);
    while (json_next(&it, NULL, &one)) {
        if (json_is(&one, "message.output_text.logprobs"))
            p->logprobs = true;
    }
    return true;
}

static bool read_model(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    struct body *b = target;

    if (v->type != JSON_STRING)
        return reader_wrong(rd, f->name, "a string", v->type);
    b->n_models++;
    b->model = *v;
    return true;
}

/* Kept by the provider: also an extra. */
static bool read_held(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    struct body *b = target;

    b->in.held = true;
    return add_extra(rd, b, span_of(f->name), v->raw);
}

#define BODY(member) offsetof(struct body, member)
static const struct field body_fields[] = {
    {"model", read_model, 0, true},
    {"input", read_json, BODY(in.input), true},
    {"instructions", read_json, BODY(in.instructions), false},
    {"tools", read_json, BODY(tools), false},
    {"tool_choice", read_choice, 0, false},
    {"parallel_tool_calls", read_flag, AT(parallel_tool_calls), false},
    {"stream", read_bool, AT(stream), false},
    {"max_output_tokens", read_i64, AT(max_tokens), false},
    {"temperature", read_double, AT(temperature), false},
    {"top_p", read_double, AT(top_p), false},
    {"top_logprobs", read_i64, AT(top_logprobs), false},
    {"reasoning", read_reasoning, 0, false},
    {"text", read_text_options, 0, false},
    {"include", read_include, 0, false},
    {"metadata", read_raw_object, AT(metadata), false},
    {"user", read_str, AT(user), false},
    {"service_tier", read_str, AT(service_tier), false},
    {"previous_response_id", read_held, 0, false},
    {"conversation", read_held, 0, false},
    {"prompt", read_held, 0, false},
    {NULL, NULL, 0, false},
};
#undef AT
#undef BODY

static bool read_members(struct reader *rd, const struct json *top,
                         struct body *b)
{
    struct json_iter it = json_begin(top);
    struct json key, v;

    if (top->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", top->type);
    while (json_next(&it, &key, &v)) {
        const struct field *f = reader_row(body_fields, &key);

        if (f && v.type == JSON_NULL && !f->strict)
            continue;
        if (f ? !f->read(rd, f, &v, b)
              : !add_extra(rd, b, json_inner(&key), v.raw))
            return false;
    }
    if (b->n_models > 1)
        return err_set(rd->e, ERR_INPUT,
                       "model: wanted it once, found it %d times", b->n_models);
    return b->n_models || reader_wrong(rd, "model", "a string", JSON_NONE);
}

bool responses_request_read(const struct inbound *in, struct arena *a,
                            struct request *r, struct err *e)
{
    struct span body = in->body;
    struct reader rd = {.a = a, .e = e};
    struct json top;
    struct body b;

    memset(&b, 0, sizeof b);
    b.params = params_unsaid();
    *r = (struct request){.body = body, .params = b.params};
    if (!json_parse(body, &top, e) || !read_members(&rd, &top, &b))
        return false;
    if (!json_text(&b.model, a, &r->model))
        return reader_no_memory(&rd);
    if (!r->model.len)
        return err_set(e, ERR_INPUT, "model: wanted a name, found \"\"");
    r->model_raw = b.model.raw;
    r->params = b.params;
    r->params.stream_usage = true; /* its last event always says it */
    r->n_extras = b.n_extras;
    r->extras = arena_zalloc(a, b.n_extras + 1, sizeof *r->extras);
    if (!r->extras)
        return reader_no_memory(&rd);
    memcpy(r->extras, b.extras, b.n_extras * sizeof *r->extras);
    return responses_input_read(&rd, &b.in, r) && read_tools(&rd, &b.tools, r);
}
