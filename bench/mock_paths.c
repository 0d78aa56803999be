/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/mock.h"

#include <string.h>

/* Paths are known by their ends, so that any base address will do; a star
 * stands for the model. */
static const struct row {
    const char *path;
    const struct mock_dialect *dialect; /* NULL: of none */
    enum mock_op op;
    bool post, stream;
} rows[] = {
    {"/chat/completions", &mock_openai, MOCK_CHAT, true, false},
    {"/responses", &mock_responses, MOCK_CHAT, true, false},
    {"/messages", &mock_anthropic, MOCK_CHAT, true, false},
    {"/messages/count_tokens", &mock_anthropic, MOCK_COUNT, true, false},
    {"/models/*:rawPredict", &mock_anthropic, MOCK_CHAT, true, false},
    {"/models/*:streamRawPredict", &mock_anthropic, MOCK_CHAT, true, true},
    {"/models/*:generateContent", &mock_gemini, MOCK_CHAT, true, false},
    {"/models/*:streamGenerateContent", &mock_gemini, MOCK_CHAT, true, true},
    {"/models/*:countTokens", &mock_gemini, MOCK_COUNT, true, false},
    {"/model/*/converse", &mock_bedrock, MOCK_CHAT, true, false},
    {"/model/*/converse-stream", &mock_bedrock, MOCK_CHAT, true, true},
    {"/v2/chat", &mock_cohere, MOCK_CHAT, true, false},
    {"/mock/ledger", NULL, MOCK_LEDGER, false, false},
    {"/ledger", NULL, MOCK_LEDGER, false, false},
    {"/mock/script", NULL, MOCK_SCRIPT, true, false},
    {"/healthz", NULL, MOCK_HEALTH, false, false},
    {"/models", NULL, MOCK_MODELS, false, false},
    {"/models/*", NULL, MOCK_MODEL, false, false},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct span decode(struct span s, struct arena *a)
{
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0;

    if (!out)
        return (struct span){NULL, 0};
    for (size_t i = 0; i < s.len; i++) {
        bool escape = s.ptr[i] == '%' && i + 2 < s.len &&
                      hex(s.ptr[i + 1]) >= 0 && hex(s.ptr[i + 2]) >= 0;

        out[n++] = escape ? (char)(hex(s.ptr[i + 1]) * 16 + hex(s.ptr[i + 2]))
                          : s.ptr[i];
        i += escape ? 2 : 0;
    }
    return (struct span){out, n};
}

static bool ends_with(struct span path, const char *end)
{
    size_t n = strlen(end);

    return path.len >= n && !memcmp(path.ptr + path.len - n, end, n);
}

/* The pattern's head as far right as it stands before its tail. */
static bool fits(const char *pattern, struct span path, struct span *model)
{
    size_t head = strcspn(pattern, "*"), tail;

    *model = (struct span){NULL, 0};
    if (!pattern[head])
        return ends_with(path, pattern);
    tail = strlen(pattern + head + 1);
    if (!ends_with(path, pattern + head + 1) || path.len <= head + tail)
        return false;
    for (size_t i = path.len - tail - head; i-- > 0;) {
        if (memcmp(path.ptr + i, pattern, head) != 0)
            continue;
        *model = (struct span){path.ptr + i + head, path.len - tail - head - i};
        return true;
    }
    return false;
}

/* Lists of models: whose shape, by what the dialect's clients send. */
static const struct mock_dialect *reader(const struct mock_call_head *h)
{
    if (h->version.len)
        return &mock_anthropic;
    if (h->google.len || span_has(h->path, SPAN("/v1beta/")))
        return &mock_gemini;
    if (span_has(h->path, SPAN("/v2/")))
        return &mock_cohere;
    return &mock_openai;
}

struct mock_place mock_place(const struct mock_dialect *only,
                             const struct mock_call_head *h, struct arena *a)
{
    struct mock_place at = {.dialect = only ? only : reader(h)};
    struct span model;

    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];

        if ((only && row->dialect && row->dialect != only) ||
            !fits(row->path, h->path, &model))
            continue;
        at.known = true;
        if (row->post != h->post)
            continue;
        if (row->dialect)
            at.dialect = row->dialect;
        at.op = row->op;
        at.stream = row->stream;
        at.model = decode(model, a);
        return at;
    }
    return at;
}
