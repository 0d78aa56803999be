/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of any dialect as Anthropic's: the system prompt beside them,
 * turns of one role put together, results first in their turn, nothing
 * empty.  What this dialect's client sent goes back as it was written.
 */
#include "router/codec/anthropic_parts.h"
#include "router/codec/ids.h"
#include "router/codec/put.h"

#include <string.h>

static void put_cache(struct writing *w, struct span cache)
{
    if (cache.len)
        put_raw(w->out, "cache_control", cache);
}

static void begin(struct writing *w, const char *type)
{
    put_comma(w->out);
    buf_char(w->out, '{');
    put_cstr(w->out, "type", type);
}

static void end(struct writing *w)
{
    buf_char(w->out, '}');
}

/* ---- text ---- */

/* Nothing but white space, which is refused as the text of a block. */
static bool blank(struct text t)
{
    static const char escapes[] = "ntrfb";

    for (size_t i = 0; i < t.raw.len; i++) {
        char c = t.raw.ptr[i];

        if (c == ' ')
            continue;
        if (c != '\\' || ++i == t.raw.len ||
            !memchr(escapes, t.raw.ptr[i], sizeof escapes - 1))
            return false;
    }
    return true;
}

static void put_text_part(struct writing *w, const struct part *p)
{
    begin(w, "text");
    if (p->text_is_json)
        put_str(w->out, "text", p->text.raw);
    else
        put_text(w->out, "text", p->text);
    put_cache(w, p->cache);
    end(w);
}

/* ---- calls and results ---- */

/* Arguments as an object.  Other dialects have them as a string, decoded
 * where it is to stand; one that holds no object is an argument itself. */
static void put_input(struct writing *w, const struct part *p)
{
    struct span raw = p->text.raw;
    struct json v;
    struct err e;
    char *at;

    put_key(w->out, "input");
    if (raw.len == 0) {
        buf_str(w->out, "{}");
        return;
    }
    at = buf_room(w->out, raw.len + 1);
    if (!at)
        return;
    if (p->text_is_json || !p->text.escaped)
        memcpy(at, raw.ptr, raw.len);
    else
        raw.len = json_unescape(raw, at, raw.len);
    if (json_parse((struct span){at, raw.len}, &v, &e) &&
        v.type == JSON_OBJECT) {
        w->out->len += raw.len;
        return;
    }
    lossy_add(w->l, LOSSY_OTHER, "arguments of %.*s", SPAN_ARGS(p->name));
    buf_char(w->out, '{');
    if (p->text_is_json)
        put_str(w->out, "arguments", p->text.raw);
    else
        put_text(w->out, "arguments", p->text);
    end(w);
}

static void put_call(struct writing *w, const struct part *p)
{
    begin(w, "tool_use");
    put_key(w->out, "id");
    id_write(w->out, p->id);
    put_key(w->out, "name");
    id_write(w->out, p->name);
    put_input(w, p);
    put_cache(w, p->cache);
    end(w);
    if (p->signature.len)
        lossy_add(w->l, LOSSY_SIGNATURE, "call %.*s", SPAN_ARGS(p->name));
}

static void put_result(struct writing *w, const struct part *p)
{
    begin(w, "tool_result");
    put_key(w->out, "tool_use_id");
    id_write(w->out, p->id);
    if (p->n_parts)
        anthropic_put_parts(w, p);
    else if (p->text_is_json)
        put_str(w->out, "content", p->text.raw);
    else if (p->text.raw.len)
        put_text(w->out, "content", p->text);
    if (p->is_error)
        put_bool(w->out, "is_error", true);
    put_cache(w, p->cache);
    end(w);
}

/* ---- thinking ---- */

/* Only what this very model signed goes back. */
static bool takes_thinking(const struct writing *w, const struct part *p)
{
    return w->t->same_model && p->signature.len &&
           !span_starts(p->signature, ANTHROPIC_CALL_SIGNATURE);
}

static void put_thinking(struct writing *w, const struct part *p)
{
    begin(w, p->redacted ? "redacted_thinking" : "thinking");
    if (!p->redacted)
        put_text(w->out, "thinking", p->text);
    put_base64(w->out, p->redacted ? "data" : "signature", p->signature);
    end(w);
}

/* ---- any part ---- */

static bool has_text(const struct writing *w, const struct part *p)
{
    (void)w;
    return !blank(p->text);
}

static bool has_image(const struct writing *w, const struct part *p)
{
    (void)w;
    return anthropic_takes_image(p);
}

static bool has_file(const struct writing *w, const struct part *p)
{
    (void)w;
    return anthropic_takes_file(p);
}

static bool always(const struct writing *w, const struct part *p)
{
    (void)w;
    (void)p;
    return true;
}

/* takes NULL: never; lost: what it then is, and LOSSY_KINDS where nothing
 * that anybody said is lost. */
