/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks -> Gemini's answers.  Each event of a stream is a whole
 * GenerateContentResponse; calls and media are held until they are complete,
 * and the last event of a candidate has its finish and the usage.
 */
#include "router/codec/gemini.h"
#include "router/codec/logprobs.h"
#include "router/codec/put.h"

#include <string.h>

enum { HELD_MAX = 64 << 20 }; /* bytes of one call's arguments or one image */

/* ---- pieces ---- */

static const struct {
    int code;
    const char *status;
} statuses[] = {
    {400, "INVALID_ARGUMENT"},
    {401, "UNAUTHENTICATED"},
    {402, "FAILED_PRECONDITION"},
    {403, "PERMISSION_DENIED"},
    {404, "NOT_FOUND"},
    {409, "ABORTED"},
    {429, "RESOURCE_EXHAUSTED"},
    {499, "CANCELLED"},
    {500, "INTERNAL"},
    {501, "UNIMPLEMENTED"},
    {503, "UNAVAILABLE"},
    {504, "DEADLINE_EXCEEDED"},
};

void gemini_write_error(struct buf *out, int status, struct span message)
{
    const char *word = status < 500 ? "INVALID_ARGUMENT" : "UNAVAILABLE";

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].code == status)
            word = statuses[i].status;
    }
    buf_char(out, '{');
    put_open(out, "error");
    put_int(out, "code", status);
    put_str(out, "message", message);
    put_cstr(out, "status", word);
    buf_str(out, "}}");
}

static void put_usage(struct buf *out, const struct usage *u)
{
    put_open(out, "usageMetadata");
    put_int(out, "promptTokenCount", u->input);
    put_int(out, "candidatesTokenCount", u->output - u->reasoning);
    put_int(out, "totalTokenCount", u->input + u->output);
    if (u->cached)
        put_int(out, "cachedContentTokenCount", u->cached);
    if (u->reasoning)
        put_int(out, "thoughtsTokenCount", u->reasoning);
    buf_char(out, '}');
}

static bool has_one(struct span raw, const char *const *names, size_t n,
                    struct json *v)
{
    *v = (struct json){JSON_OBJECT, false, raw};
    if (raw.len < 2 || raw.ptr[0] != '{')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (gemini_get(v, names[i]).type != JSON_NONE)
            return true;
    }
    return false;
}

/* Whether raw is a part of Gemini's own. */
static bool is_part(struct span raw)
{
    static const char *const names[] = {
        "executableCode", "codeExecutionResult", "fileData",   "toolCall",
        "toolResponse",   "functionCall",        "inlineData",
    };
    struct json v;

    return has_one(raw, names, sizeof names / sizeof names[0], &v);
}

/* Whether raw is what Gemini has beside a candidate's content. */
static bool is_beside(struct span raw)
{
    static const char *const names[] = {
        "citationMetadata",
        "groundingMetadata",
        "urlContextMetadata",
        "logprobsResult",
    };
    struct json v;

    return has_one(raw, names, sizeof names / sizeof names[0], &v);
}

/* Whether raw is a whole answer beside conversations. */
static bool is_whole(struct span raw)
{
    static const char *const names[] = {"totalTokens", "embeddings",
                                        "embedding"};
    struct json v;

    return has_one(raw, names, sizeof names / sizeof names[0], &v);
}

/* Its members into the object that is being written. */
static void put_members(struct buf *out, struct span raw)
{
    put_comma(out);
    buf_put(out, raw.ptr + 1, raw.len - 2);
}

static void lose_raw(struct losses *l, enum part_kind kind, struct span raw)
{
    if (logprobs_in(raw))
        lossy_add(l, LOSSY_LOGPROBS, "logprobs");
    else if (kind == PART_TEXT)
        lossy_add(l, LOSSY_CITATION, "citations");
    else
        lossy_add(l, LOSSY_BUILTIN_TOOL, "part");
}

static void put_thought(struct buf *out, enum part_kind kind)
{
    if (kind == PART_THINKING)
        put_bool(out, "thought", true);
}

static void put_signature(struct buf *out, struct span signature)
{
    if (signature.len)
        put_str(out, "thoughtSignature", signature);
}

/* A call's arguments; what is no object as {"arguments": text}. */
static void put_args(struct buf *out, struct span args, struct losses *l)
{
    struct json v;
    struct err e;

    put_key(out, "args");
    if (span_trim(args).len == 0) {
        buf_str(out, "{}");
    } else if (json_parse(args, &v, &e) && v.type == JSON_OBJECT) {
        buf_span(out, v.raw);
    } else {
        buf_char(out, '{');
        put_str(out, "arguments", args);
        buf_char(out, '}');
        lossy_add(l, LOSSY_OTHER, "arguments");
    }
}

