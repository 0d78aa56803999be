/* SPDX-License-Identifier: Apache-2.0 */
/* A user's turn of Gemini's contents: the results of calls, then the rest. */
#include "router/codec/gemini_turns.h"
#include "router/codec/put.h"

/* How many results a call looks past for its own. */
enum { LOOK_MAX = 256 };

/* The k-th part of a kind in a run; NULL: fewer. */
struct cursor {
    size_t message, part;
};

static const struct part *next_of(const struct gemini_out *w,
                                  struct gemini_run run, enum part_kind kind,
                                  struct cursor *c)
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
static const struct part *result_of(const struct gemini_out *w,
                                    struct gemini_run run,
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

static void put_result_media(struct gemini_out *w, const struct message *m,
                             const struct part *p)
{
    bool any = false;

    for (size_t i = 0; i < p->n_parts; i++) {
        if (!gemini_is_media(&p->parts[i]))
            continue;
        if (!any)
            buf_str(w->out, ",\"parts\":[");
        any = true;
        gemini_write_media(w, m, &p->parts[i]);
    }
    if (any)
        buf_char(w->out, ']');
}

static void write_result(struct gemini_out *w, const struct part *call,
                         const struct part *p)
{
    const struct message *m = w->r->messages;

    gemini_open_part(w);
    buf_str(w->out, "\"functionResponse\":{");
    gemini_put_id(w, call->id);
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
        if (gemini_is_media(&p->parts[i]))
            gemini_write_media(w, m, &p->parts[i]);
    }
}

static void write_results(struct gemini_out *w, struct gemini_run calls,
                          struct gemini_run run)
{
    struct cursor at = {calls.from, 0}, order = {run.from, 0};
    const struct part *call;

    while ((call = next_of(w, calls, PART_TOOL_CALL, &at))) {
        write_result(w, call, result_of(w, run, call, order));
        (void)next_of(w, run, PART_TOOL_RESULT, &order);
    }
}

/* Whether a call of that run has the id. */
static bool called(const struct gemini_out *w, struct gemini_run calls,
                   struct span id)
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
    gemini_open_part(w);
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
    gemini_lose(w, LOSSY_ROLE, m);
}

static void write_user_part(struct gemini_out *w, const struct message *m,
                            const struct part *p, struct gemini_run calls)
{
    if (p->cache.len)
        lossy_add(w->l, LOSSY_CACHE_CONTROL, "cache_control");
    if (gemini_is_media(p)) {
        gemini_write_media(w, m, p);
    } else if (p->kind == PART_TOOL_RESULT) {
        if (!called(w, calls, p->id))
            write_orphan(w, m, p);
    } else if (p->kind == PART_TEXT || p->kind == PART_REFUSAL) {
        if (p->text.raw.len == 0)
            return;
        gemini_open_part(w);
        put_text(w->out, "text", p->text);
        buf_char(w->out, '}');
    } else {
        gemini_lose(w, p->kind == PART_THINKING ? LOSSY_THINKING : LOSSY_OTHER,
                    m);
    }
}

void gemini_write_user(struct gemini_out *w, struct gemini_run calls,
                       struct gemini_run run)
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
    buf_str(w->out, "],\"role\":\"user\"}");
}
