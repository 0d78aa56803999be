/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b)
{
    free(b->ptr);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

char *buf_room(struct buf *b, size_t n)
{
    size_t want, cap;
    char *p;

    if (b->failed || n > b->max || b->len > b->max - n) {
        b->failed = true;
        return NULL;
    }
    want = b->len + n + 1;
    if (want <= b->cap)
        return b->ptr + b->len;
    cap = b->cap ? b->cap * 2 : 64;
    if (cap < want)
        cap = want;
    p = realloc(b->ptr, cap);
    if (!p) {
        b->failed = true;
        return NULL;
    }
    b->ptr = p;
    b->cap = cap;
    return p + b->len;
}

void buf_put(struct buf *b, const void *bytes, size_t n)
{
    char *at = buf_room(b, n);

    if (!at)
        return;
    if (n)
        memcpy(at, bytes, n);
    b->len += n;
    b->ptr[b->len] = '\0';
}

void buf_str(struct buf *b, const char *str)
{
    buf_put(b, str, strlen(str));
}

void buf_span(struct buf *b, struct span s)
{
    buf_put(b, s.ptr, s.len);
}

void buf_char(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    int n;
    char *at;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    at = n < 0 ? NULL : buf_room(b, (size_t)n);
    if (at) {
        vsnprintf(at, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_drop(struct buf *b, size_t n)
{
    if (n == 0)
        return;
    memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
    b->ptr[b->len] = '\0';
}

struct span buf_view(const struct buf *b)
{
    return (struct span){b->ptr, b->len};
}

const char *buf_cstr(const struct buf *b)
{
    return b->ptr && b->cap ? (b->len ? b->ptr : "") : "";
}

static void escape_char(struct buf *b, unsigned char c)
{
    static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (const char *p = names; *p; p += 2) {
        if ((unsigned char)*p == c) {
            buf_char(b, '\\');
            buf_char(b, p[1]);
            return;
        }
    }
    buf_printf(b, "\\u%04x", c);
}

void buf_json_str(struct buf *b, struct span s)
{
    size_t from = 0, i = 0;

    buf_char(b, '"');
    while (i < s.len) {
        unsigned char c = (unsigned char)s.ptr[i];
        size_t n = 1;

        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            i++;
            continue;
        }
        if (c >= 0x80 && (n = utf8_len(s.ptr + i, s.len - i)) > 0) {
            i += n;
            continue;
        }
        buf_put(b, s.ptr + from, i - from);
        if (c >= 0x80)
            buf_str(b, "\xef\xbf\xbd");
        else
            escape_char(b, c);
        from = ++i;
    }
    buf_put(b, s.ptr ? s.ptr + from : "", s.len - from);
    buf_char(b, '"');
}

void buf_json_num(struct buf *b, double v)
{
    char text[40];

    if (!isfinite(v)) {
        buf_str(b, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_str(b, text);
}
