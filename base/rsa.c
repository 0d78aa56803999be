/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rsa.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

struct rsa_key {
    EVP_PKEY *key; /* (owned) */
};

struct rsa_key *rsa_key_new(struct span pem)
{
    struct rsa_key *k = calloc(1, sizeof *k);
    char no_password[] = ""; /* never ask on the terminal */
    BIO *bio;

    if (!k || pem.len == 0 || pem.len > INT_MAX) {
        free(k);
        return NULL;
    }
    bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    if (bio)
        k->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, no_password);
    BIO_free(bio);
    if (k->key && EVP_PKEY_base_id(k->key) == EVP_PKEY_RSA &&
        EVP_PKEY_size(k->key) <= RSA_SIGNATURE_MAX)
        return k;
    rsa_key_free(k);
    return NULL;
}

void rsa_key_free(struct rsa_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key);
    free(k);
}

bool rsa_sign(const struct rsa_key *k, struct span text,
              unsigned char sum[RSA_SIGNATURE_MAX], size_t *n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok;

    *n = RSA_SIGNATURE_MAX;
    ok = ctx &&
         EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->key) == 1 &&
         EVP_DigestSign(ctx, sum, n, (const unsigned char *)text.ptr,
                        text.len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}
