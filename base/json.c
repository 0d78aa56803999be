/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/utf8.h"

#include <cjson/cJSON.h>
#include <endian.h>
#include <string.h>

/* ---- the check: one function per kind of token ---- */

struct check {
    const char *start, *p, *end;
    struct err *e;
    unsigned depth;
    uint64_t is_object[JSON_DEPTH_MAX / 64]; /* a bit per open container */
};

static bool wanted(struct check *c, const char *what)
{
    size_t at = (size_t)(c->p - c->start);

    if (c->p >= c->end)
        return err_set(c->e, ERR_INPUT,
                       "JSON: wanted %s, found the end at byte %zu", what, at);
    return err_set(c->e, ERR_INPUT, "JSON: wanted %s, found 0x%02x at byte %zu",
                   what, (unsigned char)*c->p, at);
}

static void skip_space(struct check *c)
{
    while (c->p < c->end &&
           (*c->p == ' ' || *c->p == '\n' || *c->p == '\r' || *c->p == '\t'))
        c->p++;
}

static int hex4(const char *p, const char *end)
{
    int v = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];

        v <<= 4;
        if (c >= '0' && c <= '9')
            v |= c - '0';
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v |= (c | 32) - 'a' + 10;
        else
            return -1;
    }
    return v;
}

/* p behind the backslash; returns the bytes of the escape behind it (with
 * both halves of a surrogate pair) and its code point, 0 when it is bad. */
