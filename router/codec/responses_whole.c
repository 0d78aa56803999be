/* SPDX-License-Identifier: Apache-2.0 */
/* A gathered answer -> a response object; its items also for the stream. */
#include "router/codec/logprobs.h"
#include "router/codec/put.h"
#include "router/codec/responses.h"

#include <stdio.h>
#include <string.h>

/* Members that repeat what was asked, and what stands there otherwise. */
static const struct {
    const char *name, *other;
} echoes[] = {
    {"instructions", "null"},
    {"max_output_tokens", "null"},
    {"metadata", "{}"},
    {"parallel_tool_calls", "true"},
    {"previous_response_id", "null"},
    {"reasoning", "{\"effort\":null,\"summary\":null}"},
    {"store", "false"},
    {"temperature", "1.0"},
    {"text", "{\"format\":{\"type\":\"text\"}}"},
    {"tool_choice", "\"auto\""},
    {"tools", "[]"},
    {"top_p", "1.0"},
    {"truncation", "\"disabled\""},
    {"user", "null"},
};

enum { ECHOES = sizeof echoes / sizeof echoes[0] };

static void find_echo(const struct json *key, const struct json *v,
                      struct span values[ECHOES])
{
    for (unsigned i = 0; v->type != JSON_NULL && i < ECHOES; i++) {
        if (json_is(key, echoes[i].name))
            values[i] = v->raw;
    }
}

static void put_echoes(const struct request *asked, struct buf *out)
{
    struct json top = {JSON_OBJECT, false,
                       asked ? span_trim(asked->body) : SPAN("")};
    struct json_iter it;
    struct json key, v;
    struct span values[ECHOES];

    for (unsigned i = 0; i < ECHOES; i++)
        values[i] = span_of(echoes[i].other);
    if (top.raw.len && top.raw.ptr[0] == '{') {
        it = json_begin(&top);
        while (json_next(&it, &key, &v))
            find_echo(&key, &v, values);
    }
    for (unsigned i = 0; i < ECHOES; i++)
        put_raw(out, echoes[i].name, values[i]);
}

/* Some providers give several items of an answer one id; OpenAI's client
 * refuses that. */
static bool is_first_of_id(const struct gathered *g,
                           const struct gathered_block *b)
{
    for (unsigned i = 0; i < g->n_choices; i++) {
        const struct gathered_block *at = g->choices[i].first;

        for (; at && at != b; at = at->next)
            if (at->part == PART_THINKING && span_eq(at->id, b->id))
                return false;
        if (at == b)
            break;
    }
    return true;
}

void responses_item_id(const struct gathered *g, const struct gathered_block *b,
                       unsigned i, struct buf *out)
{
    const char *prefix = b->part == PART_TOOL_CALL  ? "fc"
                         : b->part == PART_THINKING ? "rs"
                                                    : "msg";
    char made[64];
    int n;

    if (b->part == PART_THINKING && b->id.len && is_first_of_id(g, b)) {
        buf_json_str(out, b->id);
        return;
    }
    n = snprintf(made, sizeof made, "%s_%016llx%04u", prefix,
                 (unsigned long long)span_hash(g->id, 3), i);
    buf_json_str(out, (struct span){made, (size_t)n});
}

bool responses_has_item(const struct gathered_block *b, struct losses *l)
{
    static const enum lossy lost[] = {
        [PART_IMAGE] = LOSSY_IMAGE,
        [PART_AUDIO] = LOSSY_AUDIO,
        [PART_FILE] = LOSSY_FILE,
        [PART_OTHER] = LOSSY_BUILTIN_TOOL,
    };

    switch (b->part) {
    case PART_TEXT:
    case PART_REFUSAL:
    case PART_TOOL_CALL:
    case PART_THINKING:
        return true;
    default:
        lossy_add(l, b->part == PART_TOOL_RESULT ? LOSSY_OTHER : lost[b->part],
                  "output");
        return false;
    }
}

void responses_beside_write(const struct gathered_block *b, struct losses *l,
                            struct buf *out)
{
    struct json list = {JSON_ARRAY, false, b->raw}, one;
    struct json_iter it;

    put_list(out, "annotations");
    if (b->raw.len && b->raw.ptr[0] == '[') {
        it = json_begin(&list);
        while (json_next(&it, NULL, &one)) {
            if (!logprobs_in(one.raw) && !put_citation(out, one.raw, true))
                lossy_add(l, LOSSY_CITATION, "output");
        }
    } else if (b->raw.len) {
        lossy_add(l, LOSSY_CITATION, "output");
    }
    buf_str(out, "],\"logprobs\":[");
    (void)logprobs_put_block(b, l, out);
    buf_char(out, ']');
}

