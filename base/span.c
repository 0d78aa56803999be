/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct span span_of(const char *str)
{
    return (struct span){str, str ? strlen(str) : 0};
}

bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

bool span_is(struct span a, const char *str)
{
    return span_eq(a, span_of(str));
}

bool span_is_nocase(struct span a, const char *str)
{
    return a.len == strlen(str) &&
           (a.len == 0 || !strncasecmp(a.ptr, str, a.len));
}

bool span_starts(struct span a, const char *prefix)
{
    size_t n = strlen(prefix);

    return a.len >= n && (n == 0 || !memcmp(a.ptr, prefix, n));
}

bool span_has(struct span hay, struct span needle)
{
    return needle.len == 0 ||
           (hay.len >= needle.len &&
            memmem(hay.ptr, hay.len, needle.ptr, needle.len));
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct span span_trim(struct span a)
{
    while (a.len && is_space(a.ptr[0])) {
        a.ptr++;
        a.len--;
    }
    while (a.len && is_space(a.ptr[a.len - 1]))
        a.len--;
    return a;
}

struct span span_cut(struct span *rest, char sep)
{
    struct span head = *rest;
    const char *at = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;

    if (!at) {
        *rest = (struct span){NULL, 0};
        return head;
    }
    head.len = (size_t)(at - head.ptr);
    rest->ptr = at + 1;
    rest->len -= head.len + 1;
    return head;
}

bool span_copy(char *dst, size_t size, struct span a)
{
    size_t n = a.len < size ? a.len : size - 1;

    if (n)
        memcpy(dst, a.ptr, n);
    dst[n] = '\0';
    return n == a.len;
}

bool span_u64(struct span a, uint64_t *out)
{
    uint64_t v = 0;

    if (a.len == 0)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        unsigned d = (unsigned)(a.ptr[i] - '0');

        if (d > 9 || v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

bool span_double(struct span a, double *out)
{
    char copy[64];
    char *end;

    if (a.len == 0 || is_space(a.ptr[0]) || !span_copy(copy, sizeof copy, a))
        return false;
    *out = strtod(copy, &end);
    return *end == '\0' && (size_t)(end - copy) == a.len && isfinite(*out);
}

/* Finaliser of MurmurHash3 (public domain, Austin Appleby). */
static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    return h ^ (h >> 33);
}

static uint64_t read_le(const char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)(unsigned char)p[i] << (8 * i);
    return v;
}

/* One load, where the bytes lie in that order. */
static inline uint64_t read_eight(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

uint64_t span_hash(struct span a, uint64_t seed)
{
    uint64_t h = seed ^ (a.len * 0x9e3779b97f4a7c15ULL);
    size_t i = 0;

    if (a.len == 0) /* ptr may be NULL */
        return mix(h);
    for (; i + 8 <= a.len; i += 8)
        h = mix(h ^ read_eight(a.ptr + i)) + 0x9e3779b97f4a7c15ULL;
    return mix(i < a.len ? h ^ read_le(a.ptr + i, a.len - i) : h);
}

enum { LANES = 4, STRIDE = LANES * 8 };

/* Lanes do not wait for each other's multiplications. */
uint64_t span_print(struct span a, uint64_t seed)
{
    uint64_t h[LANES] = {seed, ~seed, seed << 1, seed + a.len};
    size_t i = 0;

    for (; i + STRIDE <= a.len; i += STRIDE) {
        for (unsigned k = 0; k < LANES; k++) {
            h[k] =
                (h[k] ^ read_eight(a.ptr + i + 8 * k)) * 0x9e3779b97f4a7c15ULL;
            h[k] ^= h[k] >> 32;
        }
    }
    for (unsigned k = 1; k < LANES; k++)
        h[0] = mix(h[0] ^ h[k]) + 0x9e3779b97f4a7c15ULL;
    return span_hash((struct span){a.len > i ? a.ptr + i : NULL, a.len - i},
                     h[0]);
}
