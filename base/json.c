/* SPDX-License-Identifier: Apache-2.0 */
/* Walking and reading a JSON text that has been checked. */
#include "base/json.h"

#include "base/json_scan.h"
#include "base/utf8.h"

#include <cjson/cJSON.h>

static const char *over_string(const char *p, const char *end, bool *escaped)
{
    for (p = skip_text(p + 1, end); p < end && *p == '\\';
         p = skip_text(p + 2 < end ? p + 2 : end, end))
        *escaped = true;
    return p < end ? p + 1 : end;
}

static const char *over_container(const char *p, const char *end)
{
    unsigned depth = 0;
    bool escaped;

    while (p < end) {
        if (*p == '"') {
            p = over_string(p, end, &escaped);
            continue;
        }
        if (*p == '{' || *p == '[')
            depth++;
        else if ((*p == '}' || *p == ']') && --depth == 0)
            return p + 1;
        p++;
    }
    return end;
}

static const char *over_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static const char *over_word(const char *p, const char *end)
{
    while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' &&
           *p != '\n' && *p != '\r' && *p != '\t')
        p++;
    return p;
}

/* Reads the value that starts at p (p < end); returns what is behind it. */
static const char *value_at(const char *p, const char *end, struct json *v)
{
    const char *from = p;

    v->escaped = false;
    if (*p == '"') {
        v->type = JSON_STRING;
        p = over_string(p, end, &v->escaped);
    } else if (*p == '{' || *p == '[') {
        v->type = *p == '{' ? JSON_OBJECT : JSON_ARRAY;
        p = over_container(p, end);
    } else {
        v->type = *p == 'n'                ? JSON_NULL
                  : *p == 't' || *p == 'f' ? JSON_BOOL
                                           : JSON_NUMBER;
        p = over_word(p, end);
    }
    v->raw = (struct span){from, (size_t)(p - from)};
    return p;
}

bool json_parse(struct span text, struct json *out, struct err *e)
{
    const char *from, *end;

    *out = (struct json){JSON_NONE, false, {NULL, 0}};
    if (!json_check(text, &end, e))
        return false;
    from = over_space(text.ptr, end);
    if (*from == '{' || *from == '[')
        /* The check has just found its end: no second walk. */
        *out = (struct json){*from == '{' ? JSON_OBJECT : JSON_ARRAY,
                             false,
                             {from, (size_t)(end - from)}};
    else
        value_at(from, end, out);
    return true;
}

struct json_iter json_begin(const struct json *v)
{
    if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
        return (struct json_iter){NULL, NULL};
    return (struct json_iter){v->raw.ptr + 1, v->raw.ptr + v->raw.len - 1};
}

bool json_next(struct json_iter *it, struct json *key, struct json *value)
{
    const char *p = over_space(it->p, it->end);
    struct json first;

    if (p < it->end && *p == ',')
        p = over_space(p + 1, it->end);
    if (p >= it->end)
        return false;
    p = value_at(p, it->end, &first);
    if (key)
        *key = (struct json){JSON_NONE, false, {NULL, 0}};
    it->p = over_space(p, it->end);
    if (it->p < it->end && *it->p == ':') {
        if (key)
            *key = first;
        p = over_space(it->p + 1, it->end);
        it->p = value_at(p, it->end, value);
    } else {
        *value = first;
    }
    return true;
}

size_t json_count(const struct json *container)
{
    struct json_iter it = json_begin(container);
    struct json v;
    size_t n = 0;

    while (json_next(&it, NULL, &v))
        n++;
    return n;
}

struct json json_get(const struct json *obj, const char *key)
{
    struct json found = {JSON_NONE, false, {NULL, 0}};
    struct json k, v;
    struct json_iter it = json_begin(obj);

    if (obj->type != JSON_OBJECT)
        return found;
    while (json_next(&it, &k, &v)) {
        if (span_is(json_inner(&k), key))
            found = v;
    }
    return found;
}

