/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Converse answer, whole or as events, -> chunks.
 *
 * Text blocks come without contentBlockStart, and citations in blocks of
 * their own behind the text they belong to: a text block therefore stays open
 * until something else begins.
 */
#include "router/codec/bedrock.h"
#include "router/codec/carry.h"
#include "router/codec/feed.h"
#include "router/codec/ids.h"

#include "base/utf8.h"

#include <string.h>

struct state {
    struct feed feed;
    int64_t index;    /* provider's, of the open block */
    bool stopped;     /* its stop came; only citations may still join */
    bool takes_input; /* the open block is a tool's */
    bool answer_tool; /* a tool's input is the answer's text */
};
_Static_assert(sizeof(struct state) <= BEDROCK_READER_SIZE, "room for it");

static struct span no_span(void)
{
    return (struct span){NULL, 0};
}

static struct text text_of(const struct json *v)
{
    return v->type == JSON_STRING ? (struct text){json_inner(v), v->escaped}
                                  : (struct text){no_span(), false};
}

static struct text json_of(const struct json *v)
{
    return (struct text){v->raw, false};
}

static bool open_part(const struct state *s, enum part_kind part)
{
    return s->feed.at[0].open && s->feed.at[0].part == part;
}

/* ---- pieces of blocks ---- */

static bool add_words(struct state *s, struct text t)
{
    if (s->stopped && !feed_close(&s->feed, 0, no_span()))
        return false;
    s->stopped = false;
    return feed_text(&s->feed, 0, PART_TEXT, t);
}

static bool add_citation(struct state *s, const struct json *v)
{
    if (!open_part(s, PART_TEXT) &&
        !feed_open(&s->feed, (struct chunk){.part = PART_TEXT}))
        return false;
    return feed_raw(&s->feed, 0, v->raw);
}

/* A signature is the last that comes of its block. */
static bool sign(struct state *s, struct span signature, bool redacted)
{
    if ((redacted || !open_part(s, PART_THINKING)) &&
        !feed_open(&s->feed,
                   (struct chunk){.part = PART_THINKING, .redacted = redacted}))
        return false;
    return feed_close(&s->feed, 0, signature);
}

static bool add_reasoning(struct state *s, const struct json *v,
                          struct arena *a)
{
    struct json text = json_get(v, "text");
    struct span signature, redacted;

    if (!carry_str(v, "signature", a, &signature) ||
        !carry_str(v, "redactedContent", a, &redacted))
        return false;
    return feed_text(&s->feed, 0, PART_THINKING, text_of(&text)) &&
           (!signature.len || sign(s, signature, false)) &&
           (!redacted.len || sign(s, redacted, true));
}

/* An object without one of its members, in the arena. */
static bool without(const struct json *v, const char *name, struct arena *a,
                    struct span *out)
{
    struct json_iter it = json_begin(v);
    struct json key, one;
    char *dst = arena_alloc(a, v->raw.len + 2), *p = dst;

    if (!dst)
        return false;
    for (*p++ = '{'; json_next(&it, &key, &one);) {
        if (json_is(&key, name))
            continue;
        if (p > dst + 1)
            *p++ = ',';
        memcpy(p, key.raw.ptr, key.raw.len);
        p += key.raw.len;
        *p++ = ':';
        memcpy(p, one.raw.ptr, one.raw.len);
        p += one.raw.len;
    }
    *p++ = '}';
    *out = (struct span){dst, (size_t)(p - dst)};
    return true;
}

/* A block of a built-in tool: raw is {"toolUse":{...}} or {"toolResult":
 * {...}} without its input or content, which is the block's text. */
static bool open_own(struct state *s, const char *name, const struct json *v,
                     struct arena *a)
{
    bool use = !strcmp(name, "toolUse");
    struct span in;
    char *dst;
    size_t n;

    if (!without(v, use ? "input" : "content", a, &in))
        return false;
    n = in.len + strlen(name) + 5;
    dst = arena_alloc(a, n + 1);
    if (!dst)
        return false;
    dst[0] = '{';
    dst[1] = '"';
    memcpy(dst + 2, name, strlen(name));
    memcpy(dst + 2 + strlen(name), "\":", 2);
    memcpy(dst + 4 + strlen(name), in.ptr, in.len);
    dst[n - 1] = '}';
    return feed_open(&s->feed,
                     (struct chunk){.part = PART_OTHER, .raw = {dst, n}});
}

