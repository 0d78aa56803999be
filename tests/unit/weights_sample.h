/* SPDX-License-Identifier: Apache-2.0 */
/* Weights of any size, made up from a seed, for tests, fuzzers and benches. */
#ifndef WEIR_TESTS_WEIGHTS_SAMPLE_H
#define WEIR_TESTS_WEIGHTS_SAMPLE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/weights.h"

struct weights_sample {
    struct weights w;
    void *owned[20];
    unsigned n_owned;
    char names[CLASSIFIER_ARMS_MAX + CLASSIFIER_TASKS_MAX][16];
    const char *name[CLASSIFIER_ARMS_MAX + CLASSIFIER_TASKS_MAX];
    uint64_t state;
};

static inline float sample_draw(struct weights_sample *s)
{
    s->state = s->state * 6364136223846793005u + 1442695040888963407u;
    return (float)(s->state >> 40) / (float)(1 << 24);
}

/* n values from low to high, rising when sorted. */
static inline float *sample_floats(struct weights_sample *s, size_t n,
                                   float low, float high)
{
    void *p = NULL;
    if (posix_memalign(&p, 64, (n + 16) * sizeof(float)))
        abort();
    float *values = p;
    for (size_t i = 0; i < n; i++)
        values[i] = low + (high - low) * sample_draw(s);
    s->owned[s->n_owned++] = p;
    return values;
}

static inline uint32_t *sample_index(struct weights_sample *s, unsigned bits,
                                     uint32_t first, uint32_t rows)
{
    uint32_t *index = calloc((size_t)1 << bits, sizeof *index);
    if (!index)
        abort();
    for (uint32_t i = 0; i < (UINT32_C(1) << bits) && rows; i++)
        index[i] = i % 4 == 3 ? 0 : first + (i * 7) % rows;
    s->owned[s->n_owned++] = index;
    return index;
}

static inline float *sample_knots(struct weights_sample *s, float from)
{
    uint32_t lanes = weights_lanes(&s->w);
    float *k = sample_floats(s, (size_t)s->w.n_knots * lanes, 0, 0);
    for (uint32_t i = 0; i < s->w.n_knots * lanes; i++)
        k[i] = from + (float)(i / lanes) / (float)s->w.n_knots;
    return k;
}

/* The counts of w are set by the caller; everything else follows. */
static inline void sample_fill(struct weights_sample *s)
{
    struct weights *w = &s->w;
    uint32_t width = weights_width(w), lanes = weights_lanes(w);
    uint32_t words = w->n_rows * 3 / 4;
    float *rows = sample_floats(s, (size_t)w->n_rows * width, -1, 1);
    for (uint32_t i = 0; i < w->n_rows; i++)
        rows[(size_t)i * width] = 1 + 8 * sample_draw(s);
    memset(rows, 0, width * sizeof *rows);
    for (uint32_t i = 0; i < w->n_arms + w->n_tasks; i++) {
        snprintf(s->names[i], 16, "%s%u", i < w->n_arms ? "arm" : "task", i);
        s->name[i] = s->names[i];
    }
    w->arms = s->name;
    w->tasks = s->name + w->n_arms;
    w->rows = rows;
    w->word_index = sample_index(s, w->bits, 1, words - 1);
    w->mark_index = sample_index(s, w->mark_bits, words, w->n_rows - words);
    w->dense_mean = sample_floats(s, w->n_dense, 0, 4);
    w->dense_scale = sample_floats(s, w->n_dense, 0, 2);
    w->dense_rows = sample_floats(s, (size_t)w->n_dense * width, -.1f, .1f);
    w->bias = sample_floats(s, width, -1, 1);
    w->task_mean = sample_floats(s, (size_t)w->n_tasks * lanes, 0, 1);
    w->stage =
        sample_floats(s, (size_t)weights_stage_size(w) * lanes, -.2f, .2f);
    w->knot_x = sample_knots(s, 0);
    w->knot_y = sample_knots(s, 0.01f);
    w->token_factor = sample_floats(s, lanes, 1, 2);
    w->token_low = sample_floats(s, lanes, 0, 1);
    w->token_high = sample_floats(s, lanes, 1000, 9000);
    w->outside_slope = sample_floats(s, (size_t)w->difficulty * lanes, -1, 1);
    w->outside_offset = sample_floats(s, (size_t)w->difficulty * lanes, -1, 1);
    w->unseen_low = 0.25f;
    w->unseen_high = 0.75f;
    w->dense_clip = 4;
    w->task_scale = 0.5f;
    w->unseen_idf = 8;
    w->link = LINK_LOGISTIC;
}

/* Into a new file: path is a template of mkstemp().  0, or -1. */
static inline int sample_write(const struct weights_sample *s,
                               uint32_t features_version, struct span card,
                               char *path)
{
    struct buf b;
    struct err e;
    int fd = mkstemp(path);
    bool ok;

    buf_init(&b, 1 << 24);
    ok = fd >= 0 && weights_encode(&s->w, features_version, card, &b, &e) &&
         write(fd, b.ptr, b.len) == (ssize_t)b.len;
    buf_free(&b);
    if (fd >= 0)
        close(fd);
    return ok ? 0 : -1;
}

static inline void sample_free(struct weights_sample *s)
{
    while (s->n_owned)
        free(s->owned[--s->n_owned]);
}

/* Small: bits 8, 3 arms, 4 tasks, 5 dense features. */
static inline void sample_small(struct weights_sample *s)
{
    memset(s, 0, sizeof *s);
    s->state = 7;
    s->w = (struct weights){.n_arms = 3,
                            .n_tasks = 4,
                            .n_dense = 5,
                            .bits = 8,
                            .mark_bits = 4,
                            .n_rows = 20,
                            .n_knots = 6};
    sample_fill(s);
}

static inline void sample_vec(struct vec *v, uint32_t words, uint32_t seed)
{
    vec_clear(v);
    v->n_words = words;
    for (uint32_t i = 0; i < words; i++) {
        v->words[i].index = (i * 2654435761u + seed * 40503u) ^ (seed << 7);
        v->words[i].value = (float)(1 + (i % 11 == 0) * (i % 5));
    }
    v->n_marks = 12;
    for (uint32_t i = 0; i < v->n_marks; i++) {
        v->marks[i].index = i * 97 + seed;
        v->marks[i].value = 1;
    }
    v->n_dense = 5;
    for (uint32_t i = 0; i < v->n_dense; i++)
        v->dense[i] = (float)((i * 13 + seed) % 7);
}

#endif