/* ---- events ---- */

static size_t begin(struct buf *out)
{
    buf_str(out, "data: {\"candidates\":[{\"content\":{\"parts\":[");
    return out->len;
}

/* JSON's only raw line ends are white space: in an event they would end it. */
static void one_line(struct buf *out, size_t from)
{
    if (out->failed)
        return;
    for (size_t i = from; i < out->len; i++) {
        if (out->ptr[i] == '\n' || out->ptr[i] == '\r')
            out->ptr[i] = ' ';
    }
}

struct tail {
    unsigned choice;
    struct span beside;
    const char *reason; /* or NULL */
};

static void end(const struct gemini_writer *w, struct tail t, size_t from,
                struct buf *out)
{
    buf_str(out, "],\"role\":\"model\"}");
    if (t.reason)
        put_cstr(out, "finishReason", t.reason);
    put_int(out, "index", t.choice);
    if (t.beside.len)
        put_members(out, t.beside);
    buf_str(out, "}]");
    if (t.reason)
        put_usage(out, &w->usage);
    put_str(out, "modelVersion", span_of(w->model));
    put_str(out, "responseId", span_of(w->id));
    buf_char(out, '}');
    one_line(out, from);
    buf_str(out, "\n\n");
}

static void text_event(const struct gemini_writer *w, const struct chunk *c,
                       enum part_kind kind, struct buf *out)
{
    size_t from = begin(out);

    buf_char(out, '{');
    if (!c->redacted)
        put_str(out, "text", c->text);
    put_thought(out, kind);
    put_signature(out, c->signature);
    buf_char(out, '}');
    end(w, (struct tail){.choice = c->choice}, from, out);
}

static void raw_event(const struct gemini_writer *w, unsigned choice,
                      struct span raw, struct buf *out)
{
    size_t from = begin(out);
    bool part = is_part(raw);

    if (part)
        buf_span(out, raw);
    else
        buf_str(out, "{\"text\":\"\"}");
    end(w, (struct tail){choice, part ? SPAN("") : raw, NULL}, from, out);
}

/* Log-probabilities that another API wrote. */
static void probs_event(const struct gemini_writer *w, const struct chunk *c,
                        struct losses *l, struct buf *out)
{
    struct buf list, own;

    buf_init(&list, HELD_MAX);
    buf_init(&own, HELD_MAX);
    buf_char(&list, '[');
    if (logprobs_put(c->raw, &list)) {
        buf_char(&list, ']');
        buf_str(&own, "{\"logprobsResult\":");
        logprobs_put_gemini(buf_view(&list), &own);
        buf_char(&own, '}');
        out->failed |= list.failed || own.failed;
        raw_event(w, c->choice, buf_view(&own), out);
    } else {
        lose_raw(l, PART_TEXT, c->raw);
    }
    buf_free(&list);
    buf_free(&own);
}

static void hold(struct gemini_writer *w, const struct chunk *c)
{
    struct buf *b = &w->at[c->choice].held;

    buf_free(b);
    buf_init(b, HELD_MAX);
    buf_char(b, '{');
    if (c->part == PART_TOOL_CALL) {
        put_open(b, "functionCall");
        if (c->id.len && !gemini_made_id(c->id))
            put_str(b, "id", c->id);
        put_str(b, "name", c->name);
    } else {
        put_open(b, "inlineData");
        put_str(b, "mimeType", c->media);
    }
    w->at[c->choice].from = b->len;
}

static bool held_kind(enum part_kind kind)
{
    return kind == PART_TOOL_CALL || kind == PART_IMAGE || kind == PART_AUDIO ||
           kind == PART_FILE;
}

static void held_event(struct gemini_writer *w, const struct chunk *c,
                       struct losses *l, struct buf *out)
{
    struct buf *b = &w->at[c->choice].held;
    size_t from = begin(out), at = w->at[c->choice].from;
    struct span rest = {b->ptr + at, b->len - at};

    if (b->failed) { /* larger than anybody takes */
        out->failed = true;
        return;
    }
    buf_put(out, b->ptr, at);
    if (w->at[c->choice].kind == PART_TOOL_CALL)
        put_args(out, rest, l);
    else
        put_str(out, "data", rest);
    buf_char(out, '}');
    put_signature(out, c->signature);
    buf_char(out, '}');
    end(w, (struct tail){.choice = c->choice}, from, out);
    buf_free(b);
}

