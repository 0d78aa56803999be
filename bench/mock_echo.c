/* SPDX-License-Identifier: Apache-2.0 */
/* What a request said, the same from every dialect: for tests that look at
 * the far end. */
#include "bench/mock.h"

#include "base/digest.h"
#include "router/codec/put.h"

#include <math.h>

enum { ECHO_MAX = 8 << 20 };

static void put_part(const struct part *p, struct buf *out);

static const char *const kinds[] = {
    [PART_TEXT] = "text",         [PART_IMAGE] = "image",
    [PART_AUDIO] = "audio",       [PART_FILE] = "file",
    [PART_TOOL_CALL] = "call",    [PART_TOOL_RESULT] = "result",
    [PART_THINKING] = "thinking", [PART_REFUSAL] = "refusal",
    [PART_OTHER] = "other",
};

static void put_parts(const struct part *parts, size_t n, struct buf *out)
{
    put_list(out, "parts");
    for (size_t i = 0; i < n; i++)
        put_part(&parts[i], out);
    buf_char(out, ']');
}

/* Base64 by its SHA-256, so that echoes stay short. */
static void put_data(struct span data, struct buf *out)
{
    unsigned char sum[DIGEST_SIZE];
    char hex[DIGEST_HEX];

    if (data.len == 0 || !digest_sha256(data, sum))
        return;
    digest_hex(sum, hex);
    put_cstr(out, "data", hex);
}

/* An address, or what a data URL holds. */
static void put_place(const struct part *p, struct buf *out)
{
    struct span rest = p->url, head;

    if (!span_starts(p->url, "data:")) {
        if (p->url.len)
            put_str(out, "url", p->url);
        if (p->media.len)
            put_str(out, "media", p->media);
        put_data(p->data, out);
        return;
    }
    head = span_cut(&rest, ',');
    head.ptr += 5;
    head.len -= 5;
    put_str(out, "media", span_cut(&head, ';'));
    put_data(rest, out);
}

/* A call's arguments as an object wherever they are one. */
static void put_words(const struct part *p, struct buf *out)
{
    if (p->text.raw.len == 0)
        return;
    if (p->text_is_json)
        put_raw(out, "json", p->text.raw);
    else
        put_text(out, "text", p->text);
}

static void put_part(const struct part *p, struct buf *out)
{
    put_comma(out);
    buf_char(out, '{');
    put_cstr(out, "kind", kinds[p->kind]);
    put_words(p, out);
    if (p->id.len)
        put_str(out, "id", p->id);
    if (p->name.len)
        put_str(out, "name", p->name);
    put_place(p, out);
    if (p->signature.len)
        put_bool(out, "signed", true);
    if (p->cache.len)
        put_raw(out, "cache", p->cache);
    if (p->is_error)
        put_bool(out, "error", true);
    if (p->parts)
        put_parts(p->parts, p->n_parts, out);
    buf_char(out, '}');
}

static void put_messages(const struct request *r, struct buf *out)
{
    static const char *const roles[] = {
        [ROLE_SYSTEM] = "system",
        [ROLE_USER] = "user",
        [ROLE_ASSISTANT] = "assistant",
        [ROLE_TOOL] = "tool",
    };

    put_list(out, "messages");
    for (size_t i = 0; i < r->n_messages; i++) {
        const struct message *m = &r->messages[i];

        put_comma(out);
        buf_char(out, '{');
        put_cstr(out, "role", roles[m->role]);
        put_parts(m->parts, m->n_parts, out);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void put_tools(const struct request *r, struct buf *out)
{
    put_list(out, "tools");
    for (size_t i = 0; i < r->n_tools; i++) {
        put_comma(out);
        buf_char(out, '{');
        put_str(out, "name", r->tools[i].name);
        put_text(out, "description", r->tools[i].description);
        if (r->tools[i].schema.len)
            put_raw(out, "schema", r->tools[i].schema);
        put_bool(out, "strict", r->tools[i].strict);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void put_numbers(const struct params *p, struct buf *out)
{
    if (p->max_tokens >= 0)
        put_int(out, "max_tokens", p->max_tokens);
    if (isfinite(p->temperature))
        put_num(out, "temperature", p->temperature);
    if (isfinite(p->top_p))
        put_num(out, "top_p", p->top_p);
    if (p->top_k >= 0)
        put_int(out, "top_k", p->top_k);
    if (p->thinking_budget != -1)
        put_int(out, "thinking_budget", p->thinking_budget);
    put_int(out, "tool_choice", p->tool_choice);
    put_int(out, "parallel", p->parallel_tool_calls);
    put_int(out, "format", p->format);
}

static void put_params(const struct params *p, struct buf *out)
{
    put_open(out, "params");
    put_numbers(p, out);
    if (p->tool_name.len)
        put_str(out, "tool_name", p->tool_name);
    if (p->reasoning.len)
        put_str(out, "reasoning", p->reasoning);
    if (p->stop.len)
        put_raw(out, "stop", p->stop);
    if (p->schema.len)
        put_raw(out, "schema", p->schema);
    buf_char(out, '}');
}

struct span mock_echo(const struct request *r, struct arena *a)
{
    struct span said;
    struct buf out;

    buf_init(&out, ECHO_MAX);
    buf_char(&out, '{');
    put_str(&out, "model", r->model);
    put_messages(r, &out);
    put_tools(r, &out);
    put_params(&r->params, &out);
    buf_char(&out, '}');
    said = out.failed ? (struct span){NULL, 0} : arena_copy(a, buf_view(&out));
    buf_free(&out);
    return said;
}