static const struct {
    bool (*takes)(const struct writing *w, const struct part *p);
    void (*put)(struct writing *w, const struct part *p);
    enum lossy lost;
} kinds[] = {
    [PART_TEXT] = {has_text, put_text_part, LOSSY_KINDS},
    [PART_REFUSAL] = {has_text, put_text_part, LOSSY_KINDS},
    [PART_IMAGE] = {has_image, anthropic_put_image, LOSSY_IMAGE},
    [PART_AUDIO] = {NULL, NULL, LOSSY_AUDIO},
    [PART_FILE] = {has_file, anthropic_put_file, LOSSY_FILE},
    [PART_TOOL_CALL] = {always, put_call, LOSSY_KINDS},
    [PART_TOOL_RESULT] = {always, put_result, LOSSY_KINDS},
    [PART_THINKING] = {takes_thinking, put_thinking, LOSSY_THINKING},
    [PART_OTHER] = {NULL, NULL, LOSSY_OTHER},
};

/* What stood at an address was fetched, for a target that wants data. */
static bool holds_fetched(const struct part *p)
{
    bool found = p->data.len && p->url.len;

    for (size_t i = 0; i < p->n_parts && !found; i++)
        found = holds_fetched(&p->parts[i]);
    return found;
}

/* Of this dialect, and nothing that must not go to another model. */
static bool as_written(const struct writing *w, const struct part *p)
{
    return w->t->same_dialect && p->raw.len && p->raw.ptr[0] == '{' &&
           !(p->kind == PART_THINKING && !takes_thinking(w, p)) &&
           !(w->t->data_only && holds_fetched(p));
}

static bool takes(const struct writing *w, const struct part *p)
{
    return as_written(w, p) ||
           (kinds[p->kind].takes && kinds[p->kind].takes(w, p));
}

static void put_part(struct writing *w, const struct part *p)
{
    if (as_written(w, p)) {
        put_comma(w->out);
        buf_span(w->out, p->raw);
    } else if (takes(w, p)) {
        kinds[p->kind].put(w, p);
    } else if (kinds[p->kind].lost != LOSSY_KINDS) {
        lossy_add(w->l, kinds[p->kind].lost, "messages");
    }
}

void anthropic_put_parts(struct writing *w, const struct part *p)
{
    put_list(w->out, "content");
    for (size_t i = 0; i < p->n_parts; i++)
        put_part(w, &p->parts[i]);
    buf_char(w->out, ']');
}

/* ---- turns ---- */

static enum role side_of(const struct message *m)
{
    return m->role == ROLE_TOOL ? ROLE_USER : m->role;
}

static bool has_content(const struct writing *w, const struct message *m)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        if (takes(w, &m->parts[i]))
            return true;
    }
    return false;
}

/* Either the results of a turn, or what is beside them. */
static void put_message_parts(struct writing *w, const struct message *m,
                              bool results)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        if ((m->parts[i].kind == PART_TOOL_RESULT) == results)
            put_part(w, &m->parts[i]);
    }
}

/* Messages [from, to): of one side, but for those that were left out. */
static void put_turn(struct writing *w, size_t from, size_t to, enum role side)
{
    put_comma(w->out);
    buf_char(w->out, '{');
    put_cstr(w->out, "role", side == ROLE_ASSISTANT ? "assistant" : "user");
    put_list(w->out, "content");
    for (int results = 1; results >= 0; results--) {
        for (size_t i = from; i < to; i++) {
            if (side_of(&w->r->messages[i]) == side)
                put_message_parts(w, &w->r->messages[i], results);
        }
    }
    for (size_t i = from; i < to; i++) {
        if (w->r->messages[i].name.len && w->r->messages[i].role != ROLE_TOOL)
            lossy_add(w->l, LOSSY_PARAMETER, "messages[%zu].name", i);
    }
    buf_str(w->out, "]}");
    w->n_messages++;
}

/* A request of system messages only: the last of them asks. */
static void put_last_system(struct writing *w)
{
    const struct request *r = w->r;

    for (size_t i = r->n_messages; i-- > 0;) {
        if (!has_content(w, &r->messages[i]))
            continue;
        lossy_add(w->l, LOSSY_ROLE, "messages[%zu]", i);
        put_turn(w, i, i + 1, ROLE_SYSTEM);
        return;
    }
}

/* System messages, and those with nothing in them, part no turn. */
static bool passes(const struct writing *w, size_t i)
{
    const struct message *m = &w->r->messages[i];

    return m->role == ROLE_SYSTEM || !has_content(w, m);
}

static void put_turns(struct writing *w)
{
    const struct request *r = w->r;

    for (size_t i = 0; i < r->n_messages;) {
        enum role side = side_of(&r->messages[i]);
        size_t to = i + 1;

        if (passes(w, i)) {
            if (r->messages[i].role != ROLE_SYSTEM)
                put_message_parts(w, &r->messages[i], false); /* losses */
            i++;
            continue;
        }
        while (to < r->n_messages &&
               (passes(w, to) || side_of(&r->messages[to]) == side))
            to++;
        put_turn(w, i, to, side);
        i = to;
    }
    if (w->n_messages == 0)
        put_last_system(w);
}

