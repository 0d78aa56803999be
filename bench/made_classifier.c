/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/made_classifier.h"

#include "base/rng.h"
#include "models/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARK_BITS = 12, KNOTS = 16, ARRAYS_MAX = 16, NAME_MAX_LEN = 16 };

struct maker {
    struct weights w;
    struct rng rng;
    void *owned[ARRAYS_MAX];
    unsigned n_owned;
    bool failed;
    char names[CLASSIFIER_ARMS_MAX + CLASSIFIER_TASKS_MAX][NAME_MAX_LEN];
    const char *name[CLASSIFIER_ARMS_MAX + CLASSIFIER_TASKS_MAX];
};

static void *take(struct maker *m, size_t n, size_t size)
{
    void *p = NULL;

    if (m->n_owned == ARRAYS_MAX || posix_memalign(&p, 64, (n + 16) * size)) {
        m->failed = true;
        return NULL;
    }
    memset(p, 0, (n + 16) * size);
    m->owned[m->n_owned++] = p;
    return p;
}

static float draw(struct maker *m, float low, float high)
{
    return low + (high - low) * (float)rng_unit(&m->rng);
}

static float *drawn(struct maker *m, size_t n, float low, float high)
{
    float *p = take(m, n, sizeof *p);

    for (size_t i = 0; p && i < n; i++)
        p[i] = draw(m, low, high);
    return p;
}

/* Buckets with a row of their own, in the order of the buckets. */
static uint32_t *index_of(struct maker *m, unsigned bits, double filled)
{
    size_t n = (size_t)1 << bits;
    uint32_t *index = take(m, n, sizeof *index);

    for (size_t i = 0; index && i < n; i++) {
        if (rng_unit(&m->rng) < filled)
            index[i] = m->w.n_rows++;
    }
    return index;
}

static float *knots(struct maker *m, float from)
{
    uint32_t lanes = weights_lanes(&m->w);
    float *k = take(m, (size_t)KNOTS * lanes, sizeof *k);

    for (uint32_t i = 0; k && i < KNOTS * lanes; i++)
        k[i] = from + (float)(i / lanes) / KNOTS;
    return k;
}

static float *rows(struct maker *m)
{
    uint32_t width = weights_width(&m->w);
    size_t n = (size_t)m->w.n_rows * width;
    float *r = drawn(m, n, -0.5F, 0.5F);

    for (size_t i = 0; r && i < m->w.n_rows; i++)
        r[i * width] = draw(m, 1, 9);
    if (r)
        memset(r, 0, width * sizeof *r);
    return r;
}

static void name_all(struct maker *m, const char *const *arms)
{
    for (uint32_t i = 0; i < m->w.n_arms + m->w.n_tasks; i++) {
        snprintf(m->names[i], NAME_MAX_LEN, "%s%u",
                 i < m->w.n_arms ? "arm" : "task", i);
        m->name[i] = arms && i < m->w.n_arms ? arms[i] : m->names[i];
    }
    m->w.arms = m->name;
    m->w.tasks = m->name + m->w.n_arms;
}

static void fill(struct maker *m, const struct made_size *size)
{
    struct weights *w = &m->w;
    uint32_t width, lanes;

    *w = (struct weights){.n_arms = size->arms,
                          .n_tasks = size->tasks,
                          .n_dense = size->dense,
                          .bits = size->bits,
                          .mark_bits = MARK_BITS,
                          .n_rows = 1,
                          .n_knots = KNOTS,
                          .link = LINK_LOGISTIC,
                          .dense_clip = 4,
                          .task_scale = 0.5F,
                          .unseen_idf = 9};
    width = weights_width(w);
    lanes = weights_lanes(w);
    name_all(m, size->names);
    w->word_index = index_of(m, w->bits, size->filled);
    w->mark_index = index_of(m, w->mark_bits, 0.5);
    w->rows = rows(m);
    w->dense_mean = drawn(m, w->n_dense, 0, 4);
    w->dense_scale = drawn(m, w->n_dense, 0, 2);
    w->dense_rows = drawn(m, (size_t)w->n_dense * width, -0.1F, 0.1F);
    w->bias = drawn(m, width, -1, 1);
    w->task_mean = drawn(m, (size_t)w->n_tasks * lanes, 0, 1);
    w->stage = drawn(m, (size_t)weights_stage_size(w) * lanes, -0.2F, 0.2F);
    w->knot_x = knots(m, 0);
    w->knot_y = knots(m, 0.01F);
    w->token_factor = drawn(m, lanes, 1, 2);
    w->token_low = drawn(m, lanes, 0, 1);
    w->token_high = drawn(m, lanes, 1000, 9000);
}

bool made_classifier(const struct made_size *size, uint32_t features_version,
                     struct buf *out, struct err *e)
{
    struct maker *m = calloc(1, sizeof *m);
    struct span card = size->card.len
                           ? size->card
                           : SPAN("{\"notes\":[\"made up for benchmarks\"]}");
    bool ok = false;

    if (!m)
        return err_set(e, ERR_MEMORY, "no memory for a classifier");
    rng_seed(&m->rng, size->seed);
    fill(m, size);
    if (m->failed)
        err_set(e, ERR_MEMORY, "no memory for a classifier");
    else
        ok = weights_encode(&m->w, features_version, card, out, e);
    while (m->n_owned)
        free(m->owned[--m->n_owned]);
    free(m);
    return ok;
}
