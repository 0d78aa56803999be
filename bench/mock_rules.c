/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each provider's API refuses, as far as it concerns who writes requests
 * for it: from the providers' API references and the recorded errors.
 */
#include "bench/mock_check.h"

#include <string.h>

/* ---- what several have in common ---- */

static struct json get(const struct json *v, const char *a, const char *b)
{
    struct json inner = json_get(v, a);

    return b ? json_get(&inner, b) : inner;
}

/* Keywords that a schema may not have, wherever they stand as such. */
static bool without(struct mock_checked *c, struct json schema,
                    const char *const *banned, unsigned depth)
{
    struct json_iter it = json_begin(&schema);
    struct json key, value;
    bool object = schema.type == JSON_OBJECT;

    while (depth < 32 && json_next(&it, object ? &key : NULL, &value)) {
        bool names = object && json_is(&key, "properties");
        struct json_iter inner = json_begin(&value);
        struct json one;

        for (size_t i = 0; object && banned[i]; i++) {
            if (json_is(&key, banned[i]))
                return mock_refuse(c, "tools",
                                   "Unknown name \"%s\" in a schema: cannot "
                                   "find field",
                                   banned[i]);
        }
        if (!names && !without(c, value, banned, depth + 1))
            return false;
        while (names && json_next(&inner, &one, &value)) {
            if (!without(c, value, banned, depth + 1))
                return false;
        }
    }
    return true;
}

/* OpenAI's strict schemas: every object closed, every property required. */
static bool strict(struct mock_checked *c, struct json schema, unsigned depth)
{
    struct json type = json_get(&schema, "type"),
                closed = json_get(&schema, "additionalProperties"),
                properties = json_get(&schema, "properties"),
                required = json_get(&schema, "required"), key, value;
    struct json_iter it = json_begin(&schema);

    if (depth > 32)
        return true;
    if (json_is(&type, "object") &&
        (closed.type != JSON_BOOL || json_true(&closed)))
        return mock_refuse(c, "response_format",
                           "a strict schema's objects need "
                           "additionalProperties: false");
    if (properties.type == JSON_OBJECT &&
        json_count(&required) != json_count(&properties))
        return mock_refuse(c, "response_format",
                           "a strict schema requires every property");
    while (json_next(&it, schema.type == JSON_OBJECT ? &key : NULL, &value)) {
        if ((value.type == JSON_OBJECT || value.type == JSON_ARRAY) &&
            !strict(c, value, depth + 1))
            return false;
    }
    return true;
}

/* ---- OpenAI chat ---- */

static const char *const chat_members[] = {"messages",
                                           "model",
                                           "audio",
                                           "frequency_penalty",
                                           "function_call",
                                           "functions",
                                           "logit_bias",
                                           "logprobs",
                                           "max_completion_tokens",
                                           "max_tokens",
                                           "metadata",
                                           "modalities",
                                           "n",
                                           "parallel_tool_calls",
                                           "prediction",
                                           "presence_penalty",
                                           "prompt_cache_key",
                                           "prompt_cache_options",
                                           "prompt_cache_retention",
                                           "reasoning_effort",
                                           "response_format",
                                           "safety_identifier",
                                           "seed",
                                           "service_tier",
                                           "stop",
                                           "store",
                                           "stream",
                                           "stream_options",
                                           "temperature",
                                           "tool_choice",
                                           "tools",
                                           "top_logprobs",
                                           "top_p",
                                           "user",
                                           "verbosity",
                                           "web_search_options",
                                           NULL};

