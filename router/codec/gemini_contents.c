/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of any dialect -> Gemini's contents.
 *
 * Gemini wants turns of user and model, the first one the user's; behind a
 * model's turn with calls exactly one user's turn with as many results, in
 * the calls' order, before anything else is said.  Messages are taken in
 * runs of one side, so that what other dialects have in several messages is
 * one turn here.
 */
#include "router/codec/gemini.h"
#include "router/codec/put.h"

#include <stdio.h>
#include <string.h>

/* Messages [from, to). */
struct run {
    size_t from, to;
};

/* How many results a call looks past for its own. */
enum { LOOK_MAX = 256 };

/* What Google's page on thought signatures gives for calls that no Gemini
 * model made. */
static const char no_signature[] = "skip_thought_signature_validator";

static bool from_model(const struct message *m)
{
    return m->role == ROLE_ASSISTANT;
}

static void open_part(struct gemini_out *w)
{
    put_comma(w->out);
    buf_char(w->out, '{');
}

static void put_signature(struct gemini_out *w, struct span signature)
{
    if (signature.len == 0)
        return;
    buf_str(w->out, ",\"thoughtSignature\":");
    buf_json_str(w->out, signature);
}

static struct span place(const struct message *m, const struct gemini_out *w,
                         char dst[32])
{
    int n = snprintf(dst, 32, "messages[%zu]", (size_t)(m - w->r->messages));

    return (struct span){dst, (size_t)n};
}

static void lose(struct gemini_out *w, enum lossy kind, const struct message *m)
{
    char at[32];
    struct span s = place(m, w, at);

    lossy_add(w->l, kind, "%.*s", SPAN_ARGS(s));
}

/* ---- media ---- */

static const struct {
    const char *suffix, *media;
} suffixes[] = {
    {".png", "image/png"},       {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},     {".webp", "image/webp"},
    {".gif", "image/gif"},       {".heic", "image/heic"},
    {".pdf", "application/pdf"}, {".mp3", "audio/mp3"},
    {".wav", "audio/wav"},       {".mp4", "video/mp4"},
    {".txt", "text/plain"},
};

/* The type that an address says by its end; empty: none. */
static struct span media_of(struct span url)
{
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] == '?' || url.ptr[i] == '#')
            url.len = i;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t n = strlen(suffixes[i].suffix);
        struct span end;

        if (url.len < n)
            continue;
        end = (struct span){url.ptr + url.len - n, n};
        if (span_is_nocase(end, suffixes[i].suffix))
            return span_of(suffixes[i].media);
    }
    return SPAN("");
}

/* Google's own addresses need no type. */
static bool googles(struct span url)
{
    static const char *const own[] = {
        "gs://",
        "https://generativelanguage.googleapis.com/",
        "https://www.youtube.com/",
        "https://youtu.be/",
    };

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (span_starts(url, own[i]))
            return true;
    }
    return false;
}

/* data:image/png;base64,... */
static bool data_url(struct span url, struct span *media, struct span *data)
{
    struct span head;

    if (!span_starts(url, "data:"))
        return false;
    head = span_cut(&url, ',');
    if (!url.ptr || !span_has(head, SPAN(";base64")))
        return false;
    head.ptr += 5;
    head.len -= 5;
    *media = span_cut(&head, ';');
    *data = url;
    return true;
}

static void put_data(struct gemini_out *w, struct span media, struct span data)
{
    buf_str(w->out, "\"inlineData\":{\"mimeType\":");
    buf_json_str(w->out, media);
    buf_str(w->out, ",\"data\":");
    buf_json_str(w->out, data);
    buf_char(w->out, '}');
}

static void put_address(struct gemini_out *w, struct span media,
                        struct span url)
{
    buf_str(w->out, "\"fileData\":{");
    if (media.len) {
        buf_str(w->out, "\"mimeType\":");
        buf_json_str(w->out, media);
        buf_char(w->out, ',');
    }
    buf_str(w->out, "\"fileUri\":");
    buf_json_str(w->out, url);
    buf_char(w->out, '}');
}

/* Audio has the format's name where others have the type. */
static struct span media_type(const struct part *p, char dst[64])
{
    static const char *const usual[] = {
        [PART_IMAGE] = "image/png", [PART_FILE] = "application/pdf"};
    int n;

