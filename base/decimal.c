/* SPDX-License-Identifier: Apache-2.0 */
#include "base/decimal.h"

#include <string.h>

size_t decimal_put(char dst[DECIMAL_MAX], uint64_t v)
{
    char text[DECIMAL_MAX];
    size_t at = sizeof text;

    do
        text[--at] = (char)('0' + v % 10);
    while (v /= 10);
    memcpy(dst, text + at, sizeof text - at);
    return sizeof text - at;
}

void buf_decimal(struct buf *b, uint64_t v)
{
    char text[DECIMAL_MAX];

    buf_put(b, text, decimal_put(text, v));
}

void hex_put(char dst[HEX_MAX], uint64_t v)
{
    for (int i = HEX_MAX; i-- > 0; v >>= 4)
        dst[i] = "0123456789abcdef"[v & 15];
}