static bool chat_rules(struct mock_checked *c)
{
    struct json root = mock_root(c);
    struct json format = get(&root, "response_format", "json_schema");
    struct json schema = json_get(&format, "schema"),
                exact = json_get(&format, "strict");

    if (!c->request->n_tools &&
        (json_get(&root, "tool_choice").type == JSON_STRING ||
         json_get(&root, "parallel_tool_calls").type == JSON_BOOL))
        return mock_refuse(c, "tool_choice",
                           "'tool_choice' and 'parallel_tool_calls' are only "
                           "allowed with 'tools'");
    if (!c->request->params.stream &&
        json_get(&root, "stream_options").type == JSON_OBJECT)
        return mock_refuse(c, "stream_options",
                           "'stream_options' is only allowed with 'stream'");
    if (json_get(&root, "max_tokens").type == JSON_NUMBER &&
        json_get(&root, "max_completion_tokens").type == JSON_NUMBER)
        return mock_refuse(c, "max_tokens",
                           "max_tokens and max_completion_tokens exclude each "
                           "other");
    if (json_true(&exact) && !strict(c, schema, 0))
        return false;
    return mock_members(c, chat_members,
                        "Unrecognized request argument supplied: ", "") &&
           mock_range(c, "temperature", 0, 2) && mock_range(c, "top_p", 0, 1) &&
           mock_range(c, "n", 1, 128) && mock_range(c, "top_logprobs", 0, 20) &&
           mock_at_most(c, "stop", 4) && mock_tool_names(c, 64) &&
           mock_pairs(c, false);
}

/* ---- OpenAI responses ---- */

static const char *const responses_members[] = {"background",
                                                "conversation",
                                                "context_management",
                                                "include",
                                                "input",
                                                "instructions",
                                                "max_output_tokens",
                                                "max_tool_calls",
                                                "metadata",
                                                "model",
                                                "parallel_tool_calls",
                                                "previous_response_id",
                                                "prompt",
                                                "prompt_cache_key",
                                                "prompt_cache_options",
                                                "prompt_cache_retention",
                                                "reasoning",
                                                "safety_identifier",
                                                "service_tier",
                                                "store",
                                                "stream",
                                                "stream_options",
                                                "temperature",
                                                "text",
                                                "tool_choice",
                                                "tools",
                                                "top_logprobs",
                                                "top_p",
                                                "truncation",
                                                "user",
                                                NULL};

/* Sent back reasoning is opened with the provider's own key. */
static bool responses_rules(struct mock_checked *c)
{
    struct json root = mock_root(c);
    struct json format = get(&root, "text", "format");
    struct json schema = json_get(&format, "schema"),
                exact = json_get(&format, "strict"),
                before = json_get(&root, "previous_response_id");

    if (before.type == JSON_STRING) {
        mock_refuse(c, "previous_response_id",
                    "Previous response with id %.*s not found.",
                    SPAN_ARGS(before.raw));
        c->error.code = "previous_response_not_found";
        return false;
    }
    if (json_true(&exact) && !strict(c, schema, 0))
        return false;
    return mock_members(c, responses_members, "Unknown parameter: '", "'.") &&
           mock_range(c, "temperature", 0, 2) && mock_range(c, "top_p", 0, 1) &&
           mock_range(c, "max_output_tokens", 16, 1e9) &&
           mock_tool_names(c, 64) && mock_pairs(c, true) &&
           mock_signatures(c, false);
}

/* ---- Anthropic ---- */

static const char *const anthropic_members[] = {"cache_control",
                                                "container",
                                                "context_management",
                                                "inference_geo",
                                                "max_tokens",
                                                "mcp_servers",
                                                "messages",
                                                "metadata",
                                                "model",
                                                "output_config",
                                                "output_format",
                                                "service_tier",
                                                "stop_sequences",
                                                "stream",
                                                "system",
                                                "temperature",
                                                "thinking",
                                                "tool_choice",
                                                "tools",
                                                "top_k",
                                                "top_p",
                                                "speed",
                                                "anthropic_version",
                                                "anthropic_beta",
                                                NULL};

