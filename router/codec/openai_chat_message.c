/* SPDX-License-Identifier: Apache-2.0 */
/* A canonical message -> messages of chat completions. */
#include "router/codec/openai_chat.h"
#include "router/codec/put.h"
#include "router/codec/quirks.h"

#include <string.h>

/* What the writing of one message needs. */
struct writing {
    const struct target *t;
    uint32_t bits; /* the provider's quirks */
    struct losses *l;
    struct buf *out;
    size_t i; /* the message's place in the request */
};

static void open_message(struct writing *w, const char *role)
{
    put_comma(w->out);
    buf_char(w->out, '{');
    put_cstr(w->out, "role", role);
}

static bool is_content(const struct part *p)
{
    return p->kind == PART_TEXT || p->kind == PART_IMAGE ||
           p->kind == PART_AUDIO || p->kind == PART_FILE ||
           p->kind == PART_OTHER;
}

static void put_cache(struct writing *w, const struct part *p)
{
    if (!p->cache.len)
        return;
    if (w->bits & QUIRK_CACHE_CONTROL)
        put_raw(w->out, "cache_control", p->cache);
    else
        lossy_add(w->l, LOSSY_CACHE_CONTROL, "messages[%zu]", w->i);
}

static void open_part(struct writing *w, const char *type)
{
    put_comma(w->out);
    buf_char(w->out, '{');
    put_cstr(w->out, "type", type);
}

static void put_text_part(struct writing *w, const struct part *p)
{
    open_part(w, "text");
    put_text(w->out, "text", p->text);
    put_cache(w, p);
    buf_char(w->out, '}');
}

static void put_name(struct writing *w, const struct message *m)
{
    if (m->name.len && w->bits & QUIRK_NO_NAME)
        lossy_add(w->l, LOSSY_PARAMETER, "messages[%zu].name", w->i);
    else if (m->name.len)
        put_str(w->out, "name", m->name);
}

/* The address, or "data:...;base64,..." of what has none. */
static void put_address(struct writing *w, const char *name,
                        const struct part *p)
{
    if (p->url.len && !p->data.len) {
        put_str(w->out, name, p->url);
        return;
    }
    put_key(w->out, name);
    buf_str(w->out, "\"data:");
    put_plain(w->out, p->media.len ? p->media : SPAN("image/png"));
    buf_str(w->out, ";base64,");
    put_plain(w->out, p->data);
    buf_char(w->out, '"');
}

static bool is_address(struct span url)
{
    return span_starts(url, "https://") || span_starts(url, "http://") ||
           span_starts(url, "data:");
}

bool chat_wants_data(const struct part *p, const struct target *t)
{
    uint32_t bits = t->quirks ? t->quirks->bits : 0;

    if (!span_starts(p->url, "http"))
        return false;
    return p->kind == PART_IMAGE
               ? bits & QUIRK_IMAGE_DATA
               : p->kind == PART_FILE &&
                     !(bits & (QUIRK_DOCUMENT_URL | QUIRK_FILE_URL |
                               QUIRK_FILE_DATA_URL));
}

/* What a provider of QUIRK_IMAGE_DATA takes.  A client's data URL that is not
 * base64 is left to it. */
static bool is_taken(const struct part *p)
{
    static const char *const kinds[] = {"image/jpeg", "image/jpg", "image/png",
                                        "image/webp"};

    if (!p->data.len)
        return span_starts(p->url, "data:");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (span_is_nocase(p->media, kinds[i]))
            return true;
    }
    return p->media.len == 0;
}

bool chat_image_fits(const struct part *p, uint32_t bits)
{
    return (p->data.len || is_address(p->url)) &&
           (!(bits & QUIRK_IMAGE_DATA) || is_taken(p));
}

static void put_image(struct writing *w, const struct part *p)
{
    if (!chat_image_fits(p, w->bits)) {
        lossy_add(w->l, LOSSY_IMAGE, "messages[%zu]", w->i);
        return;
    }
    open_part(w, "image_url");
    put_open(w->out, "image_url");
    put_address(w, "url", p);
    buf_char(w->out, '}');
    put_cache(w, p);
    buf_char(w->out, '}');
}

