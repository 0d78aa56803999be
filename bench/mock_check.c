/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/mock_check.h"

#include <stdio.h>
#include <string.h>

#include "router/codec/gemini.h"

bool mock_refuse(struct mock_checked *c, const char *param, const char *fmt,
                 ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(c->message, sizeof c->message, fmt, ap);
    va_end(ap);
    if (param)
        snprintf(c->param, sizeof c->param, "%s", param);
    c->error = (struct mock_error){
        .status = 400, .message = c->message, .param = param ? c->param : NULL};
    return false;
}

struct json mock_root(struct mock_checked *c)
{
    struct err e;

    if (c->root.type == JSON_NONE && !json_parse(c->body, &c->root, &e))
        c->root = (struct json){.type = JSON_NULL};
    return c->root;
}

bool mock_members(struct mock_checked *c, const char *const *names,
                  const char *before, const char *after)
{
    struct json root = mock_root(c), key, value;
    struct json_iter it = json_begin(&root);

    while (json_next(&it, &key, &value)) {
        char name[96];
        size_t i = 0;

        while (names[i] && !json_is(&key, names[i]))
            i++;
        if (names[i])
            continue;
        span_copy(name, sizeof name, json_inner(&key));
        return mock_refuse(c, name, "%s%s%s", before, name, after);
    }
    return true;
}

bool mock_range(struct mock_checked *c, const char *name, double least,
                double most)
{
    struct json root = mock_root(c), v = json_get(&root, name);
    double n;

    if (!json_double(&v, &n) || (n >= least && n <= most))
        return true;
    return mock_refuse(c, name, "%s: wanted %g to %g, found %g", name, least,
                       most, n);
}

bool mock_at_most(struct mock_checked *c, const char *name, size_t most)
{
    struct json root = mock_root(c), v = json_get(&root, name);

    if (v.type != JSON_ARRAY || json_count(&v) <= most)
        return true;
    return mock_refuse(c, name, "%s: at most %zu are taken, found %zu", name,
                       most, json_count(&v));
}

/* ---- calls and results ---- */

static bool answers(const struct message *m, struct span id)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].kind == PART_TOOL_RESULT && span_eq(m->parts[i].id, id))
            return true;
    }
    return false;
}

/* Results of a call in message i, where they may stand. */
static bool answered(const struct request *r, size_t i, struct span id,
                     bool far)
{
    for (size_t k = i + 1; k < r->n_messages; k++) {
        if (answers(&r->messages[k], id))
            return true;
        if (!far && r->messages[k].role != ROLE_TOOL)
            return false;
    }
    return false;
}

static bool calls(const struct message *m, struct span id)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].kind == PART_TOOL_CALL && span_eq(m->parts[i].id, id))
            return true;
    }
    return false;
}

/* Whether a result in message i has its call before it. */
static bool called(const struct request *r, size_t i, struct span id, bool far)
{
    for (size_t k = i; k-- > 0;) {
        if (calls(&r->messages[k], id))
            return true;
        if (!far && r->messages[k].role != ROLE_TOOL)
            return false;
    }
    return false;
}

static bool paired(struct mock_checked *c, size_t i, const struct part *p,
                   bool far)
{
    const struct request *r = c->request;

    if (p->kind == PART_TOOL_CALL && !answered(r, i, p->id, far))
        return mock_refuse(c, "messages",
                           "messages[%zu]: the call '%.*s' has no result "
                           "behind it",
                           i, SPAN_ARGS(p->id));
    if (p->kind == PART_TOOL_RESULT && !called(r, i, p->id, far))
        return mock_refuse(c, "messages",
                           "messages[%zu]: the result '%.*s' has no call "
                           "before it",
                           i, SPAN_ARGS(p->id));
    return true;
}

bool mock_pairs(struct mock_checked *c, bool far)
{
    const struct request *r = c->request;

    for (size_t i = 0; i < r->n_messages; i++) {
        const struct message *m = &r->messages[i];

        for (size_t k = 0; k < m->n_parts; k++) {
            if (!paired(c, i, &m->parts[k], far))
                return false;
        }
    }
    return true;
}

bool mock_has_tools_used(const struct request *r)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        const struct message *m = &r->messages[i];

        for (size_t k = 0; k < m->n_parts; k++) {
            if (m->parts[k].kind == PART_TOOL_CALL ||
                m->parts[k].kind == PART_TOOL_RESULT)
                return true;
        }
    }
    return false;
}

