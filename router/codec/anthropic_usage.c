/* SPDX-License-Identifier: Apache-2.0 */
/* Token counts of Anthropic's answers, where input leaves out what was read
 * from the cache and written to it. */
#include "features/tokens.h"
#include "router/codec/anthropic_parts.h"
#include "router/codec/put.h"

/* ---- read ---- */

static void count(const struct json *obj, const char *name, int64_t *to)
{
    struct json v = json_get(obj, name);
    int64_t n;

    if (v.type == JSON_NUMBER && json_i64(&v, &n) && n >= 0 &&
        n < (int64_t)1 << 48)
        *to = n;
}

void anthropic_count_usage(const struct json *usage, struct anthropic_counts *n)
{
    struct json split = json_get(usage, "cache_creation");
    struct json more = json_get(usage, "output_tokens_details");
    struct json server = json_get(usage, "server_tool_use");
    int64_t short_lived = 0;

    count(usage, "input_tokens", &n->input);
    count(usage, "cache_read_input_tokens", &n->cached);
    count(usage, "output_tokens", &n->output);
    count(&more, "thinking_tokens", &n->thinking);
    count(&server, "web_search_requests", &n->searches);
    if (split.type == JSON_OBJECT) {
        count(&split, "ephemeral_5m_input_tokens", &short_lived);
        count(&split, "ephemeral_1h_input_tokens", &n->written_1h);
        n->written = short_lived + n->written_1h;
    }
    count(usage, "cache_creation_input_tokens", &n->written);
}

struct usage anthropic_usage_of(const struct anthropic_counts *n)
{
    int64_t long_lived =
        n->written_1h < n->written ? n->written_1h : n->written;

    return (struct usage){.input = n->input + n->cached + n->written,
                          .cached = n->cached,
                          .cache_write = n->written - long_lived,
                          .cache_write_1h = long_lived,
                          .output = n->output,
                          .reasoning = n->thinking,
                          .searches = n->searches};
}

/* ---- written ---- */

static int64_t at_least_0(int64_t n)
{
    return n > 0 ? n : 0;
}

void anthropic_put_counts(struct buf *out, const struct usage *u)
{
    int64_t written = u->cache_write + u->cache_write_1h;

    put_int(out, "input_tokens", at_least_0(u->input - u->cached - written));
    put_int(out, "cache_creation_input_tokens", written);
    put_int(out, "cache_read_input_tokens", u->cached);
    put_int(out, "output_tokens", u->output);
    if (u->reasoning > 0) {
        put_open(out, "output_tokens_details");
        put_int(out, "thinking_tokens", u->reasoning);
        buf_char(out, '}');
    } else {
        put_raw(out, "output_tokens_details", SPAN("null"));
    }
    if (u->searches == 0) {
        put_raw(out, "server_tool_use", SPAN("null"));
        return;
    }
    put_open(out, "server_tool_use");
    put_int(out, "web_search_requests", u->searches);
    put_int(out, "web_fetch_requests", 0);
    buf_char(out, '}');
}

void anthropic_put_usage(struct buf *out, const struct usage *u)
{
    put_open(out, "usage");
    anthropic_put_counts(out, u);
    put_open(out, "cache_creation");
    put_int(out, "ephemeral_5m_input_tokens", u->cache_write);
    put_int(out, "ephemeral_1h_input_tokens", u->cache_write_1h);
    buf_char(out, '}');
    put_raw(out, "inference_geo", SPAN("null"));
    put_cstr(out, "service_tier", "standard");
    put_raw(out, "speed", SPAN("null"));
    buf_char(out, '}');
}

int64_t anthropic_estimated_input(const struct request *asked)
{
    int64_t n = asked ? tokens_request(asked) : 0;

    return n > 0 ? n : 1;
}

/* About 4 bytes a token. */
int64_t anthropic_estimated_output(uint64_t bytes)
{
    return (int64_t)(bytes / 4) + 1;
}
