/* SPDX-License-Identifier: Apache-2.0 */
/* struct request -> the messages and documents of a chat request. */
#include "router/codec/carry.h"
#include "router/codec/cohere.h"
#include "router/codec/put.h"

#include "base/base64.h"
#include "base/utf8.h"

#include <string.h>

struct body {
    const struct request *r;
    const struct target *t;
    struct losses *l;
    struct buf *out;
    size_t at; /* message */
};

static void lose(struct body *b, enum lossy kind)
{
    lossy_add(b->l, kind, "messages[%zu]", b->at);
}

/* ---- documents ---- */

static bool text_media(struct span media)
{
    return span_starts(media, "text/") || span_is(media, "application/json");
}

bool cohere_is_document(const struct part *p)
{
    return p->kind == PART_FILE &&
           (p->text.raw.len || (p->data.len && text_media(p->media)));
}

/* Base64 as text; false where it is none. */
static bool put_decoded(struct buf *out, const char *name, struct span data)
{
    struct buf plain;
    size_t n = 0;
    char *room;
    bool ok;

    buf_init(&plain, out->max);
    room = buf_room(&plain, BASE64_BYTES(data.len) + 1);
    ok = room && base64_decode(data, room, &n) &&
         utf8_valid((struct span){room, n});
    if (ok)
        put_str(out, name, (struct span){room, n});
    buf_free(&plain);
    return ok;
}

/* {"data":{"title":...,"text":...}}; false: nothing was written. */
static bool put_data(struct body *b, const struct part *p)
{
    put_open(b->out, "data");
    if (p->name.len)
        put_str(b->out, "title", p->name);
    if (p->text.raw.len)
        put_text(b->out, "text", p->text);
    else if (!put_decoded(b->out, "text", p->data))
        return false;
    buf_str(b->out, "}}");
    return true;
}

static void put_documents(struct body *b)
{
    size_t mark = b->out->len, start, n = 0;

    put_list(b->out, "documents");
    start = b->out->len;
    for (b->at = 0; b->at < b->r->n_messages; b->at++) {
        const struct message *m = &b->r->messages[b->at];

        for (size_t i = 0; i < m->n_parts; i++) {
            size_t one = b->out->len;

            if (!cohere_is_document(&m->parts[i]))
                continue;
            put_comma(b->out);
            buf_printf(b->out, "{\"id\":\"doc:%zu\"", n++);
            if (put_data(b, &m->parts[i]))
                continue;
            carry_undo(b->out, one);
            lose(b, LOSSY_FILE);
        }
    }
    if (b->out->len == start)
        carry_undo(b->out, mark);
    else
        buf_char(b->out, ']');
}

/* ---- content ---- */

static void put_item(struct body *b, const char *type)
{
    put_comma(b->out);
    buf_char(b->out, '{');
    put_cstr(b->out, "type", type);
}

static void put_words(struct body *b, const struct part *p)
{
    if (p->text.raw.len == 0)
        return;
    put_item(b, "text");
    carry_text(b->out, "text", p);
    buf_char(b->out, '}');
}

static void put_thinking(struct body *b, const struct part *p)
{
    if (!b->t->same_model || p->redacted || p->text.raw.len == 0) {
        lose(b, LOSSY_THINKING);
        return;
    }
    put_item(b, "thinking");
    put_text(b->out, "thinking", p->text);
    buf_char(b->out, '}');
    if (p->signature.len)
        lose(b, LOSSY_SIGNATURE);
}

static void put_image(struct body *b, const struct part *p)
{
    if (!p->data.len && !span_starts(p->url, "https:") &&
        !span_starts(p->url, "http:") && !span_starts(p->url, "data:")) {
        lose(b, LOSSY_IMAGE);
        return;
    }
    put_item(b, "image_url");
    put_open(b->out, "image_url");
    put_key(b->out, "url");
    if (p->data.len) {
        buf_str(b->out, "\"data:");
        buf_span(b->out, p->media.len ? p->media : SPAN("image/png"));
        buf_str(b->out, ";base64,");
        buf_span(b->out, p->data);
        buf_char(b->out, '"');
    } else {
        buf_json_str(b->out, p->url);
    }
    buf_str(b->out, "}}");
}

