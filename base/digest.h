/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 over OpenSSL, which is included nowhere else for it (its headers
 * claim names of ours).
 */
#ifndef WEIR_BASE_DIGEST_H
#define WEIR_BASE_DIGEST_H

#include <stdbool.h>

#include "base/span.h"

enum { DIGEST_SIZE = 32, DIGEST_HEX = 2 * DIGEST_SIZE + 1 };

/* False when the library refuses (no memory, or a policy forbids it). */
bool digest_sha256(struct span bytes, unsigned char sum[DIGEST_SIZE]);
/* HMAC with SHA-256 (RFC 2104); false as above. */
bool digest_hmac(struct span key, struct span text,
                 unsigned char sum[DIGEST_SIZE]);
/* Overwrites n bytes that were secret, also where nothing reads them. */
void digest_wipe(void *bytes, size_t n);
/* 64 lower-case digits and a NUL. */
void digest_hex(const unsigned char sum[DIGEST_SIZE], char hex[DIGEST_HEX]);

/* Piece by piece. */
struct digest;
struct digest *digest_new(void); /* NULL: as above */
bool digest_add(struct digest *d, struct span bytes);
bool digest_finish(struct digest *d, unsigned char sum[DIGEST_SIZE]);
void digest_free(struct digest *d); /* NULL: no-op */

#endif
