/* SPDX-License-Identifier: Apache-2.0 */
#include "router/providers.h"

#include <string.h>

/* The first row of a dialect is its default.  Addresses are from the
 * providers' API references. */
static const struct known_provider rows[] = {
    {"openai", "openai", "https://api.openai.com/v1", true},
    {"anthropic", "anthropic", "https://api.anthropic.com", true},
    {"gemini", "gemini", "https://generativelanguage.googleapis.com/v1beta",
     true},
    {"bedrock", "bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com",
     true},
    {"cohere", "cohere", "https://api.cohere.com/v2", true},
    {"deepseek", "openai", "https://api.deepseek.com/v1", true},
    {"mistral", "openai", "https://api.mistral.ai/v1", false},
    {"xai", "openai", "https://api.x.ai/v1", true},
    {"groq", "openai", "https://api.groq.com/openai/v1", true},
    {"together", "openai", "https://api.together.xyz/v1", true},
    {"perplexity", "openai", "https://api.perplexity.ai", false},
    {"openrouter", "openai", "https://openrouter.ai/api/v1", true},
    {"fireworks", "openai", "https://api.fireworks.ai/inference/v1", true},
    {"cerebras", "openai", "https://api.cerebras.ai/v1", true},
    {"gemini-openai", "openai",
     "https://generativelanguage.googleapis.com/v1beta/openai", true},
    {"ollama", "openai", "http://127.0.0.1:11434/v1", true},
    {"vllm", "openai", "http://127.0.0.1:8000/v1", true},
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
        if (!strcmp(rows[i].dialect, dialect))
            return &rows[i];
    }
    return NULL;
}
