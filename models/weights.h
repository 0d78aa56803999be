/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The classifier's arithmetic, on plain arrays.  The trainer fills them and
 * predicts with them; the classifier file holds them and the router predicts
 * with them: one function, so both get the same numbers to the bit.  Sums
 * run in a fixed order and vectorise across heads, never across terms; exp
 * and log are our own (models/numeric.h).  Nothing here allocates or does
 * I/O, except weights_encode, which writes into a buffer.
 *
 * One request goes this way:
 *   words   tf * idf with tf = 1 + ln(count); divided by the length of the
 *           group; buckets without a row (index 0) count for nothing
 *   marks   value as it is (kept within +-WEIGHTS_MARK_MAX)
 *   dense   z = clip((x - mean) * scale, +-dense_clip)
 *   linear  bias + all of the above times their rows: for each arm a quality
 *           logit and ln(tokens), for each task a score
 *   task    softmax(task_scale * score); or what the caller knows
 *   stage   affine in the inputs listed at enum stage_input; then the link
 *   knots   piecewise linear calibration of that value
 *   outside where the unseen share is above unseen_low, the quality goes over
 *           to what the difficulty head alone says of the arm; from
 *           unseen_high on it is that (only with a difficulty head)
 *   tokens  exp(linear) * factor, kept within [low, high]
 */
#ifndef WEIR_MODELS_WEIGHTS_H
#define WEIR_MODELS_WEIGHTS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

enum {
    CLASSIFIER_ARMS_MAX = 32,
    CLASSIFIER_TASKS_MAX = 96,
    CLASSIFIER_KNOTS_MAX = 32,
    WEIGHTS_BITS_MIN = 4,
    WEIGHTS_BITS_MAX = 22,
    WEIGHTS_MARK_MAX = 1024,
    /* 1 + 2 * arms + tasks + 1, rounded up to whole cache lines */
    WEIGHTS_WIDTH_MAX = 176,
};

/* What the second stage may look at, in this order; see weights_stage. */
enum stage_input {
    STAGE_ONE,        /* [1] intercept */
    STAGE_LOGIT,      /* [n_arms] first stage's quality logit */
    STAGE_PROB,       /* [n_arms] its logistic */
    STAGE_MEAN,       /* [n_arms] sum over tasks of P(task) * task_mean */
    STAGE_MEAN_LOGIT, /* [n_arms] logit of that, within 1e-4 .. 1 - 1e-4 */
    STAGE_TASK,       /* [n_tasks] P(task) */
    STAGE_DENSE,      /* [n_dense] z */
    STAGE_UNSEEN,     /* [1] share of the words' weight without a row */
};

enum stage_link { LINK_IDENTITY, LINK_LOGISTIC };

struct weights {
    uint32_t n_arms, n_tasks, n_dense;
    uint32_t difficulty;      /* 1: there is a difficulty head, else 0 */
    uint32_t bits, mark_bits; /* index spaces of 2^bits buckets */
    uint32_t n_rows;          /* with row 0, which is all zero: unseen */
    uint32_t n_knots;         /* 0: no calibration */
    uint32_t link;            /* enum stage_link; the result is kept in 0..1 */
    float dense_clip;         /* > 0 */
    float task_scale;         /* >= 0 */
    float unseen_idf;         /* what an unseen word weighs in `unseen` */
    float unseen_low, unseen_high; /* low < high; with a difficulty head */
    const char *const *arms;       /* [n_arms] unique names */
    const char *const *tasks;      /* [n_tasks] unique names */
    const uint32_t *word_index;    /* [2^bits] row, 0: unseen */
    const uint32_t *mark_index;    /* [2^mark_bits] */
    /* Each row weights_width() floats: idf (marks: 0), quality [n_arms],
     * tokens [n_arms], task scores [n_tasks], difficulty [0 or 1], zeros. */
    const float *rows;         /* [n_rows * width] aligned to 64 bytes */
    const float *dense_mean;   /* [n_dense] */
    const float *dense_scale;  /* [n_dense] 1 / deviation, 0: constant */
    const float *dense_rows;   /* [n_dense * width], slot 0 is 0 */
    const float *bias;         /* [width], slot 0 is 0 */
    const float *task_mean;    /* [n_tasks * lanes] quality of each arm */
    const float *stage;        /* [weights_stage_size * lanes] */
    const float *knot_x;       /* [n_knots * lanes] ascending with the knot */
    const float *knot_y;       /* [n_knots * lanes] not falling, 0..1 */
    const float *token_factor; /* [lanes] > 0: mean of exp(residual) */
    const float *token_low;    /* [lanes] >= 0 */
    const float *token_high;   /* [lanes] >= low */
    /* With a difficulty head d, else NULL: logistic(slope * d + offset). */
    const float *outside_slope, *outside_offset; /* [lanes] */
};

