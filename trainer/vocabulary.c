/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/vocabulary.h"

#include <math.h>
#include <stdlib.h>

static uint32_t mask_of(unsigned bits)
{
    return (UINT32_C(1) << bits) - 1;
}

/* Adds one to each bucket that the terms meet (twice where two terms of a
 * row share one: rare, and the same when predicting). */
static void count(uint32_t *df, uint32_t mask, const struct term *terms,
                  uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        df[terms[i].index & mask]++;
}

/* df becomes the bucket's row, 0 where it is too rare. */
static uint32_t number(uint32_t *df, size_t buckets, unsigned min_rows,
                       uint32_t next)
{
    for (size_t b = 0; b < buckets; b++)
        df[b] = df[b] >= min_rows ? next++ : 0;
    return next;
}

static uint32_t frequent(const uint32_t *df, size_t buckets, unsigned min_rows)
{
    uint32_t n = 0;

    for (size_t b = 0; b < buckets; b++)
        n += df[b] >= min_rows;
    return n;
}

static void dense_spread(struct vocabulary *v, const struct table *t,
                         const uint32_t *rows, size_t n_rows)
{
    v->n_dense = t->n_dense;
    for (uint32_t j = 0; j < v->n_dense; j++) {
        double mean = 0, square = 0, sd;
        for (size_t i = 0; i < n_rows; i++)
            mean += (double)t->dense[(size_t)rows[i] * t->n_dense + j];
        mean /= n_rows ? (double)n_rows : 1;
        for (size_t i = 0; i < n_rows; i++) {
            double d =
                (double)t->dense[(size_t)rows[i] * t->n_dense + j] - mean;
            square += d * d;
        }
        sd = sqrt(square / (n_rows ? (double)n_rows : 1));
        v->mean[j] = (float)mean;
        v->scale[j] = sd > 1e-6 ? (float)(1 / sd) : 0;
    }
}

static bool arrays_new(struct vocabulary *v, struct err *e)
{
    v->word_index = calloc((size_t)1 << v->bits, sizeof(uint32_t));
    v->mark_index = calloc((size_t)1 << v->mark_bits, sizeof(uint32_t));
    if (!v->word_index || !v->mark_index)
        return err_set(e, ERR_MEMORY, "no memory for 2^%u buckets", v->bits);
    return true;
}

bool vocabulary_build(struct vocabulary *v, const struct table *t,
                      const uint32_t *rows, size_t n_rows, struct err *e)
{
    size_t words = (size_t)1 << v->bits, marks = 1 << VOCABULARY_MARK_BITS;
    unsigned min_rows = v->min_rows;
    uint32_t n_words, row = 1;

    *v = (struct vocabulary){.bits = v->bits,
                             .min_rows = min_rows,
                             .mark_bits = VOCABULARY_MARK_BITS};
    if (!arrays_new(v, e))
        return false;
    for (size_t i = 0; i < n_rows; i++) {
        struct weights_input in = table_row(t, rows[i]);
        count(v->word_index, mask_of(v->bits), in.words, in.n_words);
        count(v->mark_index, mask_of(v->mark_bits), in.marks, in.n_marks);
    }
    n_words = frequent(v->word_index, words, min_rows);
    v->n_rows = 1 + n_words + frequent(v->mark_index, marks, min_rows);
    v->idf = calloc(v->n_rows, sizeof(float));
    if (!v->idf)
        return err_set(e, ERR_MEMORY, "no memory for %u weights", v->n_rows);
    for (size_t b = 0; b < words; b++)
        if (v->word_index[b] >= min_rows)
            v->idf[row++] = (float)(1 + log((1. + (double)n_rows) /
                                            (1. + v->word_index[b])));
    v->unseen_idf = (float)(1 + log(1. + (double)n_rows));
    number(v->mark_index, marks, min_rows,
           number(v->word_index, words, min_rows, 1));
    dense_spread(v, t, rows, n_rows);
    return true;
}

void vocabulary_free(struct vocabulary *v)
{
    free(v->word_index);
    free(v->mark_index);
    free(v->idf);
    *v = (struct vocabulary){0};
}