static void put_audio(struct writing *w, const struct part *p)
{
    bool mp3 =
        span_is(p->media, "audio/mpeg") || span_is(p->media, "audio/mp3");
    bool wav = span_is(p->media, "audio/wav") ||
               span_is(p->media, "audio/x-wav") ||
               span_is(p->media, "audio/wave");

    if (!p->data.len || !(mp3 || wav)) {
        lossy_add(w->l, LOSSY_AUDIO, "messages[%zu]", w->i);
        return;
    }
    open_part(w, "input_audio");
    put_open(w->out, "input_audio");
    put_str(w->out, "data", p->data);
    put_cstr(w->out, "format", mp3 ? "mp3" : "wav");
    buf_str(w->out, "}}");
}

/* A document by its address, where the provider fetches it. */
static void put_linked_file(struct writing *w, const struct part *p)
{
    if (w->bits & QUIRK_DOCUMENT_URL) {
        open_part(w, "document_url");
        put_str(w->out, "document_url", p->url);
    } else if (w->bits & QUIRK_FILE_URL) {
        open_part(w, "file_url");
        put_open(w->out, "file_url");
        put_str(w->out, "url", p->url);
        buf_char(w->out, '}');
    } else if (w->bits & QUIRK_FILE_DATA_URL) {
        open_part(w, "file");
        put_open(w->out, "file");
        put_str(w->out, "filename", p->name.len ? p->name : SPAN("document"));
        put_str(w->out, "file_data", p->url);
        buf_char(w->out, '}');
    } else {
        lossy_add(w->l, LOSSY_FILE, "messages[%zu]", w->i);
        return;
    }
    buf_char(w->out, '}');
}

static void put_file(struct writing *w, const struct part *p)
{
    bool linked = !p->data.len && span_starts(p->url, "http");

    if (p->text.raw.len) { /* a document that is text anyway */
        put_text_part(w, p);
        return;
    }
    for (size_t i = 0; i < p->n_parts; i++) {
        if (p->parts[i].kind == PART_TEXT)
            put_text_part(w, &p->parts[i]);
    }
    if (p->n_parts)
        return;
    if (linked || (p->data.len && w->bits & QUIRK_DOCUMENT_URL)) {
        put_linked_file(w, p);
        return;
    }
    if (!p->data.len && !w->t->same_dialect) {
        lossy_add(w->l, LOSSY_FILE, "messages[%zu]", w->i);
        return;
    }
    open_part(w, "file");
    put_open(w->out, "file");
    if (p->data.len) {
        put_str(w->out, "filename",
                p->name.len ? p->name : SPAN("document.pdf"));
        put_address(w, "file_data", p);
    } else {
        put_str(w->out, "file_id", p->url.len ? p->url : p->id);
    }
    buf_char(w->out, '}');
    put_cache(w, p);
    buf_char(w->out, '}');
}

static void put_part(struct writing *w, const struct part *p)
{
    switch (p->kind) {
    case PART_TEXT:
        put_text_part(w, p);
        break;
    case PART_IMAGE:
        put_image(w, p);
        break;
    case PART_AUDIO:
        put_audio(w, p);
        break;
    case PART_FILE:
        put_file(w, p);
        break;
    case PART_OTHER:
        if (w->t->same_dialect && p->raw.len) {
            put_comma(w->out);
            buf_span(w->out, p->raw);
            break;
        }
        lossy_add(w->l, LOSSY_OTHER, "messages[%zu]", w->i);
        break;
    default:
        break;
    }
}

/* Texts in one string, `between` them. */
static void put_joined(struct writing *w, const struct part *parts, size_t n,
                       const char *between)
{
    bool any = false;

    put_key(w->out, "content");
    buf_char(w->out, '"');
    for (size_t i = 0; i < n; i++) {
        if (parts[i].kind != PART_TEXT)
            continue;
        if (any)
            buf_str(w->out, between);
        any = true;
        buf_span(w->out, parts[i].text.raw);
        if (parts[i].cache.len)
            lossy_add(w->l, LOSSY_CACHE_CONTROL, "messages[%zu]", w->i);
    }
    buf_char(w->out, '"');
}

static void put_content(struct writing *w, const struct part *parts, size_t n)
{
    size_t count = 0, texts = 0;
    bool cached = false;

    for (size_t i = 0; i < n; i++) {
        count += is_content(&parts[i]);
        texts += parts[i].kind == PART_TEXT;
        cached = cached || parts[i].cache.len;
    }
    if (count == texts && count <= 1 &&
        !(cached && w->bits & QUIRK_CACHE_CONTROL)) {
        put_joined(w, parts, n, "");
        return;
    }
    put_list(w->out, "content");
    for (size_t i = 0; i < n; i++)
        put_part(w, &parts[i]);
    buf_char(w->out, ']');
}

