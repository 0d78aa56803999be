/* SPDX-License-Identifier: Apache-2.0 */
/* Tools and parameters of a Converse request -> struct request. */
#include "router/codec/bedrock.h"
#include "router/codec/carry.h"
#include "router/codec/ids.h"

#include <string.h>

#define PARAM(member) offsetof(struct params, member)
#define END                                                                    \
    {                                                                          \
        NULL, NULL, 0, false                                                   \
    }

/* ---- common parameters ---- */

static const struct field inference_fields[] = {
    {"maxTokens", read_i64, PARAM(max_tokens), false},
    {"temperature", read_double, PARAM(temperature), false},
    {"topP", read_double, PARAM(top_p), false},
    {"stopSequences", carry_strings, PARAM(stop), false},
    END,
};

/* ---- the schema of the output, a text with JSON in it ---- */

static bool read_schema(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct params *p = target;
    struct json in;
    struct err why;

    if (!read_str(rd, f, v, target))
        return false;
    if (!json_parse(p->schema, &in, &why) || in.type != JSON_OBJECT)
        return reader_wrong(rd, f->name, "a string with a JSON schema in it",
                            v->type);
    p->format = FORMAT_JSON_SCHEMA;
    return true;
}

static const struct field schema_fields[] = {
    {"schema", read_schema, PARAM(schema), true},
    {"name", read_str, PARAM(schema_name), false},
    END,
};

static bool read_json_schema(struct reader *rd, const struct field *f,
                             const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, schema_fields, target);
}

static const struct field structure_fields[] = {
    {"jsonSchema", read_json_schema, 0, true},
    END,
};

static bool read_structure(struct reader *rd, const struct field *f,
                           const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, structure_fields, target);
}

static const struct field format_fields[] = {
    {"structure", read_structure, 0, true},
    END,
};

static bool read_format(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, format_fields, target);
}

static const struct field output_fields[] = {
    {"textFormat", read_format, 0, false},
    {"effort", read_str, PARAM(reasoning), false},
    END,
};

/* ---- additionalModelRequestFields: as the models' makers have them ---- */

struct thinking {
    struct span type, effort;
    int64_t budget;
};

static const struct field thinking_fields[] = {
    {"type", read_str, offsetof(struct thinking, type), false},
    {"maxReasoningEffort", read_str, offsetof(struct thinking, effort), false},
    {"budget_tokens", read_i64, offsetof(struct thinking, budget), false},
    END,
};

static bool read_thinking(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    struct thinking t = {.budget = -1};
    struct params *p = target;

    if (!carry_inside(rd, f->name, v, thinking_fields, &t))
        return false;
    p->show_thinking = !span_is(t.type, "disabled");
    if (!p->show_thinking)
        p->thinking_budget = 0;
    else if (t.budget >= 0)
        p->thinking_budget = t.budget;
    else if (!t.effort.len)
        p->thinking_budget = -2;
    if (t.effort.len)
        p->reasoning = t.effort;
    return true;
}

static const struct field nova_fields[] = {
    {"topK", read_i64, PARAM(top_k), false},
    END,
};

static bool read_nova(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, nova_fields, target);
}

static const struct field model_fields[] = {
    {"thinking", read_thinking, 0, false},
    {"reasoning_config", read_thinking, 0, false},
    {"reasoningConfig", read_thinking, 0, false},
    {"reasoning_effort", read_str, PARAM(reasoning), false},
    {"top_k", read_i64, PARAM(top_k), false},
    {"inferenceConfig", read_nova, 0, false},
    END,
};

static const struct field tier_fields[] = {
    {"type", read_str, PARAM(service_tier), true},
    END,
};

/* ---- tools ---- */

#define TOOL(member) offsetof(struct tool, member)

static bool read_name(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    struct span *s = (struct span *)(void *)((char *)target + f->at);

    if (!read_str(rd, f, v, target))
        return false;
    return id_read(*s, rd->a, s) || reader_no_memory(rd);
}

static const struct field input_fields[] = {
    {"json", read_raw_object, TOOL(schema), false},
    END,
};

static bool read_input(struct reader *rd, const struct field *f,
                       const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, input_fields, target);
}

