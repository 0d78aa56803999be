/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Gemini request for a Gemini model: the body as it stands, but for the
 * model's name; another model than the conversation was held with does not
 * see its thoughts and signatures, and is told to think in its own terms.
 */
#include "router/codec/gemini.h"
#include "router/codec/put.h"

#include <string.h>

static void copy_key(struct gemini_out *w, const struct json *key)
{
    put_comma(w->out);
    buf_span(w->out, key->raw);
    buf_char(w->out, ':');
}

/* "models/OLD" -> "models/NEW". */
static void put_model(struct gemini_out *w, const struct json *v)
{
    struct span old = json_inner(v), model = w->t->model;
    struct buf b;
    size_t n = old.len;

    while (n > 0 && old.ptr[n - 1] != '/')
        n--;
    if (v->type != JSON_STRING ||
        memchr(model.ptr ? model.ptr : "", '/', model.len))
        n = 0;
    buf_init(&b, n + model.len + 1);
    if (n)
        buf_put(&b, old.ptr, n);
    buf_span(&b, model);
    buf_json_str(w->out, buf_view(&b));
    buf_free(&b);
}

/* ---- contents for another model ---- */

/* One part without its signature; a call of a turn gets the one that lets it
 * pass where the target insists. */
static void copy_part(struct gemini_out *w, const struct json *v, bool *called)
{
    struct json_iter it = json_begin(v);
    struct json key, one;
    bool call = gemini_get(v, "functionCall").type != JSON_NONE;

    put_comma(w->out);
    buf_char(w->out, '{');
    while (json_next(&it, &key, &one)) {
        if (gemini_is(&key, "thoughtSignature")) {
            lossy_add(w->l, LOSSY_SIGNATURE, "thoughtSignature");
            continue;
        }
        copy_key(w, &key);
        buf_span(w->out, one.raw);
    }
    if (call && !*called && w->traits->strict) {
        put_comma(w->out);
        buf_str(w->out,
                "\"thoughtSignature\":\"skip_thought_signature_validator\"");
    }
    *called |= call;
    buf_char(w->out, '}');
}

static bool is_thought(const struct json *part)
{
    struct json v = json_get(part, "thought");

    return v.type == JSON_BOOL && json_true(&v);
}

static void copy_parts(struct gemini_out *w, const struct json *list, bool *any)
{
    struct json_iter it = json_begin(list);
    struct json one;
    bool called = false;

    buf_char(w->out, '[');
    while (list->type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        if (one.type != JSON_OBJECT)
            continue;
        if (is_thought(&one)) {
            lossy_add(w->l, LOSSY_THINKING, "thought");
            continue;
        }
        copy_part(w, &one, &called);
        *any = true;
    }
    buf_char(w->out, ']');
}

static void copy_content(struct gemini_out *w, const struct json *v)
{
    struct json_iter it = json_begin(v);
    struct json key, one, parts = json_get(v, "parts");
    size_t before = w->out->len;
    bool any = json_count(&parts) == 0;

    put_comma(w->out);
    buf_char(w->out, '{');
    while (json_next(&it, &key, &one)) {
        copy_key(w, &key);
        if (json_is(&key, "parts"))
            copy_parts(w, &one, &any);
        else
            buf_span(w->out, one.raw);
    }
    buf_char(w->out, '}');
    if (!any && !w->out->failed)
        w->out->len = before; /* it was thoughts only */
}

static void copy_contents(struct gemini_out *w, const struct json *list)
{
    struct json_iter it = json_begin(list);
    struct json one;
    size_t empty;

    buf_char(w->out, '[');
    empty = w->out->len;
    while (list->type == JSON_ARRAY && json_next(&it, NULL, &one))
        copy_content(w, &one);
    if (w->out->len == empty) /* all of it was thoughts */
        buf_str(w->out, "{\"role\":\"user\",\"parts\":[{\"text\":\" \"}]}");
    buf_char(w->out, ']');
}

/* ---- the rest ---- */

static void copy_config(struct gemini_out *w, const struct json *v)
{
    struct json_iter it = json_begin(v);
    struct json key, one;
    bool any = false;

    buf_char(w->out, '{');
    while (v->type == JSON_OBJECT && json_next(&it, &key, &one)) {
        if (gemini_is(&key, "thinkingConfig")) {
            gemini_write_thinking(w, &w->r->params, &any);
            continue;
        }
        copy_key(w, &key);
        buf_span(w->out, one.raw);
        any = true;
    }
    buf_char(w->out, '}');
}

static void copy_requests(struct gemini_out *w, const struct json *list)
{
    struct json_iter it = json_begin(list);
    struct json one;

    buf_char(w->out, '[');
    while (json_next(&it, NULL, &one)) {
        put_comma(w->out);
        if (one.type == JSON_OBJECT)
            gemini_copy(w, &one);
        else
            buf_span(w->out, one.raw);
    }
    buf_char(w->out, ']');
}

static void copy_value(struct gemini_out *w, const struct json *key,
                       const struct json *v)
{
    if (json_is(key, "model"))
        put_model(w, v);
    else if (json_is(key, "contents") && !w->t->same_model)
        copy_contents(w, v);
    else if (gemini_is(key, "generationConfig") && !w->t->same_model)
        copy_config(w, v);
    else if (json_is(key, "requests") && v->type == JSON_ARRAY)
        copy_requests(w, v);
    else if (gemini_is(key, "generateContentRequest") && v->type == JSON_OBJECT)
        gemini_copy(w, v);
    else
        buf_span(w->out, v->raw);
}

void gemini_copy(struct gemini_out *w, const struct json *body)
{
    struct json_iter it = json_begin(body);
    struct json key, v;

    buf_char(w->out, '{');
    while (json_next(&it, &key, &v)) {
        copy_key(w, &key);
        copy_value(w, &key, &v);
    }
    buf_char(w->out, '}');
}

/* ---- the dialect's request_write ---- */

bool gemini_request_write(const struct request *r, const struct target *t,
                          struct losses *l, struct buf *out, struct err *e)
{
    struct gemini_out w = {
        .r = r, .t = t, .traits = gemini_traits(t->model), .l = l, .out = out};
    struct json top;

    if (t->same_dialect && r->body.len) {
        if (!json_parse(r->body, &top, e))
            return false;
        gemini_copy(&w, &top);
    } else {
        arena_init(&w.scratch, r->body.len * 2 + ((size_t)1 << 20));
        buf_char(out, '{');
        gemini_write_contents(&w);
        gemini_write_params(&w);
        buf_char(out, '}');
        arena_free(&w.scratch);
    }
    return !out->failed ||
           err_set(e, ERR_MEMORY,
                   "request: wanted memory below its cap, found "
                   "none left");
}