/* ---- results ---- */

static void put_result_text(struct writing *w, const struct part *p)
{
    const char *mark = p->is_error ? "Error: " : "";

    put_key(w->out, "content");
    if (p->text_is_json) {
        buf_json_str(w->out, p->text.raw);
        return;
    }
    buf_char(w->out, '"');
    buf_str(w->out, mark);
    if (!p->n_parts)
        buf_span(w->out, p->text.raw);
    for (size_t i = 0, any = 0; i < p->n_parts; i++) {
        if (p->parts[i].kind != PART_TEXT)
            continue;
        buf_str(w->out, any++ ? "\\n" : "");
        buf_span(w->out, p->parts[i].text.raw);
    }
    buf_char(w->out, '"');
}

static bool all_texts(const struct part *p)
{
    for (size_t i = 0; i < p->n_parts; i++) {
        if (p->parts[i].kind != PART_TEXT)
            return false;
    }
    return p->n_parts > 0;
}

static void put_result(struct writing *w, const struct part *p)
{
    open_message(w, "tool");
    put_key(w->out, "tool_call_id");
    quirks_put_id(w->t->quirks, p->id, w->out);
    if (all_texts(p) && !p->is_error && !(w->bits & QUIRK_FLAT)) {
        put_list(w->out, "content");
        for (size_t i = 0; i < p->n_parts; i++)
            put_part(w, &p->parts[i]);
        buf_char(w->out, ']');
    } else {
        put_result_text(w, p);
    }
    buf_char(w->out, '}');
    if (p->is_error)
        lossy_add(w->l, LOSSY_ERROR_FLAG, "messages[%zu]", w->i);
    if (p->cache.len)
        lossy_add(w->l, LOSSY_CACHE_CONTROL, "messages[%zu]", w->i);
}

/* Pictures and files of results, which tool messages cannot have: the user
 * hands them in. */
static void put_result_media(struct writing *w, const struct message *m)
{
    bool any = false;

    for (size_t i = 0; i < m->n_parts; i++) {
        for (size_t k = 0; k < m->parts[i].n_parts; k++) {
            const struct part *p = &m->parts[i].parts[k];

            if (m->parts[i].kind != PART_TOOL_RESULT || !is_content(p) ||
                p->kind == PART_TEXT)
                continue;
            if (!any) {
                open_message(w, "user");
                put_list(w->out, "content");
            }
            any = true;
            put_part(w, p);
        }
    }
    if (!any)
        return;
    buf_str(w->out, "]}");
    lossy_add(w->l, LOSSY_ROLE, "messages[%zu]", w->i);
}

/* Results first, as they must follow the calls; then what the user says. */
static void put_user(struct writing *w, const struct message *m)
{
    size_t results = 0, content = 0;

    for (size_t i = 0; i < m->n_parts; i++) {
        const struct part *p = &m->parts[i];

        if (p->kind == PART_TOOL_RESULT) {
            if (content)
                lossy_add(w->l, LOSSY_ROLE, "messages[%zu]", w->i);
            put_result(w, p);
            results++;
        }
        content += is_content(p);
    }
    if (results)
        put_result_media(w, m);
    if (results && !content)
        return;
    open_message(w, "user");
    put_name(w, m);
    put_content(w, m->parts, m->n_parts);
    buf_char(w->out, '}');
}

/* ---- the assistant ---- */

static size_t count(const struct message *m, enum part_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n_parts; i++)
        n += m->parts[i].kind == kind;
    return n;
}

static void put_kind_joined(struct writing *w, const struct message *m,
                            enum part_kind kind, const char *name)
{
    put_key(w->out, name);
    buf_char(w->out, '"');
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].kind == kind)
            buf_span(w->out, m->parts[i].text.raw);
    }
    buf_char(w->out, '"');
}

