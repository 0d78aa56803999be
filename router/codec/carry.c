/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/carry.h"

#include "router/codec/put.h"

#include <math.h>
#include <string.h>

/* ---- reading ---- */

bool carry_inside(struct reader *rd, const char *name, const struct json *v,
                  const struct field *fields, void *target)
{
    reader_enter(rd, name, READER_NO_INDEX);
    if (!reader_object(rd, v, fields, target))
        return false;
    reader_leave(rd);
    return true;
}

bool carry_strings(struct reader *rd, const struct field *f,
                   const struct json *v, void *target)
{
    struct json_iter it = json_begin(v);
    struct json one;

    if (v->type != JSON_ARRAY)
        return reader_wrong(rd, f->name, "an array of strings", v->type);
    for (int64_t i = 0; json_next(&it, NULL, &one); i++) {
        reader_enter(rd, f->name, i);
        if (one.type != JSON_STRING)
            return reader_wrong(rd, "", "a string", one.type);
        reader_leave(rd);
    }
    return read_raw(rd, f, v, target);
}

bool carry_extras(struct reader *rd, const struct json *top,
                  const struct field *rows, struct request *r)
{
    struct json_iter it = json_begin(top);
    struct json key, v;

    r->extras = arena_zalloc(rd->a, json_count(top), sizeof *r->extras);
    if (!r->extras)
        return json_count(top) == 0 || reader_no_memory(rd);
    while (json_next(&it, &key, &v)) {
        if (!reader_row(rows, &key))
            r->extras[r->n_extras++] = (struct extra){json_inner(&key), v.raw};
    }
    return true;
}

/* Without a usable member: the empty span. */
bool carry_str(const struct json *v, const char *name, struct arena *a,
               struct span *s)
{
    struct json one = json_get(v, name);

    *s = (struct span){NULL, 0};
    return one.type != JSON_STRING || json_text(&one, a, s);
}

int64_t carry_count(const struct json *v, const char *name)
{
    struct json one = json_get(v, name);
    int64_t n;

    return json_i64(&one, &n) && n > 0 ? n : 0;
}

/* ---- the same dialect ---- */

static void copy_content(const struct json *content,
                         const struct carry_body *how, struct buf *out)
{
    struct json_iter it = json_begin(content);
    struct json block;

    put_list(out, "content");
    while (json_next(&it, NULL, &block)) {
        if (how->is_thinking(&block))
            continue;
        put_comma(out);
        buf_span(out, block.raw);
    }
    buf_char(out, ']');
}

static void copy_key(struct buf *out, const struct json *key)
{
    put_comma(out);
    buf_span(out, key->raw);
    buf_char(out, ':');
}

