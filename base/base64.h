/* SPDX-License-Identifier: Apache-2.0 */
/* Standard base64 (RFC 4648, section 4): with padding, no line ends. */
#ifndef WEIR_BASE_BASE64_H
#define WEIR_BASE_BASE64_H

#include "base/span.h"

/* Characters that n bytes become, and the most bytes that n characters can
 * become. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4)
#define BASE64_BYTES(n) ((n) / 4 * 3)

/* Writes BASE64_SIZE(bytes.len) characters, no NUL; returns that number. */
size_t base64_encode(struct span bytes, char *dst);
/* Writes at most BASE64_BYTES(text.len) bytes, *n of them; false when text
 * is not base64 in its one canonical form. */
bool base64_decode(struct span text, void *dst, size_t *n);

#endif