static void put_details(struct writing *w, const struct message *m)
{
    put_list(w->out, "reasoning_details");
    for (size_t i = 0; i < m->n_parts; i++) {
        const struct part *p = &m->parts[i];

        if (p->kind != PART_THINKING)
            continue;
        if (w->t->same_dialect && p->raw.len && p->raw.ptr[0] == '{') {
            put_comma(w->out);
            buf_span(w->out, p->raw);
            continue;
        }
        open_part(w, p->redacted ? "reasoning.encrypted" : "reasoning.text");
        if (!p->redacted)
            put_text(w->out, "text", p->text);
        if (p->signature.len)
            put_str(w->out, p->redacted ? "data" : "signature", p->signature);
        buf_char(w->out, '}');
    }
    buf_char(w->out, ']');
}

static void put_thinking(struct writing *w, const struct message *m)
{
    if (!count(m, PART_THINKING))
        return;
    if (w->t->same_model && w->bits & QUIRK_REPLAY_DETAILS)
        put_details(w, m);
    else if (w->t->same_model && w->bits & QUIRK_REPLAY_CONTENT)
        put_kind_joined(w, m, PART_THINKING, "reasoning_content");
    else
        lossy_add(w->l, LOSSY_THINKING, "messages[%zu]", w->i);
}

static void put_calls(struct writing *w, const struct message *m)
{
    if (!count(m, PART_TOOL_CALL))
        return;
    put_list(w->out, "tool_calls");
    for (size_t i = 0; i < m->n_parts; i++) {
        const struct part *p = &m->parts[i];

        if (p->kind != PART_TOOL_CALL)
            continue;
        put_comma(w->out);
        buf_str(w->out, "{\"id\":");
        quirks_put_id(w->t->quirks, p->id, w->out);
        put_cstr(w->out, "type", "function");
        put_open(w->out, "function");
        put_str(w->out, "name", p->name);
        put_arguments(w->out, "arguments", p->text, p->text_is_json);
        buf_char(w->out, '}');
        if (p->signature.len && w->t->same_model)
            put_call_signature(w->out, p->signature);
        buf_char(w->out, '}');
        if (p->signature.len && !w->t->same_model)
            lossy_add(w->l, LOSSY_SIGNATURE, "messages[%zu]", w->i);
    }
    buf_char(w->out, ']');
}

static void lose_rest(struct writing *w, const struct message *m)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        switch (m->parts[i].kind) {
        case PART_IMAGE:
            lossy_add(w->l, LOSSY_IMAGE, "messages[%zu]", w->i);
            break;
        case PART_AUDIO:
            lossy_add(w->l, LOSSY_AUDIO, "messages[%zu]", w->i);
            break;
        case PART_FILE:
            lossy_add(w->l, LOSSY_FILE, "messages[%zu]", w->i);
            break;
        case PART_OTHER:
            lossy_add(w->l, LOSSY_BUILTIN_TOOL, "messages[%zu]", w->i);
            break;
        default:
            break;
        }
    }
}

/* What the assistant said is one string, as every server takes it. */
static void put_assistant(struct writing *w, const struct message *m)
{
    size_t calls = count(m, PART_TOOL_CALL);
    size_t refusals = count(m, PART_REFUSAL);

    open_message(w, "assistant");
    put_name(w, m);
    if (count(m, PART_TEXT) || !(calls || refusals))
        put_joined(w, m->parts, m->n_parts, "");
    else
        put_raw(w->out, "content", SPAN("null"));
    if (refusals)
        put_kind_joined(w, m, PART_REFUSAL, "refusal");
    put_thinking(w, m);
    put_calls(w, m);
    buf_char(w->out, '}');
    lose_rest(w, m);
}

static void put_system(struct writing *w, const struct message *m)
{
    open_message(w, "system");
    put_name(w, m);
    if (w->bits & QUIRK_FLAT)
        put_joined(w, m->parts, m->n_parts, "\\n");
    else
        put_content(w, m->parts, m->n_parts);
    buf_char(w->out, '}');
}

void chat_message_write(const struct request *r, size_t i,
                        const struct target *t, struct losses *l,
                        struct buf *out)
{
    const struct message *m = &r->messages[i];
    struct writing w = {t, t->quirks ? t->quirks->bits : 0, l, out, i};

    switch (m->role) {
    case ROLE_SYSTEM:
        put_system(&w, m);
        break;
    case ROLE_ASSISTANT:
        put_assistant(&w, m);
        break;
    case ROLE_USER:
    case ROLE_TOOL:
        put_user(&w, m);
        break;
    }
}
