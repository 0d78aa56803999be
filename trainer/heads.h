/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First stage: the linear heads of a set of rows, in the layout of
 * models/weights.h.  Heads, in this order: quality of each arm (logistic),
 * ln(output tokens) of each arm (SVR), one for each task (squared hinge, one
 * against the rest), how easy the row is for all models together (logistic).  A
 * head with nothing to learn from is a constant: the arm's mean drawn to that
 * of all arms.
 */
#ifndef WEIR_TRAINER_HEADS_H
#define WEIR_TRAINER_HEADS_H

#include "trainer/table.h"
#include "trainer/vocabulary.h"
#include "trainer/workers.h"

enum {
    HEADS_MIN_LABELS = 20,       /* fewer: a constant */
    HEADS_MIN_TASK = 5,          /* rows of a task, fewer: a constant */
    HEADS_DIFFICULTY_ROWS = 200, /* fewer: no difficulty head */
    HEADS_TASK_ROWS = 20000,     /* task and token heads learn from about */
    HEADS_TOKENS_ROWS = 30000,
    HEADS_EASE_ROWS = 10000, /* difficulty head: its targets are soft */
    HEADS_MANY = 40000,      /* rows from which a looser end of training does */
};

/* Which of the table's tasks have a head: the most frequent ones. */
struct heads_tasks {
    uint32_t n;
    const char *name[CLASSIFIER_TASKS_MAX]; /* (borrowed: table) */
    uint32_t *slot; /* (owned) [table's n_tasks], TABLE_NO_TASK: none */
};

MUST_USE bool heads_tasks_pick(struct heads_tasks *k, const struct table *t,
                               struct err *e);

struct heads {
    struct vocabulary v;
    uint32_t n_arms, n_tasks, difficulty; /* the last: 0 or 1 */
    uint32_t n, width;                    /* heads, floats of a row */
    float *block;      /* (owned, shared memory) rows, dense rows, bias */
    size_t block_size; /* bytes */
    float *rows, *dense_rows, *bias; /* in the block */
};

struct heads_data {
    const struct table *t;
    const struct heads_tasks *tasks;
    const uint32_t *rows; /* [n_rows] */
    size_t n_rows;
    unsigned bits, min_rows; /* min_rows: as in struct fit_options */
    bool difficulty;         /* whether to train that head */
    size_t task_rows;        /* task heads learn from about so many at most */
    uint32_t seed;
};

/* Vocabulary and room for the weights, all zero. */
MUST_USE bool heads_prepare(struct heads *h, const struct heads_data *d,
                            struct err *e);
/* Trains all heads, a step of the board for each. */
MUST_USE bool heads_train(struct heads *h, const struct heads_data *d,
                          struct workers_board *board, struct err *e);
void heads_free(struct heads *h);

/* The first stage's part of w; arms' and tasks' counts too. */
void heads_lend(const struct heads *h, struct weights *w);

/* No weights but the intercept: too little to learn from. */
bool heads_is_constant(const struct heads *h, uint32_t head);

/* The task of a table's row as a slot, TABLE_NO_TASK where it has none. */
uint32_t heads_task(const struct heads_data *d, uint32_t row);

#endif
