/* SPDX-License-Identifier: Apache-2.0 */
/*
 *            rows ──┬─ all ────────────► heads ───────────┐
 *                   ├─ without fold 0 ► heads ─ on fold 0 ┐│
 *                   └─ without fold k ► heads ─ on fold k ┤│   (processes)
 *                                                         ▼▼
 *      out-of-fold values of all heads ─► mix, calibration, token factors
 */
#include "trainer/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "models/weights.h"
#include "trainer/heads.h"
#include "trainer/split.h"
#include "trainer/stage.h"
#include "trainer/workers.h"

enum {
    MANY_ROWS = 40000,
    FOLDS_MANY = 2,       /* of half the rows each: together one whole fit */
    OUTSIDE_LABELS = 100, /* of an arm, fewer: its mean outside */
};

struct fitted {
    struct fit_options o;
    const struct table *t; /* (borrowed) */
    uint32_t *rows;        /* (owned) [n] */
    size_t n;
    struct heads_tasks tasks;
    struct heads heads;
    struct stage stage;
    struct weights w; /* (borrowed: heads, stage, table) */
    const char *arm_names[CLASSIFIER_ARMS_MAX];
    struct fit_arm arm[CLASSIFIER_ARMS_MAX];
    bool difficulty;  /* there is such a head */
    unsigned folds;   /* 0: rows could not be held out */
    uint8_t *fold;    /* (owned) [n] */
    float *linear;    /* (shared memory) [n * width] by heads of other folds */
    float *unseen;    /* (shared memory) [n] */
    float *fold_mean; /* (owned) [folds * n_tasks * lanes] */
};

static struct heads_data data_of(const struct fitted *f)
{
    return (struct heads_data){.t = f->t,
                               .tasks = &f->tasks,
                               .rows = f->rows,
                               .n_rows = f->n,
                               .bits = f->o.bits,
                               .min_rows = f->o.min_rows,
                               .difficulty = f->difficulty,
                               .task_rows = HEADS_TASK_ROWS,
                               .seed = f->o.seed};
}

/* Heads of all rows but those of fold k, then their values on fold k. */
static bool fold_predict(struct fitted *f, const struct heads *h, unsigned k,
                         struct err *e)
{
    struct stage s;
    struct weights w = {0};
    struct weights_trace x;
    struct prediction p;

    if (!stage_prepare(&s, h, e))
        return false;
    heads_lend(h, &w);
    stage_lend(&s, &w);
    for (size_t i = 0; i < f->n; i++) {
        struct weights_input in;
        if (f->fold[i] != k)
            continue;
        in = table_row(f->t, f->rows[i]);
        weights_predict(&w, &in, -1, &p, &x);
        memcpy(f->linear + i * h->width, x.linear, h->width * sizeof(float));
        f->unseen[i] = p.unseen;
    }
    stage_free(&s);
    return true;
}

static bool fold_job(struct fitted *f, unsigned k, struct workers_board *b,
                     struct err *e)
{
    struct heads_data d = data_of(f);
    struct heads h = {0};
    uint32_t *rows = malloc((f->n + 1) * sizeof *rows);
    size_t n = 0;
    bool ok = rows != NULL;

    if (!ok)
        err_set(e, ERR_MEMORY, "no memory for a fold's rows");
    for (size_t i = 0; ok && i < f->n; i++)
        if (f->fold[i] != k)
            rows[n++] = f->rows[i];
    d.rows = rows;
    d.n_rows = n;
    d.seed = (uint32_t)rng_mix(f->o.seed, 1 + k);
    ok = ok && heads_prepare(&h, &d, e) && heads_train(&h, &d, b, e) &&
         fold_predict(f, &h, k, e);
    heads_free(&h);
    free(rows);
    return ok;
}

/* Job 0 trains on all rows, job k + 1 for fold k. */
static bool run_job(void *ctx, unsigned i, struct workers_board *b,
                    struct err *e)
{
    struct fitted *f = ctx;
    struct heads_data d = data_of(f);

