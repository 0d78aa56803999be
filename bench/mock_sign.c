/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of thinking and of calls: opaque to everybody else, and checked
 * when they come back.  Not for secrets: a mark that only this seed makes.
 *   base64(8 bytes of the text's hash | 8 of the seed's over these | 0xff...)
 */
#include "base/base64.h"
#include "base/rng.h"
#include "bench/mock.h"

#include <string.h>

enum { BYTES = 24 };

static void make(uint64_t seed, uint64_t text, unsigned char out[BYTES])
{
    uint64_t mark = rng_mix(seed, text);

    memset(out, 0xfb, BYTES); /* writes "+" and "/" too */
    memcpy(out, &text, sizeof text);
    memcpy(out + sizeof text, &mark, sizeof mark);
}

struct span mock_sign(uint64_t seed, struct span text, struct arena *a)
{
    unsigned char bytes[BYTES];
    char *out = arena_alloc(a, BASE64_SIZE(BYTES));
    struct span raw = {(const char *)bytes, BYTES};

    if (!out)
        return (struct span){NULL, 0};
    make(seed, span_hash(text, 1), bytes);
    return (struct span){out, base64_encode(raw, out)};
}

bool mock_signed(uint64_t seed, struct span text, struct span signature)
{
    unsigned char got[BYTES], wanted[BYTES];
    uint64_t hash;
    size_t n;

    if (signature.len != BASE64_SIZE(BYTES) ||
        !base64_decode(signature, got, &n) || n != BYTES)
        return false;
    memcpy(&hash, got, sizeof hash);
    if (text.len && hash != span_hash(text, 1))
        return false;
    make(seed, hash, wanted);
    return !memcmp(got, wanted, BYTES);
}