static void open_block(struct gemini_writer *w, const struct chunk *c,
                       struct losses *l, struct buf *out)
{
    w->at[c->choice].kind = c->part;
    w->at[c->choice].redacted = c->redacted;
    w->at[c->choice].hidden = c->part == PART_OTHER;
    if (held_kind(c->part))
        hold(w, c);
    if (c->part != PART_OTHER)
        return;
    if (is_part(c->raw) || is_beside(c->raw))
        raw_event(w, c->choice, c->raw, out);
    else
        lose_raw(l, PART_OTHER, c->raw);
}

static void more(struct gemini_writer *w, const struct chunk *c,
                 struct losses *l, struct buf *out)
{
    enum part_kind kind = w->at[c->choice].kind;

    if (c->raw.len && is_beside(c->raw))
        raw_event(w, c->choice, c->raw, out);
    else if (logprobs_in(c->raw))
        probs_event(w, c, l, out);
    else if (c->raw.len)
        lose_raw(l, kind, c->raw);
    if (c->text.len == 0 || w->at[c->choice].hidden)
        return;
    if (held_kind(kind))
        buf_span(&w->at[c->choice].held, c->text);
    else
        text_event(w, c, kind, out);
}

static void close_block(struct gemini_writer *w, const struct chunk *c,
                        struct losses *l, struct buf *out)
{
    enum part_kind kind = w->at[c->choice].kind;
    struct chunk mark = {.choice = c->choice,
                         .redacted = w->at[c->choice].redacted,
                         .signature = c->signature};

    if (c->raw.len && !is_beside(c->raw))
        lose_raw(l, kind, c->raw);
    else if (c->raw.len)
        raw_event(w, c->choice, c->raw, out);
    if (w->at[c->choice].hidden)
        return;
    if (held_kind(kind))
        held_event(w, c, l, out);
    else if (c->signature.len)
        text_event(w, &mark, kind, out);
}

static void finish_event(struct gemini_writer *w, const struct chunk *c,
                         struct buf *out)
{
    size_t from = begin(out);

    buf_str(out, "{\"text\":\"\"}");
    end(w,
        (struct tail){c->choice, SPAN(""), gemini_reason(c->finish, c->name)},
        from, out);
}

static void start(struct gemini_writer *w, const struct request *asked,
                  const struct chunk *c)
{
    span_copy(w->id, sizeof w->id, c->id);
    span_copy(w->model, sizeof w->model, c->name.len ? c->name : asked->model);
    if (c->has_usage)
        w->usage = c->usage;
}

void gemini_stream_free(void *state)
{
    struct gemini_writer *w = state;

    for (unsigned i = 0; i < GATHER_CHOICES_MAX; i++)
        buf_free(&w->at[i].held);
}

void gemini_stream_write(void *state, const struct request *asked,
                         const struct chunk *c, struct losses *l,
                         struct buf *out)
{
    struct gemini_writer *w = state;

    if (c->choice >= GATHER_CHOICES_MAX)
        return;
    switch (c->kind) {
    case CHUNK_START:
        start(w, asked, c);
        return;
    case CHUNK_OPEN:
        open_block(w, c, l, out);
        return;
    case CHUNK_TEXT:
        more(w, c, l, out);
        return;
    case CHUNK_CLOSE:
        close_block(w, c, l, out);
        return;
    case CHUNK_USAGE:
        w->usage = c->usage;
        return;
    case CHUNK_FINISH:
        finish_event(w, c, out);
        return;
    case CHUNK_ERROR:
        buf_str(out, "data: ");
        gemini_write_error(out, c->status, c->text);
        buf_str(out, "\n\n");
        gemini_stream_free(w);
        return;
    case CHUNK_END:
        gemini_stream_free(w);
        return;
    }
}

/* ---- whole answers ---- */

static void write_block(const struct gathered_block *b, struct losses *l,
                        struct buf *out)
{
    if (b->part == PART_OTHER) {
        if (is_part(b->raw)) {
            put_comma(out);
            buf_span(out, b->raw);
        } else if (!is_beside(b->raw)) {
            lose_raw(l, PART_OTHER, b->raw);
        }
        return;
    }
    put_comma(out);
    buf_char(out, '{');
    if (b->part == PART_TOOL_CALL) {
        put_open(out, "functionCall");
        if (b->id.len && !gemini_made_id(b->id))
            put_str(out, "id", b->id);
        put_str(out, "name", b->name);
        put_args(out, b->text, l);
        buf_char(out, '}');
    } else if (held_kind(b->part)) {
        put_open(out, "inlineData");
        put_str(out, "mimeType", b->media);
        put_str(out, "data", b->text);
        buf_char(out, '}');
    } else {
        if (!b->redacted)
            put_str(out, "text", b->text);
        put_thought(out, b->part);
    }
    put_signature(out, b->signature);
    buf_char(out, '}');
}

