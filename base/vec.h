/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a linear model reads: one sparse vector in three groups.
 *   words  hashed counts, to be weighted by sublinear tf-idf and brought to
 *          length 1 as a group by the model
 *   marks  hashed categories and small counts, taken as they are
 *   dense  a fixed table of numbers, to be standardised by the model
 * Plain data without pointers: may be copied, logged and compared with
 * memcmp after vec_clear().
 */
#ifndef WEIR_BASE_VEC_H
#define WEIR_BASE_VEC_H

#include "base/err.h"
#include "base/span.h"

enum { VEC_WORDS_MAX = 2048, VEC_MARKS_MAX = 128, VEC_DENSE_MAX = 96 };

struct term {
    uint32_t index; /* full 32-bit hash; a model masks it to its own space */
    float value;    /* words: count >= 1; marks: any finite */
};

struct vec {
    uint32_t version; /* of the extractor that made it */
    uint32_t n_words, n_marks, n_dense;
    struct term words[VEC_WORDS_MAX]; /* ascending index, no repeats */
    struct term marks[VEC_MARKS_MAX]; /* ascending index, no repeats */
    float dense[VEC_DENSE_MAX];       /* [n_dense] in the extractor's order */
};

void vec_clear(struct vec *v);

/*
 * Packed form for the log and for datasets: little-endian u32 version,
 * n_words, n_marks, n_dense; then words, marks and dense (f32 each).  A term
 * is a varint (LEB128, shortest form) of twice its index's distance from the
 * one before it (the first: from 0), plus one if its value is 1; any other
 * value follows as f32.  Most counts are 1: a term takes 4 to 5 bytes.
 * vec_pack writes at most `size` bytes and returns the bytes it needs, which
 * are never more than vec_pack_most (known without looking at the terms);
 * vec_unpack fails on anything that is not exactly one packed vector (sizes,
 * order, non-finite values).
 */
size_t vec_pack_most(const struct vec *v);
size_t vec_pack(const struct vec *v, void *dst, size_t size);
MUST_USE bool vec_unpack(struct span bytes, struct vec *v, struct err *e);

#endif
