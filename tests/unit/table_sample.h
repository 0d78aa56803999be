/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Synthetic tables for tests of the trainer: questions of three tasks, each
 * with words of its own, and three arms of rising price, where the cheap one
 * fails at whatever holds a "hard" word.
 */
#ifndef WEIR_TESTS_TABLE_SAMPLE_H
#define WEIR_TESTS_TABLE_SAMPLE_H

#include "base/rng.h"
#include "trainer/table.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { SAMPLE_TASKS = 3, SAMPLE_ARMS = 3 };

struct sample_truth {
    double quality[SAMPLE_ARMS]; /* P(adequate) of a row */
};

static const double sample_cost[SAMPLE_ARMS] = {.001, .004, .02};

static void sample_word(struct vec *v, uint32_t word)
{
    uint32_t i = v->n_words++;

    while (i > 0 && v->words[i - 1].index > word) {
        v->words[i] = v->words[i - 1];
        i--;
    }
    v->words[i] = (struct term){word, 1};
}

/* A question of task `task`; hard: it holds one of the hard words. */
static void sample_vec(struct rng *r, unsigned task, bool hard, struct vec *v)
{
    vec_clear(v);
    v->version = 1;
    v->n_dense = 4;
    for (unsigned k = 0; k < 12; k++) {
        uint32_t word = (uint32_t)(task * 40 + k * 3 + rng_below(r, 3));
        sample_word(v, word * 2654435761u);
    }
    if (hard)
        sample_word(v, (1000 + (uint32_t)rng_below(r, 6)) * 2654435761u);
    v->marks[v->n_marks++] = (struct term){7 + task, 1};
    for (unsigned d = 0; d < v->n_dense; d++)
        v->dense[d] = (float)(rng_unit(r) + (d == 0 && hard));
}

static void sample_row(struct table *t, struct rng *r, struct vec *v,
                       struct sample_truth *truth, uint64_t key)
{
    static const char *const names[SAMPLE_TASKS] = {"code", "mail", "sums"};
    unsigned task = (unsigned)rng_below(r, SAMPLE_TASKS);
    bool hard = rng_unit(r) < .4;
    struct table_outcome o[SAMPLE_ARMS];
    struct table_new_row row = {.vec = v,
                                .key = key,
                                .group = key,
                                .time_ms = -1,
                                .task = span_of(names[task]),
                                .est_input = 100,
                                .outcomes = o,
                                .n_outcomes = SAMPLE_ARMS};
    const double q[SAMPLE_ARMS] = {hard ? .15 : .9 - .1 * task, hard ? .6 : .92,
                                   hard ? .9 : .96};

    sample_vec(r, task, hard, v);
    for (uint32_t a = 0; a < SAMPLE_ARMS; a++) {
        o[a] = (struct table_outcome){.arm = a,
                                      .score = rng_unit(r) < q[a],
                                      .input_tokens = 100,
                                      .output_tokens = 50 + 100 * task,
                                      .cost_usd = sample_cost[a],
                                      .propensity = NAN,
                                      .latency_ms = NAN};
        if (truth)
            truth->quality[a] = q[a];
    }
    struct err e;
    bool ok = table_add(t, &row, &e);
    assert(ok);
    (void)ok;
}

/* n rows of three arms; truth [n] may be NULL. */
static inline struct table *sample_table(size_t n, uint64_t seed,
                                         struct sample_truth *truth)
{
    static const char *const arms[SAMPLE_ARMS] = {"small", "middle", "large"};
    struct err e;
    struct table *t = table_new(&e);
    struct vec *v = malloc(sizeof *v);
    struct rng r;

    assert(t && v);
    rng_seed(&r, seed);
    for (unsigned a = 0; a < SAMPLE_ARMS; a++) {
        int at = table_add_arm(t, span_of(arms[a]), &e);
        assert(at == (int)a);
        (void)at;
    }
    for (size_t i = 0; i < n; i++)
        sample_row(t, &r, v, truth ? &truth[i] : NULL, i + 1);
    free(v);
    return t;
}

/* 0 ... n - 1; freed by the caller. */
static inline uint32_t *sample_rows(size_t n)
{
    uint32_t *rows = malloc((n + 1) * sizeof *rows);

    assert(rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = (uint32_t)i;
    return rows;
}

#endif
