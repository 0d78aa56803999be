/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Gemini body -> struct request: generateContent's, countTokens' (which may
 * have the former inside, as generateContentRequest) and batchEmbedContents'.
 */
#include "router/codec/carry.h"
#include "router/codec/gemini.h"
#include "router/codec/gemini_parts.h"

#include <math.h>
#include <string.h>

/* ---- generationConfig ---- */

static bool read_seed(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    struct params *p = target;

    return json_i64(v, &p->seed) ||
           reader_wrong(rd, f->name, "a whole number", v->type);
}

/* -1: the model decides. */
static bool read_budget(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct params *p = target;
    int64_t n;

    if (!json_i64(v, &n) || n < -1)
        return reader_wrong(rd, f->name, "a whole number of at least -1",
                            v->type);
    p->thinking_budget = n == -1 ? -2 : n;
    return true;
}

/* "LOW" and "low" are the effort "low". */
static bool read_level(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    struct params *p = target;
    struct span said;
    char *low;

    if (v->type != JSON_STRING)
        return reader_wrong(rd, f->name, "a string", v->type);
    if (!json_text(v, rd->a, &said) || !(low = arena_strdup(rd->a, said)))
        return reader_no_memory(rd);
    for (size_t i = 0; i < said.len; i++) {
        if (low[i] >= 'A' && low[i] <= 'Z')
            low[i] |= 32;
    }
    p->reasoning = (struct span){low, said.len};
    if (span_is(p->reasoning, "thinking_level_unspecified"))
        p->reasoning.len = 0;
    return true;
}

#define AT(member) offsetof(struct params, member)
static const struct field thinking_fields[] = {
    BOTH("thinkingBudget", "thinking_budget", read_budget, 0, false),
    BOTH("thinkingLevel", "thinking_level", read_level, 0, false),
    BOTH("includeThoughts", "include_thoughts", read_bool, AT(show_thinking),
         false),
    ROWS_END,
};

static bool read_thinking(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, thinking_fields, target);
}

static bool read_openapi(struct reader *rd, const struct field *f,
                         const struct json *v, void *target)
{
    struct params *p = target;

    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, f->name, "an object", v->type);
    p->format = FORMAT_JSON_SCHEMA;
    return gemini_schema_read(v->raw, rd->a, &p->schema) ||
           reader_no_memory(rd);
}

/* Google's own clients write the subset's OBJECT and STRING where JSON Schema
 * belongs too, and Gemini takes it. */
static bool is_openapi(const struct json *schema)
{
    struct json type = json_get(schema, "type");
    struct span name = json_inner(&type);

    return type.type == JSON_STRING && name.len && *name.ptr >= 'A' &&
           *name.ptr <= 'Z';
}

static bool read_json_schema(struct reader *rd, const struct field *f,
                             const struct json *v, void *target)
{
    struct params *p = target;

    if (v->type == JSON_OBJECT && is_openapi(v))
        return read_openapi(rd, f, v, target);
    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, f->name, "an object", v->type);
    p->format = FORMAT_JSON_SCHEMA;
    p->schema = v->raw;
    return true;
}

static bool read_mime(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    struct params *p = target;

    if (v->type != JSON_STRING)
        return reader_wrong(rd, f->name, "a string", v->type);
    if (json_is(v, "application/json") && p->format == FORMAT_TEXT)
        p->format = FORMAT_JSON;
    return true;
}

static const struct field config_fields[] = {
    BOTH("maxOutputTokens", "max_output_tokens", read_i64, AT(max_tokens),
         false),
    {"temperature", read_double, AT(temperature), false},
    BOTH("topP", "top_p", read_double, AT(top_p), false),
    BOTH("topK", "top_k", read_i64, AT(top_k), false),
    BOTH("candidateCount", "candidate_count", read_i64, AT(n), false),
    {"seed", read_seed, 0, false},
    BOTH("stopSequences", "stop_sequences", carry_strings, AT(stop), false),
    BOTH("presencePenalty", "presence_penalty", read_double,
         AT(presence_penalty), false),
    BOTH("frequencyPenalty", "frequency_penalty", read_double,
         AT(frequency_penalty), false),
    BOTH("responseLogprobs", "response_logprobs", read_bool, AT(logprobs),
         false),
    {"logprobs", read_i64, AT(top_logprobs), false},
    BOTH("responseMimeType", "response_mime_type", read_mime, 0, false),
    BOTH("responseSchema", "response_schema", read_openapi, 0, false),
    BOTH("responseJsonSchema", "response_json_schema", read_json_schema, 0,
         false),
    BOTH("_responseJsonSchema", "_response_json_schema", read_json_schema, 0,
         false),
    BOTH("thinkingConfig", "thinking_config", read_thinking, 0, false),
    ROWS_END,
};
#undef AT

