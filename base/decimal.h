/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers as text, without printf: they are written for each request. */
#ifndef WEIR_BASE_DECIMAL_H
#define WEIR_BASE_DECIMAL_H

#include "base/buf.h"

enum { DECIMAL_MAX = 20, HEX_MAX = 16 };

/* No NUL behind them; returns the digits. */
size_t decimal_put(char dst[DECIMAL_MAX], uint64_t v);
void buf_decimal(struct buf *b, uint64_t v);
/* Sixteen digits in lower case, always. */
void hex_put(char dst[HEX_MAX], uint64_t v);

#endif