static bool open_use(struct state *s, const struct json *v, struct arena *a)
{
    struct json type = json_get(v, "type");
    struct chunk c = {.part = PART_TOOL_CALL};

    s->takes_input = true;
    if (json_is(&type, "server_tool_use"))
        return open_own(s, "toolUse", v, a);
    if (!carry_str(v, "toolUseId", a, &c.id) ||
        !carry_str(v, "name", a, &c.name) || !id_read(c.id, a, &c.id) ||
        !id_read(c.name, a, &c.name))
        return false;
    if (!span_is(c.name, BEDROCK_ANSWER_TOOL))
        return feed_open(&s->feed, c);
    s->answer_tool = true;
    return feed_open(&s->feed, (struct chunk){.part = PART_TEXT});
}

static bool add_input(struct state *s, struct text t)
{
    return !s->takes_input || feed_more(&s->feed, 0, t);
}

static bool open_image(struct state *s, const struct json *v, struct arena *a)
{
    struct chunk c = {.part = PART_IMAGE};

    if (!carry_str(v, "format", a, &c.media))
        return false;
    c.media = bedrock_media(PART_IMAGE, c.media);
    return feed_open(&s->feed, c);
}

static bool add_image(struct state *s, const struct json *v)
{
    struct json source = json_get(v, "source"),
                bytes = json_get(&source, "bytes");

    return !open_part(s, PART_IMAGE) || feed_more(&s->feed, 0, text_of(&bytes));
}

/* ---- usage, finish, errors ---- */

static void add_usage(struct state *s, const struct json *v)
{
    struct usage *u = &s->feed.usage;
    struct json details = json_get(v, "cacheDetails"), one, ttl;
    struct json_iter it = json_begin(&details);
    int64_t written = carry_count(v, "cacheWriteInputTokens");

    if (v->type != JSON_OBJECT)
        return;
    memset(u, 0, sizeof *u);
    s->feed.has_usage = true;
    u->cached = carry_count(v, "cacheReadInputTokens");
    u->input = carry_count(v, "inputTokens") + u->cached + written;
    u->output = carry_count(v, "outputTokens");
    while (details.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        int64_t n = carry_count(&one, "inputTokens");

        ttl = json_get(&one, "ttl");
        if (json_is(&ttl, "1h") && n <= written - u->cache_write_1h)
            u->cache_write_1h += n;
    }
    u->cache_write = written - u->cache_write_1h;
}

static bool add_stop(struct state *s, const struct json *v, struct arena *a)
{
    enum finish finish;
    struct span reason;

    if (!carry_str(v, "stopReason", a, &reason))
        return false;
    finish = bedrock_finish(reason);
    if (finish == FINISH_TOOLS && s->answer_tool && s->feed.at[0].calls == 0)
        finish = FINISH_STOP;
    feed_finish(&s->feed, 0, finish, reason);
    return true;
}

/* {"message": ...} (or "Message"); where it is no JSON, its text. */
static bool fail(struct state *s, int status, struct span type,
                 struct span body, struct arena *a)
{
    struct span message = {NULL, 0};
    struct json v;
    struct err why;

    if (json_parse(body, &v, &why)) {
        if (!carry_str(&v, "message", a, &message) ||
            (!message.len && !carry_str(&v, "Message", a, &message)))
            return false;
    } else if (utf8_valid(body)) {
        message = (struct span){body.ptr, utf8_cut(body, 500)};
    }
    if (!message.len)
        message = SPAN("error of the provider");
    return feed_error(&s->feed, status, type, message);
}

/* ---- a whole answer ---- */

static bool whole_text(struct state *s, const struct json *v, struct arena *a)
{
    (void)a;
    s->stopped = true;
    return add_words(s, text_of(v));
}

static bool whole_use(struct state *s, const struct json *v, struct arena *a)
{
    struct json input = json_get(v, "input");

    return open_use(s, v, a) && add_input(s, json_of(&input));
}

static bool whole_result(struct state *s, const struct json *v, struct arena *a)
{
    struct json content = json_get(v, "content");

    return open_own(s, "toolResult", v, a) &&
           feed_more(&s->feed, 0, json_of(&content));
}

