/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sixteen bytes of text at a time, compared in lanes: a lane is all ones
 * where the comparison holds.  The compiler makes one or two instructions of
 * each operation where the machine has them.
 */
#ifndef WEIR_FEATURES_LANES_H
#define WEIR_FEATURES_LANES_H

#include "features/eight.h"

enum { LANES = 16 };

typedef signed char lanes __attribute__((vector_size(LANES)));

static inline lanes lanes_load(const char *p)
{
    lanes v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline lanes lanes_letters(lanes v)
{
    lanes low = v | 32;

    return (low >= 'a') & (low <= 'z');
}

static inline lanes lanes_digits(lanes v)
{
    return (v >= '0') & (v <= '9');
}

/* Bit i: the top bit of byte i, in the order of the text. */
static inline uint32_t lanes_bits_portable(lanes v)
{
    char bytes[LANES];
    uint64_t low, high;

    memcpy(bytes, &v, sizeof bytes);
    low = (eight_load(bytes) & EIGHT_TOPS) >> 7;
    high = (eight_load(bytes + 8) & EIGHT_TOPS) >> 7;
    return (uint32_t)(low * 0x0102040810204080ULL >> 56) |
           (uint32_t)(high * 0x0102040810204080ULL >> 56) << 8;
}

static inline uint32_t lanes_bits(lanes v)
{
#ifdef __SSE2__
    typedef char bytes __attribute__((vector_size(LANES)));

    return (uint32_t)__builtin_ia32_pmovmskb128((bytes)v);
#else
    return lanes_bits_portable(v);
#endif
}

#endif
