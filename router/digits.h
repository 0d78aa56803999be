/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers with a fixed count of decimals, for headers and rows: printf is
 * several times dearer and rows hold dozens of them. */
#ifndef WEIR_ROUTER_DIGITS_H
#define WEIR_ROUTER_DIGITS_H

#include "base/buf.h"

enum { DIGITS_MAX = 40 };

/* v rounded to `decimals` (<= 12) places without trailing zeros ("0.98",
 * "3"); "null" when v is not finite or
 * too large (1e9; 1e6 with more than 9 decimals).  Returns its bytes. */
size_t digits_put(char dst[DIGITS_MAX], double v, unsigned decimals);
void buf_digits(struct buf *b, double v, unsigned decimals);
/* pico-USD as USD, all 12 decimals that are not trailing zeros. */
size_t digits_usd(char dst[DIGITS_MAX], int64_t pico);

#endif