uint32_t vocabulary_columns(const struct vocabulary *v)
{
    return v->n_rows + v->n_dense;
}

static double dense_factor(const struct vocabulary *v)
{
    return VOCABULARY_DENSE_SCALE / sqrt(v->n_dense ? v->n_dense : 1);
}

double vocabulary_factor(const struct vocabulary *v, uint32_t column,
                         bool is_mark)
{
    if (column >= v->n_rows)
        return dense_factor(v);
    return is_mark ? VOCABULARY_MARK_SCALE : 1;
}

static int by_column(const void *a, const void *b)
{
    uint32_t x = ((const struct solve_value *)a)->column;
    uint32_t y = ((const struct solve_value *)b)->column;

    return x < y ? -1 : x > y;
}

/* Sorts and adds up values of one column; returns how many are left. */
static size_t merge(struct solve_value *v, size_t n)
{
    size_t to = 0;

    qsort(v, n, sizeof *v, by_column);
    for (size_t i = 0; i < n; i++) {
        if (to && v[to - 1].column == v[i].column)
            v[to - 1].value += v[i].value;
        else
            v[to++] = v[i];
    }
    return to;
}

static size_t words_take(const struct vocabulary *v,
                         const struct weights_input *in, struct solve_value *to)
{
    size_t n = 0;
    double square = 0;

    for (uint32_t i = 0; i < in->n_words; i++) {
        uint32_t row = v->word_index[in->words[i].index & mask_of(v->bits)];
        float x = weights_tf(in->words[i].value) * v->idf[row];
        if (!row)
            continue;
        to[n++] = (struct solve_value){row, x};
        square += (double)x * (double)x;
    }
    for (size_t i = 0; i < n; i++)
        to[i].value = (float)(to[i].value / sqrt(square));
    return merge(to, n);
}

static size_t marks_take(const struct vocabulary *v,
                         const struct weights_input *in, struct solve_value *to)
{
    size_t n = 0;

    for (uint32_t i = 0; i < in->n_marks; i++) {
        uint32_t row =
            v->mark_index[in->marks[i].index & mask_of(v->mark_bits)];
        float x = fmaxf(-WEIGHTS_MARK_MAX,
                        fminf(in->marks[i].value, WEIGHTS_MARK_MAX));
        if (row)
            to[n++] =
                (struct solve_value){row, (float)(x * VOCABULARY_MARK_SCALE)};
    }
    return merge(to, n);
}

static size_t dense_take(const struct vocabulary *v,
                         const struct weights_input *in, struct solve_value *to)
{
    size_t n = 0;
    float factor = (float)dense_factor(v);

    for (uint32_t j = 0; j < v->n_dense; j++) {
        float z = (in->dense[j] - v->mean[j]) * v->scale[j];
        z = fmaxf(-VOCABULARY_CLIP, fminf(z, VOCABULARY_CLIP));
        if (v->scale[j] > 0)
            to[n++] = (struct solve_value){v->n_rows + j, z * factor};
    }
    return n;
}

struct solve_data *vocabulary_design(const struct vocabulary *v,
                                     const struct table *t,
                                     const uint32_t *rows, size_t n_rows,
                                     struct err *e)
{
    enum { ROOM = VEC_WORDS_MAX + VEC_MARKS_MAX + VEC_DENSE_MAX };
    struct solve_value *row = malloc(ROOM * sizeof *row);
    struct solve_data *d = NULL;
    size_t values = n_rows * v->n_dense;

    for (size_t i = 0; i < n_rows; i++)
        values += t->start[rows[i] + 1] - t->start[rows[i]];
    if (row)
        d = solve_data_new(n_rows, values, vocabulary_columns(v), e);
    else
        err_set(e, ERR_MEMORY, "no memory for a training row");
    for (size_t i = 0; d && i < n_rows; i++) {
        struct weights_input in = table_row(t, rows[i]);
        size_t n = words_take(v, &in, row);
        n += marks_take(v, &in, row + n);
        n += dense_take(v, &in, row + n);
        solve_data_add(d, row, n);
    }
    free(row);
    if (d && !solve_data_pack(d, e)) {
        solve_data_free(d);
        return NULL;
    }
    return d;
}
