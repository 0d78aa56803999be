/* SPDX-License-Identifier: Apache-2.0 */
#include "features/text.h"

#include "base/json.h"
#include "base/utf8.h"

#include <string.h>

size_t text_next(struct text *t, char *dst, size_t size)
{
    size_t n;

    if (t->escaped)
        return json_unescape_some(&t->raw, dst, size);
    n = utf8_cut(t->raw, size);
    if (n == 0)
        return 0;
    memcpy(dst, t->raw.ptr, n);
    t->raw.ptr += n;
    t->raw.len -= n;
    return n;
}

size_t text_head(struct text t, char *dst, size_t size)
{
    return text_next(&t, dst, size);
}

/* Raw bytes of the unit at p: an escape (both halves of a surrogate pair) or
 * one byte; *out: the bytes that it decodes to. */
static size_t unit_len(const char *p, size_t *out)
{
    *out = 1;
    if (*p != '\\')
        return 1;
    if (p[1] != 'u')
        return 2;
    if ((p[2] | 32) == 'd' && strchr("89abAB", p[3])) {
        *out = 4;
        return 12;
    }
    if (p[2] == '0' && p[3] == '0')
        *out = p[4] < '8' ? 1 : 2;
    else
        *out = p[2] == '0' && p[3] < '8' ? 2 : 3;
    return 6;
}

/* The raw place whose decoded rest is at most `size` bytes: first whole units
 * are passed over, then what is left of a cut code point. */
static const char *skip_to(const char *p, const char *end, size_t size)
{
    size_t left = 0, out;

    for (const char *q = p; q < end; left += out)
        q += unit_len(q, &out);
    while (left > size) {
        p += unit_len(p, &out);
        left -= out;
    }
    while (p < end && ((unsigned char)*p & 0xc0) == 0x80)
        p++;
    return p;
}

/*
 * Far enough before the end for `size` decoded bytes, without reading what
 * stands before: a place in the middle of an escape does no harm there, as
 * its digits are passed over as single bytes, but which of a run of
 * backslashes opens an escape is known only from where the run begins.
 */
static const char *tail_from(struct span raw, size_t size)
{
    size_t most = size * TEXT_ESCAPE_MAX + 12;
    size_t from = raw.len > most ? raw.len - most : 0;

    while (from > 0 && raw.ptr[from - 1] == '\\')
        from--;
    return raw.ptr + from;
}

size_t text_tail(struct text t, char *dst, size_t size)
{
    const char *end = t.raw.ptr + t.raw.len, *p = end;

    if (t.raw.len == 0 || size == 0)
        return 0;
    if (t.escaped) {
        p = skip_to(tail_from(t.raw, size), end, size);
        return json_unescape((struct span){p, (size_t)(end - p)}, dst, size);
    }
    p = t.raw.len > size ? end - size : t.raw.ptr;
    while (p < end && ((unsigned char)*p & 0xc0) == 0x80)
        p++;
    memcpy(dst, p, (size_t)(end - p));
    return (size_t)(end - p);
}