static void put_file(struct body *b, const struct part *p)
{
    if (!cohere_is_document(p)) /* those stand beside the messages */
        lose(b, LOSSY_FILE);
}

static void put_audio(struct body *b, const struct part *p)
{
    (void)p;
    lose(b, LOSSY_AUDIO);
}

static void put_other(struct body *b, const struct part *p)
{
    (void)p;
    lose(b, LOSSY_OTHER);
}

static void put_nothing(struct body *b, const struct part *p)
{
    (void)b;
    (void)p; /* calls and results have places of their own */
}

static void (*const writers[])(struct body *b, const struct part *p) = {
    [PART_TEXT] = put_words,        [PART_IMAGE] = put_image,
    [PART_AUDIO] = put_audio,       [PART_FILE] = put_file,
    [PART_TOOL_CALL] = put_nothing, [PART_TOOL_RESULT] = put_nothing,
    [PART_THINKING] = put_thinking, [PART_REFUSAL] = put_words,
    [PART_OTHER] = put_other,
};

static void put_part(struct body *b, const struct part *p)
{
    if (p->cache.len)
        lossy_add(b->l, LOSSY_CACHE_CONTROL, "cache_control");
    if (p->signature.len && p->kind == PART_TOOL_CALL)
        lose(b, LOSSY_SIGNATURE);
    writers[p->kind](b, p);
}

/* ---- results ---- */

/* Inside a result: texts and documents. */
static void put_inner(struct body *b, const struct part *p)
{
    size_t mark = b->out->len;

    if (p->kind == PART_IMAGE) {
        lose(b, LOSSY_IMAGE);
    } else if (cohere_is_document(p)) {
        put_item(b, "document");
        put_open(b->out, "document");
        if (put_data(b, p)) {
            buf_char(b->out, '}');
            return;
        }
        carry_undo(b->out, mark);
        lose(b, LOSSY_FILE);
    } else if (p->kind == PART_TOOL_RESULT && p->n_parts) {
        for (size_t i = 0; i < p->n_parts; i++)
            put_inner(b, &p->parts[i]);
    } else if (p->kind == PART_TOOL_RESULT) {
        put_words(b, p);
    } else {
        put_part(b, p);
    }
}

static bool goes_on(const struct message *m, size_t i, const struct part *first)
{
    const struct part *p = &m->parts[i];

    return p->kind == PART_TOOL_RESULT ? span_eq(p->id, first->id)
                                       : m->role == ROLE_TOOL;
}

/* Each result is a message; parts of one id are one, and what stands behind
 * one in a tool's message without being one is of it.  Returns the part
 * behind. */
static size_t put_result(struct body *b, const struct message *m, size_t i)
{
    const struct part *first = &m->parts[i];
    size_t end = i + 1;

    while (end < m->n_parts && goes_on(m, end, first))
        end++;
    put_comma(b->out);
    buf_str(b->out, "{\"role\":\"tool\"");
    put_str(b->out, "tool_call_id", first->id);
    if (first->is_error)
        lose(b, LOSSY_ERROR_FLAG);
    if (first->cache.len)
        lossy_add(b->l, LOSSY_CACHE_CONTROL, "cache_control");
    if (end == i + 1 && !first->n_parts) {
        carry_text(b->out, "content", first);
        buf_char(b->out, '}');
        return end;
    }
    put_list(b->out, "content");
    for (; i < end; i++)
        put_inner(b, &m->parts[i]);
    buf_str(b->out, "]}");
    return end;
}

/* ---- messages ---- */