    if (i > 0)
        return fold_job(f, i - 1, b, e);
    return heads_train(&f->heads, &d, b, e);
}

static bool run_jobs(struct fitted *f, struct err *e)
{
    unsigned jobs = 1 + f->folds;
    struct workers w = {.processes = f->o.threads,
                        .job = run_job,
                        .ctx = f,
                        .steps = jobs * f->heads.n,
                        .progress = f->o.progress,
                        .progress_ctx = f->o.ctx};

    return workers_run(&w, jobs, e);
}

/* How many of the rows' groups differ, up to max. */
static unsigned groups_up_to(const struct fitted *f, unsigned max)
{
    uint64_t seen[FIT_FOLDS_MAX];
    unsigned n = 0;

    for (size_t i = 0; i < f->n && n < max; i++) {
        uint64_t group = f->t->group[f->rows[i]];
        unsigned k = 0;
        while (k < n && seen[k] != group)
            k++;
        if (k == n)
            seen[n++] = group;
    }
    return n;
}

static void options_set(struct fitted *f, const struct fit_options *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    f->o = o ? *o : (struct fit_options){0};
    if (!f->o.bits)
        f->o.bits = FIT_BITS;
    if (!f->o.threads)
        f->o.threads = cores > 1 ? (unsigned)cores : 1;
    f->folds = f->o.folds;
    if (!f->folds)
        f->folds = f->n > MANY_ROWS ? FOLDS_MANY : FIT_FOLDS;
    if (f->folds > FIT_FOLDS_MAX)
        f->folds = FIT_FOLDS_MAX;
    f->folds = groups_up_to(f, f->folds);
    if (f->folds < 2)
        f->folds = 0;
    f->difficulty = f->folds && f->n >= HEADS_DIFFICULTY_ROWS;
}

static bool rooms(struct fitted *f, struct err *e)
{
    struct heads_data d = data_of(f);
    const struct split s = {f->t, f->rows, f->n, f->o.seed};

    if (!heads_tasks_pick(&f->tasks, f->t, e) ||
        !heads_prepare(&f->heads, &d, e) ||
        !stage_prepare(&f->stage, &f->heads, e))
        return false;
    f->fold = calloc(f->n + 1, 1);
    f->linear = workers_shared(f->n * f->heads.width * sizeof *f->linear);
    f->unseen = workers_shared(f->n * sizeof *f->unseen);
    f->fold_mean = calloc(
        (size_t)(f->folds ? f->folds : 1) * f->tasks.n * f->stage.lanes + 1,
        sizeof(float));
    if (!f->fold || !f->linear || !f->unseen || !f->fold_mean)
        return err_set(e, ERR_MEMORY, "no memory to fit %zu rows", f->n);
    return !f->folds || split_folds(&s, f->folds, f->fold, e);
}

static void weights_set(struct fitted *f)
{
    heads_lend(&f->heads, &f->w);
    stage_lend(&f->stage, &f->w);
    for (uint32_t a = 0; a < f->t->n_arms; a++)
        f->arm_names[a] = f->t->arms[a].name;
    f->w.arms = f->arm_names;
    f->w.tasks = f->tasks.name;
}

/* Where nothing could be held out: the heads' own values. */
static void linear_of_itself(struct fitted *f)
{
    struct prediction p;
    struct weights_trace x;

    for (size_t i = 0; i < f->n; i++) {
        struct weights_input in = table_row(f->t, f->rows[i]);
        weights_predict(&f->w, &in, -1, &p, &x);
        memcpy(f->linear + i * f->heads.width, x.linear,
               f->heads.width * sizeof(float));
        f->unseen[i] = p.unseen;
    }
}

static size_t labels_of(const struct fitted *f, uint32_t arm, double *mean)
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++) {
        float y = f->t->arms[arm].score[f->rows[i]];
        if (isnan(y))
            continue;
        sum += (double)y;
        n++;
    }
    *mean = n ? sum / (double)n : NAN;
    return n;
}

