/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Second stage: what stands between the linear heads and the predicted
 * quality.  Per arm a mean, in logits, of the head's probability and of the
 * predicted task's mean score (drawn to the arm's mean, which is drawn to all
 * arms' mean: few labels lean on the task, many on the request), then
 * calibration: Platt's with one slope for all arms, since arms are compared
 * with each other; where that leaves an arm clearly off, an isotonic curve;
 * and the factor from the exponential of predicted ln(tokens) to tokens.
 */
#ifndef WEIR_TRAINER_STAGE_H
#define WEIR_TRAINER_STAGE_H

#include "trainer/calibrate.h"
#include "trainer/heads.h"

#define STAGE_TASK_SCALE                                                       \
    6.f                /* sharpness of P(task) over the heads' margins         \
                        */
#define STAGE_SHARE .4 /* of the task's mean, where labels are many */
#define STAGE_SHARE_LABELS 60.
#define STAGE_SHRINK 20. /* labels that an arm's mean counts as in a task */

struct stage {
    uint32_t n_arms, n_tasks, lanes, inputs;
    float *block; /* (owned) all arrays */
    float *task_mean, *matrix, *knot_x, *knot_y;
    float *token_factor, *token_low, *token_high;
    float *outside_slope, *outside_offset;
    float unseen_low, unseen_high;
    float global[CLASSIFIER_ARMS_MAX];
};

/* Arrays for the heads' shape: all zero, calibration the identity, tokens
 * as they come. */
MUST_USE bool stage_prepare(struct stage *s, const struct heads *h,
                            struct err *e);
void stage_free(struct stage *s);
void stage_lend(const struct stage *s, struct weights *w);

/* Which rows' means are wanted. */
struct stage_part {
    const uint8_t *fold; /* [n_rows] */
    int without;         /* rows of this fold are left out; -1: none */
    bool ordered;        /* arms stand from low to high */
};

/* Means of each task and arm, into task_mean [n_tasks * lanes] and global
 * [n_arms]. */
void stage_means(const struct heads_data *d, const struct stage_part *part,
                 float *task_mean, float *global);
/* The mix of head and task mean from numbers of labels and s->global. */
void stage_mix(struct stage *s, const size_t *labels);
/* Multiplies the mix's logits and adds to them. */
void stage_platt(struct stage *s, double slope, const double *offset);
void stage_knots(struct stage *s, uint32_t arm, const struct calibration *c);

#endif
