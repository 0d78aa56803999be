/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How alike two texts are, from 32 bytes of each that tell nothing of their
 * words: min-hashes of their n-grams by one permutation, a byte a bin (Li,
 * Owen, Zhang 2012, "One Permutation Hashing").
 */
#ifndef WEIR_FEATURES_SKETCH_H
#define WEIR_FEATURES_SKETCH_H

#include <stdint.h>

enum { SKETCH_BINS = 32 };

struct sketch {
    uint8_t bins[SKETCH_BINS]; /* 0: no n-gram fell into it */
};

struct sketch_work {
    uint32_t least[SKETCH_BINS]; /* of the hashes of a bin; 0: none yet */
};

/* Start from zeroed memory; gram: a hash whose bits are all good. */
void sketch_add(struct sketch_work *w, uint64_t gram);
struct sketch sketch_of(const struct sketch_work *w);
unsigned sketch_filled(const struct sketch *s); /* bins that hold something */
/* Estimates the share of n-grams that are in both of those in either (Jaccard),
 * 0 to 1; 0 where either is empty. */
double sketch_likeness(const struct sketch *a, const struct sketch *b);

#endif
