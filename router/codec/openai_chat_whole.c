/* SPDX-License-Identifier: Apache-2.0 */
/* A gathered answer -> a whole chat completion. */
#include "router/codec/logprobs.h"
#include "router/codec/openai_chat.h"
#include "router/codec/put.h"

#include <string.h>

static bool has(const struct gathered_choice *ch, enum part_kind part)
{
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        if (b->part == part)
            return true;
    }
    return false;
}

/* The texts of all blocks of the kind, as one string. */
static void put_texts(const struct gathered_choice *ch, enum part_kind part,
                      const char *name, struct buf *out)
{
    size_t from;

    put_key(out, name);
    buf_char(out, '"');
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        if (b->part != part || b->text.len == 0)
            continue;
        from = out->len; /* the quotes of each piece are taken out again */
        buf_json_str(out, b->text);
        if (out->failed)
            return;
        memmove(out->ptr + from, out->ptr + from + 1, out->len - from - 2);
        out->len -= 2;
    }
    buf_char(out, '"');
}

static void put_thoughts(const struct gathered_choice *ch, struct buf *out)
{
    unsigned n = 0;

    if (!has(ch, PART_THINKING))
        return;
    put_texts(ch, PART_THINKING, "reasoning_content", out);
    put_list(out, "reasoning_details");
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        if (b->part != PART_THINKING)
            continue;
        put_comma(out);
        buf_char(out, '{');
        put_cstr(out, "type",
                 b->redacted ? "reasoning.encrypted" : "reasoning.text");
        if (!b->redacted)
            put_str(out, "text", b->text);
        if (b->signature.len)
            put_str(out, b->redacted ? "data" : "signature", b->signature);
        put_int(out, "index", n++);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void put_call(const struct gathered_block *b, struct buf *out)
{
    put_comma(out);
    buf_char(out, '{');
    put_str(out, "id", b->id);
    put_cstr(out, "type", "function");
    put_open(out, "function");
    put_str(out, "name", b->name);
    put_str(out, "arguments", b->text.len ? b->text : SPAN("{}"));
    buf_char(out, '}');
    if (b->signature.len)
        put_call_signature(out, b->signature);
    buf_char(out, '}');
}

static void put_image(const struct gathered_block *b, struct buf *out)
{
    put_comma(out);
    buf_str(out, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:");
    put_plain(out, b->media.len ? b->media : SPAN("image/png"));
    buf_str(out, ";base64,");
    put_plain(out, b->text);
    buf_str(out, "\"}}");
}

static void put_blocks(const struct gathered_choice *ch, enum part_kind part,
                       struct buf *out)
{
    if (!has(ch, part))
        return;
    put_list(out, part == PART_TOOL_CALL ? "tool_calls" : "images");
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        if (b->part != part)
            continue;
        if (part == PART_TOOL_CALL)
            put_call(b, out);
        else
            put_image(b, out);
    }
    buf_char(out, ']');
}

/* The items of a text's raw: citations, log-probabilities. */
static struct json_iter items_of(const struct gathered_block *b)
{
    struct json list = {JSON_NONE, false, b->raw};

    if (b->raw.len && b->raw.ptr[0] == '[')
        list.type = JSON_ARRAY;
    return list.type ? json_begin(&list) : (struct json_iter){NULL, NULL};
}

/* Citations that have this dialect's shape; the others are lost. */
static void put_annotations(const struct gathered_choice *ch, struct losses *l,
                            unsigned choice, struct buf *out)
{
    struct json one;

    put_list(out, "annotations");
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        struct json_iter it = items_of(b);

        if (b->part != PART_TEXT || b->raw.len == 0)
            continue;
        if (!it.p)
            lossy_add(l, LOSSY_CITATION, "choices[%u]", choice);
        while (it.p && json_next(&it, NULL, &one)) {
            if (!logprobs_in(one.raw) && !put_citation(out, one.raw, false))
                lossy_add(l, LOSSY_CITATION, "choices[%u]", choice);
        }
    }
    buf_char(out, ']');
}

static void put_logprobs(const struct gathered_choice *ch, struct losses *l,
                         struct buf *out)
{
    size_t from = out->len;

    put_open(out, "logprobs");
    put_list(out, "content");
    if (logprobs_put_choice(ch, l, out)) {
        buf_str(out, "],\"refusal\":null}");
        return;
    }
    if (!out->failed)
        out->len = from;
    put_raw(out, "logprobs", SPAN("null"));
}

static void lose_blocks(const struct gathered_choice *ch, struct losses *l,
                        unsigned choice)
{
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        if (b->signature.len && b->part != PART_TOOL_CALL &&
            b->part != PART_THINKING)
            lossy_add(l, LOSSY_SIGNATURE, "choices[%u]", choice);
    }
    if (has(ch, PART_AUDIO))
        lossy_add(l, LOSSY_AUDIO, "choices[%u]", choice);
    if (has(ch, PART_FILE))
        lossy_add(l, LOSSY_FILE, "choices[%u]", choice);
    if (has(ch, PART_OTHER))
        lossy_add(l, LOSSY_BUILTIN_TOOL, "choices[%u]", choice);
    if (ch->finish == FINISH_PAUSE)
        lossy_add(l, LOSSY_OTHER, "pause_turn");
}

static void put_message(const struct gathered_choice *ch, struct losses *l,
                        unsigned choice, struct buf *out)
{
    put_open(out, "message");
    put_cstr(out, "role", "assistant");
    if (has(ch, PART_TEXT) ||
        !(has(ch, PART_TOOL_CALL) || has(ch, PART_REFUSAL)))
        put_texts(ch, PART_TEXT, "content", out);
    else
        put_raw(out, "content", SPAN("null"));
    if (has(ch, PART_REFUSAL))
        put_texts(ch, PART_REFUSAL, "refusal", out);
    else
        put_raw(out, "refusal", SPAN("null"));
    put_thoughts(ch, out);
    put_blocks(ch, PART_TOOL_CALL, out);
    put_blocks(ch, PART_IMAGE, out);
    put_annotations(ch, l, choice, out);
    buf_char(out, '}');
}

static void put_choice(const struct gathered_choice *ch, unsigned i,
                       struct losses *l, struct buf *out)
{
    put_comma(out);
    buf_char(out, '{');
    put_int(out, "index", i);
    put_message(ch, l, i, out);
    put_logprobs(ch, l, out);
    put_cstr(out, "finish_reason", chat_finish_name(ch->finish));
    buf_char(out, '}');
    lose_blocks(ch, l, i);
}

void chat_answer_write(const struct gathered *g, const struct request *asked,
                       struct losses *l, struct buf *out)
{
    if (g->error_status) {
        chat_error_write(g->error_status, g->error_type, g->error_message, out);
        return;
    }
    buf_char(out, '{');
    put_str(out, "id", g->id.len ? g->id : SPAN("chatcmpl"));
    put_cstr(out, "object", "chat.completion");
    put_int(out, "created", g->created);
    put_str(out, "model", g->model.len || !asked ? g->model : asked->model);
    put_list(out, "choices");
    for (unsigned i = 0; i < g->n_choices; i++)
        put_choice(&g->choices[i], i, l, out);
    buf_char(out, ']');
    if (g->has_usage)
        chat_usage_write(&g->usage, out);
    buf_char(out, '}');
}
