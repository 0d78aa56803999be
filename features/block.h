/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kind each of 64 bytes of text is, as masks: bit i stands for byte i.
 * Finding where tokens begin and end in such masks takes no branch a byte.
 */
#ifndef WEIR_FEATURES_BLOCK_H
#define WEIR_FEATURES_BLOCK_H

#include "features/lanes.h"

enum { BLOCK_BYTES = 64 };

struct block {
    uint64_t word;  /* letters and digits of ASCII */
    uint64_t upper; /* of them capitals */
    uint64_t digit; /* of them digits */
    uint64_t line;  /* underscores */
    uint64_t blank; /* space, controls, DEL */
    uint64_t gap;   /* up to the space: what may follow a sentence's end */
    uint64_t end;   /* . ! ? */
    uint64_t wide;  /* bytes beyond ASCII */
};

/* The lowest n bits, n <= 64. */
static inline uint64_t block_first(unsigned n)
{
    return n < 64 ? (1ULL << n) - 1 : ~0ULL;
}

/* How many bits are set; the machine's own instruction for it is not one that
 * every machine has. */
static inline uint32_t block_ones(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + (x >> 2 & 0x3333333333333333ULL);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return (uint32_t)(x * EIGHT_ONES >> 56);
}

/* p: BLOCK_BYTES bytes. */
static inline void block_read(struct block *b, const char *p)
{
    *b = (struct block){0};
    for (unsigned at = 0; at < BLOCK_BYTES; at += LANES) {
        lanes v = lanes_load(p + at), digit = lanes_digits(v);
        lanes letter = lanes_letters(v), gap = (v >= 0) & (v <= ' ');

        b->word |= (uint64_t)lanes_bits(letter | digit) << at;
        b->upper |= (uint64_t)lanes_bits(letter & (v < 'a')) << at;
        b->digit |= (uint64_t)lanes_bits(digit) << at;
        b->line |= (uint64_t)lanes_bits(v == '_') << at;
        b->blank |= (uint64_t)lanes_bits(gap | (v == 127)) << at;
        b->gap |= (uint64_t)lanes_bits(gap) << at;
        b->end |= (uint64_t)lanes_bits((v == '.') | (v == '!') | (v == '?'))
                  << at;
        b->wide |= (uint64_t)lanes_bits(v) << at;
    }
}

#endif
