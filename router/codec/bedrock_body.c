/* SPDX-License-Identifier: Apache-2.0 */
/* struct request -> the messages of a Converse request. */
#include "router/codec/bedrock.h"
#include "router/codec/carry.h"
#include "router/codec/ids.h"
#include "router/codec/put.h"

#include <string.h>

struct body {
    const struct request *r;
    const struct target *t;
    struct losses *l;
    struct buf *out;
    size_t at;  /* message */
    bool think; /* thinking is asked for: the model's own may go back */
};

/* ---- blocks ---- */

/* {"text": ...}; texts without anything in them are refused. */
static void put_words(struct body *b, const struct part *p)
{
    if (!p->text_is_json && carry_blank(p->text)) {
        if (p->text.raw.len)
            lossy_add(b->l, LOSSY_OTHER, "messages[%zu]: blank text", b->at);
        return;
    }
    put_comma(b->out);
    buf_char(b->out, '{');
    carry_text(b->out, "text", p);
    buf_char(b->out, '}');
}

static void put_source(struct buf *out, const char *key, struct span value)
{
    put_open(out, "source");
    if (!strcmp(key, "uri")) {
        put_open(out, "s3Location");
        put_str(out, key, value);
        buf_char(out, '}');
    } else {
        put_str(out, key, value);
    }
    buf_str(out, "}}}");
}

/* Bytes or an address in S3; other addresses are not fetched by Bedrock. */
static bool put_blob(struct body *b, const struct part *p, const char *name,
                     struct span format)
{
    bool s3 = p->data.len == 0 && span_starts(p->url, "s3://");

    if (format.len == 0 || (p->data.len == 0 && !s3))
        return false;
    put_comma(b->out);
    buf_char(b->out, '{');
    put_open(b->out, name);
    put_str(b->out, "format", format);
    put_source(b->out, s3 ? "uri" : "bytes", s3 ? p->url : p->data);
    return true;
}

bool bedrock_wants_data(const struct part *p, const struct target *t)
{
    (void)t;
    return (p->kind == PART_IMAGE || p->kind == PART_FILE) &&
           span_starts(p->url, "http");
}

static void put_image(struct body *b, const struct part *p)
{
    if (!put_blob(b, p, "image", bedrock_format(PART_IMAGE, p->media)))
        lossy_add(b->l, LOSSY_IMAGE, "messages[%zu]", b->at);
}

static void put_audio(struct body *b, const struct part *p)
{
    if (!put_blob(b, p, "audio", bedrock_format(PART_AUDIO, p->media)))
        lossy_add(b->l, LOSSY_AUDIO, "messages[%zu]", b->at);
}

/* ---- documents ---- */

static bool named_before(const struct request *r, const struct part *p)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        const struct message *m = &r->messages[i];

        for (size_t j = 0; j < m->n_parts; j++) {
            if (&m->parts[j] == p)
                return false;
            if (m->parts[j].kind == PART_FILE &&
                span_eq(m->parts[j].name, p->name))
                return true;
        }
    }
    return false;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c && strchr("-()[]", c));
}

/* Letters, digits, single spaces, "-", brackets: what Bedrock takes, and
 * each name once. */
static void put_name(struct body *b, const struct part *p)
{
    struct span name = p->name;
    char last = ' ';
    size_t mark;

    for (size_t i = name.len; i > 1; i--) {
        if (name.ptr[i - 1] == '.') {
            name.len = i - 1; /* the format says it */
            break;
        }
    }
    name.len = name.len > 150 ? 150 : name.len;
    put_key(b->out, "name");
    buf_char(b->out, '"');
    mark = b->out->len;
    for (size_t i = 0; i < name.len; i++) {
        char c = name_char(name.ptr[i]) ? name.ptr[i] : ' ';

        if (c != ' ' || last != ' ')
            buf_char(b->out, c);
        last = c;
    }
    if (b->out->len == mark)
        buf_str(b->out, "document");
    if (named_before(b->r, p))
        buf_printf(b->out, " (%zu-%zu)", b->at, b->out->len);
    buf_char(b->out, '"');
}

static struct span document_format(const struct part *p)
{
    struct span format = bedrock_format(PART_FILE, p->media);
    struct span rest = p->name, ext = {NULL, 0};

    if (format.len)
        return format;
    while (rest.len)
        ext = span_cut(&rest, '.');
    if (bedrock_media(PART_FILE, ext).len)
        return ext;
    return p->data.len ? format : SPAN("txt");
}

