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

/* fold[i] in [0, folds) for rows[i]; folds differ by at most the largest
 * group in size. 2 <= folds <= SPLIT_FOLDS_MAX. */
MUST_USE bool split_folds(const struct table *t, const uint32_t *rows,
                          size_t n_rows, unsigned folds, uint64_t seed,
                          uint8_t *fold, struct err *e);

/*
 * Reorders `rows` so that those to judge by stand last; returns how many
 * stand before them.  Where every row has a time, the groups that ended last
 * are kept (at least `share` of the rows, whole groups), else a random choice
 * of groups.
 */
MUST_USE bool split_holdout(const struct table *t, uint32_t *rows,
                            size_t n_rows, double share, uint64_t seed,
                            size_t *n_before, struct err *e);
/* True when split_holdout would go by time. */
bool split_by_time(const struct table *t, const uint32_t *rows, size_t n_rows);

#endif