/* The row's prediction with what other folds taught; x holds the way. */
static void oof(const struct fitted *f, size_t i, struct prediction *out,
                struct weights_trace *x)
{
    struct weights w = f->w;
    struct weights_input in = table_row(f->t, f->rows[i]);
    uint32_t width = f->heads.width;

    memset(x->dense, 0, sizeof x->dense); /* the second stage ignores it */
    memcpy(x->linear, f->linear + i * width, width * sizeof(float));
    out->unseen = f->unseen[i];
    out->far = weights_far(&w, &in);
    if (f->folds)
        w.task_mean =
            f->fold_mean + (size_t)f->fold[i] * f->tasks.n * f->stage.lanes;
    weights_finish(&w, -1, x, out);
}

/* What the other folds' heads say of every row, before the knots. */
static void staged_all(const struct fitted *f, float *staged)
{
    uint32_t arms = f->t->n_arms;

    for (size_t i = 0; i < f->n; i++) {
        struct prediction out;
        struct weights_trace x;
        oof(f, i, &out, &x);
        memcpy(staged + i * arms, x.staged, arms * sizeof *staged);
    }
}

/* Keeps of an arm's labels those by which it is judged: gold where there is
 * enough of it. */
static size_t errors_on(struct fitted *f, uint32_t a, float *p, float *y)
{
    const struct table_arm *of = &f->t->arms[a];
    struct fit_arm *arm = &f->arm[a];
    size_t n = 0, kept = 0;

    for (size_t i = 0; i < f->n; i++)
        if (!isnan(of->score[f->rows[i]])) {
            n++;
            arm->gold += !of->second[f->rows[i]];
        }
    arm->by_gold = arm->gold >= FIT_GOLD_MIN || arm->gold == n;
    for (size_t i = 0, k = 0; arm->by_gold && i < f->n; i++) {
        if (isnan(of->score[f->rows[i]]))
            continue;
        p[kept] = p[k];
        y[kept] = y[k++];
        kept += !of->second[f->rows[i]];
    }
    return arm->by_gold ? kept : n;
}

/* An arm's curve where it needs one, and how right it is then. */
static void calibrate_arm(struct fitted *f, uint32_t a, const float *staged,
                          float *p)
{
    struct fit_arm *arm = &f->arm[a];
    float *y = p + f->n, *w = y + f->n;
    struct calibration c;
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++) {
        float score = f->t->arms[a].score[f->rows[i]];
        if (isnan(score))
            continue;
        p[n] = staged[i * f->t->n_arms + a];
        w[n] = table_trust(f->t, a, f->rows[i]);
        y[n++] = score;
    }
    calibrate_identity(&c);
    if (f->folds)
        calibrate_fit(&c, p, y, w, n);
    stage_knots(&f->stage, a, &c);
    arm->isotonic = c.isotonic;
    n = errors_on(f, a, p, y);
    for (size_t i = 0; i < n; i++)
        p[i] = calibrate_apply(&c, p[i]);
    arm->ece = n ? calibrate_ece(p, y, n) : NAN;
    arm->log_loss = n ? calibrate_log_loss(p, y, n) : NAN;
}

static void platt_all(struct fitted *f, const float *staged, float *y)
{
    uint32_t arms = f->t->n_arms;
    float *w = y + f->n * arms;
    struct calibrate_shared c;

    for (size_t i = 0; i < f->n; i++)
        for (uint32_t a = 0; a < arms; a++) {
            y[i * arms + a] = f->t->arms[a].score[f->rows[i]];
            w[i * arms + a] = table_trust(f->t, a, f->rows[i]);
        }
    calibrate_shared(&(struct calibrate_rows){staged, y, w, f->n, arms}, &c);
    stage_platt(&f->stage, c.slope, c.offset);
}