static bool whole_reasoning(struct state *s, const struct json *v,
                            struct arena *a)
{
    struct json in = json_get(v, "reasoningText");

    return feed_close(&s->feed, 0, no_span()) &&
           add_reasoning(s, in.type == JSON_OBJECT ? &in : v, a);
}

/* Without content it belongs to the text before it. */
static bool whole_cited(struct state *s, const struct json *v, struct arena *a)
{
    struct json content = json_get(v, "content"),
                citations = json_get(v, "citations"), one, text;
    struct json_iter it = json_begin(&content);

    (void)a;
    if (json_count(&content) > 0)
        s->stopped = true;
    while (content.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        text = json_get(&one, "text");
        if (!add_words(s, text_of(&text)))
            return false;
    }
    it = json_begin(&citations);
    while (citations.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (!add_citation(s, &one))
            return false;
    }
    return true;
}

static bool whole_image(struct state *s, const struct json *v, struct arena *a)
{
    return open_image(s, v, a) && add_image(s, v);
}

static const struct {
    const char *name;
    bool (*read)(struct state *s, const struct json *v, struct arena *a);
} blocks[] = {
    {"text", whole_text},
    {"toolUse", whole_use},
    {"toolResult", whole_result},
    {"reasoningContent", whole_reasoning},
    {"citationsContent", whole_cited},
    {"image", whole_image},
};

static bool read_block(struct state *s, const struct json *block,
                       struct arena *a)
{
    struct json_iter it = json_begin(block);
    struct json key, v;

    s->takes_input = false;
    if (block->type != JSON_OBJECT || !json_next(&it, &key, &v))
        return true;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        if (json_is(&key, blocks[i].name))
            return blocks[i].read(s, &v, a);
    }
    return feed_open(&s->feed,
                     (struct chunk){.part = PART_OTHER, .raw = block->raw});
}

static bool read_answer(struct state *s, const struct json *top,
                        struct arena *a)
{
    struct json output = json_get(top, "output"),
                usage = json_get(top, "usage"),
                message = json_get(&output, "message"),
                content = json_get(&message, "content"), one;
    struct json_iter it = json_begin(&content);

    if (!feed_start(&s->feed, no_span(), no_span(), 0))
        return false;
    while (content.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (!read_block(s, &one, a))
            return false;
    }
    add_usage(s, &usage);
    return add_stop(s, top, a) && feed_end(&s->feed);
}

bool bedrock_answer_read(struct span body, int status, struct arena *a,
                         struct chunk_sink *sink, struct err *e)
{
    struct json top, output;
    struct state s;
    struct err why;
    bool ok;

    memset(&s, 0, sizeof s);
    s.feed.sink = sink;
    ok = json_parse(body, &top, &why);
    output = ok ? json_get(&top, "output") : top;
    if (status >= 400)
        ok = fail(&s, status, span_of(bedrock_exception(status)), body, a);
    else if (!ok || output.type != JSON_OBJECT)
        ok = fail(&s, 502, SPAN("bad_answer"), body, a);
    else
        ok = read_answer(&s, &top, a);
    return ok || err_set(e, ERR_MEMORY, "answer: no memory");
}

/* ---- events ---- */

static bool on_start(struct state *s, const struct json *v, struct arena *a)
{
    (void)v;
    (void)a;
    return feed_start(&s->feed, no_span(), no_span(), 0);
}

/* Of a block that is not the open one: what was open has ended. */
static void meet(struct state *s, const struct json *v)
{
    struct json at = json_get(v, "contentBlockIndex");
    int64_t index;

    if (!json_i64(&at, &index) || index == s->index)
        return;
    s->index = index;
    s->stopped = true;
    s->takes_input = false;
}

static bool on_block_start(struct state *s, const struct json *v,
                           struct arena *a)
{
    struct json start = json_get(v, "start"), in;

    meet(s, v);
    s->stopped = true;
    s->takes_input = false;
    in = json_get(&start, "toolUse");
    if (in.type == JSON_OBJECT)
        return open_use(s, &in, a);
    in = json_get(&start, "toolResult");
    if (in.type == JSON_OBJECT)
        return open_own(s, "toolResult", &in, a);
    in = json_get(&start, "image");
    return in.type != JSON_OBJECT || open_image(s, &in, a);
}