/* ---- tools ---- */

struct declaration {
    struct json openapi, schema;
};

static const struct field declaration_fields[] = {
    {"name", read_str, offsetof(struct tool, name), false},
    {"description", read_text, offsetof(struct tool, description), false},
    ROWS_END,
};
static const struct field schema_fields[] = {
    {"parameters", read_json, offsetof(struct declaration, openapi), false},
    BOTH("parametersJsonSchema", "parameters_json_schema", read_json,
         offsetof(struct declaration, schema), false),
    ROWS_END,
};

static bool read_declaration(struct reader *rd, const struct json *v,
                             struct tool *t)
{
    struct declaration d;

    memset(&d, 0, sizeof d);
    t->raw = v->raw;
    if (!reader_object(rd, v, declaration_fields, t) ||
        !reader_object(rd, v, schema_fields, &d))
        return false;
    if (t->name.len == 0)
        return reader_wrong(rd, "name", "a function's name", JSON_NONE);
    if (d.schema.type == JSON_OBJECT && !is_openapi(&d.schema)) {
        t->schema = d.schema.raw;
        return true;
    }
    if (d.schema.type == JSON_OBJECT)
        d.openapi = d.schema;
    if (d.openapi.type == JSON_NONE)
        return true;
    if (d.openapi.type != JSON_OBJECT)
        return reader_wrong(rd, "parameters", "an object", d.openapi.type);
    return gemini_schema_read(d.openapi.raw, rd->a, &t->schema) ||
           reader_no_memory(rd);
}

/* "googleSearch": {} as a tool of its own. */
static bool read_builtin(struct reader *rd, const struct json *key,
                         const struct json *v, struct tool *t)
{
    size_t n = (size_t)(v->raw.ptr + v->raw.len - key->raw.ptr);
    char *raw = arena_alloc(rd->a, n + 2);

    if (!raw)
        return reader_no_memory(rd);
    raw[0] = '{';
    memcpy(raw + 1, key->raw.ptr, n);
    raw[n + 1] = '}';
    t->builtin = true;
    t->name = json_inner(key);
    t->raw = (struct span){raw, n + 2};
    return true;
}

static bool read_declarations(struct reader *rd, const struct json *list,
                              struct request *r)
{
    struct json_iter it = json_begin(list);
    struct json v;

    if (list->type != JSON_ARRAY)
        return reader_wrong(rd, "functionDeclarations", "an array", list->type);
    for (int64_t i = 0; json_next(&it, NULL, &v); i++) {
        reader_enter(rd, "functionDeclarations", i);
        if (!read_declaration(rd, &v, &r->tools[r->n_tools++]))
            return false;
        reader_leave(rd);
    }
    return true;
}

static bool read_tool(struct reader *rd, const struct json *tool,
                      struct request *r)
{
    struct json_iter it = json_begin(tool);
    struct json key, v;

    if (tool->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", tool->type);
    while (json_next(&it, &key, &v)) {
        if (v.type == JSON_NULL)
            continue;
        if (gemini_is(&key, "functionDeclarations")
                ? !read_declarations(rd, &v, r)
                : !read_builtin(rd, &key, &v, &r->tools[r->n_tools++]))
            return false;
    }
    return true;
}

static size_t count_tools(const struct json *list)
{
    struct json_iter it = json_begin(list), in;
    struct json tool, key, v;
    size_t n = 0;

    while (json_next(&it, NULL, &tool)) {
        in = json_begin(&tool);
        while (tool.type == JSON_OBJECT && json_next(&in, &key, &v))
            n += 1 + json_count(&v);
    }
    return n;
}

static bool read_tools(struct reader *rd, const struct json *list,
                       struct request *r)
{
    struct json_iter it = json_begin(list);
    struct json v;