/* What blocks carry for beside the content. */
static void write_beside(const struct gathered_choice *c, struct losses *l,
                         struct buf *out)
{
    for (const struct gathered_block *b = c->first; b; b = b->next) {
        struct json list = {JSON_ARRAY, false, b->raw}, one;
        struct json_iter it;

        if (b->part == PART_OTHER && is_beside(b->raw) && !is_part(b->raw))
            put_members(out, b->raw);
        if (b->part == PART_OTHER || b->raw.len < 2 || b->raw.ptr[0] != '[')
            continue;
        it = json_begin(&list);
        while (json_next(&it, NULL, &one)) {
            if (logprobs_in(one.raw))
                continue;
            if (is_beside(one.raw))
                put_members(out, one.raw);
            else
                lose_raw(l, b->part, one.raw);
        }
    }
}

/* As Gemini wrote them, where they came in one piece. */
static void write_logprobs(const struct gathered_choice *c, struct losses *l,
                           struct buf *out)
{
    struct span own = logprobs_only(c);
    struct buf list;

    if (is_beside(own)) {
        put_members(out, own);
        return;
    }
    buf_init(&list, HELD_MAX);
    buf_char(&list, '[');
    if (logprobs_put_choice(c, l, &list)) {
        buf_char(&list, ']');
        put_key(out, "logprobsResult");
        logprobs_put_gemini(buf_view(&list), out);
    }
    out->failed |= list.failed;
    buf_free(&list);
}

static void write_choice(const struct gathered_choice *c, unsigned index,
                         struct losses *l, struct buf *out)
{
    size_t empty;

    put_comma(out);
    buf_str(out, "{\"content\":{\"parts\":[");
    empty = out->len;
    for (const struct gathered_block *b = c->first; b; b = b->next)
        write_block(b, l, out);
    if (out->len == empty)
        buf_str(out, "{\"text\":\"\"}");
    buf_str(out, "],\"role\":\"model\"}");
    put_cstr(out, "finishReason", gemini_reason(c->finish, c->finish_name));
    put_int(out, "index", index);
    write_beside(c, l, out);
    write_logprobs(c, l, out);
    buf_char(out, '}');
}

void gemini_answer_write(const struct gathered *g, const struct request *asked,
                         struct losses *l, struct buf *out)
{
    const struct gathered_block *only = g->choices[0].first;

    if (g->error_status) {
        gemini_write_error(out, g->error_status, g->error_message);
        return;
    }
    if (only && only->part == PART_OTHER && is_whole(only->raw)) {
        buf_span(out, only->raw);
        return;
    }
    buf_char(out, '{');
    put_list(out, "candidates");
    for (unsigned i = 0; i < g->n_choices; i++)
        write_choice(&g->choices[i], i, l, out);
    buf_char(out, ']');
    if (g->has_usage)
        put_usage(out, &g->usage);
    put_str(out, "modelVersion", g->model.len ? g->model : asked->model);
    put_str(out, "responseId", g->id);
    buf_char(out, '}');
}

/* ---- beside conversations ---- */

void gemini_write_count(struct buf *out, int64_t tokens)
{
    buf_char(out, '{');
    put_int(out, "totalTokens", tokens);
    buf_char(out, '}');
}

void gemini_write_model(struct buf *out, struct span name,
                        const struct model *of)
{
    struct buf full;

    buf_init(&full, name.len + 16);
    buf_str(&full, "models/");
    buf_span(&full, name);
    buf_char(out, '{');
    put_str(out, "name", buf_view(&full));
    put_str(out, "displayName", name);
    put_str(out, "baseModelId", name);
    put_cstr(out, "version", "1");
    if (of && of->context > 0)
        put_int(out, "inputTokenLimit", of->context);
    if (of && of->max_output > 0)
        put_int(out, "outputTokenLimit", of->max_output);
    put_list(out, "supportedGenerationMethods");
    buf_str(out, "\"generateContent\",\"streamGenerateContent\","
                 "\"countTokens\"]}");
    buf_free(&full);
}
