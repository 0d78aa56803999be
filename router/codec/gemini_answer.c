/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gemini's answers -> chunks.  A whole answer and an event of a stream are the
 * same object; a stream read without its frames is an array of them.
 *
 * The finish is held until the end, since older models say STOP with each
 * event.  Texts that follow each other are one block until one is signed:
 * the signature closes it.
 */
#include "base/clock.h"
#include "router/codec/feed.h"
#include "router/codec/gemini.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PICK(obj, names, out)                                                  \
    gemini_pick(obj, names, sizeof(names) / sizeof(names)[0], out)

struct reading {
    struct feed *f;
    struct arena *a;
    bool no_memory; /* something was not decoded: nothing of it is told */
};

/* ---- finish ---- */

static const struct {
    const char *name;
    enum finish finish;
    bool of_prompt; /* no candidate has it */
} reasons[] = {
    {"STOP", FINISH_STOP, false},
    {"MAX_TOKENS", FINISH_LENGTH, false},
    {"SAFETY", FINISH_FILTER, false},
    {"RECITATION", FINISH_FILTER, false},
    {"BLOCKLIST", FINISH_FILTER, false},
    {"PROHIBITED_CONTENT", FINISH_FILTER, false},
    {"SPII", FINISH_FILTER, false},
    {"IMAGE_SAFETY", FINISH_FILTER, false},
    {"IMAGE_PROHIBITED_CONTENT", FINISH_FILTER, false},
    {"IMAGE_RECITATION", FINISH_FILTER, false},
    {"MODEL_ARMOR", FINISH_FILTER, true},
    {"JAILBREAK", FINISH_FILTER, true},
    {"CONTINUATION", FINISH_LENGTH, false},
    {"LANGUAGE", FINISH_OTHER, false},
    {"OTHER", FINISH_OTHER, false},
    {"MALFORMED_FUNCTION_CALL", FINISH_OTHER, false},
    {"UNEXPECTED_TOOL_CALL", FINISH_OTHER, false},
    {"TOO_MANY_TOOL_CALLS", FINISH_OTHER, false},
    {"NO_IMAGE", FINISH_OTHER, false},
    {"IMAGE_OTHER", FINISH_OTHER, false},
};

enum finish gemini_finish(struct span reason)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (span_is(reason, reasons[i].name))
            return reasons[i].finish;
    }
    return FINISH_OTHER;
}

const char *gemini_reason(enum finish f, struct span name)
{
    static const char *const table[] = {
        [FINISH_NONE] = "OTHER",         [FINISH_STOP] = "STOP",
        [FINISH_SEQUENCE] = "STOP",      [FINISH_LENGTH] = "MAX_TOKENS",
        [FINISH_CONTEXT] = "MAX_TOKENS", [FINISH_TOOLS] = "STOP",
        [FINISH_FILTER] = "SAFETY",      [FINISH_REFUSAL] = "SAFETY",
        [FINISH_PAUSE] = "OTHER",        [FINISH_OTHER] = "OTHER",
    };

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (span_is(name, reasons[i].name) && reasons[i].finish == f &&
            !reasons[i].of_prompt)
            return reasons[i].name;
    }
    return table[f];
}

/* ---- parts ---- */

static struct span decoded(struct reading *r, const struct json *v)
{
    struct span s = {NULL, 0};

    if (v->type != JSON_STRING)
        return SPAN("");
    if (!json_text(v, r->a, &s))
        r->no_memory = true;
    return s;
}

/* Checked JSON without the white space between its tokens: Google's answers
 * are printed with line ends, which would end an event's line. */
static struct span compact(struct reading *r, struct span raw)
{
    char *copy = arena_alloc(r->a, raw.len + 1);
    bool inside = false;
    size_t n = 0;

    for (size_t i = 0; copy && i < raw.len; i++) {
        char c = raw.ptr[i];

        if (!inside && (c == ' ' || c == '\n' || c == '\r' || c == '\t'))
            continue;
        copy[n++] = c;
        if (c == '"')
            inside = !inside;
        else if (c == '\\' && i + 1 < raw.len)
            copy[n++] = raw.ptr[++i];
    }
    r->no_memory |= !copy;
    return (struct span){copy, n};
}