    if (list->type != JSON_ARRAY)
        return reader_wrong(rd, "tools", "an array", list->type);
    r->tools = arena_zalloc(rd->a, count_tools(list) + 1, sizeof *r->tools);
    if (!r->tools)
        return reader_no_memory(rd);
    for (int64_t i = 0; json_next(&it, NULL, &v); i++) {
        reader_enter(rd, "tools", i);
        if (!read_tool(rd, &v, r))
            return false;
        reader_leave(rd);
    }
    return true;
}

/* ---- toolConfig ---- */

static const struct {
    const char *mode;
    enum tool_choice choice;
} modes[] = {
    {"AUTO", CHOICE_AUTO},
    {"ANY", CHOICE_REQUIRED},
    {"NONE", CHOICE_NONE},
    {"VALIDATED", CHOICE_AUTO},
    {"MODE_UNSPECIFIED", CHOICE_AUTO},
};

static bool read_tool_config(struct reader *rd, const struct json *v,
                             struct params *p)
{
    struct json calling = gemini_get(v, "functionCallingConfig");
    struct json mode = json_get(&calling, "mode"), one, names;
    struct json_iter it;

    reader_enter(rd, "toolConfig", READER_NO_INDEX);
    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", v->type);
    if (mode.type != JSON_STRING && mode.type != JSON_NONE)
        return reader_wrong(rd, "functionCallingConfig.mode", "a string",
                            mode.type);
    reader_leave(rd);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct span name = mode.type ? json_inner(&mode) : SPAN("");

        if (span_is_nocase(name, modes[i].mode))
            p->tool_choice = modes[i].choice;
    }
    names = gemini_get(&calling, "allowedFunctionNames");
    it = json_begin(&names);
    if (p->tool_choice != CHOICE_REQUIRED || names.type != JSON_ARRAY ||
        json_count(&names) != 1 || !json_next(&it, NULL, &one) ||
        one.type != JSON_STRING)
        return true;
    p->tool_choice = CHOICE_NAMED;
    return json_text(&one, rd->a, &p->tool_name) || reader_no_memory(rd);
}

/* ---- the body ---- */

struct body {
    struct json contents, system, tools, tool_config, config, inner, requests,
        model;
};

#define AT(member) offsetof(struct body, member)
static const struct field body_fields[] = {
    {"contents", read_json, AT(contents), false},
    BOTH("systemInstruction", "system_instruction", read_json, AT(system),
         false),
    {"tools", read_json, AT(tools), false},
    BOTH("toolConfig", "tool_config", read_json, AT(tool_config), false),
    BOTH("generationConfig", "generation_config", read_json, AT(config), false),
    BOTH("generateContentRequest", "generate_content_request", read_json,
         AT(inner), false),
    {"requests", read_json, AT(requests), false},
    {"model", read_json, AT(model), false},
    ROWS_END,
};
#undef AT

static bool listed(const struct field *table, const struct json *key)
{
    while (table->name && !json_is(key, table->name))
        table++;
    return table->name;
}

/* Members without a row; of a part of the body under "<in>.". */
static bool add_extras(struct reader *rd, const struct json *obj,
                       const struct field *table, const char *in,
                       struct request *r)
{
    struct json_iter it = json_begin(obj);
    struct extra *all;
    struct json key, v;

    if (obj->type != JSON_OBJECT)
        return true;
    all = arena_zalloc(rd->a, r->n_extras + json_count(obj) + 1, sizeof *all);
    if (!all)
        return reader_no_memory(rd);
    if (r->n_extras)
        memcpy(all, r->extras, r->n_extras * sizeof *all);
    r->extras = all;
    while (json_next(&it, &key, &v)) {
        struct buf name;

        if (listed(table, &key) || v.type == JSON_NULL)
            continue;
        buf_init(&name, json_inner(&key).len + 32);
        buf_str(&name, in);
        buf_span(&name, json_inner(&key));
        all[r->n_extras] =
            (struct extra){arena_copy(rd->a, buf_view(&name)), v.raw};
        buf_free(&name);
        if (!all[r->n_extras++].name.ptr && json_inner(&key).len)
            return reader_no_memory(rd);
    }
    return true;
}

