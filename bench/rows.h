/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labelled requests held in memory for replaying: their text, and what each
 * model of a pool made of them.  Only rows in which every model of the pool
 * has a score are kept: else the fixed models could not be compared.
 */
#ifndef WEIR_BENCH_ROWS_H
#define WEIR_BENCH_ROWS_H

#include "base/buf.h"
#include "bench/pool.h"

struct rows_row {
    struct span id, task, messages, tools, params; /* (arena) JSON pieces */
    uint64_t stem; /* equal for equal questions */
};

struct rows {
    struct arena arena;
    struct rows_row *row; /* (owned) [n] */
    size_t n, cap;
    unsigned n_models;
    double *score; /* (owned) [n_models * n], model by model */
    double *cost;  /* (owned) [n_models * n] USD, NAN: price not known */
    size_t read, incomplete;
};

struct rows_options {
    const char *const *files;
    unsigned n_files;
    size_t max; /* at most so many, drawn by the seed; 0: all */
    uint64_t seed;
};

MUST_USE bool rows_load(struct rows *r, const struct rows_options *o,
                        const struct pool *p, struct err *e);
void rows_free(struct rows *r);

/* The row as a chat-completions body for `model`; an object of parameters
 * goes in as it is. */
void rows_body(const struct rows_row *row, struct span model, struct buf *out);

#endif
