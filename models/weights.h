/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a classifier file holds, as plain arrays: the trainer fills this,
 * classifier_encode() turns it into the file's bytes, classifier_from() maps
 * them.  The trainer predicts through those same bytes, so that training,
 * evaluation and serving cannot differ by a bit.
 *
 * How a prediction is made of a vector v (all sums in a fixed order):
 *   words   x_j = (1 + ln count_j) * idf[row(j)], only of terms whose bucket
 *           has a row; the group is then scaled to length 1
 *   marks   x_j = value_j * mark_scale, only of terms whose bucket has a row
 *   dense   x_j = clamp((v_j - mean_j) * inv_sd_j, -4, 4) * dense_scale
 *   head_h  = bias[h] + sum over all x of x_j * weight[row(j)][h]
 * heads stand in the order: quality of each arm, tokens of each arm, tasks.
 *   task_t    = softmax(task_beta * head of task t)
 *   prior_a   = sum over t of task_t * task_mean[t][a]  (global_mean[a] where
 *               there are no tasks)
 *   raw_a     = (1 - mix[a]) * sigmoid(quality head a) + mix[a] * prior_a
 *   quality_a = knots of arm a (piecewise linear, flat beyond the ends) of
 *               raw_a, then drawn towards prior_a by the unseen share u:
 *               by clamp((u - unseen_from) / (unseen_to - unseen_from), 0, 1)
 *   and at least quality of arm at_least[a], where that is not -1
 *   tokens_a  = exp(tokens head a) * tokens_scale[a], in [1, 1e6]
 * unseen = share of the words' squared weight, unseen terms counted with
 * idf_unseen.
 */
#ifndef WEIR_MODELS_WEIGHTS_H
#define WEIR_MODELS_WEIGHTS_H

#include "base/err.h"
#include "base/span.h"

enum { WEIGHTS_KNOTS = 16 };

struct weights {
    uint32_t features_version;
    uint32_t bits; /* hash space: bucket = index & (2^bits - 1) */
    uint32_t n_arms, n_tasks, n_dense;
    uint32_t n_heads;         /* 2 * n_arms + n_tasks */
    const char *const *arms;  /* [n_arms] */
    const char *const *tasks; /* [n_tasks] */
    /* Rows of the vocabulary: buckets ascending. */
    uint32_t n_words, n_marks;
    const uint32_t *word_bucket; /* [n_words] */
    const float *idf;            /* [n_words] */
    const float *word_weight;    /* [n_words * n_heads] row by row */
    const uint32_t *mark_bucket; /* [n_marks] */
    const float *mark_weight;    /* [n_marks * n_heads] */
    float mark_scale, dense_scale, idf_unseen;
    const float *dense_mean, *dense_inv_sd; /* [n_dense] */
    const float *dense_weight;              /* [n_dense * n_heads] */
    const float *bias;                      /* [n_heads] */
    float task_beta;
    const float *task_mean;       /* [n_tasks * n_arms] */
    const float *global_mean;     /* [n_arms] */
    const float *mix;             /* [n_arms] in [0,1] */
    const float *knot_x;          /* [n_arms * WEIGHTS_KNOTS] ascending */
    const float *knot_y;          /* [n_arms * WEIGHTS_KNOTS] not descending */
    float unseen_from, unseen_to; /* shares; above 1: never */
    const int32_t *at_least;      /* [n_arms] an earlier arm, or -1 */
    const float *tokens_scale;    /* [n_arms] */
};

/* The file's bytes, SHA-256 at their end.  Fails where a name is too long,
 * a number not finite, or there are more arms or tasks than a classifier
 * holds (CLASSIFIER_ARMS_MAX, CLASSIFIER_TASKS_MAX). */
struct buf;
MUST_USE bool classifier_encode(const struct weights *w, struct span card,
                                struct buf *out, struct err *e);

#endif