    if (p->media.len)
        return p->media;
    if (p->kind == PART_AUDIO) {
        n = snprintf(dst, 64, "audio/%.*s", SPAN_ARGS(p->name));
        return n < 64 && p->name.len ? (struct span){dst, (size_t)n}
                                     : SPAN("audio/wav");
    }
    return span_of(usual[p->kind]);
}

/* The member of a part; false when the target cannot have it. */
static bool put_media(struct gemini_out *w, const struct part *p)
{
    struct span media = p->media, data = p->data;
    char type[64];

    if (data.len || data_url(p->url, &media, &data)) {
        put_data(w, media.len ? media : media_type(p, type), data);
        return true;
    }
    if (media.len == 0)
        media = media_of(p->url);
    if (!googles(p->url) &&
        (!w->traits->https || media.len == 0 || !span_starts(p->url, "http")))
        return false;
    put_address(w, media, p->url);
    return true;
}

static void write_media(struct gemini_out *w, const struct message *m,
                        const struct part *p)
{
    static const enum lossy kinds[] = {[PART_IMAGE] = LOSSY_IMAGE,
                                       [PART_AUDIO] = LOSSY_AUDIO,
                                       [PART_FILE] = LOSSY_FILE};
    size_t before = w->out->len;

    open_part(w);
    if (p->kind == PART_FILE && p->text.raw.len && !p->data.len) {
        put_text(w->out, "text", p->text);
    } else if (!put_media(w, p)) {
        if (!w->out->failed)
            w->out->len = before;
        lose(w, kinds[p->kind], m);
        return;
    }
    buf_char(w->out, '}');
}

/* ---- calls ---- */

/* Arguments as an object; text that is none as {"arguments": text}. */
static void put_args(struct gemini_out *w, const struct message *m,
                     const struct part *p)
{
    struct span text = p->text.raw;
    struct json v;
    struct err e;

    if (!p->text_is_json && p->text.escaped) {
        char *plain = arena_alloc(&w->scratch, text.len + 1);

        if (!plain) {
            w->out->failed = true;
            return;
        }
        text.len = json_unescape(text, plain, text.len);
        text.ptr = plain;
    }
    if (span_trim(text).len == 0) {
        buf_str(w->out, "{}");
    } else if (json_parse(text, &v, &e) && v.type == JSON_OBJECT) {
        buf_span(w->out, v.raw);
    } else {
        buf_str(w->out, "{\"arguments\":");
        buf_json_str(w->out, text);
        buf_char(w->out, '}');
        lose(w, LOSSY_OTHER, m);
    }
}

static void put_id(struct gemini_out *w, struct span id)
{
    if (id.len == 0 || gemini_made_id(id))
        return;
    buf_str(w->out, "\"id\":");
    buf_json_str(w->out, id);
    buf_char(w->out, ',');
}

/* A turn of the model: what is known while its parts are written. */
struct turn {
    struct span signature; /* of thinking, for the part behind it */
    bool calls;            /* one was written */
    bool any;
};

static void write_call(struct gemini_out *w, const struct message *m,
                       const struct part *p, struct turn *t)
{
    struct span signature = p->signature;

    if (!w->t->same_model && signature.len) {
        lose(w, LOSSY_SIGNATURE, m);
        signature.len = 0;
    }
    if (signature.len == 0 && t->signature.len)
        signature = t->signature;
    else if (signature.len == 0 && w->traits->strict && !t->calls)
        signature = span_of(no_signature);
    open_part(w);
    buf_str(w->out, "\"functionCall\":{");
    put_id(w, p->id);
    buf_str(w->out, "\"name\":");
    buf_json_str(w->out, p->name);
    buf_str(w->out, ",\"args\":");
    put_args(w, m, p);
    buf_char(w->out, '}');
    put_signature(w, signature);
    buf_char(w->out, '}');
    t->signature.len = 0;
    t->calls = true;
    t->any = true;
}

/* ---- a model's turn ---- */

static void flush_signature(struct gemini_out *w, struct turn *t)
{
    if (t->signature.len == 0)
        return;
    open_part(w);
    buf_str(w->out, "\"thought\":true");
    put_signature(w, t->signature);
    buf_char(w->out, '}');
    t->signature.len = 0;
    t->any = true;
}

