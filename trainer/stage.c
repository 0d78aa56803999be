/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/stage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLEARLY 1.645 /* standard errors: 5 % one-sided */

static float *take(float **at, size_t n)
{
    float *here = *at;

    *at += n;
    return here;
}

bool stage_prepare(struct stage *s, const struct heads *h, struct err *e)
{
    struct weights shape = {
        .n_arms = h->n_arms, .n_tasks = h->n_tasks, .n_dense = h->v.n_dense};
    struct calibration same;
    size_t rows, size;
    float *at;

    *s = (struct stage){.n_arms = h->n_arms, .n_tasks = h->n_tasks};
    s->lanes = weights_lanes(&shape);
    s->inputs = weights_stage_size(&shape);
    rows = s->n_tasks + s->inputs + 2 * CALIBRATE_KNOTS + 5;
    size = rows * s->lanes * sizeof(float);
    s->block = aligned_alloc(64, size); /* lanes: whole cache lines */
    if (!s->block)
        return err_set(e, ERR_MEMORY, "no memory for the second stage");
    memset(s->block, 0, size);
    at = s->block;
    s->task_mean = take(&at, (size_t)s->n_tasks * s->lanes);
    s->matrix = take(&at, (size_t)s->inputs * s->lanes);
    s->knot_x = take(&at, (size_t)CALIBRATE_KNOTS * s->lanes);
    s->knot_y = take(&at, (size_t)CALIBRATE_KNOTS * s->lanes);
    s->token_factor = take(&at, s->lanes);
    s->token_low = take(&at, s->lanes);
    s->token_high = take(&at, s->lanes);
    s->outside_slope = take(&at, s->lanes);
    s->outside_offset = take(&at, s->lanes);
    s->unseen_low = 1; /* never outside */
    s->unseen_high = 2;
    calibrate_identity(&same);
    for (uint32_t a = 0; a < s->lanes; a++) {
        stage_knots(s, a, &same);
        s->token_factor[a] = s->token_low[a] = s->token_high[a] = 1;
    }
    return true;
}

void stage_free(struct stage *s)
{
    free(s->block);
    *s = (struct stage){0};
}

void stage_lend(const struct stage *s, struct weights *w)
{
    w->n_knots = CALIBRATE_KNOTS;
    w->link = LINK_LOGISTIC;
    w->task_scale = STAGE_TASK_SCALE;
    w->task_mean = s->task_mean;
    w->stage = s->matrix;
    w->knot_x = s->knot_x;
    w->knot_y = s->knot_y;
    w->token_factor = s->token_factor;
    w->token_low = s->token_low;
    w->token_high = s->token_high;
    w->outside_slope = s->outside_slope;
    w->outside_offset = s->outside_offset;
    w->unseen_low = s->unseen_low;
    w->unseen_high = s->unseen_high;
}

void stage_knots(struct stage *s, uint32_t arm, const struct calibration *c)
{
    for (size_t k = 0; k < CALIBRATE_KNOTS; k++) {
        s->knot_x[k * s->lanes + arm] = c->x[k];
        s->knot_y[k * s->lanes + arm] = c->y[k];
    }
}

/* Sums of one arm, by task and in all. */
struct sums {
    double n, sum;
};

static void arm_sums(const struct heads_data *d, const struct stage_part *part,
                     uint32_t arm, struct sums *task)
{
    uint32_t n_tasks = d->tasks->n;

    memset(task, 0, (n_tasks + 1) * sizeof *task);
    for (size_t i = 0; i < d->n_rows; i++) {
        float y = d->t->arms[arm].score[d->rows[i]];
        double w = (double)table_trust(d->t, arm, d->rows[i]);
        uint32_t k = heads_task(d, d->rows[i]);
        if (isnan(y) || (part->without >= 0 && part->fold[i] == part->without))
            continue;
        task[n_tasks].n += w;
        task[n_tasks].sum += w * (double)y;
        if (k == TABLE_NO_TASK)
            continue;
        task[k].n += w;
        task[k].sum += w * (double)y;
    }
}

static double towards(struct sums s, double mean, double weight)
{
    return (s.sum + weight * mean) / (s.n + weight);
}

/* A dearer arm is as good as the cheaper one before it, where it looks worse
 * but not clearly so: both take their common mean. */
static void order(float *mean, const double *n, uint32_t arms)
{
    for (uint32_t a = 1; a < arms; a++) {
        double lo = (double)mean[a - 1], hi = (double)mean[a], both, error;
        double na = n[a - 1] + STAGE_SHRINK, nb = n[a] + STAGE_SHRINK;
        both = (lo * na + hi * nb) / (na + nb);
        error = sqrt(fmax(both * (1 - both), 1e-6) * (1 / na + 1 / nb));
        if (hi < lo && lo - hi < CLEARLY * error)
            mean[a - 1] = mean[a] = (float)both;
    }
}

void stage_means(const struct heads_data *d, const struct stage_part *part,
                 float *task_mean, float *global)
{
    struct sums sums[CLASSIFIER_ARMS_MAX][CLASSIFIER_TASKS_MAX + 1];
    struct weights shape = {.n_arms = d->t->n_arms};
    uint32_t lanes = weights_lanes(&shape), arms = d->t->n_arms;
    struct sums all = {0, 0};

    for (uint32_t a = 0; a < arms; a++) {
        arm_sums(d, part, a, sums[a]);
        all.n += sums[a][d->tasks->n].n;
        all.sum += sums[a][d->tasks->n].sum;
    }
    for (uint32_t a = 0; a < arms; a++)
        global[a] = (float)towards(sums[a][d->tasks->n],
                                   all.n > 0 ? all.sum / all.n : .5, 4);
    for (uint32_t k = 0; k < d->tasks->n; k++) {
        double n[CLASSIFIER_ARMS_MAX];
        for (uint32_t a = 0; a < arms; a++) {
            n[a] = sums[a][k].n;
            task_mean[(size_t)k * lanes + a] =
                (float)towards(sums[a][k], (double)global[a], STAGE_SHRINK);
        }
        if (part->ordered)
            order(task_mean + (size_t)k * lanes, n, arms);
    }
}

void stage_mix(struct stage *s, const size_t *labels)
{
    struct weights shape = {.n_arms = s->n_arms, .n_tasks = s->n_tasks};

    for (uint32_t a = 0; a < s->n_arms; a++) {
        double few =
            STAGE_SHARE_LABELS / (STAGE_SHARE_LABELS + (double)labels[a]);
        double share = STAGE_SHARE + (1 - STAGE_SHARE) * few;
        double global = fmax(1e-4, fmin((double)s->global[a], 1 - 1e-4));
        uint32_t head = weights_stage(&shape, STAGE_LOGIT, a);
        uint32_t mean = weights_stage(&shape, STAGE_MEAN_LOGIT, a);
        s->matrix[(size_t)head * s->lanes + a] = (float)(1 - share);
        if (s->n_tasks)
            s->matrix[(size_t)mean * s->lanes + a] = (float)share;
        else
            s->matrix[a] = (float)(share * log(global / (1 - global)));
    }
}

void stage_platt(struct stage *s, double slope, const double *offset)
{
    for (size_t i = 0; i < s->inputs; i++)
        for (uint32_t a = 0; a < s->n_arms; a++)
            s->matrix[i * s->lanes + a] *= (float)slope;
    for (uint32_t a = 0; a < s->n_arms; a++)
        s->matrix[a] += (float)offset[a];
}