static void put_message(const struct gathered_block *b, bool done,
                        struct buf *out)
{
    put_cstr(out, "role", "assistant");
    put_list(out, "content");
    if (done) {
        bool text = b->part == PART_TEXT;

        buf_char(out, '{');
        put_cstr(out, "type", text ? "output_text" : "refusal");
        put_str(out, text ? "text" : "refusal", b->text);
        if (text) {
            struct losses counted = {0}; /* by who writes the answer */

            responses_beside_write(b, &counted, out);
        }
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

/* base64 and the like; marked where it is all that there is. */
static void put_opaque(const struct gathered_block *b, struct buf *out)
{
    size_t from;

    if (!b->redacted) {
        buf_json_str(out, b->signature);
        return;
    }
    buf_str(out, "\"" RESPONSES_REDACTED);
    from = out->len; /* the opening quote is taken out again */
    buf_json_str(out, b->signature);
    if (out->failed)
        return;
    memmove(out->ptr + from, out->ptr + from + 1, out->len - from - 1);
    out->len--;
}

static void put_reasoning(const struct gathered_block *b, bool done,
                          struct buf *out)
{
    put_list(out, "summary");
    if (done && b->text.len) {
        buf_char(out, '{');
        put_cstr(out, "type", "summary_text");
        put_str(out, "text", b->text);
        buf_char(out, '}');
    }
    buf_char(out, ']');
    if (!done || !b->signature.len)
        return;
    put_key(out, "encrypted_content");
    put_opaque(b, out);
}

void responses_item_write(const struct gathered *g,
                          const struct gathered_block *b, unsigned i, bool done,
                          struct buf *out)
{
    static const char *const types[] = {
        [PART_TEXT] = "message",
        [PART_REFUSAL] = "message",
        [PART_TOOL_CALL] = "function_call",
        [PART_THINKING] = "reasoning",
        [PART_OTHER] = NULL,
    };

    put_comma(out);
    buf_str(out, "{\"id\":");
    responses_item_id(g, b, i, out);
    put_cstr(out, "type", types[b->part]);
    put_cstr(out, "status", done ? "completed" : "in_progress");
    if (b->part == PART_THINKING) {
        put_reasoning(b, done, out);
    } else if (b->part == PART_TOOL_CALL) {
        put_str(out, "call_id", b->id);
        put_str(out, "name", b->name);
        put_str(out, "arguments",
                !done         ? SPAN("")
                : b->text.len ? b->text
                              : SPAN("{}"));
    } else {
        put_message(b, done, out);
    }
    buf_char(out, '}');
}

static void put_usage(const struct usage *u, struct buf *out)
{
    int64_t written = u->cache_write + u->cache_write_1h;

    put_open(out, "usage");
    put_int(out, "input_tokens", u->input);
    put_open(out, "input_tokens_details");
    put_int(out, "cached_tokens", u->cached);
    if (written)
        put_int(out, "cache_write_tokens", written);
    buf_char(out, '}');
    put_int(out, "output_tokens", u->output);
    put_open(out, "output_tokens_details");
    put_int(out, "reasoning_tokens", u->reasoning);
    buf_char(out, '}');
    put_int(out, "total_tokens", u->input + u->output);
    buf_char(out, '}');
}

static void put_output(const struct gathered *g, struct buf *out)
{
    struct losses ignored = {0};
    unsigned n = 0;

    for (const struct gathered_block *b = g->choices[0].first; b; b = b->next) {
        if (responses_has_item(b, &ignored))
            responses_item_write(g, b, n++, true, out);
    }
}

static void put_error(const struct gathered *g, struct buf *out)
{
    if (!g->error_status) {
        put_raw(out, "error", SPAN("null"));
        return;
    }
    put_open(out, "error");
    put_str(out, "code",
            g->error_type.len ? g->error_type : SPAN("server_error"));
    put_str(out, "message", g->error_message);
    buf_char(out, '}');
}

void responses_object_write(const struct gathered *g,
                            const struct request *asked, const char *status,
                            struct buf *out)
{
    bool ended = !span_is(span_of(status), "in_progress");
    bool cut = span_is(span_of(status), "incomplete");

    buf_char(out, '{');
    put_str(out, "id", g->id.len ? g->id : SPAN("resp_0"));
    put_cstr(out, "object", "response");
    put_int(out, "created_at", g->created);
    put_cstr(out, "status", status);
    put_raw(out, "background", SPAN("false"));
    put_error(g, out);
    if (cut)
        put_raw(out, "incomplete_details",
                g->choices[0].finish == FINISH_FILTER ||
                        g->choices[0].finish == FINISH_REFUSAL
                    ? SPAN("{\"reason\":\"content_filter\"}")
                    : SPAN("{\"reason\":\"max_output_tokens\"}"));
    else
        put_raw(out, "incomplete_details", SPAN("null"));
    put_str(out, "model", g->model.len || !asked ? g->model : asked->model);
    put_list(out, "output");
    if (ended)
        put_output(g, out);
    buf_char(out, ']');
    put_echoes(asked, out);
    if (ended && g->has_usage)
        put_usage(&g->usage, out);
    else
        put_raw(out, "usage", SPAN("null"));
    buf_char(out, '}');
}
