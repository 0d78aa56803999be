/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates. */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include "base/span.h"

/* Bytes of the valid sequence at p (1-4), or 0 when it is not valid or cut
 * off within n bytes.  n >= 1. */
size_t utf8_len(const char *p, size_t n);
/* Decodes one code point; returns its bytes, 0 as above. */
size_t utf8_get(const char *p, size_t n, uint32_t *cp);
/* Writes cp (<= U+10FFFF, no surrogate) to dst[4]; returns its bytes. */
size_t utf8_put(char *dst, uint32_t cp);
bool utf8_valid(struct span s);
/* The largest n <= max such that s.ptr[n] starts a code point (or n is the
 * length): where a text may be cut. */
size_t utf8_cut(struct span s, size_t max);

#endif