static size_t escape(const char *p, const char *end, uint32_t *cp)
{
    static const char names[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    int hi, lo;

    if (p >= end)
        return 0;
    for (const char *n = names; *n; n += 2) {
        if (*n == *p) {
            *cp = (unsigned char)n[1];
            return 1;
        }
    }
    if (*p != 'u' || (hi = hex4(p + 1, end)) < 0)
        return 0;
    *cp = (uint32_t)hi;
    if (hi < 0xd800 || hi > 0xdfff)
        return 5;
    if (hi > 0xdbff || end - p < 11 || p[5] != '\\' || p[6] != 'u')
        return 0;
    lo = hex4(p + 7, end);
    if (lo < 0xdc00 || lo > 0xdfff)
        return 0;
    *cp = 0x10000 + (((uint32_t)hi & 0x3ff) << 10 | ((uint32_t)lo & 0x3ff));
    return 11;
}

#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL
#define HAS_ZERO(w) (((w)-ONES) & ~(w)&HIGHS)

/* Bytes of a little-endian word that need a look, their top bits set; the
 * lowest one is exact, what is above it may be a borrow's doing. */
static uint64_t marked(uint64_t w)
{
    return (w & HIGHS) | HAS_ZERO(w ^ (ONES * '"')) |
           HAS_ZERO(w ^ (ONES * '\\')) | HAS_ZERO(w & (ONES * 0xe0));
}

typedef signed char bytes16 __attribute__((vector_size(16)));

/* Whether all sixteen are ASCII, no quote, backslash or control.  As signed
 * numbers, controls and what is beyond ASCII are all below a space. */
static inline bool plain16(const char *p)
{
    bytes16 v, bad;
    uint64_t half[2];

    memcpy(&v, p, sizeof v);
    bad = (v < ' ') | (v == '"') | (v == '\\');
    memcpy(half, &bad, sizeof half);
    return (half[0] | half[1]) == 0;
}

/* Skips bytes that need no look: ASCII, no quote, backslash or control. */
static inline const char *skip_plain(const char *p, const char *end)
{
    uint64_t w, m;

    while (end - p >= 16 && plain16(p))
        p += 16;
    while (end - p >= 8) {
        memcpy(&w, p, 8);
        m = marked(le64toh(w));
        if (m)
            return p + (__builtin_ctzll(m) >> 3);
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 &&
           *p != '"' && *p != '\\')
        p++;
    return p;
}

static bool check_string(struct check *c)
{
    uint32_t cp;
    size_t n;

    c->p++;
    for (;;) {
        c->p = skip_plain(c->p, c->end);
        if (c->p >= c->end || (unsigned char)*c->p < 0x20)
            return wanted(c, "a character of a string (controls escaped)");
        if (*c->p == '"') {
            c->p++;
            return true;
        }
        if (*c->p == '\\') {
            n = escape(c->p + 1, c->end, &cp);
            if (n == 0)
                return wanted(c, "a valid escape (surrogates in pairs)");
            c->p += 1 + n;
            continue;
        }
        while (c->p < c->end && (unsigned char)*c->p >= 0x80) {
            n = utf8_len(c->p, (size_t)(c->end - c->p));
            if (n == 0)
                return wanted(c, "valid UTF-8");
            c->p += n;
        }
    }
}

static bool digits(struct check *c)
{
    const char *from = c->p;

    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        c->p++;
    return c->p > from || wanted(c, "a digit");
}

static bool check_number(struct check *c)
{
    if (*c->p == '-')
        c->p++;
    if (c->p < c->end && *c->p == '0')
        c->p++;
    else if (!digits(c))
        return false;
    if (c->p < c->end && *c->p == '.') {
        c->p++;
        if (!digits(c))
            return false;
    }
    if (c->p < c->end && (*c->p | 32) == 'e') {
        c->p++;
        if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
            c->p++;
        return digits(c);
    }
    return true;
}

static bool check_word(struct check *c, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return wanted(c, "a JSON value");
    c->p += n;
    return true;
}

static bool check_scalar(struct check *c)
{
    switch (c->p < c->end ? *c->p : '\0') {
    case '"':
        return check_string(c);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return check_number(c);
    default:
        return wanted(c, "a JSON value");
    }
}

static bool top_is_object(const struct check *c)
{
    unsigned top = c->depth - 1;

    return c->is_object[top / 64] >> (top % 64) & 1;
}

static bool check_key(struct check *c)
{
    skip_space(c);
    if (c->p >= c->end || *c->p != '"')
        return wanted(c, "a key in double quotes");
    if (!check_string(c))
        return false;
    skip_space(c);
    if (c->p >= c->end || *c->p != ':')
        return wanted(c, "':'");
    c->p++;
    return true;
}

static bool push(struct check *c, bool object)
{
    if (c->depth == JSON_DEPTH_MAX)
        return err_set(c->e, ERR_LIMIT,
                       "JSON: wanted nesting of at most %d, found more at "
                       "byte %zu",
                       JSON_DEPTH_MAX, (size_t)(c->p - c->start));
    if (object)
        c->is_object[c->depth / 64] |= 1ULL << (c->depth % 64);
    else
        c->is_object[c->depth / 64] &= ~(1ULL << (c->depth % 64));
    c->depth++;
    return true;
}

/* Opens containers until a scalar or an empty container has been read. */
static bool check_open(struct check *c)
{
    for (;;) {
        bool object;

        skip_space(c);
        if (c->p >= c->end || (*c->p != '{' && *c->p != '['))
            return check_scalar(c);
        object = *c->p == '{';
        if (!push(c, object))
            return false;
        c->p++;
        skip_space(c);
        if (c->p < c->end && *c->p == (object ? '}' : ']')) {
            c->p++;
            c->depth--;
            return true;
        }
        if (object && !check_key(c))
            return false;
    }
}

/* Behind a value: closes containers until a comma asks for the next one. */
static bool check_close(struct check *c, bool *more)
{
    while (c->depth > 0) {
        bool object = top_is_object(c);

        skip_space(c);
        if (c->p < c->end && *c->p == ',') {
            c->p++;
            *more = true;
            return !object || check_key(c);
        }
        if (c->p >= c->end || *c->p != (object ? '}' : ']'))
            return wanted(c, object ? "',' or '}'" : "',' or ']'");
        c->p++;
        c->depth--;
    }
    *more = false;
    return true;
}

/* ---- walking checked text ---- */

/* To the next quote or backslash of a string that was checked. */
static inline const char *skip_text(const char *p, const char *end)
{
    uint64_t w, m;

    while (end - p >= 16 && plain16(p))
        p += 16;
    while (end - p >= 8) {
        memcpy(&w, p, 8);
        w = le64toh(w);
        m = HAS_ZERO(w ^ (ONES * '"')) | HAS_ZERO(w ^ (ONES * '\\'));
        if (m)
            return p + (__builtin_ctzll(m) >> 3);
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

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
    const char *start = text.ptr ? text.ptr : "";
    struct check c = {start, start, start + text.len, e, 0, {0}};
    const char *from, *end;
    bool more = true;

    *out = (struct json){JSON_NONE, false, {NULL, 0}};
    if (text.len == 0)
        return err_set(e, ERR_INPUT, "JSON: wanted a value, found nothing");
    while (more) {
        if (!check_open(&c) || !check_close(&c, &more))
            return false;
    }
    end = c.p;
    skip_space(&c);
    if (c.p < c.end)
        return wanted(&c, "nothing behind the value");
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

bool json_i64(const struct json *v, int64_t *out)
{
    double d;

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
