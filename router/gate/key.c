/* SPDX-License-Identifier: Apache-2.0 */
#include "router/gate/key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { RANDOM = (KEY_ID + KEY_SALT + KEY_SECRET) / 2 };

static bool is_hex(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
            return false;
    }
    return true;
}

static void put_hex(const unsigned char *bytes, size_t digits, char *dst)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < digits; i++)
        dst[i] = hex[bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
}

static bool hash(const char *salt, const char *secret,
                 unsigned char sum[DIGEST_SIZE])
{
    char text[KEY_SALT + KEY_SECRET];
    bool ok;

    memcpy(text, salt, KEY_SALT);
    memcpy(text + KEY_SALT, secret, KEY_SECRET);
    ok = digest_sha256((struct span){text, sizeof text}, sum);
    digest_wipe(text, sizeof text);
    return ok;
}

bool key_make(char key[KEY_TEXT + 1], char out[KEY_HASH + 1], struct err *e)
{
    unsigned char bytes[RANDOM], sum[DIGEST_SIZE];
    char id[KEY_ID], salt[KEY_SALT], secret[KEY_SECRET], hex[DIGEST_HEX];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_sys(e, "random bytes");
    put_hex(bytes, KEY_ID, id);
    put_hex(bytes + KEY_ID / 2, KEY_SALT, salt);
    put_hex(bytes + (KEY_ID + KEY_SALT) / 2, KEY_SECRET, secret);
    if (!hash(salt, secret, sum))
        return err_set(e, ERR_STATE, "SHA-256 is not to be had");
    digest_hex(sum, hex);
    snprintf(key, KEY_TEXT + 1, "weir_%.*s_%.*s", KEY_ID, id, KEY_SECRET,
             secret);
    snprintf(out, KEY_HASH + 1, "sha256:%.*s:%.*s:%s", KEY_ID, id, KEY_SALT,
             salt, hex);
    digest_wipe(bytes, sizeof bytes);
    digest_wipe(secret, sizeof secret);
    return true;
}

static unsigned char nibble(char c)
{
    return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

bool key_hash_read(struct span text, struct key_hash *out)
{
    const char *id = text.ptr + 7, *salt = id + KEY_ID + 1;
    const char *sum = salt + KEY_SALT + 1;

    if (text.len != KEY_HASH || !span_starts(text, "sha256:") ||
        !is_hex(id, KEY_ID) || id[KEY_ID] != ':' || !is_hex(salt, KEY_SALT) ||
        salt[KEY_SALT] != ':' || !is_hex(sum, 2 * DIGEST_SIZE))
        return false;
    memcpy(out->id, id, KEY_ID);
    memcpy(out->salt, salt, KEY_SALT);
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        out->sum[i] =
            (unsigned char)(nibble(sum[2 * i]) << 4 | nibble(sum[2 * i + 1]));
    return true;
}

bool key_id(struct span shown, char id[KEY_ID])
{
    if (shown.len != KEY_TEXT || !span_starts(shown, "weir_") ||
        shown.ptr[5 + KEY_ID] != '_')
        return false;
    memcpy(id, shown.ptr + 5, KEY_ID);
    return true;
}

bool key_matches(const struct key_hash *h, struct span shown)
{
    unsigned char sum[DIGEST_SIZE];
    unsigned char differs = 0;

    if (shown.len != KEY_TEXT ||
        !hash(h->salt, shown.ptr + KEY_TEXT - KEY_SECRET, sum))
        return false;
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        differs |= sum[i] ^ h->sum[i];
    return differs == 0;
}
