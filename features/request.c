/* SPDX-License-Identifier: Apache-2.0 */
#include "features/request.h"

#include "features/messages.h"

#include <math.h>
#include <string.h>

/* ---- parameters: rows whose target is struct params ---- */

/* false, true -> 0, 1, where -1 is not said. */
static bool read_tristate(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    int *at = (int *)(void *)((char *)target + f->at);

    if (v->type != JSON_BOOL)
        return reader_wrong(rd, f->name, "a boolean", v->type);
    *at = json_true(v);
    return true;
}

static bool read_any_i64(struct reader *rd, const struct field *f,
                         const struct json *v, void *target)
{
    int64_t *at = (int64_t *)(void *)((char *)target + f->at);

    return json_i64(v, at) ||
           reader_wrong(rd, f->name, "a whole number", v->type);
}

static const struct field usage_fields[] = {
    {"include_usage", read_bool, offsetof(struct params, stream_usage), false},
    {NULL, NULL, 0, false},
};
static const struct field schema_fields[] = {
    {"schema", read_raw_object, offsetof(struct params, schema), false},
    {"name", read_str, offsetof(struct params, schema_name), false},
    {"strict", read_tristate, offsetof(struct params, schema_strict), false},
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

/* Thinking as other providers of this dialect write it: OpenRouter's
 * {"effort", "max_tokens", "enabled"}, DeepSeek's {"type": "enabled"}. */
struct thinking {
    struct span effort, type;
    int64_t budget;
    int enabled;
};

#define AT(member) offsetof(struct thinking, member)
static const struct field thinking_fields[] = {
    {"effort", read_str, AT(effort), false},
    {"type", read_str, AT(type), false},
    {"max_tokens", read_i64, AT(budget), false},
    {"budget_tokens", read_i64, AT(budget), false},
    {"enabled", read_tristate, AT(enabled), false},
    {NULL, NULL, 0, false},
};
#undef AT

static bool read_thinking(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    struct params *p = target;
    struct thinking t = {.budget = -1, .enabled = -1};

    if (!inside(rd, f->name, v, thinking_fields, &t))
        return false;
    if (t.effort.len)
        p->reasoning = t.effort;
    if (t.budget >= 0)
        p->thinking_budget = t.budget;
    else if (span_is(t.type, "disabled") || t.enabled == 0)
        p->thinking_budget = 0;
    else if (span_is(t.type, "enabled") || t.enabled == 1)
        p->thinking_budget = -2;
    return true;
}

/* A template's switch, as servers of open models have it. */
static bool read_thinks(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct params *p = target;

    if (v->type != JSON_BOOL)
        return reader_wrong(rd, f->name, "a boolean", v->type);
    p->thinking_budget = json_true(v) ? -2 : 0;
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

/* ---- the body ---- */

enum { EXTRAS_FIRST = 16 };

/* What one walk over the top level finds. */
struct top {
    struct params params; /* first: its rows' offsets are from here */
    int64_t limit;        /* max_completion_tokens, or -1 */
    struct json model, messages, tools, functions;
    int n_models, n_messages;
    struct extra first[EXTRAS_FIRST]; /* (borrowed by extras) */
    struct extra *extras;
    size_t n_extras, room;
};

static bool read_model(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    struct top *t = target;

    if (v->type != JSON_STRING)
        return reader_wrong(rd, f->name, "a string", v->type);
    t->n_models++;
    t->model = *v;
    return true;
}

static bool read_messages(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    struct top *t = target;

    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, f->name, "an array", v->type);
    t->n_messages++;
    t->messages = *v;
    return true;
}

static const struct field body_fields[] = {
    {"model", read_model, 0, true},
    {"messages", read_messages, 0, true},
    {"tools", read_json, offsetof(struct top, tools), false},
    {"functions", read_json, offsetof(struct top, functions), false},
    {NULL, NULL, 0, false},
};

#define AT(member) offsetof(struct params, member)
static const struct field param_fields[] = {
    {"max_tokens", read_i64, AT(max_tokens), false},
    {"max_completion_tokens", read_i64, offsetof(struct top, limit), false},
    {"temperature", read_double, AT(temperature), false},
    {"top_p", read_double, AT(top_p), false},
    {"n", read_i64, AT(n), false},
    {"stream", read_bool, AT(stream), false},
    {"stream_options", read_stream_options, 0, false},
    {"logprobs", read_bool, AT(logprobs), false},
    {"top_logprobs", read_i64, AT(top_logprobs), false},
    {"response_format", read_format, 0, false},
    {"tool_choice", read_choice, 0, false},
    {"function_call", read_choice, 0, false},
    {"parallel_tool_calls", read_tristate, AT(parallel_tool_calls), false},
    {"reasoning_effort", read_str, AT(reasoning), false},
    {"reasoning", read_thinking, 0, false},
    {"thinking", read_thinking, 0, false},
    {"enable_thinking", read_thinks, 0, false},
    {"stop", read_stop, AT(stop), false},
    {"user", read_str, AT(user), false},
    {"metadata", read_raw_object, AT(metadata), false},
    {"top_k", read_any_i64, AT(top_k), false},
    {"seed", read_any_i64, AT(seed), false},
    {"random_seed", read_any_i64, AT(seed), false}, /* Mistral's word */
    {"frequency_penalty", read_double, AT(frequency_penalty), false},
    {"presence_penalty", read_double, AT(presence_penalty), false},
    {"service_tier", read_str, AT(service_tier), false},
    {NULL, NULL, 0, false},
};
#undef AT

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

static bool add_extra(struct reader *rd, struct top *t, struct extra x)
{
    if (t->n_extras == t->room) {
        struct extra *more =
            arena_zalloc(rd->a, t->room * 2, sizeof *t->extras);

        if (!more)
            return reader_no_memory(rd);
        memcpy(more, t->extras, t->n_extras * sizeof *more);
        t->extras = more;
        t->room *= 2;
    }
    t->extras[t->n_extras++] = x;
    return true;
}

/* One walk for all, as passing over the messages takes time.  body: NULL
 * where the object holds parameters only. */
static bool read_top(struct reader *rd, const struct json *obj,
                     const struct field *body, struct top *t)
{
    struct json_iter it = json_begin(obj);
    struct json key, v;

    if (obj->type != JSON_OBJECT)
        return reader_wrong(rd, body ? "" : "params", "an object", obj->type);
    while (json_next(&it, &key, &v)) {
        const struct field *f = body ? reader_row(body, &key) : NULL;

        f = f ? f : reader_row(param_fields, &key);
        if (f && v.type == JSON_NULL && !f->strict)
            continue;
        if (f ? !f->read(rd, f, &v, t)
              : !add_extra(rd, t, (struct extra){json_inner(&key), v.raw}))
            return false;
    }
    return true;
}

static void begin_top(struct top *t)
{
    memset(t, 0, offsetof(struct top, first));
    t->params = params_unsaid();
    t->limit = -1;
    t->extras = t->first;
    t->n_extras = 0;
    t->room = EXTRAS_FIRST;
}

/* What was found becomes the request's; the newer limit wins. */
static bool keep_top(struct reader *rd, struct top *t, struct request *r)
{
    r->params = t->params;
    if (t->limit >= 0)
        r->params.max_tokens = t->limit;
    r->n_extras = t->n_extras;
    r->extras = t->extras;
    if (t->n_extras == 0 || t->extras != t->first)
        return true;
    r->extras = arena_zalloc(rd->a, t->n_extras, sizeof *r->extras);
    if (!r->extras)
        return reader_no_memory(rd);
    memcpy(r->extras, t->first, t->n_extras * sizeof *r->extras);
    return true;
}

static bool once(struct reader *rd, const char *name, const char *want, int n)
{
    if (n == 0)
        return reader_wrong(rd, name, want, JSON_NONE);
    if (n > 1)
        return err_set(rd->e, ERR_INPUT,
                       "%s: wanted it once, found it %d times", name, n);
    return true;
}

static bool read_body(struct reader *rd, const struct json *obj,
                      struct request *r)
{
    struct top t;

    begin_top(&t);
    if (!read_top(rd, obj, body_fields, &t) ||
        !once(rd, "model", "a string", t.n_models) ||
        !once(rd, "messages", "an array", t.n_messages))
        return false;
    if (!json_text(&t.model, rd->a, &r->model))
        return reader_no_memory(rd);
    if (r->model.len == 0)
        return err_set(rd->e, ERR_INPUT, "model: wanted a name, found \"\"");
    r->model_raw = t.model.raw;
    return messages_read(rd, &t.messages, r) &&
           (t.tools.type == JSON_NONE || tools_read(rd, &t.tools, r)) &&
           (t.functions.type == JSON_NONE ||
            functions_read(rd, &t.functions, r)) &&
           keep_top(rd, &t, r);
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
    struct top top;

    *r = (struct request){.params = params_unsaid()};
    if (!part_json(in.messages, "messages", &m, e) ||
        !part_json(in.tools, "tools", &t, e) ||
        !part_json(in.params, "params", &p, e))
        return false;
    if (!messages_read(&rd, &m, r) || (said(&t) && !tools_read(&rd, &t, r)))
        return false;
    if (!said(&p))
        return true;
    begin_top(&top);
    return read_top(&rd, &p, NULL, &top) && keep_top(&rd, &top, r);
}