static bool calibrate_all(struct fitted *f, struct err *e)
{
    uint32_t arms = f->t->n_arms;
    size_t cells = f->n * arms + 1;
    float *staged = malloc(cells * sizeof *staged);
    /* Three columns of one arm, or two of all. */
    float *room = malloc((2 * cells + f->n) * sizeof *room);
    bool ok = staged && room;

    if (!ok)
        err_set(e, ERR_MEMORY, "no memory to calibrate %zu rows", f->n);
    if (ok && f->folds) {
        staged_all(f, staged);
        platt_all(f, staged, room);
    }
    if (ok)
        staged_all(f, staged);
    for (uint32_t a = 0; ok && a < arms; a++)
        calibrate_arm(f, a, staged, room);
    free(staged);
    free(room);
    return ok;
}

/* Factor and bounds of an arm's expected tokens. */
static void tokens_arm(struct fitted *f, uint32_t a)
{
    struct stage *s = &f->stage;
    double seen = 0, said = 0;
    float low = INFINITY, high = 0;

    for (size_t i = 0; i < f->n; i++) {
        float tokens = f->t->arms[a].output_tokens[f->rows[i]];
        float ln = f->linear[i * f->heads.width + 1 + f->t->n_arms + a];
        if (isnan(tokens))
            continue;
        tokens = fmaxf(tokens, 1);
        seen += (double)tokens;
        said += exp(fmax(-20, fmin((double)ln, 20)));
        low = fminf(low, tokens);
        high = fmaxf(high, tokens);
    }
    if (seen <= 0)
        return;
    s->token_factor[a] = (float)(seen / fmax(said, 1e-9));
    s->token_low[a] = low;
    s->token_high[a] = high;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? -1 : x > y;
}

/* Between the 75 and 99 % quantiles of the rows' own unseen shares a request
 * goes over to being outside. */
static void outside_bounds(struct fitted *f, float *room)
{
    struct stage *s = &f->stage;

    memcpy(room, f->unseen, f->n * sizeof *room);
    qsort(room, f->n, sizeof *room, by_value);
    s->unseen_low = room[(size_t)(.75 * (double)(f->n - 1))];
    s->unseen_high =
        fmaxf(room[(size_t)(.99 * (double)(f->n - 1))], s->unseen_low + .01f);
}

/* What the difficulty head alone says of an arm. */
static bool outside_arm(struct fitted *f, uint32_t a, float *p)
{
    uint32_t head = 1 + f->heads.n - 1;
    double mean = (double)f->stage.global[a], slope = 0, offset;
    float *y = p + f->n;
    size_t n = 0;

    mean = fmax(1e-4, fmin(mean, 1 - 1e-4));
    offset = log(mean / (1 - mean));
    for (size_t i = 0; i < f->n; i++) {
        float d = f->linear[i * f->heads.width + head];
        float score = f->t->arms[a].score[f->rows[i]];
        if (isnan(score))
            continue;
        p[n] = (float)(1 / (1 + exp(-(double)d)));
        y[n++] = score;
    }
    if (n >= OUTSIDE_LABELS && !calibrate_platt(p, y, n, &slope, &offset))
        return false;
    f->stage.outside_slope[a] = (float)slope;
    f->stage.outside_offset[a] = (float)offset;
    return true;
}

static bool outside(struct fitted *f, struct err *e)
{
    float *room = f->difficulty ? malloc(2 * f->n * sizeof *room) : NULL;
    bool ok = true;

    if (!f->difficulty)
        return true;
    if (!room)
        return err_set(e, ERR_MEMORY, "no memory to fit %zu rows", f->n);
    outside_bounds(f, room);
    for (uint32_t a = 0; ok && a < f->t->n_arms; a++)
        if (!outside_arm(f, a, room))
            ok = err_set(e, ERR_MEMORY, "no memory to fit %zu rows", f->n);
    free(room);
    return ok;
}

