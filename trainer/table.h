/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A labelled dataset in memory, ready for training: feature vectors and the
 * outcomes of each arm, column by column.  Read once, then immutable; rows
 * are chosen by index lists, so folds cost nothing.
 */
#ifndef WEIR_TRAINER_TABLE_H
#define WEIR_TRAINER_TABLE_H

#include "base/err.h"
#include "base/vec.h"

struct table_arm {
    char *name;           /* (owned) */
    float *score;         /* [n] in [0,1], NAN: no label */
    float *cost;          /* [n] USD, NAN: not known */
    float *input_tokens;  /* [n] NAN: not known */
    float *output_tokens; /* [n] NAN: not known */
    float *propensity;    /* [n] NAN: not from a log */
    uint32_t *answer;     /* [n] hash of the normalised answer, 0: none */
    bool priced;          /* cost was derived from prices or given */
};

struct table {
    size_t n;
    uint32_t n_arms, n_tasks;
    struct table_arm *arms; /* [n_arms] */
    char **tasks;           /* [n_tasks] names */
    uint32_t *task;         /* [n] index into tasks, UINT32_MAX: none */
    uint64_t *group;        /* [n] conversation or stem: never split */
    int64_t *time_ms;       /* [n] -1: not known */
    /* Feature vectors, rows one behind the other. */
    size_t *start;      /* [n + 1] first term of each row, words first */
    uint32_t *n_words;  /* [n] of them are words, the rest marks */
    struct term *terms; /* [start[n]] */
    float *dense;       /* [n * n_dense] */
    uint32_t n_dense;
    uint32_t *est_input;           /* [n] estimated input tokens */
    uint64_t bad_rows, duplicates; /* left out on reading */
    char sha256[65];               /* of the files' contents, in order */
};

#endif
