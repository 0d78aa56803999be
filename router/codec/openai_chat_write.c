/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks -> chat answers and their streams. */
#include "router/codec/logprobs.h"
#include "router/codec/openai_chat.h"
#include "router/codec/put.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The first row of a finish is how it is written; all rows are read. */
static const struct {
    const char *name;
    enum finish finish;
} finishes[] = {
    {"stop", FINISH_STOP},
    {"stop", FINISH_SEQUENCE},
    {"length", FINISH_LENGTH},
    {"length", FINISH_CONTEXT},
    {"tool_calls", FINISH_TOOLS},
    {"content_filter", FINISH_FILTER},
    {"content_filter", FINISH_REFUSAL},
    {"stop", FINISH_PAUSE},
    {"stop", FINISH_OTHER},
    {"function_call", FINISH_TOOLS},  /* the API before tools */
    {"eos", FINISH_STOP},             /* Together */
    {"model_length", FINISH_CONTEXT}, /* Mistral */
    {"max_tokens", FINISH_LENGTH},
};

enum finish chat_finish(struct span name)
{
    for (size_t i = 0; i < sizeof finishes / sizeof finishes[0]; i++) {
        if (span_is(name, finishes[i].name))
            return finishes[i].finish;
    }
    return FINISH_OTHER;
}

const char *chat_finish_name(enum finish f)
{
    for (size_t i = 0; i < sizeof finishes / sizeof finishes[0]; i++) {
        if (finishes[i].finish == f)
            return finishes[i].name;
    }
    return "stop";
}

void chat_usage_write(const struct usage *u, struct buf *out)
{
    int64_t written = u->cache_write + u->cache_write_1h;

    put_open(out, "usage");
    put_int(out, "prompt_tokens", u->input);
    put_int(out, "completion_tokens", u->output);
    put_int(out, "total_tokens", u->input + u->output);
    put_open(out, "prompt_tokens_details");
    put_int(out, "cached_tokens", u->cached);
    if (written)
        put_int(out, "cache_write_tokens", written);
    buf_char(out, '}');
    put_open(out, "completion_tokens_details");
    put_int(out, "reasoning_tokens", u->reasoning);
    buf_str(out, "}}");
}

const char *chat_error_type(int status)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {401, "authentication_error"}, {403, "permission_error"},
        {404, "not_found_error"},      {402, "insufficient_quota"},
        {429, "rate_limit_error"},
    };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].status == status)
            return types[i].type;
    }
    return status >= 500 ? "server_error" : "invalid_request_error";
}

void chat_error_write(int status, struct span code, struct span message,
                      struct buf *out)
{
    buf_str(out, "{\"error\":{");
    put_str(out, "message", message);
    put_cstr(out, "type", chat_error_type(status));
    put_raw(out, "param", SPAN("null"));
    if (code.len)
        put_str(out, "code", code);
    else
        put_raw(out, "code", SPAN("null"));
    buf_str(out, "}}");
}

/* ---- streams ---- */

/* Ids and names are plain; what is not is left out. */
static size_t plain(char *dst, size_t room, struct span s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len && n < room; i++) {
        if (s.ptr[i] >= ' ' && s.ptr[i] < 127 && s.ptr[i] != '"' &&
            s.ptr[i] != '\\')
            dst[n++] = s.ptr[i];
    }
    return n;
}

static void begin(struct chat_writer *w, const struct request *asked,
                  const struct chunk *c)
{
    struct span model = c->name.len || !asked ? c->name : asked->model;
    char id[128], name[192];
    size_t n_id = plain(id, sizeof id, c->id);
    size_t n_name = plain(name, sizeof name, model);

    snprintf(w->head, sizeof w->head,
             "\"id\":\"%.*s\",\"object\":\"chat.completion.chunk\","
             "\"created\":%" PRId64 ",\"model\":\"%.*s\"",
             n_id ? (int)n_id : 8, n_id ? id : "chatcmpl", c->created,
             (int)n_name, name);
    w->begun = true;
}

static bool wants_usage(const struct request *asked)
{
    return asked && asked->params.stream_usage;
}

static void event_open(struct chat_writer *w, struct buf *out, unsigned choice)
{
    buf_str(out, "data: {");
    buf_str(out, w->head);
    buf_printf(out, ",\"choices\":[{\"index\":%u,\"delta\":{", choice);
    if (!w->at[choice].role) {
        w->at[choice].role = true;
        buf_str(out, "\"role\":\"assistant\"");
    }
}

static void event_close(const struct request *asked, const char *finish,
                        struct buf *out)
{
    buf_char(out, '}');
    if (finish)
        put_cstr(out, "finish_reason", finish);
    else
        put_raw(out, "finish_reason", SPAN("null"));
    buf_str(out, wants_usage(asked) ? "}],\"usage\":null}\n\n" : "}]}\n\n");
}

static void write_role(struct chat_writer *w, const struct request *asked,
                       struct buf *out)
{
    event_open(w, out, 0);
    put_cstr(out, "content", "");
    event_close(asked, NULL, out);
}

