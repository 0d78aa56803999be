/* SPDX-License-Identifier: Apache-2.0 */
/* Inside base/json: scanning strings, for the check and for the walk. */
#ifndef WEIR_BASE_JSON_SCAN_H
#define WEIR_BASE_JSON_SCAN_H

#include "base/err.h"
#include "base/span.h"

#include <endian.h>
#include <string.h>

/* The check of a whole text (json_check.c): true, and *end is behind its
 * value; else e says what was wanted where. */
MUST_USE bool json_check(struct span text, const char **end, struct err *e);

static inline int hex4(const char *p, const char *end)
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
static inline size_t escape(const char *p, const char *end, uint32_t *cp)
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
static inline uint64_t marked(uint64_t w)
{
    return (w & HIGHS) | HAS_ZERO(w ^ (ONES * '"')) |
           HAS_ZERO(w ^ (ONES * '\\')) | HAS_ZERO(w & (ONES * 0xe0));
}

typedef signed char bytes16 __attribute__((vector_size(16)));
typedef char bytes16c __attribute__((vector_size(16)));

/* Of a comparison of sixteen bytes, the first that held; 16: none. */
static inline unsigned first16(bytes16 hit)
{
#ifdef __SSE2__
    return (unsigned)__builtin_ctz(
        (unsigned)__builtin_ia32_pmovmskb128((bytes16c)hit) | 1u << 16);
#else
    uint64_t half[2];

    memcpy(half, &hit, sizeof half);
    if (half[0])
        return (unsigned)__builtin_ctzll(le64toh(half[0])) >> 3;
    return half[1] ? 8 + ((unsigned)__builtin_ctzll(le64toh(half[1])) >> 3)
                   : 16;
#endif
}

/* The first of sixteen that is not ASCII, or a quote, backslash or control.
 * As signed numbers, controls and what is beyond ASCII are below a space. */
static inline unsigned odd16(const char *p)
{
    bytes16 v;

    memcpy(&v, p, sizeof v);
    return first16((v < ' ') | (v == '"') | (v == '\\'));
}

static inline unsigned stop16(const char *p)
{
    bytes16 v;

    memcpy(&v, p, sizeof v);
    return first16((v == '"') | (v == '\\'));
}

/* Skips bytes that need no look: ASCII, no quote, backslash or control. */
static inline const char *skip_plain(const char *p, const char *end)
{
    uint64_t w, m;

    for (; end - p >= 16; p += 16) {
        unsigned n = odd16(p);

        if (n < 16)
            return p + n;
    }
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

/* To the next quote or backslash of a string that was checked. */
static inline const char *skip_text(const char *p, const char *end)
{
    uint64_t w, m;

    for (; end - p >= 16; p += 16) {
        unsigned n = stop16(p);

        if (n < 16)
            return p + n;
    }
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

#endif
