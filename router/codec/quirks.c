/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAI, Azure, DeepSeek, Mistral, xAI's Responses, Perplexity, OpenRouter,
 * Ollama and GPUStack are held against recorded traffic; the rest by what the
 * makers publish:
 *   Groq      console.groq.com/docs/openai: logprobs, logit_bias, top_logprobs,
 *             messages[].name and n other than 1 are answered with 400.
 *   Ollama    docs/api/openai-compatibility.mdx of its repository lists what
 *             it ignores; openai/openai.go refuses images by http address and
 *             takes JPEG, PNG and WebP as data.
 *   Together  The request's type in its Python SDK (completion_create_params,
 *             generated from its OpenAPI): no parallel_tool_calls, metadata,
 *             user, store, service_tier; logprobs is a number there and
 *             comes back in another form, so it is not asked for.
 *   vLLM      entrypoints/openai/chat_completion/protocol.py: what is not
 *             among its fields is ignored, user too.
 *   xAI       Reference of /v1/chat/completions: logit_bias is unsupported;
 *             reasoning models refuse both penalties and stop.
 * Not found: whether Groq and Together take role developer; Together's list
 * is that of one version of its SDK.
 */
#include "router/codec/quirks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct quirks rows[] = {
    {"openai", "api.openai.com", QUIRK_ID_40 | QUIRK_OPENAI_RULES, EFFORT_PLAIN,
     LIST("top_k", "reasoning", "thinking", "enable_thinking"), true},
    {"azure", ".azure.com", QUIRK_ID_40 | QUIRK_OPENAI_RULES, EFFORT_PLAIN,
     LIST("top_k", "reasoning", "thinking", "enable_thinking"), true},
    {"deepseek", "deepseek.com",
     QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_NO_SCHEMA | QUIRK_NO_STRICT |
         QUIRK_FLAT | QUIRK_REPLAY_CONTENT,
     EFFORT_THINKING,
     LIST("top_k", "seed", "n", "parallel_tool_calls", "service_tier", "store",
          "metadata", "reasoning", "logit_bias"),
     true},
    {"mistral", "mistral.ai",
     QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_NO_STREAM_OPTIONS |
         QUIRK_RANDOM_SEED | QUIRK_ID_9 | QUIRK_DOCUMENT_URL,
     EFFORT_PLAIN,
     LIST("top_k", "logprobs", "top_logprobs", "logit_bias", "user",
          "service_tier", "store", "reasoning", "thinking", "enable_thinking"),
     true},
    {"xai", "x.ai", QUIRK_NO_DEVELOPER | QUIRK_TELLS_COST, EFFORT_PLAIN,
     LIST("top_k", "logit_bias", "store", "metadata", "reasoning", "thinking",
          "enable_thinking"),
     true},
    {"groq", "groq.com", QUIRK_NO_DEVELOPER | QUIRK_FLAT | QUIRK_NO_NAME,
     EFFORT_PLAIN,
     LIST("top_k", "logprobs", "top_logprobs", "logit_bias", "store",
          "metadata", "reasoning", "thinking", "enable_thinking"),
     true},
    {"together", "together.",
     QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_FLAT | QUIRK_TOP_K,
     EFFORT_PLAIN,
     LIST("parallel_tool_calls", "service_tier", "store", "metadata", "user",
          "logprobs", "top_logprobs", "thinking", "enable_thinking"),
     true},
    {"perplexity", "perplexity.ai",
     QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_FLAT | QUIRK_FILE_URL |
         QUIRK_TOP_K | QUIRK_TELLS_COST,
     EFFORT_PLAIN,
     LIST("seed", "n", "logprobs", "top_logprobs", "logit_bias", "tools",
          "tool_choice", "parallel_tool_calls", "service_tier", "store",
          "metadata", "user", "stop", "reasoning", "thinking",
          "enable_thinking"),
     true},
    {"openrouter", "openrouter.ai",
     QUIRK_MAX_TOKENS | QUIRK_CACHE_CONTROL | QUIRK_FILE_DATA_URL |
         QUIRK_REPLAY_DETAILS | QUIRK_TOP_K | QUIRK_TELLS_COST,
     EFFORT_OBJECT, LIST("n", "thinking", "enable_thinking"), true},
    {"vllm", NULL,
     QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_FLAT | QUIRK_TOP_K |
         QUIRK_REPLAY_CONTENT,
     EFFORT_PLAIN,
     LIST("service_tier", "store", "metadata", "user", "reasoning", "thinking"),
     true},
    {"ollama", "ollama.com",
     QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_FLAT | QUIRK_NO_STRICT |
         QUIRK_IMAGE_DATA,
     EFFORT_PLAIN,
     LIST("top_k", "n", "logit_bias", "user", "tool_choice",
          "parallel_tool_calls", "service_tier", "store", "metadata"),
     true},
    {"gpustack", NULL,
     QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_FLAT | QUIRK_TOP_K |
         QUIRK_REPLAY_CONTENT,
     EFFORT_SWITCH,
     LIST("service_tier", "store", "metadata", "reasoning", "thinking"), true},
    /* Any other server: what all of them know, and nothing kept from it. */
    {"compatible", NULL,
     QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_FLAT | QUIRK_TOP_K,
     EFFORT_PLAIN, LIST(NULL), false},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