static void put_call(struct body *b, const struct part *p)
{
    put_comma(b->out);
    buf_char(b->out, '{');
    put_str(b->out, "id", p->id);
    put_cstr(b->out, "type", "function");
    put_open(b->out, "function");
    put_str(b->out, "name", p->name);
    if (p->text.raw.len == 0)
        put_cstr(b->out, "arguments", "{}");
    else
        carry_text(b->out, "arguments", p);
    buf_str(b->out, "}}");
}

static bool has_kind(const struct message *m, enum part_kind kind)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].kind == kind)
            return true;
    }
    return false;
}

static bool is_words(const struct part *p)
{
    return p->kind == PART_TEXT || p->kind == PART_REFUSAL;
}

/* What was said before the calls, as one text; insides of JSON strings may
 * stand one behind the other. */
static void put_plan(struct body *b, const struct message *m)
{
    size_t mark = b->out->len, start;

    put_key(b->out, "tool_plan");
    buf_char(b->out, '"');
    start = b->out->len;
    for (size_t i = 0; i < m->n_parts; i++) {
        if (is_words(&m->parts[i]))
            buf_span(b->out, m->parts[i].text.raw);
    }
    if (b->out->len == start)
        carry_undo(b->out, mark);
    else
        buf_char(b->out, '"');
}

static void put_calls(struct body *b, const struct message *m)
{
    put_plan(b, m);
    put_list(b->out, "tool_calls");
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].kind == PART_TOOL_CALL)
            put_call(b, &m->parts[i]);
    }
    buf_char(b->out, ']');
}

static void put_spoken(struct body *b, const struct message *m, size_t end)
{
    static const char *const names[] = {"system", "user", "assistant", "user"};
    bool calls = m->role == ROLE_ASSISTANT && has_kind(m, PART_TOOL_CALL);
    size_t mark = b->out->len, content, start;

    put_comma(b->out);
    buf_char(b->out, '{');
    put_cstr(b->out, "role", names[m->role]);
    content = b->out->len;
    put_list(b->out, "content");
    start = b->out->len;
    for (size_t i = 0; i < end; i++) {
        if (!calls || !is_words(&m->parts[i]))
            put_part(b, &m->parts[i]);
    }
    if (b->out->len > start)
        buf_char(b->out, ']');
    else if (calls)
        carry_undo(b->out, content);
    else
        carry_undo(b->out, mark); /* nothing left of it */
    if (calls)
        put_calls(b, m);
    if (b->out->len > mark)
        buf_char(b->out, '}');
}

static void put_message(struct body *b, const struct message *m)
{
    size_t end = m->n_parts, i = 0;

    if (m->role == ROLE_TOOL) { /* behind a result: written with it */
        for (end = 0; end < m->n_parts; end++) {
            if (m->parts[end].kind == PART_TOOL_RESULT)
                break;
        }
    }
    while (i < m->n_parts) {
        if (m->parts[i].kind == PART_TOOL_RESULT)
            i = put_result(b, m, i);
        else
            i++;
    }
    put_spoken(b, m, end);
}

static bool is_thinking(const struct json *block)
{
    struct json type = json_get(block, "type");

    return json_is(&type, "thinking");
}

bool cohere_request_write(const struct request *r, const struct target *t,
                          struct losses *l, struct buf *out, struct err *e)
{
    static const struct carry_body same = {true, true, is_thinking};
    struct body b = {r, t, l, out, 0};

    if (t->same_dialect && r->body.len)
        return carry_body(r, t, &same, out, e);
    carry_no_signatures(r, l);
    buf_char(out, '{');
    put_str(out, "model", t->model);
    put_list(out, "messages");
    for (b.at = 0; b.at < r->n_messages; b.at++)
        put_message(&b, &r->messages[b.at]);
    buf_char(out, ']');
    put_documents(&b);
    cohere_write_params(r, t, l, out);
    buf_char(out, '}');
    return !out->failed || err_set(e, ERR_MEMORY, "request: no memory");
}
