/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t base64_encode(struct span bytes, char *dst)
{
    size_t at = 0;

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t w = 0;

        for (size_t k = 0; k < 3; k++)
            w = w << 8 | (k < n ? (unsigned char)bytes.ptr[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            dst[at++] = k <= n ? digits[w >> (18 - 6 * k) & 63] : '=';
    }
    return at;
}

/* Four characters, the last `pad` of them '='; bits that would fall off the
 * end must be 0. */
static bool decode_group(const char *p, unsigned pad, unsigned char *dst)
{
    uint32_t w = 0;

    for (unsigned k = 0; k < 4; k++) {
        int v = k < 4 - pad ? value_of(p[k]) : 0;

        if (v < 0)
            return false;
        w = w << 6 | (uint32_t)v;
    }
    if (w & ((1u << (8 * pad)) - 1))
        return false;
    for (unsigned k = 0; k < 3 - pad; k++)
        dst[k] = (unsigned char)(w >> (16 - 8 * k));
    return true;
}

bool base64_decode(struct span text, void *dst, size_t *n)
{
    unsigned char *out = dst;
    unsigned pad = 0;

    *n = 0;
    if (text.len % 4)
        return false;
    while (pad < 2 && pad < text.len && text.ptr[text.len - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < text.len; i += 4) {
        unsigned here = i + 4 == text.len ? pad : 0;

        if (!decode_group(text.ptr + i, here, out + *n))
            return false;
        *n += 3 - here;
    }
    return true;
}
