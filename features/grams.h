/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting hashed terms into ascending order without repeats: they are sorted
 * by radix, and the runs are counted.  Hashes that share their upper half are
 * few, so two passes and an insertion do; a text may be made so that its
 * terms share it, and takes two passes more.  There is next to no branch that
 * depends on the terms: those of a table go wrong a hundred times in a text
 * of a kilobyte, and that is more than the work itself.
 */
#ifndef WEIR_FEATURES_GRAMS_H
#define WEIR_FEATURES_GRAMS_H

#include "base/vec.h"

enum { GRAMS_MAX = 8256 }; /* terms between two clearings */

struct grams {
    uint32_t n_list;          /* terms put */
    uint32_t n;               /* different ones */
    uint32_t n_singles;       /* of them put by grams_put_single() */
    uint64_t list[GRAMS_MAX]; /* index * 2, + 1 where it is no single */
    union {
        uint64_t other[GRAMS_MAX];     /* while they are sorted */
        uint32_t start[GRAMS_MAX + 1]; /* of each run, and the end of all */
    };
};

static inline void grams_clear(struct grams *g)
{
    g->n_list = 0;
}

/* Notes one occurrence of a term; all of this kind before the first of the
 * other. */
static inline void grams_put_single(struct grams *g, uint32_t index)
{
    g->list[g->n_list++] = (uint64_t)index << 1;
}

static inline void grams_put(struct grams *g, uint32_t index)
{
    g->list[g->n_list++] = (uint64_t)index << 1 | 1;
}

/* Takes back the last n. */
static inline void grams_drop(struct grams *g, uint32_t n)
{
    g->n_list -= n;
}

/* Sorts and counts what was put. */
void grams_count(struct grams *g);
/* Writes the `max` terms of the smallest indices, ascending; returns how
 * many.  Where a text has more, these are a sample of its vocabulary that
 * takes or leaves a term alike in every text.  After grams_count. */
uint32_t grams_take(const struct grams *g, struct term *dst, uint32_t max);

#endif