static bool read_text_part(struct reading *r, unsigned choice,
                           const struct json *text, bool thought,
                           struct span signature)
{
    enum part_kind kind = thought ? PART_THINKING : PART_TEXT;
    struct text t = {json_inner(text), text->escaped};
    struct feed_choice *at = &r->f->at[choice];

    if (text->type == JSON_STRING && t.raw.len &&
        !feed_text(r->f, choice, kind, t))
        return false;
    if (signature.len == 0)
        return true;
    /* A signature alone belongs to what came before; where nothing did, it
     * is thinking of which nothing is shown. */
    if ((!at->open || at->part != kind) &&
        !feed_open(r->f, (struct chunk){.choice = choice,
                                        .part = PART_THINKING,
                                        .redacted = true}))
        return false;
    return feed_close(r->f, choice, signature);
}

/* Hands on what was prepared from the arena. */
static bool feed_whole(struct reading *r, struct chunk c, struct text t,
                       struct span signature)
{
    return !r->no_memory && feed_open(r->f, c) &&
           feed_more(r->f, c.choice, t) &&
           feed_close(r->f, c.choice, signature);
}

static bool read_call(struct reading *r, unsigned choice,
                      const struct json *call, struct span signature)
{
    struct json name = json_get(call, "name"), id = json_get(call, "id"),
                args = json_get(call, "args");
    struct chunk c = {.choice = choice, .part = PART_TOOL_CALL};
    struct text t = {SPAN_INIT(""), false};
    char made[64];

    c.name = decoded(r, &name);
    c.id = decoded(r, &id);
    if (c.id.len == 0) {
        snprintf(made, sizeof made, GEMINI_MADE_ID "%016" PRIx64 "_%u_%u",
                 r->f->seed, choice, r->f->at[choice].calls);
        c.id = span_of(made);
    }
    t.raw = args.type == JSON_OBJECT ? compact(r, args.raw) : SPAN("{}");
    return feed_whole(r, c, t, signature);
}

static bool read_blob(struct reading *r, unsigned choice,
                      const struct json *blob, struct span signature)
{
    struct json media = gemini_get(blob, "mimeType"),
                data = json_get(blob, "data");
    struct chunk c = {.choice = choice, .part = PART_FILE};
    struct text t = {SPAN_INIT(""), false};

    c.media = decoded(r, &media);
    if (span_starts(c.media, "image/"))
        c.part = PART_IMAGE;
    if (span_starts(c.media, "audio/"))
        c.part = PART_AUDIO;
    if (data.type == JSON_STRING)
        t = (struct text){json_inner(&data), data.escaped};
    return feed_whole(r, c, t, signature);
}

/* What others do not know, as it stands. */
static bool read_other(struct reading *r, unsigned choice, struct span raw)
{
    raw = compact(r, raw);
    return feed_whole(
        r, (struct chunk){.choice = choice, .part = PART_OTHER, .raw = raw},
        (struct text){SPAN_INIT(""), false}, SPAN(""));
}

/* Calls in pieces (willContinue) come only when they were asked for. */
static bool whole_call(const struct json *call)
{
    struct json name = json_get(call, "name"),
                more = gemini_get(call, "willContinue");

    return call->type == JSON_OBJECT && name.type == JSON_STRING &&
           name.raw.len > 2 && !json_true(&more);
}

static bool read_part(struct reading *r, unsigned choice, const struct json *v)
{
    enum { TEXT, THOUGHT, SIGNATURE, CALL, BLOB, MEMBERS };
    static const char *const names[] = {"text", "thought", "thoughtSignature",
                                        "functionCall", "inlineData"};
    struct json in[MEMBERS];
    struct span signature;
    bool thinks;

    PICK(v, names, in);
    signature = decoded(r, &in[SIGNATURE]);
    thinks = in[THOUGHT].type == JSON_BOOL && json_true(&in[THOUGHT]);
    if (v->type != JSON_OBJECT)
        return true;
    if (whole_call(&in[CALL]))
        return read_call(r, choice, &in[CALL], signature);
    if (in[BLOB].type == JSON_OBJECT)
        return read_blob(r, choice, &in[BLOB], signature);
    if (in[TEXT].type == JSON_STRING || thinks ||
        json_count(v) == (signature.len ? 1 : 0))
        return read_text_part(r, choice, &in[TEXT], thinks, signature);
    return read_other(r, choice, v->raw);
}