static bool anthropic_thinking(struct mock_checked *c)
{
    const struct params *p = &c->request->params;
    struct json root = mock_root(c), budget;
    int64_t n;

    budget = get(&root, "thinking", "budget_tokens");
    if (!json_i64(&budget, &n))
        return true;
    if (n < 1024)
        return mock_refuse(c, NULL,
                           "thinking.enabled.budget_tokens: Input should be "
                           "greater than or equal to 1024");
    if (n >= p->max_tokens)
        return mock_refuse(c, NULL,
                           "`max_tokens` must be greater than "
                           "`thinking.budget_tokens`");
    if (p->tool_choice == CHOICE_REQUIRED || p->tool_choice == CHOICE_NAMED)
        return mock_refuse(c, NULL,
                           "Thinking may not be enabled when tool_choice "
                           "forces tool use.");
    if (p->temperature < 1 || p->top_k >= 0)
        return mock_refuse(c, NULL,
                           "`temperature` may only be set to 1 when thinking "
                           "is enabled, and top_k must be unset");
    return true;
}

/* Stop sequences of white space only; an image of another type. */
static bool anthropic_details(struct mock_checked *c)
{
    struct json root = mock_root(c), stop = json_get(&root, "stop_sequences"),
                one;
    struct json_iter it = json_begin(&stop);
    size_t caches = 0;
    const char *at = c->body.ptr, *end = at + c->body.len;

    while (stop.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (span_trim(json_inner(&one)).len == 0)
            return mock_refuse(c, NULL,
                               "stop_sequences: each stop sequence must "
                               "contain non-whitespace");
    }
    while ((at = memmem(at, (size_t)(end - at), "\"cache_control\":", 16))) {
        at += 16;
        caches++;
    }
    if (caches > 4)
        return mock_refuse(c, NULL,
                           "A maximum of 4 blocks with cache_control may be "
                           "provided. Found %zu.",
                           caches);
    return true;
}

static bool anthropic_first(struct mock_checked *c)
{
    const struct request *r = c->request;

    for (size_t i = 0; i < r->n_messages; i++) {
        if (r->messages[i].role == ROLE_SYSTEM)
            continue;
        return r->messages[i].role != ROLE_ASSISTANT ||
               mock_refuse(c, NULL,
                           "messages: first message must use the \"user\" "
                           "role");
    }
    return true;
}

static bool anthropic_rules(struct mock_checked *c)
{
    struct json root = mock_root(c);

    if (json_get(&root, "max_tokens").type != JSON_NUMBER)
        return mock_refuse(c, NULL, "max_tokens: Field required");
    return mock_members(c, anthropic_members, "",
                        ": Extra inputs are not permitted") &&
           mock_range(c, "max_tokens", 1, 1e9) &&
           mock_range(c, "temperature", 0, 1) && mock_range(c, "top_p", 0, 1) &&
           anthropic_first(c) && anthropic_thinking(c) &&
           anthropic_details(c) && mock_tool_names(c, 128) &&
           mock_no_blank_text(c) && mock_pairs(c, false) &&
           mock_signatures(c, true);
}

/* ---- Gemini ---- */

static const char *const gemini_members[] = {"contents",
                                             "tools",
                                             "toolConfig",
                                             "tool_config",
                                             "safetySettings",
                                             "safety_settings",
                                             "systemInstruction",
                                             "system_instruction",
                                             "generationConfig",
                                             "generation_config",
                                             "cachedContent",
                                             "cached_content",
                                             "labels",
                                             "model",
                                             "store",
                                             "serviceTier",
                                             NULL};

static const char *const gemini_banned[] = {"additionalProperties",
                                            "$ref",
                                            "$defs",
                                            "$schema",
                                            "oneOf",
                                            "allOf",
                                            "not",
                                            "const",
                                            "exclusiveMinimum",
                                            "exclusiveMaximum",
                                            "patternProperties",
                                            "uniqueItems",
                                            "multipleOf",
                                            "propertyNames",
                                            "if",
                                            NULL};

static bool gemini_schemas(struct mock_checked *c)
{
    struct json root = mock_root(c), tools = json_get(&root, "tools"), tool;
    struct json config = json_get(&root, "generationConfig");
    struct json_iter it = json_begin(&tools);

    while (tools.type == JSON_ARRAY && json_next(&it, NULL, &tool)) {
        struct json list = json_get(&tool, "functionDeclarations"), one;
        struct json_iter inner = json_begin(&list);

        while (json_next(&inner, NULL, &one)) {
            if (!without(c, json_get(&one, "parameters"), gemini_banned, 0))
                return false;
        }
    }
    return without(c, json_get(&config, "responseSchema"), gemini_banned, 0);
}