/*
 * Dialects that have signatures on thinking only carry that of a call or a
 * text on the thinking before it: there it is put back.
 */
static void write_thought(struct gemini_out *w, const struct message *m,
                          const struct part *p, struct turn *t)
{
    if (!w->t->same_model) {
        lose(w, LOSSY_THINKING, m);
        return;
    }
    flush_signature(w, t);
    if (p->text.raw.len) {
        open_part(w);
        put_text(w->out, "text", p->text);
        buf_str(w->out, ",\"thought\":true}");
        t->any = true;
    }
    t->signature = p->signature;
}

static void write_said(struct gemini_out *w, const struct message *m,
                       const struct part *p, struct turn *t)
{
    struct span signature = p->signature;

    if (!w->t->same_model && signature.len) {
        lose(w, LOSSY_SIGNATURE, m);
        signature.len = 0;
    }
    if (signature.len == 0)
        signature = t->signature;
    if (p->text.raw.len == 0 && signature.len == 0)
        return;
    open_part(w);
    put_text(w->out, "text", p->text);
    put_signature(w, signature);
    buf_char(w->out, '}');
    t->signature.len = 0;
    t->any = true;
}

static void write_model_part(struct gemini_out *w, const struct message *m,
                             const struct part *p, struct turn *t)
{
    if (p->cache.len)
        lossy_add(w->l, LOSSY_CACHE_CONTROL, "cache_control");
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL:
        write_said(w, m, p, t);
        return;
    case PART_THINKING:
        write_thought(w, m, p, t);
        return;
    case PART_TOOL_CALL:
        write_call(w, m, p, t);
        return;
    case PART_IMAGE:
    case PART_AUDIO:
    case PART_FILE:
        write_media(w, m, p);
        t->any = true;
        return;
    case PART_TOOL_RESULT:
    case PART_OTHER:
        lose(w, LOSSY_OTHER, m);
        return;
    }
}

static void close_turn(struct gemini_out *w, const char *role)
{
    buf_printf(w->out, "],\"role\":\"%s\"}", role);
}

static void write_model(struct gemini_out *w, struct run run)
{
    size_t before = w->out->len;
    struct turn t = {SPAN_INIT(""), false, false};

    put_comma(w->out);
    buf_str(w->out, "{\"parts\":[");
    for (size_t i = run.from; i < run.to; i++) {
        const struct message *m = &w->r->messages[i];

        for (size_t j = 0; j < m->n_parts && from_model(m); j++)
            write_model_part(w, m, &m->parts[j], &t);
    }
    flush_signature(w, &t);
    close_turn(w, "model");
    if (!t.any && !w->out->failed)
        w->out->len = before; /* a turn without parts is refused */
}

/* ---- a user's turn ---- */

/* The k-th part of a kind in a run; NULL: fewer. */
struct cursor {
    size_t message, part;
};

static const struct part *next_of(const struct gemini_out *w, struct run run,
                                  enum part_kind kind, struct cursor *c)
{
    for (; c->message < run.to; c->message++, c->part = 0) {
        const struct message *m = &w->r->messages[c->message];

        for (; c->part < m->n_parts && m->role != ROLE_SYSTEM; c->part++) {
            if (m->parts[c->part].kind == kind)
                return &m->parts[c->part++];
        }
    }
    return NULL;
}

/* The result of the call; at: where its place in the order would be. */
static const struct part *result_of(const struct gemini_out *w, struct run run,
                                    const struct part *call, struct cursor at)
{
    struct cursor from = {run.from, 0};
    const struct part *p = next_of(w, run, PART_TOOL_RESULT, &at);

    if (p && span_eq(p->id, call->id))
        return p;
    for (int i = 0; i < LOOK_MAX; i++) {
        p = next_of(w, run, PART_TOOL_RESULT, &from);
        if (!p || span_eq(p->id, call->id))
            return p;
    }
    return NULL;
}

static bool is_object(struct gemini_out *w, const struct part *p,
                      struct span *object)
{
    struct span text = p->text.raw;
    struct json v;
    struct err e;

    if (!p->text_is_json && p->text.escaped) {
        char *plain = arena_alloc(&w->scratch, text.len + 1);

        if (!plain)
            return false;
        text.len = json_unescape(text, plain, text.len);
        text.ptr = plain;
    }
    if (!json_parse(text, &v, &e) || v.type != JSON_OBJECT)
        return false;
    *object = v.raw;
    return true;
}