static bool second_stage(struct fitted *f, struct err *e)
{
    struct heads_data d = data_of(f);
    struct stage_part part = {f->fold, -1, f->o.ordered};
    size_t labels[CLASSIFIER_ARMS_MAX];
    float global[CLASSIFIER_ARMS_MAX];
    size_t means = (size_t)f->tasks.n * f->stage.lanes;

    for (uint32_t a = 0; a < f->t->n_arms; a++) {
        labels[a] = labels_of(f, a, &f->arm[a].mean);
        f->arm[a].labels = labels[a];
        f->arm[a].constant = heads_is_constant(&f->heads, a);
    }
    stage_means(&d, &part, f->stage.task_mean, f->stage.global);
    for (unsigned k = 0; k < f->folds; k++) {
        part.without = (int)k;
        stage_means(&d, &part, f->fold_mean + k * means, global);
    }
    stage_mix(&f->stage, labels);
    for (uint32_t a = 0; a < f->t->n_arms; a++)
        tokens_arm(f, a);
    if (!calibrate_all(f, e) || !outside(f, e))
        return false;
    weights_set(f); /* the stage's bounds are numbers in it */
    return true;
}

struct fitted *fit_train(const struct table *t, const uint32_t *rows,
                         size_t n_rows, const struct fit_options *o,
                         struct err *e)
{
    struct fitted *f = calloc(1, sizeof *f);
    bool ok = f && n_rows > 0 && t->n_arms > 0;

    if (!f) {
        err_set(e, ERR_MEMORY, "no memory for a fit");
        return NULL;
    }
    if (!ok)
        err_set(e, ERR_INPUT, "no rows to learn from");
    f->t = t;
    f->n = n_rows;
    f->rows = malloc((n_rows + 1) * sizeof *f->rows);
    if (ok && !f->rows)
        ok = err_set(e, ERR_MEMORY, "no memory for %zu rows", n_rows);
    if (ok) {
        memcpy(f->rows, rows, n_rows * sizeof *rows);
        options_set(f, o);
        ok = rooms(f, e) && run_jobs(f, e);
    }
    if (ok) {
        weights_set(f);
        if (!f->folds)
            linear_of_itself(f);
        ok = second_stage(f, e);
    }
    if (ok)
        return f;
    fit_free(f);
    return NULL;
}

void fit_free(struct fitted *f)
{
    if (!f)
        return;
    workers_unshare(f->linear, f->n * f->heads.width * sizeof *f->linear);
    workers_unshare(f->unseen, f->n * sizeof *f->unseen);
    heads_free(&f->heads);
    stage_free(&f->stage);
    free(f->tasks.slot);
    free(f->fold);
    free(f->fold_mean);
    free(f->rows);
    free(f);
}

void fit_predict(const struct fitted *f, const struct table *t, uint32_t row,
                 struct prediction *out)
{
    struct weights_input in = table_row(t, row);

    weights_predict(&f->w, &in, -1, out, NULL);
}

void fit_predict_known(const struct fitted *f, const struct table *t,
                       uint32_t row, struct prediction *out)
{
    struct weights_input in = table_row(t, row);
    uint32_t task = t->task[row];

    if (task != TABLE_NO_TASK)
        task = f->tasks.slot[task];
    weights_predict(&f->w, &in, task == TABLE_NO_TASK ? -1 : (int)task, out,
                    NULL);
}

void fit_oof(const struct fitted *f, size_t i, struct prediction *out)
{
    struct weights_trace x;

    oof(f, i, out, &x);
}

bool fit_held_out(const struct fitted *f)
{
    return f->folds > 0;
}

const struct table *fit_table(const struct fitted *f)
{
    return f->t;
}

const uint32_t *fit_rows(const struct fitted *f, size_t *n)
{
    *n = f->n;
    return f->rows;
}

const struct fit_arm *fit_arm(const struct fitted *f, uint32_t arm)
{
    return &f->arm[arm];
}

bool fit_write(const struct fitted *f, struct span card, struct buf *out,
               struct err *e)
{
    return weights_encode(&f->w, f->t->features_version, card, out, e);
}
