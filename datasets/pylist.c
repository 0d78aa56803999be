/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/pylist.h"

#include "base/utf8.h"

#include <string.h>

struct text {
    const char *p, *end;
};

static void skip_space(struct text *t)
{
    while (t->p < t->end && strchr(" \t\r\n", *t->p))
        t->p++;
}

static bool hex(struct text *t, unsigned digits, uint32_t *cp)
{
    *cp = 0;
    if (t->end - t->p < (ptrdiff_t)digits)
        return false;
    for (unsigned i = 0; i < digits; i++) {
        char c = *t->p++;
        char low = (char)(c | 32);

        if (c >= '0' && c <= '9')
            *cp = *cp << 4 | (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            *cp = *cp << 4 | (uint32_t)(low - 'a' + 10);
        else
            return false;
    }
    return *cp <= 0x10ffff && (*cp < 0xd800 || *cp > 0xdfff);
}

/* The escape behind a backslash; dst has room for four bytes. */
static size_t escape(struct text *t, char *dst)
{
    static const char names[] = "n\nt\tr\r\\\\''\"\"//a\ab\bf\fv\v";
    unsigned digits;
    uint32_t cp;
    char c;

    if (t->p >= t->end)
        return 0;
    c = *t->p++;
    for (const char *n = names; *n; n += 2) {
        if (*n == c) {
            *dst = n[1];
            return 1;
        }
    }
    digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    return digits && hex(t, digits, &cp) ? utf8_put(dst, cp) : 0;
}

static bool one_string(struct text *t, struct arena *a, struct span *out)
{
    char quote = *t->p++;
    char *dst = arena_alloc(a, (size_t)(t->end - t->p) + 4);
    size_t n = 0;

    while (dst && t->p < t->end && *t->p != quote) {
        size_t len = 1;

        if (*t->p != '\\') {
            dst[n] = *t->p++;
        } else {
            t->p++;
            len = escape(t, dst + n);
        }
        if (len == 0)
            return false;
        n += len;
    }
    if (!dst || t->p >= t->end)
        return false;
    t->p++;
    *out = (struct span){dst, n};
    return true;
}

bool pylist_parse(struct span text, struct arena *a, struct span *out,
                  size_t max, size_t *n)
{
    struct text t;

    text = span_trim(text);
    *n = 0;
    if (text.len < 2 || text.ptr[0] != '[' || text.ptr[text.len - 1] != ']')
        return false;
    t = (struct text){text.ptr + 1, text.ptr + text.len - 1};
    for (;;) {
        skip_space(&t);
        if (t.p >= t.end)
            return true;
        if (*n == max || (*t.p != '\'' && *t.p != '"') ||
            !one_string(&t, a, &out[*n]))
            return false;
        ++*n;
        skip_space(&t);
        if (t.p < t.end && *t.p++ != ',')
            return false;
    }
}