bool json_repeats(const struct json *obj, const char *key)
{
    struct json k, v;
    struct json_iter it = json_begin(obj);
    int seen = 0;

    while (obj->type == JSON_OBJECT && json_next(&it, &k, &v))
        seen += span_is(json_inner(&k), key);
    return seen > 1;
}

struct span json_inner(const struct json *v)
{
    if (v->type != JSON_STRING)
        return (struct span){NULL, 0};
    return (struct span){v->raw.ptr + 1, v->raw.len - 2};
}

/* Copies what needs no decoding, at most `size` bytes and whole code points;
 * returns the bytes. */
static size_t copy_plain(const char *p, const char *end, char *dst, size_t size)
{
    const char *stop = memchr(p, '\\', (size_t)(end - p));
    size_t n =
        utf8_cut((struct span){p, (size_t)((stop ? stop : end) - p)}, size);

    memcpy(dst, p, n);
    return n;
}

size_t json_unescape_some(struct span *rest, char *dst, size_t size)
{
    const char *p = rest->ptr, *end = rest->ptr + rest->len;
    size_t n = 0;

    while (p < end && n < size) {
        char unit[4];
        size_t in, out;
        uint32_t cp;

        if (*p != '\\') {
            /* A window of the rest: memchr must not read a megabyte for
             * the sake of a few bytes of room. */
            const char *to =
                (size_t)(end - p) > size - n ? p + (size - n) + 1 : end;

            in = copy_plain(p, to, dst + n, size - n);
            if (in == 0)
                break;
            p += in;
            n += in;
            continue;
        }
        in = escape(p + 1, end, &cp);
        out = in ? utf8_put(unit, cp) : 0;
        if (in == 0 || out > size - n)
            break;
        memcpy(dst + n, unit, out);
        n += out;
        p += 1 + in;
    }
    *rest = (struct span){p, (size_t)(end - p)};
    return n;
}

size_t json_unescape(struct span inner, char *dst, size_t size)
{
    return json_unescape_some(&inner, dst, size);
}

bool json_text(const struct json *v, struct arena *a, struct span *out)
{
    struct span inner = json_inner(v);
    char *copy;

    *out = inner;
    if (v->type != JSON_STRING)
        return false;
    if (!v->escaped)
        return true;
    copy = arena_alloc(a, inner.len);
    if (!copy)
        return false;
    *out = (struct span){copy, json_unescape(inner, copy, inner.len)};
    return true;
}

bool json_is(const struct json *v, const char *str)
{
    return v->type == JSON_STRING && span_is(json_inner(v), str);
}

bool json_true(const struct json *v)
{
    return v->type == JSON_BOOL && v->raw.ptr[0] == 't';
}

bool json_double(const struct json *v, double *out)
{
    return v->type == JSON_NUMBER && span_double(v->raw, out);
}

/* Digits alone, few enough for 2^53: what nearly all counts are. */
static bool plain_digits(struct span s, int64_t *out)
{
    int64_t n = 0;

    if (s.len == 0 || s.len > 15)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        n = n * 10 + (s.ptr[i] - '0');
    }
    *out = n;
    return true;
}

bool json_i64(const struct json *v, int64_t *out)
{
    double d;

    if (v->type == JSON_NUMBER && plain_digits(v->raw, out))
        return true;

    if (!json_double(v, &d) || d < -9007199254740992.0 ||
        d > 9007199254740992.0 || d != (double)(int64_t)d)
        return false;
    *out = (int64_t)d;
    return true;
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {
        "nothing",  "null",     "a boolean", "a number",
        "a string", "an array", "an object",
    };

    return names[type];
}

struct cJSON *json_tree(struct span text, struct err *e)
{
    struct json v;
    cJSON *tree;

    if (!json_parse(text, &v, e))
        return NULL;
    tree = cJSON_ParseWithLength(v.raw.ptr, v.raw.len);
    if (!tree)
        err_set(e, ERR_INPUT,
                "JSON: found something that cJSON refuses "
                "(a \\u0000, or no memory)");
    return tree;
}
