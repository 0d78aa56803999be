/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting hashed terms into ascending order without repeats.  An ordered
 * table: a term's home slot is the top bits of its index, neighbours that
 * share a home are kept ascending, so that reading the slots in turn gives
 * the terms in order (Gonnet and Munro's linear probing sort).
 *
 * A text may be made so that its terms share their homes, which would cost
 * the square of their number: when the table has taken more steps than any
 * other text needs, the terms are sorted by radix instead.  The result is
 * the same.
 */
#ifndef WEIR_FEATURES_GRAMS_H
#define WEIR_FEATURES_GRAMS_H

#include "base/vec.h"

enum {
    GRAMS_MAX = 8256,        /* terms between two clearings */
    GRAMS_HOMES_MAX = 16384, /* power of two */
    GRAMS_SLOTS = GRAMS_HOMES_MAX + GRAMS_MAX,
    GRAMS_STEPS = 8, /* steps a term that the table may take, on average */
};

struct gram {
    uint32_t index, n;
};

struct grams {
    uint32_t n_list;  /* terms put */
    uint32_t counted; /* of them in the table */
    uint32_t n;       /* different ones */
    uint32_t shift;   /* home = index >> shift */
    uint32_t steps;   /* past other terms, so far */
    uint32_t n_words; /* of `taken` that are in use */
    bool crowded;     /* the table was given up, the list is sorted */
    uint32_t list[GRAMS_MAX];
    uint64_t taken[GRAMS_SLOTS / 64 + 1]; /* bit: the slot is taken */
    union {
        struct gram slot[GRAMS_SLOTS]; /* homes, and room for what is pushed
                                          beyond the last */
        uint32_t other[GRAMS_MAX];     /* crowded: for sorting */
    };
};

/* Empties the table for at most `most` <= GRAMS_MAX terms. */
void grams_clear(struct grams *g, uint32_t most);

/* Notes one occurrence of a term. */
static inline void grams_put(struct grams *g, uint32_t index)
{
    g->list[g->n_list++] = index;
}

/* Counts what was put; returns how many different terms there are. */
uint32_t grams_count(struct grams *g);
/* Writes the `max` terms of the smallest indices, ascending; returns how
 * many.  Where a text has more, these are a sample of its vocabulary that
 * takes or leaves a term alike in every text.  After grams_count. */
uint32_t grams_take(const struct grams *g, struct term *dst, uint32_t max);

#endif