static void copy_messages(const struct json *messages,
                          const struct carry_body *how, struct buf *out)
{
    struct json_iter it = json_begin(messages), members;
    struct json one, key, v;

    put_list(out, "messages");
    while (json_next(&it, NULL, &one)) {
        put_comma(out);
        buf_char(out, '{');
        for (members = json_begin(&one); json_next(&members, &key, &v);) {
            if (json_is(&key, "content") && v.type == JSON_ARRAY) {
                copy_content(&v, how, out);
                continue;
            }
            copy_key(out, &key);
            buf_span(out, v.raw);
        }
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

bool carry_body(const struct request *r, const struct target *t,
                const struct carry_body *how, struct buf *out, struct err *e)
{
    struct json top, key, v;
    struct json_iter it;
    bool streams = false;

    if (!json_parse(r->body, &top, e))
        return false;
    buf_char(out, '{');
    for (it = json_begin(&top); json_next(&it, &key, &v);) {
        if (how->has_model && json_is(&key, "model")) {
            put_str(out, "model", t->model);
        } else if (how->has_stream && json_is(&key, "stream")) {
            put_bool(out, "stream", t->stream);
            streams = true;
        } else if (!t->same_model && json_is(&key, "messages")) {
            copy_messages(&v, how, out);
        } else {
            copy_key(out, &key);
            buf_span(out, v.raw);
        }
    }
    if (how->has_stream && t->stream && !streams)
        put_bool(out, "stream", true);
    buf_char(out, '}');
    return !out->failed || err_set(e, ERR_MEMORY, "request: no memory");
}

/* ---- what has no place ---- */

static bool has_top_k(const struct params *p)
{
    return p->top_k >= 0;
}

static bool has_seed(const struct params *p)
{
    return p->seed != INT64_MIN;
}

static bool has_frequency(const struct params *p)
{
    return !isnan(p->frequency_penalty);
}

static bool has_presence(const struct params *p)
{
    return !isnan(p->presence_penalty);
}

static bool has_parallel(const struct params *p)
{
    return p->parallel_tool_calls == 0;
}

static bool has_user(const struct params *p)
{
    return p->user.len;
}

static bool has_metadata(const struct params *p)
{
    return p->metadata.len;
}

static bool has_tier(const struct params *p)
{
    return p->service_tier.len && !span_is(p->service_tier, "auto");
}

static const struct {
    unsigned bit;
    const char *name;
    bool (*said)(const struct params *p);
} params[] = {
    {CARRY_TOP_K, "top_k", has_top_k},
    {CARRY_SEED, "seed", has_seed},
    {CARRY_PENALTIES, "frequency_penalty", has_frequency},
    {CARRY_PENALTIES, "presence_penalty", has_presence},
    {CARRY_PARALLEL, "parallel_tool_calls", has_parallel},
    {CARRY_USER, "user", has_user},
    {CARRY_METADATA, "metadata", has_metadata},
    {CARRY_TIER, "service_tier", has_tier},
};

void carry_losses(const struct request *r, unsigned has, struct losses *l)
{
    const struct params *p = &r->params;

    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
        if (!(has & params[i].bit) && params[i].said(p))
            lossy_add(l, LOSSY_PARAMETER, "%s", params[i].name);
    }
    if (p->n > 1)
        lossy_add(l, LOSSY_N, "%lld", (long long)p->n);
    if (p->logprobs && !(has & CARRY_LOGPROBS))
        lossy_add(l, LOSSY_LOGPROBS, "logprobs");
    else if (p->top_logprobs > 0)
        lossy_add(l, LOSSY_LOGPROBS, "top_logprobs");
    for (size_t i = 0; i < r->n_extras; i++)
        lossy_add(l, LOSSY_PARAMETER, "%.*s", SPAN_ARGS(r->extras[i].name));
}

/* ---- writing ---- */

void carry_undo(struct buf *out, size_t mark)
{
    if (out->failed || mark >= out->len)
        return;
    out->len = mark;
    out->ptr[mark] = '\0';
}

static struct span decode(struct buf *to, struct text t)
{
    char *room = buf_room(to, t.raw.len + 1);
    size_t n;

    if (!room)
        return (struct span){NULL, 0};
    n = text_head(t, room, t.raw.len);
    return (struct span){room, n};
}

void carry_arguments(struct buf *out, const char *name, const struct part *p,
                     struct losses *l)
{
    struct span args = p->text.raw;
    struct buf plain;
    struct json v;
    struct err e;

    buf_init(&plain, out->max);
    if (!p->text_is_json && p->text.escaped)
        args = decode(&plain, p->text);
    args = span_trim(args);
    if (plain.failed) {
        out->failed = true;
    } else if (args.len == 0) {
        put_raw(out, name, SPAN("{}"));
    } else if (json_parse(args, &v, &e) && v.type == JSON_OBJECT) {
        put_raw(out, name, args);
    } else {
        lossy_add(l, LOSSY_OTHER, "arguments of %.*s", SPAN_ARGS(p->name));
        put_open(out, name);
        put_str(out, "arguments", args);
        buf_char(out, '}');
    }
    buf_free(&plain);
}

void carry_text(struct buf *out, const char *name, const struct part *p)
{
    if (p->text_is_json)
        put_str(out, name, p->text.raw);
    else
        put_text(out, name, p->text);
}

/* An escaped character that is white space, or 0. */
static size_t blank_escape(struct span s)
{
    return s.len > 1 && s.ptr[0] == '\\' && strchr("ntrf", s.ptr[1]) ? 2 : 0;
}

bool carry_blank(struct text t)
{
    struct span s = t.raw;

    while (s.len) {
        size_t n = *s.ptr == ' ' ? 1 : blank_escape(s);

        if (n == 0)
            return false;
        s.ptr += n;
        s.len -= n;
    }
    return true;
}

void carry_stop(struct buf *out, const char *name, const struct request *r,
                unsigned most, struct losses *l)
{
    struct json stop = {JSON_STRING, true, r->params.stop}, one;
    struct json_iter it;
    size_t mark = out->len;
    unsigned n = 0;

    if (stop.raw.len == 0)
        return;
    if (*stop.raw.ptr == '[')
        stop.type = JSON_ARRAY;
    else if (*stop.raw.ptr != '"')
        return;
    put_list(out, name);
    it = json_begin(&stop);
    while (stop.type == JSON_STRING ? (one = stop, true)
                                    : json_next(&it, NULL, &one)) {
        if (carry_blank((struct text){json_inner(&one), true}) || n == most) {
            lossy_add(l, LOSSY_STOP, "stop");
        } else {
            put_comma(out);
            buf_span(out, one.raw);
            n++;
        }
        if (stop.type == JSON_STRING)
            break;
    }
    buf_char(out, ']');
    if (n == 0)
        carry_undo(out, mark);
}

void carry_number(struct buf *out, const char *name, double v,
                  const double range[2], struct losses *l)
{
    double in = v < range[0] ? range[0] : v > range[1] ? range[1] : v;

    if (isnan(v))
        return;
    if (in != v)
        lossy_add(l, LOSSY_CLAMPED, "%s", name);
    put_num(out, name, in);
}

void carry_no_signatures(const struct request *r, struct losses *l)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        const struct message *m = &r->messages[i];

        for (size_t k = 0; k < m->n_parts; k++) {
            if (m->parts[k].kind == PART_TEXT && m->parts[k].signature.len)
                lossy_add(l, LOSSY_SIGNATURE, "messages[%zu]", i);
        }
    }
}