/* What the parts of a result say, as the inside of one string. */
static void put_said(struct gemini_out *w, const struct part *p)
{
    bool any = false;

    for (size_t i = 0; i < p->n_parts; i++) {
        if (p->parts[i].kind != PART_TEXT)
            continue;
        if (any)
            buf_str(w->out, "\\n");
        any = true;
        buf_span(w->out, p->parts[i].text.raw);
    }
}

/* An object as it is; anything else as {"output": ...} or {"error": ...}. */
static void put_response(struct gemini_out *w, const struct part *p)
{
    const char *name = p->is_error ? "error" : "output";
    const struct part *only =
        p->n_parts && p->parts[0].kind == PART_TEXT ? &p->parts[0] : NULL;
    struct span object;

    if (p->text_is_json ? is_object(w, p, &object) && !p->is_error
        : p->parts      ? only && !p->is_error && is_object(w, only, &object)
                        : !p->is_error && is_object(w, p, &object)) {
        buf_span(w->out, object);
        return;
    }
    buf_printf(w->out, "{\"%s\":", name);
    if (p->text_is_json) {
        buf_span(w->out, p->text.raw);
    } else {
        buf_char(w->out, '"');
        if (p->parts)
            put_said(w, p);
        else
            buf_span(w->out, p->text.raw);
        buf_char(w->out, '"');
    }
    buf_char(w->out, '}');
}

static bool is_media(const struct part *p)
{
    return p->kind == PART_IMAGE || p->kind == PART_AUDIO ||
           p->kind == PART_FILE;
}

static void put_result_media(struct gemini_out *w, const struct message *m,
                             const struct part *p)
{
    bool any = false;

    for (size_t i = 0; i < p->n_parts; i++) {
        if (!is_media(&p->parts[i]))
            continue;
        if (!any)
            buf_str(w->out, ",\"parts\":[");
        any = true;
        write_media(w, m, &p->parts[i]);
    }
    if (any)
        buf_char(w->out, ']');
}

static void write_result(struct gemini_out *w, const struct part *call,
                         const struct part *p)
{
    const struct message *m = w->r->messages;

    open_part(w);
    buf_str(w->out, "\"functionResponse\":{");
    put_id(w, call->id);
    buf_str(w->out, "\"name\":");
    buf_json_str(w->out, call->name);
    buf_str(w->out, ",\"response\":");
    if (p) {
        put_response(w, p);
        if (w->traits->strict)
            put_result_media(w, m, p);
    } else {
        buf_str(w->out, "{\"error\":\"no result was given\"}");
        lossy_add(w->l, LOSSY_OTHER, "tool result");
    }
    buf_str(w->out, "}}");
    for (size_t i = 0; p && !w->traits->strict && i < p->n_parts; i++) {
        if (is_media(&p->parts[i]))
            write_media(w, m, &p->parts[i]);
    }
}

static void write_results(struct gemini_out *w, struct run calls,
                          struct run run)
{
    struct cursor at = {calls.from, 0}, order = {run.from, 0};
    const struct part *call;

    while ((call = next_of(w, calls, PART_TOOL_CALL, &at))) {
        write_result(w, call, result_of(w, run, call, order));
        (void)next_of(w, run, PART_TOOL_RESULT, &order);
    }
}

/* Whether a call of that run has the id. */
static bool called(const struct gemini_out *w, struct run calls, struct span id)
{
    struct cursor at = {calls.from, 0};
    const struct part *p;

    for (int i = 0; i < LOOK_MAX; i++) {
        p = next_of(w, calls, PART_TOOL_CALL, &at);
        if (!p)
            return false;
        if (span_eq(p->id, id))
            return true;
    }
    return true;
}

/* A result that no call asked for: Gemini refuses it as one. */
static void write_orphan(struct gemini_out *w, const struct message *m,
                         const struct part *p)
{
    open_part(w);
    buf_str(w->out, "\"text\":\"");
    if (p->text_is_json) {
        struct buf b;

        buf_init(&b, p->text.raw.len * 6 + 8);
        buf_json_str(&b, p->text.raw);
        if (b.len > 2)
            buf_put(w->out, b.ptr + 1, b.len - 2);
        buf_free(&b);
    } else if (p->parts) {
        put_said(w, p);
    } else {
        buf_span(w->out, p->text.raw);
    }
    buf_str(w->out, "\"}");
    lose(w, LOSSY_ROLE, m);
}