/* ---- turns ---- */

bool mock_turns(struct mock_checked *c)
{
    const struct request *r = c->request;
    bool model = true; /* so that the user begins */
    struct span raw = {NULL, 0};

    for (size_t i = 0; i < r->n_messages; i++) {
        const struct message *m = &r->messages[i];
        bool now = m->role == ROLE_ASSISTANT;

        /* One message of the body may have become two. */
        if (m->role == ROLE_SYSTEM || (m->raw.ptr && m->raw.ptr == raw.ptr))
            continue;
        if (now == model)
            return mock_refuse(c, "messages",
                               "messages[%zu]: roles must alternate, and the "
                               "user begins",
                               i);
        model = now;
        raw = m->raw;
    }
    return true;
}

/* ---- signatures ---- */

/* The mock signs the text, not how its JSON writes it. */
/* In the standard alphabet; s where it is too long for one of ours. */
static struct span standard(struct span s, char dst[256])
{
    if (s.len > 256)
        return s;
    for (size_t i = 0; i < s.len; i++)
        dst[i] = s.ptr[i] == '-' ? '+' : s.ptr[i] == '_' ? '/' : s.ptr[i];
    return (struct span){dst, s.len};
}

static bool genuine(const struct mock_checked *c, const struct part *p)
{
    struct buf text;
    char *room, got[256];
    bool ok;

    buf_init(&text, (size_t)1 << 24);
    room = buf_room(&text, p->text.raw.len + 1);
    if (room && p->kind == PART_THINKING)
        text.len += text_head(p->text, room, p->text.raw.len);
    ok = mock_signed(c->seed, buf_view(&text),
                     c->bytes ? standard(p->signature, got) : p->signature);
    buf_free(&text);
    return ok;
}

static bool signature(struct mock_checked *c, size_t i, const struct part *p,
                      bool must)
{
    if (!must && gemini_is_placeholder(p->signature))
        return true;
    if (p->signature.len && !genuine(c, p))
        return mock_refuse(c, "messages", "messages[%zu]: invalid signature",
                           i);
    if (must && p->kind == PART_THINKING && !p->signature.len)
        return mock_refuse(c, "messages",
                           "messages[%zu]: thinking needs its signature", i);
    return true;
}

bool mock_signatures(struct mock_checked *c, bool must)
{
    const struct request *r = c->request;

    for (size_t i = 0; i < r->n_messages; i++) {
        const struct message *m = &r->messages[i];

        for (size_t k = 0; k < m->n_parts; k++) {
            if (!signature(c, i, &m->parts[k], must))
                return false;
        }
    }
    return true;
}

/* ---- names and texts ---- */

static bool plain(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char ch = name.ptr[i];

        if (!(ch == '_' || ch == '-' || (ch >= '0' && ch <= '9') ||
              ((ch | 32) >= 'a' && (ch | 32) <= 'z')))
            return false;
    }
    return name.len > 0;
}

bool mock_tool_names(struct mock_checked *c, size_t most)
{
    const struct request *r = c->request;

    for (size_t i = 0; i < r->n_tools; i++) {
        struct span name = r->tools[i].name;

        if (r->tools[i].builtin)
            continue;
        if (!plain(name) || name.len > most)
            return mock_refuse(c, "tools",
                               "tools[%zu]: the name '%.*s' is none", i,
                               SPAN_ARGS(name));
        for (size_t k = 0; k < i; k++) {
            if (span_eq(r->tools[k].name, name))
                return mock_refuse(c, "tools",
                                   "tools[%zu]: '%.*s' is there already", i,
                                   SPAN_ARGS(name));
        }
    }
    return true;
}

bool mock_no_blank_text(struct mock_checked *c)
{
    const struct request *r = c->request;

    for (size_t i = 0; i < r->n_messages; i++) {
        const struct message *m = &r->messages[i];

        for (size_t k = 0; k < m->n_parts; k++) {
            if (m->parts[k].kind == PART_TEXT &&
                span_trim(m->parts[k].text.raw).len == 0)
                return mock_refuse(c, "messages",
                                   "messages[%zu]: a text is blank", i);
        }
    }
    return true;
}
