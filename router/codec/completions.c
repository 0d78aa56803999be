/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/completions.h"

#include "router/codec/logprobs.h"
#include "router/codec/openai_chat.h"
#include "router/codec/put.h"

#include <string.h>

/* ---- requests ---- */

/* The one prompt; a list of one is as good. */
static bool one_prompt(const struct json *v, struct json *out, struct err *e)
{
    struct json_iter it;

    *out = *v;
    if (v->type == JSON_ARRAY) {
        if (json_count(v) != 1)
            return err_set(e, ERR_INPUT,
                           "prompt: wanted one text, found %zu entries",
                           json_count(v));
        it = json_begin(v);
        (void)json_next(&it, NULL, out);
    }
    if (out->type != JSON_STRING)
        return err_set(e, ERR_INPUT, "prompt: wanted a text, found %s",
                       json_type_name(out->type));
    return true;
}

static bool is_false(const struct json *v)
{
    return v->type == JSON_BOOL && !json_true(v);
}

/* best_of 1, echo false and an empty suffix ask for nothing. */
static bool asks_nothing(const struct json *v)
{
    return v->type == JSON_NULL || is_false(v) || span_is(v->raw, "1") ||
           span_is(v->raw, "\"\"");
}

static bool copy_member(const struct json *key, const struct json *v,
                        struct buf *out, struct err *e)
{
    static const char *const refused[] = {"suffix", "echo", "best_of"};

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (!json_is(key, refused[i]))
            continue;
        return asks_nothing(v) ||
               err_set(e, ERR_INPUT,
                       "%s: wanted none, as prompts are answered by chat "
                       "models",
                       refused[i]);
    }
    if (json_is(key, "prompt"))
        return true;
    if (json_is(key, "logprobs")) {
        if (v->type != JSON_NUMBER)
            return true;
        put_raw(out, "logprobs", SPAN("true"));
        put_raw(out, "top_logprobs", v->raw);
        return true;
    }
    put_comma(out);
    buf_span(out, key->raw);
    buf_char(out, ':');
    buf_span(out, v->raw);
    return true;
}

static bool write_chat(const struct json *top, struct buf *out, struct err *e)
{
    struct json_iter it = json_begin(top);
    struct json prompt = json_get(top, "prompt"), key, v;

    if (!one_prompt(&prompt, &prompt, e))
        return false;
    buf_char(out, '{');
    while (json_next(&it, &key, &v)) {
        if (!copy_member(&key, &v, out, e))
            return false;
    }
    put_list(out, "messages");
    buf_char(out, '{');
    put_cstr(out, "role", "user");
    put_raw(out, "content", prompt.raw);
    buf_str(out, "}]}");
    return true;
}

static bool read_inbound(const struct inbound *in, struct arena *a,
                         struct request *r, struct err *e)
{
    return completions_request_read(in->body, a, r, e);
}

bool completions_request_read(struct span body, struct arena *a,
                              struct request *r, struct err *e)
{
    struct span chat = {NULL, 0};
    struct json top;
    struct buf out;
    bool ok;

    if (!json_parse(body, &top, e))
        return false;
    if (top.type != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "body: wanted an object, found %s",
                       json_type_name(top.type));
    buf_init(&out, body.len + 256);
    ok = write_chat(&top, &out, e);
    if (ok && !out.failed)
        chat = arena_copy(a, buf_view(&out));
    buf_free(&out);
    if (ok && !chat.ptr)
        return err_set(e, ERR_MEMORY, "request too large to be rewritten");
    return ok && request_from_openai(chat, a, r, e);
}

/* ---- answers ---- */

static void lose_block(enum part_kind part, struct losses *l)
{
    if (part == PART_THINKING)
        lossy_add(l, LOSSY_THINKING, "choices");
    else if (part != PART_TEXT && part != PART_REFUSAL)
        lossy_add(l, LOSSY_OTHER, "choices");
}

static const char *finish_of(enum finish f)
{
    return f == FINISH_TOOLS ? "stop" : chat_finish_name(f);
}

static void event(const struct completions_writer *w, struct buf *out)
{
    buf_str(out, "data: {");
    put_cstr(out, "id", w->id);
    put_cstr(out, "object", "text_completion");
    put_int(out, "created", w->created);
    put_cstr(out, "model", w->model);
    put_list(out, "choices");
}

static void choice(unsigned i, struct span text, const char *finish,
                   struct buf *out)
{
    put_comma(out);
    buf_char(out, '{');
    put_str(out, "text", text);
    put_int(out, "index", i);
    put_raw(out, "logprobs", SPAN("null"));
    if (finish)
        put_cstr(out, "finish_reason", finish);
    else
        put_raw(out, "finish_reason", SPAN("null"));
    buf_char(out, '}');
}