/* The name without "models/" and the like. */
static struct span bare(struct span name)
{
    for (size_t i = name.len; i > 0; i--) {
        if (name.ptr[i - 1] == '/')
            return (struct span){name.ptr + i, name.len - i};
    }
    return name;
}

static bool read_model(struct reader *rd, const struct json *v,
                       struct request *r)
{
    if (v->type == JSON_NONE)
        return true;
    if (v->type != JSON_STRING)
        return reader_wrong(rd, "model", "a string", v->type);
    r->model_raw = v->raw;
    if (r->model.len)
        return true;
    if (!json_text(v, rd->a, &r->model))
        return reader_no_memory(rd);
    r->model = bare(r->model);
    return true;
}

static bool read_body(struct reader *rd, const struct json *top,
                      struct request *r)
{
    struct body b;

    memset(&b, 0, sizeof b);
    if (!reader_object(rd, top, body_fields, &b) ||
        !read_model(rd, &b.model, r) ||
        !gemini_read_contents(rd, &b.system, &b.contents, r) ||
        (b.tools.type && !read_tools(rd, &b.tools, r)) ||
        (b.tool_config.type &&
         !read_tool_config(rd, &b.tool_config, &r->params)) ||
        (b.config.type && !carry_inside(rd, "generationConfig", &b.config,
                                        config_fields, &r->params)))
        return false;
    return add_extras(rd, top, body_fields, "", r) &&
           add_extras(rd, &b.config, config_fields, "generationConfig.", r);
}

/* What is to be embedded, as messages. */
static bool read_requests(struct reader *rd, const struct json *list,
                          struct request *r)
{
    struct json_iter it = json_begin(list);
    struct json one, none = {JSON_NONE, false, {NULL, 0}}, content;
    struct buf all;
    struct span copy;
    bool ok;

    if (list->type != JSON_ARRAY)
        return reader_wrong(rd, "requests", "an array", list->type);
    buf_init(&all, list->raw.len + 16);
    buf_char(&all, '[');
    while (json_next(&it, NULL, &one)) {
        struct json model = json_get(&one, "model");

        content = json_get(&one, "content");
        if (!read_model(rd, &model, r)) {
            buf_free(&all);
            return false;
        }
        if (content.type == JSON_OBJECT && all.len > 1)
            buf_char(&all, ',');
        if (content.type == JSON_OBJECT)
            buf_span(&all, content.raw);
    }
    buf_char(&all, ']');
    copy = arena_copy(rd->a, buf_view(&all));
    ok = !all.failed && copy.ptr;
    buf_free(&all);
    if (!ok)
        return reader_no_memory(rd);
    one = (struct json){JSON_ARRAY, false, copy};
    return gemini_read_contents(rd, &none, &one, r);
}

bool gemini_request_read(const struct inbound *in, struct arena *a,
                         struct request *r, struct err *e)
{
    struct span body = in->body;
    struct span model = in->model;
    bool stream = in->stream;
    struct reader rd = {.a = a, .e = e};
    struct json top, inner, requests;
    bool ok;

    *r = (struct request){.body = body, .params = params_unsaid()};
    r->model = bare(model);
    r->params.stream = stream;
    r->params.stream_usage = true;
    if (!json_parse(body, &top, e))
        return false;
    if (top.type != JSON_OBJECT)
        return reader_wrong(&rd, "", "an object", top.type);
    inner = gemini_get(&top, "generateContentRequest");
    requests = json_get(&top, "requests");
    if (inner.type == JSON_OBJECT) {
        reader_enter(&rd, "generateContentRequest", READER_NO_INDEX);
        ok = read_body(&rd, &inner, r);
    } else {
        ok = requests.type ? read_requests(&rd, &requests, r)
                           : read_body(&rd, &top, r);
    }
    if (ok && r->model.len == 0)
        return err_set(e, ERR_INPUT, "model: wanted a name, found \"\"");
    return ok;
}
