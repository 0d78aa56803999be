/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rows are learnt from and which are kept to judge.  Groups (sessions,
 * conversations, equal questions) are never split; everything follows from
 * the seed.
 */
#ifndef WEIR_TRAINER_SPLIT_H
#define WEIR_TRAINER_SPLIT_H

#include "trainer/table.h"

enum { SPLIT_FOLDS_MAX = 64 };

struct split {
    const struct table *t;
    const uint32_t *rows; /* [n] of the table */
    size_t n;
    uint64_t seed;
};

/* fold[i] in [0, folds) for rows[i]; folds differ by at most the largest
 * group in size. 2 <= folds <= SPLIT_FOLDS_MAX. */
MUST_USE bool split_folds(const struct split *s, unsigned folds, uint8_t *fold,
                          struct err *e);

/*
 * Writes the rows to `order` so that those to judge by stand last; *n_before
 * stand before them.  Where every row has a time, the groups that ended last
 * are kept (at least `share` of the rows, whole groups), else a random choice
 * of groups.
 */
MUST_USE bool split_holdout(const struct split *s, double share,
                            uint32_t *order, size_t *n_before, struct err *e);
/* True when split_holdout would go by time. */
bool split_by_time(const struct split *s);

#endif
