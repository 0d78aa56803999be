/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of words and phrases that say what kind of work is asked for.  The
 * groups are data (keywords.c); a row more is a dense feature more, so it
 * changes FEATURES_VERSION.
 */
#ifndef WEIR_FEATURES_KEYWORDS_H
#define WEIR_FEATURES_KEYWORDS_H

#include "features/words.h"

enum {
    KEYWORDS_GROUPS_MAX = 48,
    KEYWORDS_SLOTS = 4096,  /* power of two, at least twice the phrases */
    KEYWORDS_PHRASE_MAX = 3 /* tokens */
};

struct keywords {
    struct {
        uint64_t hash;   /* of the phrase's tokens, chained */
        uint64_t groups; /* a bit each; 0: slot is free */
    } slot[KEYWORDS_SLOTS];
    uint64_t maybe[256]; /* bit (hash >> 50): some phrase may have it */
};

/* Fills the look-up table; w is used as working memory. */
void keywords_init(struct keywords *k, struct words *w);
/* Adds to counts[KEYWORDS_GROUPS_MAX] every phrase that occurs in w. */
void keywords_count(const struct keywords *k, const struct words *w,
                    uint32_t *counts);
/* Name of group i, NULL behind the last. */
const char *keywords_group(unsigned i);

#endif
