/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers that are the same on every machine for one seed: splits,
 * bootstrap, mock providers.  xoshiro256** seeded through splitmix64
 * (Blackman and Vigna, https://prng.di.unimi.it).  Not for secrets.
 */
#ifndef WEIR_BASE_RNG_H
#define WEIR_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
double rng_unit(struct rng *r);                /* [0, 1), 53 bits */
uint64_t rng_below(struct rng *r, uint64_t n); /* [0, n), unbiased; n > 0 */
/* Shuffles n indices in place. */
void rng_shuffle(struct rng *r, uint32_t *a, size_t n);
/* One well-mixed number of two: a hash for "which fold is this group in". */
uint64_t rng_mix(uint64_t a, uint64_t b);

#endif
