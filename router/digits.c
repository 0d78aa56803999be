/* SPDX-License-Identifier: Apache-2.0 */
#include "router/digits.h"

#include <math.h>
#include <string.h>

#include "base/decimal.h"

static const double powers[] = {1,   1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

/* n digits, leading zeros too, from the back in pairs. */
static void put_padded(char *dst, uint64_t v, unsigned n)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021"
                                "22232425262728293031323334353637383940414243"
                                "44454647484950515253545556575859606162636465"
                                "66676869707172737475767778798081828384858687"
                                "888990919293949596979899";

    for (; n > 1; n -= 2, v /= 100)
        memcpy(dst + n - 2, pairs + v % 100 * 2, 2);
    if (n)
        dst[0] = (char)('0' + v);
}

/* units of 10^-decimals. */
static size_t put_scaled(char *dst, bool negative, uint64_t units,
                         unsigned decimals)
{
    uint64_t one = (uint64_t)powers[decimals];
    uint64_t whole = units < one ? 0 : units / one, part = units - whole * one;
    size_t n = 0;

    if (negative && units)
        dst[n++] = '-';
    n += decimal_put(dst + n, whole);
    if (part == 0)
        return n;
    dst[n] = '.';
    put_padded(dst + n + 1, part, decimals);
    n += decimals + 1;
    while (dst[n - 1] == '0')
        n--;
    return n;
}

/* v >= 0 to the nearest whole number, halves up, as llround(). */
static uint64_t nearest(double v)
{
    uint64_t n = (uint64_t)v;

    return n + (v - (double)n >= 0.5);
}

size_t digits_put(char dst[DIGITS_MAX], double v, unsigned decimals)
{
    if (!(fabs(v) < 1e9) || (decimals > 9 && !(fabs(v) < 1e6))) {
        memcpy(dst, "null", 4);
        return 4;
    }
    return put_scaled(dst, v < 0, nearest(fabs(v) * powers[decimals]),
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
