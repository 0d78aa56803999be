/* SPDX-License-Identifier: Apache-2.0 */
#include "router/settings/providers.h"

#include <string.h>

#include "router/codec/anthropic.h"
#include "router/codec/gemini.h"

/* Facts of paths and headers: the providers' API references. */
enum form {
    OPENAI,
    RESPONSES,
    AZURE,
    ANTHROPIC,
    CLAUDE_VERTEX,
    GEMINI,
    VERTEX,
    BEDROCK,
    COHERE
};

#define LENT (CAN_JSON | CAN_SCHEMA)

static const struct provider_form forms[] = {
    [OPENAI] = {.dialect = "openai",
                .path = "/chat/completions",
                .stream_path = "/chat/completions",
                .responses_path = "/responses",
                .embeddings_path = "/embeddings",
                .auth_header = "authorization",
                .auth_prefix = "Bearer "},
    [RESPONSES] = {.dialect = "responses",
                   .path = "/responses",
                   .stream_path = "/responses",
                   .responses_path = "/responses",
                   .auth_header = "authorization",
                   .auth_prefix = "Bearer ",
                   .lends = LENT},
    [AZURE] = {.dialect = "openai",
               .path = "/openai/deployments/{model}/chat/completions"
                       "?api-version={version}",
               .stream_path = "/openai/deployments/{model}/chat/completions"
                              "?api-version={version}",
               .embeddings_path = "/openai/deployments/{model}/embeddings"
                                  "?api-version={version}",
               .auth_header = "api-key",
               .auth_prefix = "",
               .version = "2024-10-21"},
    [ANTHROPIC] = {.dialect = "anthropic",
                   .path = "/v1/messages",
                   .stream_path = "/v1/messages",
                   .count_path = "/v1/messages/count_tokens",
                   .count_write = anthropic_count_write,
                   .count_read = anthropic_read_count,
                   .auth_header = "x-api-key",
                   .auth_prefix = "",
                   .version_header = "anthropic-version",
                   .version = "2023-06-01",
                   .lends = LENT},
    [CLAUDE_VERTEX] =
        {.dialect = "anthropic",
         .path = "/publishers/anthropic/models/{model}:rawPredict",
         .stream_path = "/publishers/anthropic/models/{model}:streamRawPredict",
         .count_path = "/publishers/anthropic/models/count-tokens:rawPredict",
         .count_write = anthropic_count_write,
         .count_read = anthropic_read_count,
         .auth_header = "authorization",
         .auth_prefix = "Bearer ",
         .body_version = "\"anthropic_version\":\"vertex-2023-10-16\"",
         .takes_account = true,
         .data_only = true, /* platform.claude.com/docs, vision */
         .lends = LENT},
    [GEMINI] = {.dialect = "gemini",
                .path = "/models/{model}:generateContent",
                .stream_path = "/models/{model}:streamGenerateContent?alt=sse",
                .count_path = "/models/{model}:countTokens",
                .count_write = gemini_count_write,
                .count_read = gemini_read_count,
                .auth_header = "x-goog-api-key",
                .auth_prefix = "",
                .lends = LENT},
    [VERTEX] = {.dialect = "gemini",
                .path = "/publishers/google/models/{model}:generateContent",
                .stream_path = "/publishers/google/models/"
                               "{model}:streamGenerateContent?alt=sse",
                .count_path = "/publishers/google/models/{model}:countTokens",
                .count_write = vertex_count_write,
                .count_read = gemini_read_count,
                .auth_header = "authorization",
                .auth_prefix = "Bearer ",
                .takes_account = true,
                .lends = LENT},
    [BEDROCK] = {.dialect = "bedrock",
                 .path = "/model/{model}/converse",
                 .stream_path = "/model/{model}/converse-stream",
                 .auth_header = "authorization",
                 .auth_prefix = "Bearer ",
                 .lends = LENT},
    [COHERE] = {.dialect = "cohere",
                .path = "/chat",
                .stream_path = "/chat",
                .auth_header = "authorization",
                .auth_prefix = "Bearer ",
                .lends = LENT},
};

#define VERTEX_URL "https://{google}/v1/projects/{project}/locations/{region}"

/* The first row of a dialect is its default.  Addresses are from the
 * providers' API references. */
static const struct known_provider rows[] = {
    {"openai", &forms[OPENAI], "https://api.openai.com/v1", true, true},
    {"anthropic", &forms[ANTHROPIC], "https://api.anthropic.com", true, false},
    {"gemini", &forms[GEMINI],
     "https://generativelanguage.googleapis.com/v1beta", true, false},
    {"bedrock", &forms[BEDROCK],
     "https://bedrock-runtime.{region}.amazonaws.com", true, false},
    {"cohere", &forms[COHERE], "https://api.cohere.com/v2", true, false},
    {"deepseek", &forms[OPENAI], "https://api.deepseek.com/v1", true, false},
    {"mistral", &forms[OPENAI], "https://api.mistral.ai/v1", false, false},
    {"xai", &forms[OPENAI], "https://api.x.ai/v1", true, true},
    {"groq", &forms[OPENAI], "https://api.groq.com/openai/v1", true, true},
    {"together", &forms[OPENAI], "https://api.together.xyz/v1", true, false},
    {"perplexity", &forms[OPENAI], "https://api.perplexity.ai", false, false},
    {"openrouter", &forms[OPENAI], "https://openrouter.ai/api/v1", true, true},
    {"fireworks", &forms[OPENAI], "https://api.fireworks.ai/inference/v1", true,
     false},
    {"cerebras", &forms[OPENAI], "https://api.cerebras.ai/v1", true, false},
    {"gemini-openai", &forms[OPENAI],
     "https://generativelanguage.googleapis.com/v1beta/openai", true, false},
    {"ollama", &forms[OPENAI], "http://127.0.0.1:11434/v1", true, false},
    {"vllm", &forms[OPENAI], "http://127.0.0.1:8000/v1", true, false},
    {"openai-responses", &forms[RESPONSES], "https://api.openai.com/v1", true,
     true},
    {"azure", &forms[AZURE], NULL, true, false},
    {"vertex", &forms[VERTEX], VERTEX_URL, true, false},
    {"vertex-anthropic", &forms[CLAUDE_VERTEX], VERTEX_URL, true, false},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

const struct known_provider *known_provider_at(unsigned i)
{
    return i < ROWS ? &rows[i] : NULL;
}

const struct known_provider *known_provider(const char *name)
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (!strcmp(rows[i].name, name))
            return &rows[i];
    }
    return NULL;
}

const struct known_provider *known_dialect(const char *dialect)
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (!strcmp(rows[i].form->dialect, dialect))
            return &rows[i];
    }
    return NULL;
}