static void put_pages(struct body *b, const struct part *p)
{
    put_list(b->out, "content");
    for (size_t i = 0; i < p->n_parts; i++) {
        if (p->parts[i].kind == PART_TEXT)
            put_words(b, &p->parts[i]);
        else
            lossy_add(b->l, LOSSY_FILE, "messages[%zu]", b->at);
    }
    buf_char(b->out, ']');
}

static void put_document(struct body *b, const struct part *p)
{
    struct span format = document_format(p);
    bool s3 = span_starts(p->url, "s3://");

    if (format.len == 0 ||
        !(p->data.len || p->text.raw.len || p->n_parts || s3)) {
        lossy_add(b->l, LOSSY_FILE, "messages[%zu]", b->at);
        return;
    }
    put_comma(b->out);
    buf_str(b->out, "{\"document\":{");
    put_str(b->out, "format", format);
    put_name(b, p);
    if (p->data.len || s3) {
        put_source(b->out, p->data.len ? "bytes" : "uri",
                   p->data.len ? p->data : p->url);
        return;
    }
    put_open(b->out, "source");
    if (p->n_parts)
        put_pages(b, p);
    else
        put_text(b->out, "text", p->text);
    buf_str(b->out, "}}}");
}

/* ---- thinking and calls ---- */

/* Unsigned thinking is refused by the models that sign theirs. */
static void put_thinking(struct body *b, const struct part *p)
{
    if (!b->t->same_model || !b->think || p->signature.len == 0) {
        lossy_add(b->l, LOSSY_THINKING, "messages[%zu]", b->at);
        return;
    }
    put_comma(b->out);
    buf_str(b->out, "{\"reasoningContent\":{");
    if (p->redacted) {
        put_base64(b->out, "redactedContent", p->signature);
    } else {
        put_open(b->out, "reasoningText");
        put_text(b->out, "text", p->text);
        put_base64(b->out, "signature", p->signature);
        buf_char(b->out, '}');
    }
    buf_str(b->out, "}}");
}

static void put_id(struct buf *out, const char *name, struct span id)
{
    put_key(out, name);
    id_write(out, id);
}

static void put_call(struct body *b, const struct part *p)
{
    put_comma(b->out);
    buf_str(b->out, "{\"toolUse\":{");
    put_id(b->out, "toolUseId", p->id);
    put_id(b->out, "name", p->name);
    carry_arguments(b->out, "input", p, b->l);
    buf_str(b->out, "}}");
}

static void put_other(struct body *b, const struct part *p)
{
    if (b->t->same_dialect && p->raw.len) {
        put_comma(b->out);
        buf_span(b->out, p->raw);
        return;
    }
    lossy_add(b->l, LOSSY_OTHER, "messages[%zu]", b->at);
}

static void put_nothing(struct body *b, const struct part *p)
{
    (void)b;
    (void)p; /* results have been written in front of the rest */
}

static void (*const writers[])(struct body *b, const struct part *p) = {
    [PART_TEXT] = put_words,        [PART_IMAGE] = put_image,
    [PART_AUDIO] = put_audio,       [PART_FILE] = put_document,
    [PART_TOOL_CALL] = put_call,    [PART_TOOL_RESULT] = put_nothing,
    [PART_THINKING] = put_thinking, [PART_REFUSAL] = put_words,
    [PART_OTHER] = put_other,
};

void bedrock_write_cache(struct span cache, struct buf *out)
{
    bool hour = span_has(cache, SPAN("\"1h\""));

    if (cache.len == 0)
        return;
    put_comma(out);
    buf_str(out, "{\"cachePoint\":{\"type\":\"default\"");
    if (hour)
        put_cstr(out, "ttl", "1h");
    buf_str(out, "}}");
}

/* The block, and a cache point behind it where it is one; none without. */
static void put_part(struct body *b, const struct part *p)
{
    size_t mark = b->out->len;

    writers[p->kind](b, p);
    if (b->out->len > mark)
        bedrock_write_cache(p->cache, b->out);
}

/* ---- results ---- */

static void put_inner(struct body *b, const struct part *p)
{
    if (p->text_is_json && p->text.raw.len && *p->text.raw.ptr == '{') {
        put_comma(b->out);
        buf_char(b->out, '{');
        put_raw(b->out, "json", p->text.raw);
        buf_char(b->out, '}');
    } else if (p->kind == PART_TOOL_RESULT && !p->n_parts) {
        put_words(b, p);
    } else if (p->kind == PART_TOOL_RESULT) {
        for (size_t i = 0; i < p->n_parts; i++)
            put_part(b, &p->parts[i]);
    } else {
        put_part(b, p);
    }
}

/* Parts of one id are one result, and what stands behind one in a tool's
 * message without being one (an image) is of it. */