/* ---- candidates ---- */

/* A candidate's members; from BESIDE on what only Gemini's clients know.
 * What is left out says nothing about the answer's text. */
enum { CONTENT, REASON, BESIDE, MEMBERS = BESIDE + 4 };
static const char *const members[] = {
    "content",           "finishReason",       "citationMetadata",
    "groundingMetadata", "urlContextMetadata", "logprobsResult",
};

static bool read_beside(struct reading *r, unsigned choice, const char *name,
                        const struct json *v)
{
    struct feed_choice *at = &r->f->at[choice];
    struct buf b;
    struct span item;

    if (v->type != JSON_OBJECT || json_count(v) == 0)
        return true;
    buf_init(&b, v->raw.len + 64);
    buf_printf(&b, "{\"%s\":", name);
    buf_span(&b, v->raw);
    buf_char(&b, '}');
    item = compact(r, buf_view(&b));
    buf_free(&b);
    return item.len &&
           (at->open && at->part == PART_TEXT ? feed_raw(r->f, choice, item)
                                              : read_other(r, choice, item));
}

static bool read_candidate(struct reading *r, const struct json *v,
                           unsigned choice)
{
    struct json in[MEMBERS], parts, one;
    struct json_iter it;
    struct span name;

    PICK(v, members, in);
    parts = json_get(&in[CONTENT], "parts");
    it = json_begin(&parts);
    while (parts.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (!read_part(r, choice, &one))
            return false;
    }
    for (int i = BESIDE; i < MEMBERS; i++) {
        if (!read_beside(r, choice, members[i], &in[i]))
            return false;
    }
    name = decoded(r, &in[REASON]);
    r->f->at[choice].used = true;
    if (name.len)
        feed_finish(r->f, choice, gemini_finish(name), name);
    return true;
}

/* The index is left out where it is 0, or where nobody has one. */
static bool read_candidates(struct reading *r, const struct json *list)
{
    struct json_iter it = json_begin(list);
    struct json v, index;
    bool numbered = false;
    int64_t at;

    while (list->type == JSON_ARRAY && json_next(&it, NULL, &v))
        numbered |= json_get(&v, "index").type != JSON_NONE;
    it = json_begin(list);
    for (int64_t i = 0; list->type == JSON_ARRAY && json_next(&it, NULL, &v);
         i++) {
        index = json_get(&v, "index");
        at = numbered ? 0 : i;
        if (index.type != JSON_NONE && !json_i64(&index, &at))
            continue;
        if (at < 0 || at >= GATHER_CHOICES_MAX)
            continue;
        if (!read_candidate(r, &v, (unsigned)at))
            return false;
    }
    return true;
}

/* ---- usage ---- */

static int64_t count(const struct json *v, bool *any)
{
    int64_t n;

    if (!json_i64(v, &n) || n < 0)
        return 0;
    *any = true;
    return n;
}

/* Thoughts are beside the candidates' tokens, what tools gave beside the
 * prompt's; the cached ones are inside of the prompt's. */
static bool read_usage(struct reading *r, const struct json *v)
{
    static const char *const names[] = {
        "promptTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount",
        "thoughtsTokenCount", "cachedContentTokenCount"};
    struct chunk c = {.kind = CHUNK_USAGE, .has_usage = true};
    struct usage *u = &c.usage;
    struct json in[5];
    bool any = false;

    PICK(v, names, in);
    u->input = count(&in[0], &any) + count(&in[1], &any);
    u->reasoning = count(&in[3], &any);
    u->output = count(&in[2], &any) + u->reasoning;
    u->cached = count(&in[4], &any);
    if (!any || (r->f->has_usage && !memcmp(u, &r->f->usage, sizeof *u)))
        return true;
    r->f->usage = *u;
    r->f->has_usage = true;
    return r->f->sink->take(r->f->sink->ctx, &c);
}

/* ---- one object ---- */

/* "2026-08-19T14:38:51.607308Z" -> seconds; 0 when it is no such time. */
static int64_t seconds(struct span time)
{
    int64_t ms;

    return clock_parse(time, &ms) && ms > 0 ? ms / 1000 : 0;
}

