/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <string.h>

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t utf8_len(const char *p, size_t n)
{
    const unsigned char *s = (const unsigned char *)p;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n < 2 || !is_tail(s[1]))
        return 0;
    if (s[0] < 0xe0)
        return 2;
    if (n < 3 || !is_tail(s[2]))
        return 0;
    if (s[0] < 0xf0) {
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
            return 0;
        return 3;
    }
    if (n < 4 || !is_tail(s[3]))
        return 0;
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return 4;
}

size_t utf8_get(const char *p, size_t n, uint32_t *cp)
{
    static const unsigned char mask[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t len = utf8_len(p, n);

    if (len == 0)
        return 0;
    *cp = (unsigned char)p[0] & mask[len];
    for (size_t i = 1; i < len; i++)
        *cp = *cp << 6 | ((unsigned char)p[i] & 0x3f);
    return len;
}

size_t utf8_put(char *dst, uint32_t cp)
{
    if (cp < 0x80) {
        dst[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        dst[0] = (char)(0xc0 | cp >> 6);
        dst[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        dst[0] = (char)(0xe0 | cp >> 12);
        dst[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        dst[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    dst[0] = (char)(0xf0 | cp >> 18);
    dst[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    dst[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    dst[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

/* Skips whole words of ASCII; most text is. */
static size_t skip_ascii(struct span s, size_t i)
{
    uint64_t w;

    while (i + 8 <= s.len) {
        memcpy(&w, s.ptr + i, 8);
        if (w & 0x8080808080808080ULL)
            break;
        i += 8;
    }
    return i;
}

bool utf8_valid(struct span s)
{
    size_t i = 0;

    while ((i = skip_ascii(s, i)) < s.len) {
        size_t n = utf8_len(s.ptr + i, s.len - i);

        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t utf8_cut(struct span s, size_t max)
{
    if (max >= s.len)
        return s.len;
    for (int back = 0; back < 3 && max && is_tail((unsigned char)s.ptr[max]);
         back++)
        max--;
    return max;
}