/* Floats of one row, and of one value for every arm: multiples of 16. */
uint32_t weights_width(const struct weights *w);
uint32_t weights_lanes(const struct weights *w);
/* Inputs of the second stage, and where the i-th of a kind stands. */
uint32_t weights_stage_size(const struct weights *w);
uint32_t weights_stage(const struct weights *w, enum stage_input kind,
                       uint32_t i);

/* A vector where it stands; n_dense beyond the weights' own is ignored,
 * missing ones count as their mean. */
struct weights_input {
    const struct term *words, *marks;
    const float *dense;
    uint32_t n_words, n_marks, n_dense;
};

struct prediction {
    uint32_t n_arms, n_tasks;
    float quality[CLASSIFIER_ARMS_MAX]; /* [n_arms] P(adequate), calibrated */
    float tokens[CLASSIFIER_ARMS_MAX];  /* [n_arms] expected output tokens */
    float task[CLASSIFIER_TASKS_MAX];   /* [n_tasks] sums to 1 */
    float unseen;  /* share of the words' weight that training never saw */
    float top;     /* greatest task score, 0 without tasks */
    float far;     /* mean square of z: about 1 on the training rows */
    float outside; /* 0: like the training data ... 1: not; 0 without a
                      difficulty head */
};

/* Values on the way, for the trainer, which fits the later steps on them. */
struct weights_trace {
    float linear[WEIGHTS_WIDTH_MAX];   /* slots as in a row */
    float mean[CLASSIFIER_ARMS_MAX];   /* STAGE_MEAN */
    float staged[CLASSIFIER_ARMS_MAX]; /* behind the link, before knots */
    float dense[VEC_DENSE_MAX];        /* z */
};

/* task: index of the task that the caller knows, -1: predict it.  trace may
 * be NULL.  n_words <= VEC_WORDS_MAX (what is beyond is left out). */
void weights_predict(const struct weights *w, const struct weights_input *in,
                     int task, struct prediction *out,
                     struct weights_trace *trace);

/* All behind the first stage: x->linear, x->dense and out->unseen are given,
 * the rest is filled.  For the trainer, which has linear heads' values of
 * rows that those heads have not seen. */
void weights_finish(const struct weights *w, int task, struct weights_trace *x,
                    struct prediction *out);

/* out->far of this input. */
float weights_far(const struct weights *w, const struct weights_input *in);
struct weights_input weights_input_of(const struct vec *v);
/* tf of a count, as weights_predict takes it; counts below 1 are 1. */
float weights_tf(float count);

/* Everything but the checksum that a file must hold: counts, indices below
 * n_rows, finite and bounded values, order of knots, names. */
MUST_USE bool weights_check(const struct weights *w, struct err *e);

/* The classifier file's bytes (docs/classifier-format.md) appended to out;
 * card is JSON.  Fails on what weights_check refuses. */
MUST_USE bool weights_encode(const struct weights *w, uint32_t features_version,
                             struct span card, struct buf *out, struct err *e);
/* Reads them again: pointers go into bytes, which must be aligned to 64;
 * names: [n_arms + n_tasks] pointers of the caller's, for arms and tasks. */
struct weights_file {
    struct weights w;
    uint32_t features_version;
    struct span card; /* (borrowed) */
    char sha256[65];  /* of the whole file without its last 32 bytes */
    const char *names[CLASSIFIER_ARMS_MAX + CLASSIFIER_TASKS_MAX];
};
MUST_USE bool weights_decode(struct span bytes, struct weights_file *f,
                             struct err *e);

#endif
