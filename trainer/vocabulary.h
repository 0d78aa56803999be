/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the training rows are made of: which hash buckets occur and how
 * often, and how the dense numbers spread.  From it follow the rows of the
 * classifier's weights and the values a linear model is trained on:
 *   words  tf * idf, tf = 1 + ln(count), idf = 1 + ln((1 + n) / (1 + df));
 *          the group scaled to length 1
 *   marks  value * VOCABULARY_MARK_SCALE
 *   dense  standardised, cut at +-4, times .5 / sqrt(n_dense)
 */
#ifndef WEIR_TRAINER_VOCABULARY_H
#define WEIR_TRAINER_VOCABULARY_H

#include "trainer/solve.h"
#include "trainer/table.h"

enum { VOCABULARY_MARK_BITS = 14 };
#define VOCABULARY_CLIP 4.f
#define VOCABULARY_DENSE_SCALE .5
#define VOCABULARY_MARK_SCALE .1

struct vocabulary {
    unsigned bits;     /* of the words' hash space: the caller's choice */
    unsigned min_rows; /* a bucket in fewer has no row: likewise */
    unsigned mark_bits;
    uint32_t n_rows;      /* with row 0: unseen */
    uint32_t *word_index; /* (owned) [2^bits] row or 0 */
    uint32_t *mark_index; /* (owned) [2^mark_bits] */
    float *idf;           /* (owned) [n_rows] 0 for row 0 and marks */
    float unseen_idf;     /* of a word that no row holds */
    uint32_t n_dense;
    float mean[VEC_DENSE_MAX], scale[VEC_DENSE_MAX]; /* 0: constant */
};

/* v->bits and v->min_rows are given, all else is filled. */
MUST_USE bool vocabulary_build(struct vocabulary *v, const struct table *t,
                               const uint32_t *rows, size_t n_rows,
                               struct err *e);
void vocabulary_free(struct vocabulary *v); /* its arrays; zeroed: no-op */

/* Columns: the weights' rows, then the dense numbers. */
uint32_t vocabulary_columns(const struct vocabulary *v);
/* What a column's weight is to be multiplied by for the classifier, which
 * takes marks as they are and dense numbers standardised only. */
double vocabulary_factor(const struct vocabulary *v, uint32_t column,
                         bool is_mark);
/* The training data of these rows. */
MUST_USE struct solve_data *vocabulary_design(const struct vocabulary *v,
                                              const struct table *t,
                                              const uint32_t *rows,
                                              size_t n_rows, struct err *e);

#endif
