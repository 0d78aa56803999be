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
#include "router/codec/gemini_turns.h"
#include "router/codec/put.h"

#include <string.h>

/* What Google's page on thought signatures gives for calls that no Gemini
 * model made. */
static const char *const no_signatures[] = {"skip_thought_signature_validator",
                                            "context_engineering_is_the_way_to_"
                                            "go"};

bool gemini_is_placeholder(struct span signature)
{
    return span_is(signature, no_signatures[0]) ||
           span_is(signature, no_signatures[1]);
}

static bool from_model(const struct message *m)
{
    return m->role == ROLE_ASSISTANT;
}

static void put_signature(struct gemini_out *w, struct span signature)
{
    if (signature.len == 0)
        return;
    buf_str(w->out, ",\"thoughtSignature\":");
    buf_json_str(w->out, signature);
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
        gemini_lose(w, LOSSY_OTHER, m);
    }
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
        gemini_lose(w, LOSSY_SIGNATURE, m);
        signature.len = 0;
    }
    if (signature.len == 0 && t->signature.len)
        signature = t->signature;
    else if (signature.len == 0 && w->traits->strict && !t->calls)
        signature = span_of(no_signatures[0]);
    gemini_open_part(w);
    buf_str(w->out, "\"functionCall\":{");
    gemini_put_id(w, p->id);
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
    gemini_open_part(w);
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
        gemini_lose(w, LOSSY_THINKING, m);
        return;
    }
    flush_signature(w, t);
    if (p->text.raw.len) {
        gemini_open_part(w);
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
        gemini_lose(w, LOSSY_SIGNATURE, m);
        signature.len = 0;
    }
    if (signature.len == 0)
        signature = t->signature;
    if (p->text.raw.len == 0 && signature.len == 0)
        return;
    gemini_open_part(w);
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
        gemini_write_media(w, m, p);
        t->any = true;
        return;
    case PART_TOOL_RESULT:
    case PART_OTHER:
        gemini_lose(w, LOSSY_OTHER, m);
        return;
    }
}

static void write_model(struct gemini_out *w, struct gemini_run run)
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
    buf_str(w->out, "],\"role\":\"model\"}");
    if (!t.any && !w->out->failed)
        w->out->len = before; /* a turn without parts is refused */
}

/* ---- all of it ---- */

/* The run that begins at i; system messages belong to any. */
static struct gemini_run run_at(const struct request *r, size_t i, bool *model)
{
    struct gemini_run run = {i, i};
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
            gemini_lose(w, LOSSY_ROLE, m);
        for (size_t j = 0; j < m->n_parts; j++) {
            const struct part *p = &m->parts[j];

            if (p->cache.len)
                lossy_add(w->l, LOSSY_CACHE_CONTROL, "cache_control");
            if (p->kind != PART_TEXT)
                gemini_lose(w, gemini_is_media(p) ? LOSSY_IMAGE : LOSSY_OTHER,
                            m);
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
    struct gemini_run last = {0, 0}, run;
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
            gemini_write_user(w, last, run);
        last = model ? run : (struct gemini_run){0, 0};
    }
    if (w->out->len == start)
        buf_str(w->out, "{\"parts\":[{\"text\":\" \"}],\"role\":\"user\"}");
    buf_char(w->out, ']');
    write_system(w);
}
