/* SPDX-License-Identifier: Apache-2.0 */
#include "features/request.h"

#include "features/messages.h"

#include <math.h>
#include <string.h>

/* ---- parameters: rows whose target is struct params ---- */

static const struct field usage_fields[] = {
    {"include_usage", read_bool, offsetof(struct params, stream_usage), false},
    {NULL, NULL, 0, false},
};
static const struct field schema_fields[] = {
    {"schema", read_raw_object, offsetof(struct params, schema), false},
    {NULL, NULL, 0, false},
};
static const struct field name_fields[] = {
    {"name", read_str, offsetof(struct params, tool_name), true},
    {NULL, NULL, 0, false},
};

static bool inside(struct reader *rd, const char *name, const struct json *v,
                   const struct field *fields, void *target)
{
    reader_enter(rd, name, READER_NO_INDEX);
    if (!reader_object(rd, v, fields, target))
        return false;
    reader_leave(rd);
    return true;
}

static bool read_stream_options(struct reader *rd, const struct field *f,
                                const struct json *v, void *target)
{
    return inside(rd, f->name, v, usage_fields, target);
}

static bool read_format(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct params *p = target;
    struct json type = json_get(v, "type"), schema;

    reader_enter(rd, f->name, READER_NO_INDEX);
    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", v->type);
    if (type.type != JSON_STRING)
        return reader_wrong(rd, "type", "a string", type.type);
    if (json_is(&type, "json_object"))
        p->format = FORMAT_JSON;
    if (json_is(&type, "json_schema")) {
        p->format = FORMAT_JSON_SCHEMA;
        schema = json_get(v, "json_schema");
        if (!inside(rd, "json_schema", &schema, schema_fields, p))
            return false;
    }
    reader_leave(rd);
    return true;
}

static const struct {
    const char *name;
    enum tool_choice choice;
} choices[] = {
    {"auto", CHOICE_AUTO},
    {"none", CHOICE_NONE},
    {"required", CHOICE_REQUIRED},
    {"any", CHOICE_REQUIRED}, /* Mistral's word for it */
};

static bool choice_word(struct reader *rd, const struct field *f,
                        const struct json *v, struct params *p)
{
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (json_is(v, choices[i].name)) {
            p->tool_choice = choices[i].choice;
            return true;
        }
    }
    return reader_wrong(rd, f->name, "auto, none, required or an object",
                        v->type);
}

/* A word, {"type": "function", "function": {"name"}}, the older {"name"},
 * {"type": "custom", "custom": {"name"}}; of others only that they are. */
static bool read_choice(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    static const char *const forms[] = {"function", "custom"};
    struct params *p = target;
    struct json in;

    if (v->type != JSON_OBJECT)
        return choice_word(rd, f, v, p);
    p->tool_choice = CHOICE_NAMED;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        in = json_get(v, forms[i]);
        if (in.type == JSON_NONE)
            continue;
        reader_enter(rd, f->name, READER_NO_INDEX);
        if (!inside(rd, forms[i], &in, name_fields, p))
            return false;
        reader_leave(rd);
        return true;
    }
    in = json_get(v, "type");
    if (in.type != JSON_NONE) /* allowed_tools and what may come: no one tool */
        p->tool_choice = CHOICE_AUTO;
    return inside(rd, f->name, v, name_fields, p);
}

static bool read_parallel(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    struct params *p = target;

    if (v->type != JSON_BOOL)
        return reader_wrong(rd, f->name, "a boolean", v->type);
    p->parallel_tool_calls = json_true(v);
    return true;
}

static bool read_stop(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    struct json_iter it = json_begin(v);
    struct json one;

    if (v->type != JSON_STRING && v->type != JSON_ARRAY)
        return reader_wrong(rd, f->name, "a string or an array of strings",
                            v->type);
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, f->name, i);
        if (one.type != JSON_STRING)
            return reader_wrong(rd, "", "a string", one.type);
        reader_leave(rd);
    }
    return read_raw(rd, f, v, target);
}

#define AT(member) offsetof(struct params, member)
static const struct field param_fields[] = {
    {"max_tokens", read_i64, AT(max_tokens), false},
    {"temperature", read_double, AT(temperature), false},
    {"top_p", read_double, AT(top_p), false},
    {"n", read_i64, AT(n), false},
    {"stream", read_bool, AT(stream), false},
    {"stream_options", read_stream_options, 0, false},
    {"logprobs", read_bool, AT(logprobs), false},
    {"response_format", read_format, 0, false},
    {"tool_choice", read_choice, 0, false},
    {"function_call", read_choice, 0, false},
    {"parallel_tool_calls", read_parallel, 0, false},
    {"reasoning_effort", read_str, AT(reasoning), false},
    {"stop", read_stop, AT(stop), false},
    {"user", read_str, AT(user), false},
    {"metadata", read_raw_object, AT(metadata), false},
    {NULL, NULL, 0, false},
};
#undef AT