static const struct field spec_fields[] = {
    {"name", read_name, TOOL(name), true},
    {"description", read_text, TOOL(description), false},
    {"inputSchema", read_input, 0, false},
    {"strict", read_bool, TOOL(strict), false},
    END,
};
static const struct field system_tool_fields[] = {
    {"name", read_str, TOOL(name), false},
    END,
};

static bool read_tool(struct reader *rd, const struct json *v,
                      struct request *r)
{
    struct json spec = json_get(v, "toolSpec"), cache, own;
    struct tool *tool = &r->tools[r->n_tools];

    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", v->type);
    cache = json_get(v, "cachePoint");
    if (cache.type == JSON_OBJECT && r->n_tools) {
        cache = json_get(&cache, "ttl");
        tool[-1].cache = json_is(&cache, "1h")
                             ? SPAN("{\"type\":\"ephemeral\",\"ttl\":\"1h\"}")
                             : SPAN("{\"type\":\"ephemeral\"}");
        return true;
    }
    r->n_tools++;
    tool->raw = v->raw;
    if (spec.type != JSON_NONE) {
        if (!carry_inside(rd, "toolSpec", &spec, spec_fields, tool))
            return false;
        return tool->name.ptr ||
               reader_wrong(rd, "toolSpec.name", "a string", JSON_NONE);
    }
    tool->builtin = true;
    own = json_get(v, "systemTool");
    return own.type == JSON_NONE ||
           carry_inside(rd, "systemTool", &own, system_tool_fields, tool);
}

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
        reader_enter(rd, f->name, i);
        if (!read_tool(rd, &one, r))
            return false;
        reader_leave(rd);
    }
    return true;
}

static const struct field named_fields[] = {
    {"name", read_name, PARAM(tool_name), true},
    END,
};

static bool read_choice(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct request *r = target;
    struct json one = json_get(v, "tool"), any = json_get(v, "any");

    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, f->name, "an object", v->type);
    if (any.type != JSON_NONE)
        r->params.tool_choice = CHOICE_REQUIRED;
    if (one.type == JSON_NONE)
        return true;
    r->params.tool_choice = CHOICE_NAMED;
    reader_enter(rd, f->name, READER_NO_INDEX);
    if (!carry_inside(rd, "tool", &one, named_fields, &r->params))
        return false;
    reader_leave(rd);
    return true;
}

static const struct field tool_fields[] = {
    {"tools", read_tools, 0, false},
    {"toolChoice", read_choice, 0, false},
    END,
};

/* ---- members of the body ---- */

static bool in_tools(struct reader *rd, const struct field *f,
                     const struct json *v, void *target)
{
    return carry_inside(rd, f->name, v, tool_fields, target);
}

static bool in_inference(struct reader *rd, const struct field *f,
                         const struct json *v, void *target)
{
    struct request *r = target;

    return carry_inside(rd, f->name, v, inference_fields, &r->params);
}

static bool in_output(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    struct request *r = target;

    return carry_inside(rd, f->name, v, output_fields, &r->params);
}

static bool in_tier(struct reader *rd, const struct field *f,
                    const struct json *v, void *target)
{
    struct request *r = target;

    return carry_inside(rd, f->name, v, tier_fields, &r->params);
}

static bool in_metadata(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct request *r = target;
    struct field row = {f->name, NULL, PARAM(metadata), false};

    return read_raw_object(rd, &row, v, &r->params);
}

static bool in_messages(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    (void)rd;
    (void)f;
    (void)v;
    (void)target;
    return true; /* read already */
}

/* Its members belong to the models' makers; others are for the same
 * dialect alone. */
static bool in_model(struct reader *rd, const struct field *f,
                     const struct json *v, void *target)
{
    struct request *r = target;

    return carry_inside(rd, f->name, v, model_fields, &r->params);
}

static const struct field fields[] = {
    {"messages", in_messages, 0, true},
    {"system", in_messages, 0, false},
    {"toolConfig", in_tools, 0, false},
    {"inferenceConfig", in_inference, 0, false},
    {"outputConfig", in_output, 0, false},
    {"additionalModelRequestFields", in_model, 0, false},
    {"serviceTier", in_tier, 0, false},
    {"requestMetadata", in_metadata, 0, false},
    END,
};

bool bedrock_read_params(struct reader *rd, const struct json *top,
                         struct request *r)
{
    return reader_object(rd, top, fields, r) &&
           carry_extras(rd, top, fields, r);
}