static bool has_text_part(const struct writing *w, const struct message *m)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].kind == PART_TEXT && takes(w, &m->parts[i]))
            return true;
    }
    return false;
}

/* All system messages go to one place; one that stood later has moved. */
static void put_system(struct writing *w)
{
    const struct request *r = w->r;
    bool any = false, said = false;

    for (size_t i = 0; i < r->n_messages; i++) {
        const struct message *m = &r->messages[i];

        if (m->role != ROLE_SYSTEM) {
            said = said || has_content(w, m);
            continue;
        }
        if (!has_text_part(w, m))
            continue;
        if (said)
            lossy_add(w->l, LOSSY_ROLE, "messages[%zu]", i);
        if (!any)
            put_list(w->out, "system");
        any = true;
        for (size_t j = 0; j < m->n_parts; j++) {
            if (m->parts[j].kind == PART_TEXT)
                put_part(w, &m->parts[j]);
            else
                lossy_add(w->l, kinds[m->parts[j].kind].lost, "system");
        }
    }
    if (any)
        buf_char(w->out, ']');
}

/* ---- this dialect's own ---- */

/* Message i as it stood, but for parts that must not go along.  The halves
 * of one that was read as several follow each other. */
static void put_filtered(struct writing *w, size_t i)
{
    const struct message *m = &w->r->messages[i];
    struct json raw = {JSON_OBJECT, false, m->raw}, key, v;
    struct json_iter it = json_begin(&raw);

    put_comma(w->out);
    buf_char(w->out, '{');
    while (json_next(&it, &key, &v)) {
        put_comma(w->out);
        buf_span(w->out, key.raw);
        buf_char(w->out, ':');
        if (!json_is(&key, "content")) {
            buf_span(w->out, v.raw);
            continue;
        }
        buf_char(w->out, '[');
        for (; i < w->r->n_messages && w->r->messages[i].raw.ptr == m->raw.ptr;
             i++) {
            put_message_parts(w, &w->r->messages[i], true);
            put_message_parts(w, &w->r->messages[i], false);
        }
        buf_char(w->out, ']');
    }
    end(w);
}

/* The part cannot go as it was written. */
static bool must_change(const struct writing *w, const struct part *p)
{
    if (p->kind == PART_THINKING)
        return !takes_thinking(w, p);
    return (p->kind == PART_TOOL_CALL && p->signature.len) ||
           (w->t->data_only && holds_fetched(p));
}

/* Of message i and its other half. */
static bool must_filter(const struct writing *w, size_t i)
{
    const char *raw = w->r->messages[i].raw.ptr;

    for (; i < w->r->n_messages && w->r->messages[i].raw.ptr == raw; i++) {
        const struct message *m = &w->r->messages[i];

        for (size_t k = 0; k < m->n_parts; k++) {
            if (must_change(w, &m->parts[k]))
                return true;
        }
    }
    return false;
}

static void put_own(struct writing *w)
{
    const struct request *r = w->r;
    const char *last = NULL;

    for (size_t i = 0; i < r->n_messages; i++) {
        const struct message *m = &r->messages[i];
        bool beside = m->raw.len && m->raw.ptr[0] != '{';

        if (beside || m->raw.ptr == last)
            continue; /* system; the other half of a message */
        last = m->raw.ptr;
        if (must_filter(w, i)) {
            if (!has_content(w, m))
                continue; /* a turn of thinking only */
            put_filtered(w, i);
        } else {
            put_comma(w->out);
            buf_span(w->out, m->raw);
        }
        w->n_messages++;
    }
}

bool anthropic_bare_calls(const struct request *r, const struct target *t)
{
    for (size_t i = r->n_messages; i-- > 0;) {
        const struct message *m = &r->messages[i];
        bool called = false, signed_off = false;

        if (m->role == ROLE_USER)
            return false; /* a new turn needs no thinking before it */
        if (m->role != ROLE_ASSISTANT)
            continue;
        for (size_t j = 0; j < m->n_parts; j++) {
            called = called || m->parts[j].kind == PART_TOOL_CALL;
            signed_off =
                signed_off || (m->parts[j].kind == PART_THINKING &&
                               m->parts[j].signature.len && t->same_model);
        }
        return called && !signed_off;
    }
    return false;
}

bool anthropic_write_messages(struct writing *w, struct err *e)
{
    const struct message *first = w->r->messages;
    bool beside = w->r->n_messages && first->role == ROLE_SYSTEM &&
                  first->raw.len && first->raw.ptr[0] != '{';

    if (!w->t->same_dialect)
        put_system(w);
    else if (beside)
        put_raw(w->out, "system", first->raw);
    put_list(w->out, "messages");
    if (w->t->same_dialect)
        put_own(w);
    else
        put_turns(w);
    buf_char(w->out, ']');
    return w->n_messages ||
           err_set(e, ERR_INPUT,
                   "messages: wanted something to send, found all empty");
}
