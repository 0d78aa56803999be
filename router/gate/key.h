/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inbound keys: 256 random bits that a client shows and of which weir keeps a
 * salted hash only.  Pure but for the random bytes of key_make().
 *
 *   the client's   weir_ID_SECRET         ID 8, SECRET 64 hex digits
 *   weir's         sha256:ID:SALT:SUM     SALT 32, SUM 64 hex digits,
 *                                         SUM = SHA-256(SALT, SECRET)
 *
 * The ID is no secret: it finds the hash that a key is compared with, so that
 * a request costs one hash however many keys there are.
 */
#ifndef WEIR_ROUTER_GATE_KEY_H
#define WEIR_ROUTER_GATE_KEY_H

#include "base/digest.h"
#include "base/err.h"
#include "base/span.h"

enum {
    KEY_ID = 8,      /* hex digits */
    KEY_SECRET = 64, /* hex digits */
    KEY_SALT = 32,   /* hex digits */
    KEY_TEXT = 5 + KEY_ID + 1 + KEY_SECRET,
    KEY_HASH = 7 + KEY_ID + 1 + KEY_SALT + 1 + 2 * DIGEST_SIZE,
};

struct key_hash {
    char id[KEY_ID];     /* lower-case hex digits */
    char salt[KEY_SALT]; /* likewise */
    unsigned char sum[DIGEST_SIZE];
};

/* A new key and what is to be kept of it, as C strings. */
MUST_USE bool key_make(char key[KEY_TEXT + 1], char hash[KEY_HASH + 1],
                       struct err *e);
/* From "sha256:..."; false when it is no such text. */
MUST_USE bool key_hash_read(struct span text, struct key_hash *out);
/* The ID within what a client showed; false when it is no key's form. */
MUST_USE bool key_id(struct span shown, char id[KEY_ID]);
/* In a time that does not depend on where they differ. */
MUST_USE bool key_matches(const struct key_hash *h, struct span shown);

#endif
