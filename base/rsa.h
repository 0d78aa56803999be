/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures with an RSA key over OpenSSL (RS256: RSASSA-PKCS1-v1_5 with
 * SHA-256, RFC 7518).  Its headers claim names of ours, so that they stand in
 * rsa.c alone.
 */
#ifndef WEIR_BASE_RSA_H
#define WEIR_BASE_RSA_H

#include "base/span.h"

enum { RSA_SIGNATURE_MAX = 1024 }; /* bytes: of a key of 8192 bits */

struct rsa_key;

/* From PEM (PKCS #8 or #1, not encrypted); NULL when it is no such key. */
struct rsa_key *rsa_key_new(struct span pem);
void rsa_key_free(struct rsa_key *k); /* NULL: no-op */
/* Writes *n bytes of signature; false when the library refuses. */
bool rsa_sign(const struct rsa_key *k, struct span text,
              unsigned char sum[RSA_SIGNATURE_MAX], size_t *n);

#endif