static size_t count(const struct message *m, enum part_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n_parts; i++)
        n += m->parts[i].kind == kind;
    return n;
}

/* As many responses behind a turn of calls as there are calls, and such a
 * turn only behind the user's or behind responses. */
static bool gemini_calls(struct mock_checked *c)
{
    const struct request *r = c->request;

    for (size_t i = 0; i < r->n_messages; i++) {
        size_t calls = count(&r->messages[i], PART_TOOL_CALL), results = 0;

        if (calls && (i == 0 || r->messages[i - 1].role == ROLE_ASSISTANT ||
                      r->messages[i - 1].role == ROLE_SYSTEM))
            return mock_refuse(c, NULL,
                               "Please ensure that function call turn comes "
                               "immediately after a user turn or after a "
                               "function response turn.");
        for (size_t k = i + 1;
             calls && k < r->n_messages && r->messages[k].role == ROLE_TOOL;
             k++)
            results += count(&r->messages[k], PART_TOOL_RESULT);
        if (calls != results)
            return mock_refuse(c, NULL,
                               "Please ensure that the number of function "
                               "response parts is equal to the number of "
                               "function call parts of the function call "
                               "turn.");
    }
    return true;
}

static bool gemini_rules(struct mock_checked *c)
{
    struct json root = mock_root(c);
    struct json stop = get(&root, "generationConfig", "stopSequences");

    c->bytes = true;
    if (stop.type == JSON_ARRAY && json_count(&stop) > 5)
        return mock_refuse(c, NULL, "stop_sequences: at most 5 are taken");
    return mock_members(c, gemini_members,
                        "Invalid JSON payload received. Unknown name \"",
                        "\": Cannot find field.") &&
           gemini_schemas(c) && gemini_calls(c) && mock_signatures(c, false);
}

/* ---- Bedrock ---- */

static const char *const bedrock_members[] = {
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "promptVariables",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
    "modelId",
    NULL};

static bool bedrock_rules(struct mock_checked *c)
{
    struct json root = mock_root(c),
                config = json_get(&root, "inferenceConfig");
    struct json temperature = json_get(&config, "temperature");
    double t;

    if (mock_has_tools_used(c->request) &&
        json_get(&root, "toolConfig").type != JSON_OBJECT)
        return mock_refuse(c, NULL,
                           "The toolConfig field must be defined when using "
                           "toolUse and toolResult content blocks.");
    if (json_double(&temperature, &t) && (t < 0 || t > 1))
        return mock_refuse(c, NULL, "temperature: wanted 0 to 1, found %g", t);
    return mock_members(c, bedrock_members, "",
                        ": this member is not part of the request") &&
           mock_turns(c) && mock_tool_names(c, 64) && mock_no_blank_text(c) &&
           mock_pairs(c, false) && mock_signatures(c, true);
}

/* ---- Cohere ---- */

static bool cohere_rules(struct mock_checked *c)
{
    return mock_range(c, "temperature", 0, 1) && mock_range(c, "p", 0, 1) &&
           mock_range(c, "k", 0, 500) && mock_at_most(c, "stop_sequences", 5) &&
           mock_pairs(c, false);
}

bool mock_check(const struct mock_dialect *d, struct mock_checked *c)
{
    static const struct {
        const struct mock_dialect *dialect;
        bool (*rules)(struct mock_checked *c);
    } all[] = {
        {&mock_openai, chat_rules},         {&mock_responses, responses_rules},
        {&mock_anthropic, anthropic_rules}, {&mock_gemini, gemini_rules},
        {&mock_bedrock, bedrock_rules},     {&mock_cohere, cohere_rules},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].dialect == d)
            return all[i].rules(c);
    }
    return true;
}