static const struct field limit_fields[] = {
    {"max_completion_tokens", read_i64, offsetof(struct params, max_tokens),
     false},
    {NULL, NULL, 0, false},
};

struct params params_unsaid(void)
{
    return (struct params){.max_tokens = -1,
                           .temperature = (double)NAN,
                           .top_p = (double)NAN,
                           .n = 1,
                           .parallel_tool_calls = -1,
                           .thinking_budget = -1,
                           .top_k = -1,
                           .seed = INT64_MIN,
                           .top_logprobs = -1,
                           .frequency_penalty = (double)NAN,
                           .presence_penalty = (double)NAN,
                           .schema_strict = -1};
}

/* Two walks, so that max_completion_tokens wins over its older name. */
static bool read_params(struct reader *rd, const struct json *obj,
                        struct params *p)
{
    return reader_object(rd, obj, param_fields, p) &&
           reader_object(rd, obj, limit_fields, p);
}

/* ---- the body ---- */

struct body {
    struct json model, messages, tools, functions;
    int n_models, n_messages;
};

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

static bool read_messages(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    struct body *b = target;

    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, f->name, "an array", v->type);
    b->n_messages++;
    b->messages = *v;
    return true;
}

static const struct field body_fields[] = {
    {"model", read_model, 0, true},
    {"messages", read_messages, 0, true},
    {"tools", read_json, offsetof(struct body, tools), false},
    {"functions", read_json, offsetof(struct body, functions), false},
    {NULL, NULL, 0, false},
};

static bool once(struct reader *rd, const char *name, const char *want, int n)
{
    if (n == 0)
        return reader_wrong(rd, name, want, JSON_NONE);
    if (n > 1)
        return err_set(rd->e, ERR_INPUT,
                       "%s: wanted it once, found it %d times", name, n);
    return true;
}

static bool read_body(struct reader *rd, const struct json *top,
                      struct request *r)
{
    struct body b;

    memset(&b, 0, sizeof b);
    if (!reader_object(rd, top, body_fields, &b) ||
        !once(rd, "model", "a string", b.n_models) ||
        !once(rd, "messages", "an array", b.n_messages))
        return false;
    if (!json_text(&b.model, rd->a, &r->model))
        return reader_no_memory(rd);
    if (r->model.len == 0)
        return err_set(rd->e, ERR_INPUT, "model: wanted a name, found \"\"");
    r->model_raw = b.model.raw;
    return messages_read(rd, &b.messages, r) &&
           (b.tools.type == JSON_NONE || tools_read(rd, &b.tools, r)) &&
           (b.functions.type == JSON_NONE ||
            functions_read(rd, &b.functions, r)) &&
           read_params(rd, top, &r->params);
}

bool request_from_openai(struct span body, struct arena *a, struct request *r,
                         struct err *e)
{
    struct reader rd = {.a = a, .e = e};
    struct json top;

    *r = (struct request){.body = body, .params = params_unsaid()};
    return json_parse(body, &top, e) && read_body(&rd, &top, r);
}

static bool part_json(struct span text, const char *name, struct json *out,
                      struct err *e)
{
    *out = (struct json){JSON_NONE, false, {NULL, 0}};
    if (text.len == 0)
        return true;
    return json_parse(text, out, e) || err_wrap(e, "%s", name);
}

static bool said(const struct json *v)
{
    return v->type != JSON_NONE && v->type != JSON_NULL;
}

bool request_from_parts(struct request_pieces in, struct arena *a,
                        struct request *r, struct err *e)
{
    struct reader rd = {.a = a, .e = e};
    struct json m, t, p;

    *r = (struct request){.params = params_unsaid()};
    if (!part_json(in.messages, "messages", &m, e) ||
        !part_json(in.tools, "tools", &t, e) ||
        !part_json(in.params, "params", &p, e))
        return false;
    if (!messages_read(&rd, &m, r) || (said(&t) && !tools_read(&rd, &t, r)))
        return false;
    if (!said(&p))
        return true;
    return p.type == JSON_OBJECT
               ? read_params(&rd, &p, &r->params)
               : reader_wrong(&rd, "params", "an object", p.type);
}
