/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting hashed terms into ascending order without repeats.  An ordered
 * table: a term's home slot is the top bits of its index, neighbours that
 * share a home are kept ascending, so that reading the slots in turn gives
 * the terms in order (Gonnet and Munro's linear probing sort).
 */
#ifndef WEIR_FEATURES_GRAMS_H
#define WEIR_FEATURES_GRAMS_H

#include "base/vec.h"

enum {
    GRAMS_MAX = 8256,        /* additions between two clearings */
    GRAMS_HOMES_MAX = 16384, /* power of two */
};

struct gram {
    uint32_t index;
    uint32_t n; /* 0: slot is free */
};

struct grams {
    uint32_t shift; /* home = index >> shift */
    uint32_t n;     /* different terms */
    uint32_t slots; /* homes, and room for what is pushed beyond the last */
    struct gram slot[GRAMS_HOMES_MAX + GRAMS_MAX];
};

/* Empties the table for at most `most` <= GRAMS_MAX additions. */
void grams_clear(struct grams *g, uint32_t most);
void grams_add(struct grams *g, uint32_t index);
/* Writes the `max` terms of the smallest indices, ascending; returns how
 * many.  Where a text has more, these are a sample of its vocabulary that
 * takes or leaves a term alike in every text. */
uint32_t grams_take(const struct grams *g, struct term *dst, uint32_t max);

#endif