static bool delta_text(struct state *s, const struct json *v, struct arena *a)
{
    (void)a;
    return add_words(s, text_of(v));
}

static bool delta_use(struct state *s, const struct json *v, struct arena *a)
{
    struct json input = json_get(v, "input");

    (void)a;
    return add_input(s, text_of(&input));
}

static bool delta_result(struct state *s, const struct json *v, struct arena *a)
{
    (void)a;
    return !open_part(s, PART_OTHER) || feed_more(&s->feed, 0, json_of(v));
}

static bool delta_citation(struct state *s, const struct json *v,
                           struct arena *a)
{
    (void)a;
    return add_citation(s, v);
}

static bool delta_image(struct state *s, const struct json *v, struct arena *a)
{
    (void)a;
    return add_image(s, v);
}

/* Thinking of another block than the one before is a block of its own. */
static bool delta_reasoning(struct state *s, const struct json *v,
                            struct arena *a)
{
    if (s->stopped && !feed_close(&s->feed, 0, no_span()))
        return false;
    s->stopped = false;
    return add_reasoning(s, v, a);
}

static const struct {
    const char *name;
    bool (*read)(struct state *s, const struct json *v, struct arena *a);
} deltas[] = {
    {"text", delta_text},
    {"toolUse", delta_use},
    {"reasoningContent", delta_reasoning},
    {"citation", delta_citation},
    {"toolResult", delta_result},
    {"image", delta_image},
};

static bool on_delta(struct state *s, const struct json *v, struct arena *a)
{
    struct json delta = json_get(v, "delta"), key, in;
    struct json_iter it = json_begin(&delta);

    meet(s, v);
    while (delta.type == JSON_OBJECT && json_next(&it, &key, &in)) {
        for (size_t i = 0; i < sizeof deltas / sizeof deltas[0]; i++) {
            if (json_is(&key, deltas[i].name) && !deltas[i].read(s, &in, a))
                return false;
        }
    }
    return true;
}

static bool on_block_stop(struct state *s, const struct json *v,
                          struct arena *a)
{
    (void)v;
    (void)a;
    s->stopped = true;
    s->takes_input = false;
    return open_part(s, PART_TEXT) || feed_close(&s->feed, 0, no_span());
}

static bool on_stop(struct state *s, const struct json *v, struct arena *a)
{
    return add_stop(s, v, a);
}

static bool on_metadata(struct state *s, const struct json *v, struct arena *a)
{
    struct json usage = json_get(v, "usage");

    (void)a;
    add_usage(s, &usage);
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct state *s, const struct json *v, struct arena *a);
} events[] = {
    {"messageStart", on_start},      {"contentBlockStart", on_block_start},
    {"contentBlockDelta", on_delta}, {"contentBlockStop", on_block_stop},
    {"messageStop", on_stop},        {"metadata", on_metadata},
};

static bool ends_with(struct span s, const char *end)
{
    size_t n = strlen(end);

    return s.len >= n &&
           span_is_nocase((struct span){s.ptr + s.len - n, n}, end);
}

static bool read_event(struct state *s, struct span event, struct span data,
                       struct arena *a)
{
    struct json v;
    struct err why;

    if (ends_with(event, "exception") || ends_with(event, "error"))
        return fail(s, bedrock_error_status(event),
                    utf8_valid(event) ? event : SPAN("exception"), data, a);
    if (!json_parse(data, &v, &why))
        return feed_error(&s->feed, 502, SPAN("bad_event"), span_of(why.msg));
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (span_is(event, events[i].name))
            return events[i].read(s, &v, a);
    }
    return true; /* of a later version */
}

bool bedrock_stream_read(void *state, const struct framed *got, struct arena *a,
                         struct chunk_sink *sink, struct err *e)
{
    struct span event = got->name;
    struct span data = got->data;
    struct state *s = state;

    s->feed.sink = sink;
    if (s->feed.failed || s->feed.ended)
        return true;
    return read_event(s, event, data, a) ||
           err_set(e, ERR_MEMORY, "answer: no memory");
}

bool bedrock_stream_end(void *state, struct chunk_sink *sink, struct err *e)
{
    struct state *s = state;

    s->feed.sink = sink;
    return feed_end(&s->feed) || err_set(e, ERR_MEMORY, "answer: no memory");
}