static bool read_error(struct reading *r, const struct json *error, int status)
{
    struct json message = json_get(error, "message"),
                kind = json_get(error, "status"),
                code = json_get(error, "code");
    struct span text = decoded(r, &message);
    int64_t n;

    if (status < 400 && json_i64(&code, &n) && n >= 400 && n < 600)
        status = (int)n;
    return feed_error(r->f, status, decoded(r, &kind),
                      text.len ? text : SPAN("error of the provider"));
}

static bool start(struct reading *r, const struct json *v)
{
    static const char *const names[] = {"responseId", "modelVersion",
                                        "createTime"};
    struct json in[3];

    if (r->f->started)
        return true;
    PICK(v, names, in);
    if (!feed_start(r->f, decoded(r, &in[0]), decoded(r, &in[1]),
                    seconds(decoded(r, &in[2]))) ||
        r->no_memory)
        return false;
    if (in[0].type == JSON_NONE) /* ids are to differ all the same */
        r->f->seed = span_hash(v->raw, 0);
    return true;
}

static bool read_object(struct reading *r, const struct json *v, int status)
{
    enum { ERROR, USAGE, CANDIDATES, FEEDBACK, FIELDS };
    static const char *const names[] = {"error", "usageMetadata", "candidates",
                                        "promptFeedback"};
    struct json in[FIELDS], block;

    if (r->f->failed || v->type != JSON_OBJECT)
        return true;
    PICK(v, names, in);
    if (in[ERROR].type == JSON_OBJECT)
        return read_error(r, &in[ERROR], status);
    if (!start(r, v) || !read_usage(r, &in[USAGE]) ||
        !read_candidates(r, &in[CANDIDATES]))
        return false;
    block = gemini_get(&in[FEEDBACK], "blockReason");
    if (block.type == JSON_STRING) /* the prompt is blocked: no candidate */
        feed_finish(r->f, 0, FINISH_FILTER, decoded(r, &block));
    return !r->no_memory;
}

/* What countTokens and embeddings answer. */
static bool read_beside_chat(struct reading *r, const struct json *v)
{
    struct json total = gemini_get(v, "totalTokens");
    int64_t n;

    if (total.type == JSON_NONE &&
        json_get(v, "embeddings").type == JSON_NONE &&
        json_get(v, "embedding").type == JSON_NONE)
        return true;
    if (!start(r, v) || !read_other(r, 0, v->raw))
        return false;
    if (json_i64(&total, &n)) {
        r->f->usage.input = n;
        r->f->has_usage = true;
    }
    feed_finish(r->f, 0, FINISH_STOP, SPAN("STOP"));
    return !r->no_memory;
}

bool gemini_answer_read(struct span body, int status, struct arena *a,
                        struct chunk_sink *sink, struct err *e)
{
    struct feed f = {.sink = sink};
    struct reading r = {&f, a, false};
    struct json top, one;
    struct json_iter it;
    bool ok;

    if (!json_parse(body, &top, e)) {
        if (status < 400)
            return false;
        return feed_error(&f, status, SPAN(""), SPAN("error of the provider"));
    }
    it = json_begin(&top);
    ok = read_object(&r, &top, status) && read_beside_chat(&r, &top);
    while (ok && top.type == JSON_ARRAY && json_next(&it, NULL, &one))
        ok = read_object(&r, &one, status);
    if (ok && status >= 400 && !f.failed)
        ok = feed_error(&f, status, SPAN(""), SPAN("error of the provider"));
    return (ok && feed_end(&f)) ||
           err_set(e, ERR_MEMORY,
                   "answer: wanted memory below its cap, found none left");
}

bool gemini_stream_read(void *state, const struct framed *got, struct arena *a,
                        struct chunk_sink *sink, struct err *e)
{
    struct span data = got->data;
    struct feed *f = state;
    struct reading r = {f, a, false};
    struct json v;

    f->sink = sink;
    if (span_is(span_trim(data), "[DONE]") || data.len == 0)
        return true;
    if (!json_parse(data, &v, e))
        return err_wrap(e, "event");
    return read_object(&r, &v, 0) ||
           err_set(e, ERR_MEMORY,
                   "answer: wanted memory below its cap, found none left");
}

bool gemini_stream_end(void *state, struct chunk_sink *sink, struct err *e)
{
    struct feed *f = state;

    f->sink = sink;
    return feed_end(f) ||
           err_set(e, ERR_MEMORY,
                   "answer: wanted memory below its cap, found none left");
}
