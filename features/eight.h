/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight bytes of text at a time, in one word whose lowest byte is the first
 * of the text.  Masks of bytes have top bits only.
 */
#ifndef WEIR_FEATURES_EIGHT_H
#define WEIR_FEATURES_EIGHT_H

#include <stdint.h>
#include <string.h>

#define EIGHT_ONES 0x0101010101010101ULL
#define EIGHT_TOPS 0x8080808080808080ULL

static inline uint64_t eight_load(const char *p)
{
    uint64_t v;

    memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static inline void eight_store(char *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, 8);
}

/* A byte's top bit for each byte of x (all below 0x80) in [from, to]. */
static inline uint64_t eight_between(uint64_t x, unsigned char from,
                                     unsigned char to)
{
    return (x + EIGHT_ONES * (0x80U - from)) &
           ~(x + EIGHT_ONES * (0x7fU - to)) & EIGHT_TOPS;
}

/* How many bytes of x have their top bit, of none but top bits. */
static inline unsigned eight_count(uint64_t x)
{
    return (unsigned)((x >> 7) * EIGHT_ONES >> 56);
}

#endif
