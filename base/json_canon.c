/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_canon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct member {
    struct span key;
    size_t at; /* where it stands */
    struct json value;
};

static int by_key(const void *x, const void *y)
{
    const struct member *a = x, *b = y;
    size_t n = a->key.len < b->key.len ? a->key.len : b->key.len;
    int order = n ? memcmp(a->key.ptr, b->key.ptr, n) : 0;

    if (order == 0)
        order = (a->key.len > b->key.len) - (a->key.len < b->key.len);
    return order ? order : (a->at > b->at) - (a->at < b->at);
}

static void number(const struct json *v, struct buf *out)
{
    double d;
    bool whole = !memchr(v->raw.ptr, '.', v->raw.len) &&
                 !memchr(v->raw.ptr, 'e', v->raw.len) &&
                 !memchr(v->raw.ptr, 'E', v->raw.len);

    if (!json_double(v, &d) || (whole && fabs(d) >= 9007199254740992.0))
        buf_span(out, v->raw);
    else
        buf_json_num(out, d + 0.0 == 0 ? 0.0 : d);
}

static bool string(const struct json *v, struct arena *work, struct buf *out)
{
    struct span text;

    if (!json_text(v, work, &text))
        return false;
    buf_json_str(out, text);
    return true;
}

static bool array(const struct json *v, struct arena *work, struct buf *out)
{
    struct json_iter it = json_begin(v);
    struct json item;
    const char *before = "[";

    while (json_next(&it, NULL, &item)) {
        buf_str(out, before);
        before = ",";
        if (!json_canon(&item, work, out))
            return false;
    }
    buf_str(out, *before == '[' ? "[]" : "]");
    return true;
}

static bool object(const struct json *v, struct arena *work, struct buf *out)
{
    size_t n = json_count(v);
    struct member *m = arena_zalloc(work, n + 1, sizeof *m);
    struct json_iter it = json_begin(v);
    struct json key;
    const char *before = "{";

    if (!m)
        return false;
    for (size_t i = 0; i < n; i++) {
        m[i].at = i;
        if (!json_next(&it, &key, &m[i].value) ||
            !json_text(&key, work, &m[i].key))
            return false;
    }
    qsort(m, n, sizeof *m, by_key);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && span_eq(m[i].key, m[i + 1].key))
            continue;
        buf_str(out, before);
        before = ",";
        buf_json_str(out, m[i].key);
        buf_char(out, ':');
        if (!json_canon(&m[i].value, work, out))
            return false;
    }
    buf_str(out, *before == '{' ? "{}" : "}");
    return true;
}

bool json_canon(const struct json *v, struct arena *work, struct buf *out)
{
    bool ok = true;

    switch (v->type) {
    case JSON_NUMBER:
        number(v, out);
        break;
    case JSON_STRING:
        ok = string(v, work, out);
        break;
    case JSON_ARRAY:
        ok = array(v, work, out);
        break;
    case JSON_OBJECT:
        ok = object(v, work, out);
        break;
    default:
        buf_span(out, v->raw);
    }
    return ok && !out->failed;
}
