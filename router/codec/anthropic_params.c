/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of an Anthropic request -> struct params. */
#include "router/codec/anthropic_parts.h"
#include "router/codec/carry.h"
#include "router/codec/ids.h"

static bool read_inside(struct reader *rd, const char *name,
                        const struct json *v, const struct field *fields,
                        void *target)
{
    reader_enter(rd, name, READER_NO_INDEX);
    if (!reader_object(rd, v, fields, target))
        return false;
    reader_leave(rd);
    return true;
}

/* ---- parameters: rows whose target is struct params ---- */

struct thinking {
    struct span type, display;
    int64_t budget;
};

static const struct field thinking_fields[] = {
    {"type", read_str, offsetof(struct thinking, type), true},
    {"budget_tokens", read_i64, offsetof(struct thinking, budget), true},
    {"display", read_str, offsetof(struct thinking, display), false},
    {NULL, NULL, 0, false},
};

static bool read_thinking(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    struct thinking t = {.budget = -1};
    struct params *p = target;

    if (!read_inside(rd, f->name, v, thinking_fields, &t))
        return false;
    if (span_is(t.type, "enabled") && t.budget < 0)
        return reader_wrong(rd, "thinking.budget_tokens",
                            "a whole number of at least 0", JSON_NONE);
    p->thinking_budget = span_is(t.type, "enabled")    ? t.budget
                         : span_is(t.type, "disabled") ? 0
                                                       : -2;
    p->show_thinking =
        p->thinking_budget != 0 && !span_is(t.display, "omitted");
    return true;
}

static const struct field format_fields[] = {
    {"schema", read_raw_object, offsetof(struct params, schema), true},
    {NULL, NULL, 0, false},
};

static bool read_format(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct params *p = target;
    struct json type = json_get(v, "type");

    if (!read_inside(rd, f->name, v, format_fields, p))
        return false;
    if (json_is(&type, "json_schema"))
        p->format = FORMAT_JSON_SCHEMA;
    return true;
}

static const struct field output_fields[] = {
    {"effort", read_str, offsetof(struct params, reasoning), false},
    {"format", read_format, 0, false},
    {NULL, NULL, 0, false},
};

static bool read_output(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    return read_inside(rd, f->name, v, output_fields, target);
}

static const struct field metadata_fields[] = {
    {"user_id", read_str, offsetof(struct params, user), false},
    {NULL, NULL, 0, false},
};

static bool read_metadata(struct reader *rd, const struct field *f,
                          const struct json *v, void *target)
{
    return read_inside(rd, f->name, v, metadata_fields, target);
}

static const struct {
    const char *name;
    enum tool_choice choice;
} choices[] = {
    {"auto", CHOICE_AUTO},
    {"any", CHOICE_REQUIRED},
    {"tool", CHOICE_NAMED},
    {"none", CHOICE_NONE},
};

static bool read_not_parallel(struct reader *rd, const struct field *f,
                              const struct json *v, void *target)
{
    struct params *p = target;

    if (v->type != JSON_BOOL)
        return reader_wrong(rd, f->name, "a boolean", v->type);
    p->parallel_tool_calls = !json_true(v);
    return true;
}

static const struct field choice_fields[] = {
    {"name", read_str, offsetof(struct params, tool_name), false},
    {"disable_parallel_tool_use", read_not_parallel, 0, false},
    {NULL, NULL, 0, false},
};

static bool read_choice(struct reader *rd, const struct field *f,
                        const struct json *v, void *target)
{
    struct params *p = target;
    struct json type = json_get(v, "type");

    if (!read_inside(rd, f->name, v, choice_fields, p))
        return false;
    if (!id_read(p->tool_name, rd->a, &p->tool_name))
        return reader_no_memory(rd);
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (json_is(&type, choices[i].name)) {
            p->tool_choice = choices[i].choice;
            return true;
        }
    }
    return reader_wrong(rd, "tool_choice.type", "auto, any, tool or none",
                        type.type);
}

/* In the words of OpenAI, which the canonical request has. */
static bool read_tier(struct reader *rd, const struct field *f,
                      const struct json *v, void *target)
{
    struct params *p = target;

    if (!read_str(rd, f, v, target))
        return false;
    if (span_is(p->service_tier, "standard_only"))
        p->service_tier = SPAN("default");
    return true;
}

#define AT(member) offsetof(struct params, member)
const struct field anthropic_params[] = {
    {"max_tokens", read_i64, AT(max_tokens), false},
    {"temperature", read_double, AT(temperature), false},
    {"top_p", read_double, AT(top_p), false},
    {"top_k", read_i64, AT(top_k), false},
    {"stop_sequences", carry_strings, AT(stop), false},
    {"stream", read_bool, AT(stream), false},
    {"thinking", read_thinking, 0, false},
    {"output_config", read_output, 0, false},
    {"output_format", read_format, 0, false}, /* its older place */
    {"tool_choice", read_choice, 0, false},
    {"metadata", read_metadata, 0, false},
    {"service_tier", read_tier, AT(service_tier), false},
    {NULL, NULL, 0, false},
};
#undef AT