static void lose_block(const struct chunk *c, struct losses *l)
{
    switch (c->part) {
    case PART_AUDIO:
        lossy_add(l, LOSSY_AUDIO, "choices[%u]", c->choice);
        break;
    case PART_FILE:
        lossy_add(l, LOSSY_FILE, "choices[%u]", c->choice);
        break;
    case PART_OTHER:
        lossy_add(l, LOSSY_BUILTIN_TOOL, "choices[%u]", c->choice);
        break;
    default:
        break;
    }
}

static void write_open(struct chat_writer *w, const struct request *asked,
                       const struct chunk *c, struct losses *l, struct buf *out)
{
    w->at[c->choice].part = c->part;
    if (c->part == PART_IMAGE) { /* ends with the block: see write_close */
        event_open(w, out, c->choice);
        put_list(out, "images");
        buf_str(out, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:");
        put_plain(out, c->media.len ? c->media : SPAN("image/png"));
        buf_str(out, ";base64,");
        w->picture = true;
        return;
    }
    lose_block(c, l);
    if (c->part != PART_TOOL_CALL)
        return;
    event_open(w, out, c->choice);
    put_list(out, "tool_calls");
    buf_char(out, '{');
    w->at[c->choice].args = false;
    put_int(out, "index", w->at[c->choice].calls++);
    put_str(out, "id", c->id);
    put_cstr(out, "type", "function");
    put_open(out, "function");
    put_str(out, "name", c->name);
    put_cstr(out, "arguments", "");
    buf_str(out, "}}]");
    event_close(asked, NULL, out);
}

/* Thinking under the name that most know, and as OpenRouter's clients keep
 * it to send it back. */
static void put_thought(struct chat_writer *w, const struct chunk *c,
                        struct buf *out)
{
    if (c->text.len)
        put_str(out, "reasoning_content", c->text);
    put_list(out, "reasoning_details");
    buf_char(out, '{');
    put_cstr(out, "type", "reasoning.text");
    if (c->text.len)
        put_str(out, "text", c->text);
    if (c->signature.len)
        put_str(out, "signature", c->signature);
    put_int(out, "index", w->at[c->choice].thoughts);
    buf_str(out, "}]");
}

static void put_delta(struct chat_writer *w, const struct chunk *c,
                      struct buf *out)
{
    switch (w->at[c->choice].part) {
    case PART_THINKING:
        put_thought(w, c, out);
        break;
    case PART_REFUSAL:
        put_str(out, "refusal", c->text);
        break;
    case PART_TOOL_CALL:
        put_list(out, "tool_calls");
        buf_char(out, '{');
        put_int(out, "index", w->at[c->choice].calls - 1);
        put_open(out, "function");
        put_str(out, "arguments", c->text);
        buf_str(out, "}}]");
        w->at[c->choice].args = true;
        break;
    default:
        put_str(out, "content", c->text);
    }
}

static void write_logprobs(struct chat_writer *w, const struct request *asked,
                           const struct chunk *c, struct losses *l,
                           struct buf *out)
{
    size_t from = out->len;

    if (asked && !asked->params.logprobs)
        return;
    event_open(w, out, c->choice);
    buf_str(out, "},\"logprobs\":{\"content\":[");
    if (logprobs_put(c->raw, out)) {
        buf_str(out, "],\"refusal\":null");
        event_close(asked, NULL, out);
        return;
    }
    lossy_add(l, LOSSY_LOGPROBS, "choices[%u]", c->choice);
    if (!out->failed)
        out->len = from;
}

/* A citation, or log-probabilities of the text before. */
static void write_raw(struct chat_writer *w, const struct request *asked,
                      const struct chunk *c, struct losses *l, struct buf *out)
{
    size_t from = out->len;

    if (logprobs_in(c->raw)) {
        write_logprobs(w, asked, c, l, out);
        return;
    }
    event_open(w, out, c->choice);
    put_list(out, "annotations");
    if (put_citation(out, c->raw, false)) {
        buf_char(out, ']');
        event_close(asked, NULL, out);
        return;
    }
    lossy_add(l, LOSSY_CITATION, "choices[%u]", c->choice);
    if (!out->failed)
        out->len = from;
}

static void write_text(struct chat_writer *w, const struct request *asked,
                       const struct chunk *c, struct losses *l, struct buf *out)
{
    enum part_kind part = w->at[c->choice].part;

    if (part == PART_AUDIO || part == PART_FILE || part == PART_OTHER)
        return;
    if (part == PART_IMAGE) {
        put_plain(out, c->text);
        return;
    }
    if (c->text.len) {
        event_open(w, out, c->choice);
        put_delta(w, c, out);
        event_close(asked, NULL, out);
    }
    if (c->raw.len)
        write_raw(w, asked, c, l, out);
}

static void end_picture(struct chat_writer *w, const struct request *asked,
                        struct buf *out)
{
    if (!w->picture)
        return;
    buf_str(out, "\"}}]");
    event_close(asked, NULL, out);
    w->picture = false;
}

/* A call's comes when the call is whole. */
static void write_signature(struct chat_writer *w, const struct request *asked,
                            const struct chunk *c, struct buf *out)
{
    event_open(w, out, c->choice);
    put_list(out, "tool_calls");
    buf_char(out, '{');
    put_int(out, "index", w->at[c->choice].calls - 1);
    put_call_signature(out, c->signature);
    buf_str(out, "}]");
    event_close(asked, NULL, out);
}

static void write_close(struct chat_writer *w, const struct request *asked,
                        const struct chunk *c, struct losses *l,
                        struct buf *out)
{
    enum part_kind part = w->at[c->choice].part;

    end_picture(w, asked, out);
    /* Clients parse what they put together: a call without any has {}. */
    if (part == PART_TOOL_CALL && !w->at[c->choice].args)
        write_text(w, asked,
                   &(struct chunk){.choice = c->choice, .text = SPAN("{}")}, l,
                   out);
    if (c->signature.len && part == PART_THINKING) {
        event_open(w, out, c->choice);
        put_thought(w, c, out);
        event_close(asked, NULL, out);
    } else if (c->signature.len && part == PART_TOOL_CALL) {
        write_signature(w, asked, c, out);
    } else if (c->signature.len) {
        lossy_add(l, LOSSY_SIGNATURE, "choices[%u]", c->choice);
    }
    if (c->raw.len && part == PART_TEXT)
        lossy_add(l, LOSSY_CITATION, "choices[%u]", c->choice);
    w->at[c->choice].thoughts += part == PART_THINKING;
}

/* Thinking that only its provider can read comes whole, when it is closed. */
static bool write_redacted(struct chat_writer *w, const struct request *asked,
                           const struct chunk *c, struct buf *out)
{
    if (c->kind == CHUNK_OPEN && c->redacted) {
        w->at[c->choice].part = PART_OTHER;
        w->redacted = true;
        return true;
    }
    if (!w->redacted || c->kind != CHUNK_CLOSE)
        return false;
    w->redacted = false;
    event_open(w, out, c->choice);
    put_list(out, "reasoning_details");
    buf_char(out, '{');
    put_cstr(out, "type", "reasoning.encrypted");
    put_str(out, "data", c->signature);
    put_int(out, "index", w->at[c->choice].thoughts++);
    buf_str(out, "}]");
    event_close(asked, NULL, out);
    return true;
}

static void write_error(struct chat_writer *w, const struct request *asked,
                        const struct chunk *c, struct buf *out)
{
    end_picture(w, asked, out);
    buf_str(out, "data: ");
    chat_error_write(c->status, c->name, c->text, out);
    buf_str(out, "\n\ndata: [DONE]\n\n");
    w->over = true;
}

static void write_end(struct chat_writer *w, const struct request *asked,
                      struct buf *out)
{
    if (wants_usage(asked) && w->has_usage) {
        buf_str(out, "data: {");
        buf_str(out, w->head);
        buf_str(out, ",\"choices\":[]");
        chat_usage_write(&w->usage, out);
        buf_str(out, "}\n\n");
    }
    buf_str(out, "data: [DONE]\n\n");
    w->over = true;
}

static void write_finish(struct chat_writer *w, const struct request *asked,
                         const struct chunk *c, struct losses *l,
                         struct buf *out)
{
    if (c->finish == FINISH_PAUSE)
        lossy_add(l, LOSSY_OTHER, "pause_turn");
    event_open(w, out, c->choice);
    event_close(asked, chat_finish_name(c->finish), out);
}

static void keep_usage(struct chat_writer *w, const struct chunk *c)
{
    if (!c->has_usage)
        return;
    w->usage = c->usage;
    w->has_usage = true;
}

void chat_stream_write(void *state, const struct request *asked,
                       const struct chunk *c, struct losses *l, struct buf *out)
{
    struct chat_writer *w = state;

    if (w->over || c->choice >= GATHER_CHOICES_MAX)
        return;
    keep_usage(w, c);
    if (!w->begun && c->kind != CHUNK_ERROR) {
        begin(w, asked, c);
        write_role(w, asked, out);
    }
    if (write_redacted(w, asked, c, out))
        return;
    switch (c->kind) {
    case CHUNK_OPEN:
        write_open(w, asked, c, l, out);
        break;
    case CHUNK_TEXT:
        write_text(w, asked, c, l, out);
        break;
    case CHUNK_CLOSE:
        write_close(w, asked, c, l, out);
        break;
    case CHUNK_FINISH:
        write_finish(w, asked, c, l, out);
        break;
    case CHUNK_ERROR:
        write_error(w, asked, c, out);
        break;
    case CHUNK_END:
        write_end(w, asked, out);
        break;
    case CHUNK_START:
    case CHUNK_USAGE:
        break;
    }
}
