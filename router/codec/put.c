/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/put.h"

#include "base/json.h"

#include <inttypes.h>
#include <string.h>

void put_comma(struct buf *b)
{
    char last = b->len ? b->ptr[b->len - 1] : '{';

    if (last != '{' && last != '[' && last != ':')
        buf_char(b, ',');
}

void put_key(struct buf *b, const char *name)
{
    put_comma(b);
    buf_char(b, '"');
    buf_str(b, name);
    buf_put(b, "\":", 2);
}

void put_open(struct buf *b, const char *name)
{
    put_key(b, name);
    buf_char(b, '{');
}

void put_list(struct buf *b, const char *name)
{
    put_key(b, name);
    buf_char(b, '[');
}

void put_str(struct buf *b, const char *name, struct span s)
{
    put_key(b, name);
    buf_json_str(b, s);
}

void put_cstr(struct buf *b, const char *name, const char *s)
{
    put_str(b, name, span_of(s));
}

void put_base64(struct buf *b, const char *name, struct span s)
{
    size_t from;

    put_key(b, name);
    from = b->len;
    buf_json_str(b, s);
    for (size_t i = from; i < b->len; i++) {
        if (b->ptr[i] == '-')
            b->ptr[i] = '+';
        else if (b->ptr[i] == '_')
            b->ptr[i] = '/';
    }
}

void put_raw(struct buf *b, const char *name, struct span json)
{
    put_key(b, name);
    buf_span(b, json);
}

void put_int(struct buf *b, const char *name, int64_t n)
{
    put_key(b, name);
    buf_printf(b, "%" PRId64, n);
}

void put_num(struct buf *b, const char *name, double v)
{
    put_key(b, name);
    buf_json_num(b, v);
}

void put_bool(struct buf *b, const char *name, bool v)
{
    put_key(b, name);
    buf_str(b, v ? "true" : "false");
}

void put_text(struct buf *b, const char *name, struct text t)
{
    put_key(b, name);
    buf_char(b, '"');
    buf_span(b, t.raw);
    buf_char(b, '"');
}

static bool plain(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           (c && strchr("+/=-_.", c));
}

void put_plain(struct buf *b, struct span s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i += n + 1) {
        struct span rest = {s.ptr + i, s.len - i};

        for (n = 0; n < rest.len && plain(rest.ptr[n]);)
            n++;
        buf_put(b, rest.ptr, n);
    }
}

void put_arguments(struct buf *b, const char *name, struct text t, bool is_json)
{
    if (t.raw.len == 0)
        put_cstr(b, name, "{}");
    else if (is_json)
        put_str(b, name, t.raw);
    else
        put_text(b, name, t);
}

void put_call_signature(struct buf *b, struct span signature)
{
    put_open(b, "extra_content");
    put_open(b, "google");
    put_str(b, "thought_signature", signature);
    buf_str(b, "}}");
}

bool put_citation(struct buf *b, struct span raw, bool flat)
{
    static const char *const members[] = {"start_index", "end_index", "title",
                                          "url"};
    struct json v = {JSON_OBJECT, false, raw}, type, in, one;

    if (raw.len == 0 || raw.ptr[0] != '{')
        return false;
    type = json_get(&v, "type");
    if (!json_is(&type, "url_citation"))
        return false;
    in = json_get(&v, "url_citation");
    in = in.type == JSON_OBJECT ? in : v;
    put_comma(b);
    buf_str(b, "{\"type\":\"url_citation\"");
    if (!flat)
        put_open(b, "url_citation");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        one = json_get(&in, members[i]);
        if (one.type != JSON_NONE)
            put_raw(b, members[i], one.raw);
    }
    buf_str(b, flat ? "}" : "}}");
    return true;
}