static void end(const struct completions_writer *w, const struct request *asked,
                struct buf *out)
{
    if (w->has_usage && asked && asked->params.stream_usage) {
        event(w, out);
        buf_char(out, ']');
        chat_usage_write(&w->usage, out);
        buf_str(out, "}\n\n");
    }
    buf_str(out, "data: [DONE]\n\n");
}

static void fail(const struct chunk *c, struct buf *out)
{
    buf_str(out, "data: ");
    chat_error_write(c->status, c->name, c->text, out);
    buf_str(out, "\n\ndata: [DONE]\n\n");
}

static void begin(struct completions_writer *w, const struct request *asked,
                  const struct chunk *c)
{
    struct span model = c->name.len || !asked ? c->name : asked->model;

    w->created = c->created;
    (void)span_copy(w->id, sizeof w->id, c->id.len ? c->id : SPAN("cmpl"));
    (void)span_copy(w->model, sizeof w->model, model);
}

static void text(const struct completions_writer *w, const struct chunk *c,
                 struct losses *l, struct buf *out)
{
    enum part_kind part = w->part[c->choice];

    if (c->raw.len)
        lossy_add(l, logprobs_in(c->raw) ? LOSSY_LOGPROBS : LOSSY_CITATION,
                  "choices");
    if (!c->text.len || (part != PART_TEXT && part != PART_REFUSAL))
        return;
    event(w, out);
    choice(c->choice, c->text, NULL, out);
    buf_str(out, "]}\n\n");
}

void completions_stream_write(void *state, const struct request *asked,
                              const struct chunk *c, struct losses *l,
                              struct buf *out)
{
    struct completions_writer *w = state;

    if (w->over || c->choice >= GATHER_CHOICES_MAX)
        return;
    if (c->has_usage) {
        w->usage = c->usage;
        w->has_usage = true;
    }
    switch (c->kind) {
    case CHUNK_START:
        begin(w, asked, c);
        break;
    case CHUNK_OPEN:
        w->part[c->choice] = c->part;
        lose_block(c->part, l);
        break;
    case CHUNK_TEXT:
        text(w, c, l, out);
        break;
    case CHUNK_FINISH:
        event(w, out);
        choice(c->choice, SPAN(""), finish_of(c->finish), out);
        buf_str(out, "]}\n\n");
        break;
    case CHUNK_ERROR:
        fail(c, out);
        w->over = true;
        break;
    case CHUNK_END:
        end(w, asked, out);
        w->over = true;
        break;
    case CHUNK_CLOSE:
    case CHUNK_USAGE:
        break;
    }
}

static void put_text_of(const struct gathered_choice *ch, struct buf *out,
                        struct losses *l)
{
    size_t from;

    put_key(out, "text");
    buf_char(out, '"');
    for (const struct gathered_block *b = ch->first; b; b = b->next) {
        lose_block(b->part, l);
        if (b->part != PART_TEXT && b->part != PART_REFUSAL)
            continue;
        from = out->len; /* without the quotes of each piece */
        buf_json_str(out, b->text);
        if (out->failed)
            return;
        memmove(out->ptr + from, out->ptr + from + 1, out->len - from - 2);
        out->len -= 2;
    }
    buf_char(out, '"');
}

void completions_answer_write(const struct gathered *g,
                              const struct request *asked, struct losses *l,
                              struct buf *out)
{
    if (g->error_status) {
        chat_error_write(g->error_status, g->error_type, g->error_message, out);
        return;
    }
    buf_char(out, '{');
    put_str(out, "id", g->id.len ? g->id : SPAN("cmpl"));
    put_cstr(out, "object", "text_completion");
    put_int(out, "created", g->created);
    put_str(out, "model", g->model.len || !asked ? g->model : asked->model);
    put_list(out, "choices");
    for (unsigned i = 0; i < g->n_choices; i++) {
        put_comma(out);
        buf_char(out, '{');
        put_text_of(&g->choices[i], out, l);
        put_int(out, "index", i);
        put_raw(out, "logprobs", SPAN("null"));
        put_cstr(out, "finish_reason", finish_of(g->choices[i].finish));
        buf_char(out, '}');
    }
    buf_char(out, ']');
    if (g->has_usage)
        chat_usage_write(&g->usage, out);
    buf_char(out, '}');
    if (asked && asked->params.logprobs)
        lossy_add(l, LOSSY_LOGPROBS, "logprobs");
}

const struct codec codec_completions = {
    .name = "completions",
    .framing = FRAMING_SSE,
    .request_read = read_inbound,
    .writer_size = sizeof(struct completions_writer),
    .stream_write = completions_stream_write,
    .answer_write = completions_answer_write,
    .stream_type = "text/event-stream; charset=utf-8",
};