const struct quirks *quirks_at(unsigned i)
{
    return i < ROWS ? &rows[i] : NULL;
}

/* "https://api.x.ai/v1" -> "api.x.ai", of any form of address. */
static struct span host_of(struct span url)
{
    struct span rest = url, scheme = span_cut(&rest, '/');

    if (rest.ptr && scheme.len && scheme.ptr[scheme.len - 1] == ':') {
        (void)span_cut(&rest, '/'); /* the second slash */
        return span_cut(&rest, '/');
    }
    return scheme;
}

const struct quirks *quirks_find(struct span name, struct span base_url)
{
    struct span host = host_of(base_url);

    for (unsigned i = 0; i < ROWS; i++) {
        if (span_is_nocase(name, rows[i].name))
            return &rows[i];
    }
    for (unsigned i = 0; i < ROWS; i++) {
        if (rows[i].host && span_has(host, span_of(rows[i].host)))
            return &rows[i];
    }
    return &rows[ROWS - 1];
}

bool quirks_refuse(const struct quirks *q, struct span member)
{
    for (const char *const *r = q ? q->refused : NULL; r && *r; r++) {
        if (span_is(member, *r))
            return true;
    }
    return false;
}

/* platform.openai.com/docs/guides/reasoning, guides/latest-model;
 * docs.x.ai/docs/guides/reasoning.  The first that fits counts. */
static const struct {
    const char *of, *part; /* provider; in the model's name */
    uint32_t rules;
} models[] = {
    {"openai", "gpt-5-chat", 0},
    {"openai", "gpt-5", RULE_NEW_LIMIT | RULE_NO_SAMPLING},
    {"openai", "o1", RULE_NEW_LIMIT | RULE_NO_SAMPLING},
    {"openai", "o3", RULE_NEW_LIMIT | RULE_NO_SAMPLING},
    {"openai", "o4", RULE_NEW_LIMIT | RULE_NO_SAMPLING},
    {"xai", "non-reasoning", 0},
    {"xai", "grok-3-mini", RULE_NO_PENALTIES},
    {"xai", "grok-4", RULE_NO_PENALTIES},
    {"xai", "grok-code", RULE_NO_PENALTIES},
    {"xai", "grok-latest", RULE_NO_PENALTIES},
    {"groq", "", RULE_ONE_ANSWER},
};

uint32_t quirks_of_model(const struct quirks *q, struct span model)
{
    bool home = q && q->bits & QUIRK_OPENAI_RULES;
    const char *of = !q ? "" : home ? "openai" : q->name;

    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct span part = span_of(models[i].part);

        if (!strcmp(of, models[i].of) &&
            (home ? span_starts(model, models[i].part) : span_has(model, part)))
            return models[i].rules;
    }
    return 0;
}

static bool is_id_9(struct span id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];

        if (!(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z'))
            return false;
    }
    return id.len == 9;
}

static void put_id_9(struct span id, struct buf *out)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    uint64_t h = span_hash(id, 9);

    buf_char(out, '"');
    for (unsigned i = 0; i < 9; i++, h /= 62)
        buf_char(out, digits[h % 62]);
    buf_char(out, '"');
}

void quirks_put_id(const struct quirks *q, struct span id, struct buf *out)
{
    uint32_t bits = q ? q->bits : 0;

    if (bits & QUIRK_ID_9 && !is_id_9(id))
        put_id_9(id, out);
    else if (bits & QUIRK_ID_40 && id.len > 40)
        buf_printf(out, "\"call_%016" PRIx64 "%016" PRIx64 "\"",
                   span_hash(id, 40), span_hash(id, 41));
    else
        buf_json_str(out, id);
}
