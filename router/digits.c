/* SPDX-License-Identifier: Apache-2.0 */
#include "router/digits.h"

#include <math.h>
#include <string.h>

static const double powers[] = {1,   1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

static size_t put_u64(char *dst, uint64_t v)
{
    char text[24];
    size_t n = 0;

    do {
        text[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    for (size_t i = 0; i < n; i++)
        dst[i] = text[n - 1 - i];
    return n;
}

/* units of 10^-decimals. */
static size_t put_scaled(char *dst, bool negative, uint64_t units,
                         unsigned decimals)
{
    uint64_t one = (uint64_t)powers[decimals];
    uint64_t part = units % one;
    size_t n = 0;

    if (negative && units)
        dst[n++] = '-';
    n += put_u64(dst + n, units / one);
    if (part == 0)
        return n;
    dst[n] = '.';
    for (unsigned i = decimals; i > 0; i--, part /= 10)
        dst[n + i] = (char)('0' + part % 10);
    n += decimals + 1;
    while (dst[n - 1] == '0')
        n--;
    return n;
}

size_t digits_put(char dst[DIGITS_MAX], double v, unsigned decimals)
{
    if (!(fabs(v) < 1e9) || (decimals > 9 && !(fabs(v) < 1e6))) {
        memcpy(dst, "null", 4);
        return 4;
    }
    return put_scaled(dst, v < 0, (uint64_t)llround(fabs(v) * powers[decimals]),
                      decimals);
}

size_t digits_usd(char dst[DIGITS_MAX], int64_t pico)
{
    return put_scaled(dst, pico < 0, (uint64_t)(pico < 0 ? -pico : pico), 12);
}

void buf_digits(struct buf *b, double v, unsigned decimals)
{
    char *at = buf_room(b, DIGITS_MAX);

    if (!at)
        return;
    b->len += digits_put(at, v, decimals);
    b->ptr[b->len] = '\0';
}