static bool goes_on(const struct message *m, size_t i, const struct part *first)
{
    const struct part *p = &m->parts[i];

    return p->kind == PART_TOOL_RESULT ? span_eq(p->id, first->id)
                                       : m->role == ROLE_TOOL;
}

static void put_results(struct body *b, const struct message *m)
{
    size_t i = 0;

    while (i < m->n_parts) {
        const struct part *p = &m->parts[i];
        bool failed = false;

        if (p->kind != PART_TOOL_RESULT) {
            i++;
            continue;
        }
        put_comma(b->out);
        buf_str(b->out, "{\"toolResult\":{");
        put_id(b->out, "toolUseId", p->id);
        put_list(b->out, "content");
        do {
            failed = failed || m->parts[i].is_error;
            put_inner(b, &m->parts[i++]);
        } while (i < m->n_parts && goes_on(m, i, p));
        buf_char(b->out, ']');
        if (failed)
            put_cstr(b->out, "status", "error");
        buf_str(b->out, "}}");
        bedrock_write_cache(p->cache, b->out);
    }
}

/* ---- messages ---- */

static void put_parts(struct body *b, const struct message *m)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->role == ROLE_TOOL && m->parts[i].kind == PART_TOOL_RESULT)
            break; /* what stands behind it was written with it */
        put_part(b, &m->parts[i]);
    }
}

/* Messages of one side that follow each other are one, with all results in
 * front: what stands behind a call answers it. */
static size_t put_turn(struct body *b, size_t from)
{
    const struct request *r = b->r;
    bool assistant = r->messages[from].role == ROLE_ASSISTANT;
    size_t mark = b->out->len, end = from, start;

    while (end < r->n_messages &&
           (r->messages[end].role == ROLE_SYSTEM ||
            (r->messages[end].role == ROLE_ASSISTANT) == assistant))
        end++;
    put_comma(b->out);
    buf_char(b->out, '{');
    put_cstr(b->out, "role", assistant ? "assistant" : "user");
    put_list(b->out, "content");
    start = b->out->len;
    for (b->at = from; b->at < end; b->at++) {
        if (r->messages[b->at].role != ROLE_SYSTEM)
            put_results(b, &r->messages[b->at]);
    }
    for (b->at = from; b->at < end; b->at++) {
        if (r->messages[b->at].role != ROLE_SYSTEM)
            put_parts(b, &r->messages[b->at]);
    }
    if (b->out->len == start)
        carry_undo(b->out, mark); /* empty messages are refused */
    else
        buf_str(b->out, "]}");
    return end;
}

static void put_system(struct body *b)
{
    size_t mark = b->out->len, start;
    bool spoken = false;

    put_list(b->out, "system");
    start = b->out->len;
    for (b->at = 0; b->at < b->r->n_messages; b->at++) {
        const struct message *m = &b->r->messages[b->at];

        if (m->role != ROLE_SYSTEM) {
            spoken = true;
            continue;
        }
        if (spoken)
            lossy_add(b->l, LOSSY_ROLE, "messages[%zu]", b->at);
        for (size_t i = 0; i < m->n_parts; i++) {
            if (m->parts[i].kind == PART_TEXT || b->t->same_dialect)
                put_part(b, &m->parts[i]);
            else
                lossy_add(b->l, LOSSY_OTHER, "messages[%zu]", b->at);
        }
    }
    if (b->out->len == start)
        carry_undo(b->out, mark);
    else
        buf_char(b->out, ']');
}

static void put_messages(struct body *b)
{
    put_list(b->out, "messages");
    for (size_t i = 0; i < b->r->n_messages;) {
        if (b->r->messages[i].role == ROLE_SYSTEM)
            i++;
        else
            i = put_turn(b, i);
    }
    buf_char(b->out, ']');
}

static bool is_thinking(const struct json *block)
{
    return json_get(block, "reasoningContent").type != JSON_NONE;
}

bool bedrock_request_write(const struct request *r, const struct target *t,
                           struct losses *l, struct buf *out, struct err *e)
{
    static const struct carry_body same = {false, false, is_thinking};
    struct body b = {r, t, l, out, 0, false};

    if (t->same_dialect && r->body.len)
        return carry_body(r, t, &same, out, e);
    carry_no_signatures(r, l);
    b.think = bedrock_thinking(r, t, l).budget != 0;
    buf_char(out, '{');
    put_system(&b);
    put_messages(&b);
    bedrock_write_tools(r, t, l, out);
    bedrock_write_params(r, t, l, out);
    buf_char(out, '}');
    return !out->failed || err_set(e, ERR_MEMORY, "request: no memory");
}
