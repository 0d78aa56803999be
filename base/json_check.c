/* SPDX-License-Identifier: Apache-2.0 */
/* The check of a JSON text: one function per kind of token. */
#include "base/json.h"

#include "base/json_scan.h"
#include "base/utf8.h"

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

bool json_check(struct span text, const char **end, struct err *e)
{
    const char *start = text.ptr ? text.ptr : "";
    struct check c = {start, start, start + text.len, e, 0, {0}};
    bool more = true;

    if (text.len == 0)
        return err_set(e, ERR_INPUT, "JSON: wanted a value, found nothing");
    while (more) {
        if (!check_open(&c) || !check_close(&c, &more))
            return false;
    }
    *end = c.p;
    skip_space(&c);
    return c.p == c.end || wanted(&c, "nothing behind the value");
}
