/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/filehash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

bool filehash(const char *path, char hex[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE] = {0}, block[1 << 16];
    FILE *f = fopen(path, "re");
    EVP_MD_CTX *md = f ? EVP_MD_CTX_new() : NULL;
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    size_t n;

    if (f && !ok)
        errno = ENOMEM;
    while (ok && (n = fread(block, 1, sizeof block, f)) > 0)
        ok = EVP_DigestUpdate(md, block, n) == 1;
    if (ok && ferror(f))
        ok = false;
    if (ok)
        ok = EVP_DigestFinal_ex(md, sum, NULL) == 1;
    for (int i = 0; ok && i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    EVP_MD_CTX_free(md);
    if (f)
        fclose(f);
    return ok;
}
