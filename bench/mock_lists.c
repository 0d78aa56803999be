/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/mock_serve.h"

#include "router/codec/put.h"

void mock_model(const struct mock_dialect *d, struct span name, struct buf *out)
{
    struct buf full;

    buf_char(out, '{');
    if (d == &mock_anthropic) {
        put_cstr(out, "type", "model");
        put_str(out, "id", name);
        put_str(out, "display_name", name);
        put_cstr(out, "created_at", "2026-01-01T00:00:00Z");
    } else if (d == &mock_gemini) {
        buf_init(&full, 1 << 12);
        buf_str(&full, "models/");
        buf_span(&full, name);
        put_str(out, "name", buf_view(&full));
        buf_free(&full);
        put_cstr(out, "version", "001");
        put_str(out, "displayName", name);
        put_int(out, "inputTokenLimit", 1048576);
        put_int(out, "outputTokenLimit", 65536);
        put_raw(out, "supportedGenerationMethods",
                SPAN("[\"generateContent\",\"countTokens\"]"));
    } else if (d == &mock_cohere) {
        put_str(out, "name", name);
        put_raw(out, "endpoints", SPAN("[\"chat\"]"));
        put_int(out, "context_length", 256000);
    } else {
        put_str(out, "id", name);
        put_cstr(out, "object", "model");
        put_int(out, "created", 1750000000);
        put_cstr(out, "owned_by", "mock");
    }
    buf_char(out, '}');
}

static bool as_models(const struct mock_dialect *d)
{
    return d == &mock_gemini || d == &mock_cohere;
}

void mock_list_model(const struct mock_dialect *d, struct span name, size_t i,
                     struct buf *out)
{
    if (i == 0)
        buf_str(out, as_models(d) ? "{\"models\":[" : "{\"data\":[");
    put_comma(out);
    mock_model(d, name, out);
}

void mock_list_end(const struct mock_dialect *d, size_t n, struct buf *out)
{
    if (n == 0)
        buf_str(out, as_models(d) ? "{\"models\":[" : "{\"data\":[");
    buf_char(out, ']');
    if (d == &mock_anthropic)
        put_bool(out, "has_more", false);
    else if (!as_models(d))
        put_cstr(out, "object", "list");
    buf_char(out, '}');
}

void mock_count(const struct mock_dialect *d, int64_t tokens, struct buf *out)
{
    buf_char(out, '{');
    put_int(out, d == &mock_gemini ? "totalTokens" : "input_tokens", tokens);
    buf_char(out, '}');
}