static void write_user_part(struct gemini_out *w, const struct message *m,
                            const struct part *p, struct run calls)
{
    if (p->cache.len)
        lossy_add(w->l, LOSSY_CACHE_CONTROL, "cache_control");
    if (is_media(p)) {
        write_media(w, m, p);
    } else if (p->kind == PART_TOOL_RESULT) {
        if (!called(w, calls, p->id))
            write_orphan(w, m, p);
    } else if (p->kind == PART_TEXT || p->kind == PART_REFUSAL) {
        if (p->text.raw.len == 0)
            return;
        open_part(w);
        put_text(w->out, "text", p->text);
        buf_char(w->out, '}');
    } else {
        lose(w, p->kind == PART_THINKING ? LOSSY_THINKING : LOSSY_OTHER, m);
    }
}

static void write_user(struct gemini_out *w, struct run calls, struct run run)
{
    size_t empty;

    put_comma(w->out);
    buf_str(w->out, "{\"parts\":[");
    empty = w->out->len;
    write_results(w, calls, run);
    for (size_t i = run.from; i < run.to; i++) {
        const struct message *m = &w->r->messages[i];

        for (size_t j = 0; j < m->n_parts && m->role != ROLE_SYSTEM; j++)
            write_user_part(w, m, &m->parts[j], calls);
    }
    if (w->out->len == empty) /* a turn without parts is refused */
        buf_str(w->out, "{\"text\":\" \"}");
    close_turn(w, "user");
}

/* ---- all of it ---- */

/* The run that begins at i; system messages belong to any. */
static struct run run_at(const struct request *r, size_t i, bool *model)
{
    struct run run = {i, i};
    bool known = false;

    for (; run.to < r->n_messages; run.to++) {
        const struct message *m = &r->messages[run.to];

        if (m->role == ROLE_SYSTEM)
            continue;
        if (known && from_model(m) != *model)
            break;
        *model = from_model(m);
        known = true;
    }
    if (!known)
        run.from = run.to; /* nothing but system messages */
    return run;
}

static void write_system(struct gemini_out *w)
{
    bool any = false, said = false;

    for (size_t i = 0; i < w->r->n_messages; i++) {
        const struct message *m = &w->r->messages[i];

        if (m->role != ROLE_SYSTEM) {
            said = true;
            continue;
        }
        if (said)
            lose(w, LOSSY_ROLE, m);
        for (size_t j = 0; j < m->n_parts; j++) {
            const struct part *p = &m->parts[j];

            if (p->cache.len)
                lossy_add(w->l, LOSSY_CACHE_CONTROL, "cache_control");
            if (p->kind != PART_TEXT)
                lose(w, is_media(p) ? LOSSY_IMAGE : LOSSY_OTHER, m);
            if (p->kind != PART_TEXT || p->text.raw.len == 0)
                continue;
            buf_str(w->out,
                    any ? ",{" : ",\"systemInstruction\":{\"parts\":[{");
            put_text(w->out, "text", p->text);
            buf_char(w->out, '}');
            any = true;
        }
    }
    if (any)
        buf_str(w->out, "]}");
}

void gemini_write_contents(struct gemini_out *w)
{
    struct run last = {0, 0}, run;
    bool model = false;
    size_t start;

    buf_str(w->out, "\"contents\":[");
    start = w->out->len;
    for (size_t i = 0; i < w->r->n_messages; i = run.to) {
        run = run_at(w->r, i, &model);
        if (run.from == run.to)
            break;
        if (model && w->out->len == start) {
            buf_str(w->out, "{\"parts\":[{\"text\":\" \"}],\"role\":\"user\"}");
            lossy_add(w->l, LOSSY_ROLE, "messages[0]");
        }
        if (model)
            write_model(w, run);
        else
            write_user(w, last, run);
        last = model ? run : (struct run){0, 0};
    }
    if (w->out->len == start)
        buf_str(w->out, "{\"parts\":[{\"text\":\" \"}],\"role\":\"user\"}");
    buf_char(w->out, ']');
    write_system(w);
}
