/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paired bootstrap by group: conversations (and rows of one stem) are drawn
 * together, with replacement, and every router is judged on the same draws.
 * A draw is a vector of counts, one a row.
 */
#ifndef WEIR_TRAINER_BOOTSTRAP_H
#define WEIR_TRAINER_BOOTSTRAP_H

#include "base/err.h"
#include "base/rng.h"

struct bootstrap {
    size_t n, n_groups;
    uint32_t *member; /* (owned) [n] row -> group number */
    double *count;    /* (owned) [n_groups] */
    struct rng rng;
};

/* group: [n] any identity, equal for rows that must stay together. */
MUST_USE bool bootstrap_init(struct bootstrap *b, const uint64_t *group,
                             size_t n, uint64_t seed, struct err *e);
/* Fills weight[n] with the next draw. */
void bootstrap_draw(struct bootstrap *b, double *weight);
void bootstrap_free(struct bootstrap *b);

#endif
