/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

struct digest {
    EVP_MD_CTX *ctx; /* (owned) */
};

bool digest_sha256(struct span bytes, unsigned char sum[DIGEST_SIZE])
{
    unsigned n = DIGEST_SIZE;
    return EVP_Digest(bytes.ptr, bytes.len, sum, &n, EVP_sha256(), NULL) == 1;
}

bool digest_hmac(struct span key, struct span text,
                 unsigned char sum[DIGEST_SIZE])
{
    unsigned n = DIGEST_SIZE;
    return HMAC(EVP_sha256(), key.ptr, (int)key.len,
                (const unsigned char *)text.ptr, text.len, sum, &n);
}

void digest_wipe(void *bytes, size_t n)
{
    OPENSSL_cleanse(bytes, n);
}

void digest_hex(const unsigned char sum[DIGEST_SIZE], char hex[DIGEST_HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < DIGEST_SIZE; i++) {
        *hex++ = digits[sum[i] >> 4];
        *hex++ = digits[sum[i] & 15];
    }
    *hex = '\0';
}

struct digest *digest_new(void)
{
    struct digest *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->ctx = EVP_MD_CTX_new();
    if (d->ctx && EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) == 1)
        return d;
    digest_free(d);
    return NULL;
}

bool digest_add(struct digest *d, struct span bytes)
{
    return EVP_DigestUpdate(d->ctx, bytes.ptr, bytes.len) == 1;
}

bool digest_finish(struct digest *d, unsigned char sum[DIGEST_SIZE])
{
    unsigned n = DIGEST_SIZE;
    return EVP_DigestFinal_ex(d->ctx, sum, &n) == 1;
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}
