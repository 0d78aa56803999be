/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/heads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "trainer/rivals.h"

#define NO_TASK_SCORE (-3.f)
#define MEAN_WEIGHT 4. /* labels that the mean of all arms counts as */

enum { PANEL = 16 }; /* heads: their weights fill a cache line */

/* How each kind of head is trained. */
static const struct recipe {
    enum solve_kind kind;    /* not of task heads: see rivals.h */
    double C, eps, eps_many; /* the last: with HEADS_MANY rows */
    unsigned copies;         /* of a row with a soft score, at most */
    size_t max_rows;
} recipes[] = {
    {SOLVE_LOGISTIC, 1, .01, .1, 4, 0},
    {SOLVE_SVR, 1, .1, .1, 0, HEADS_TOKENS_ROWS},
    {0, 1, .1, .1, 0, 0}, /* rows: as the caller says */
    {SOLVE_LOGISTIC, 1, .01, .1, 12, HEADS_EASE_ROWS},
};

enum group { QUALITY, TOKENS, TASK, DIFFICULTY };

struct head {
    enum group group;
    uint32_t i; /* arm or task */
};

static struct head head_at(const struct heads *h, uint32_t k)
{
    if (k < h->n_arms)
        return (struct head){QUALITY, k};
    if (k < 2 * h->n_arms)
        return (struct head){TOKENS, k - h->n_arms};
    if (k < 2 * h->n_arms + h->n_tasks)
        return (struct head){TASK, k - 2 * h->n_arms};
    return (struct head){DIFFICULTY, 0};
}

static uint32_t scarcest(const size_t *count, const uint32_t *task, uint32_t n)
{
    uint32_t at = 0;

    for (uint32_t i = 1; i < n; i++)
        if (count[task[i]] < count[task[at]])
            at = i;
    return at;
}

bool heads_tasks_pick(struct heads_tasks *k, const struct table *t,
                      struct err *e)
{
    size_t *count = calloc(t->n_tasks + 1, sizeof *count);
    uint32_t task[CLASSIFIER_TASKS_MAX];

    *k = (struct heads_tasks){0};
    k->slot = malloc((t->n_tasks + 1) * sizeof *k->slot);
    if (!count || !k->slot) {
        free(count);
        return err_set(e, ERR_MEMORY, "no memory for %u tasks", t->n_tasks);
    }
    for (size_t i = 0; i < t->n; i++)
        if (t->task[i] != TABLE_NO_TASK)
            count[t->task[i]]++;
    for (uint32_t i = 0; i < t->n_tasks; i++) {
        uint32_t at;
        k->slot[i] = TABLE_NO_TASK;
        if (k->n < CLASSIFIER_TASKS_MAX) {
            task[k->n++] = i;
            continue;
        }
        at = scarcest(count, task, k->n);
        if (count[i] > count[task[at]])
            task[at] = i;
    }
    for (uint32_t s = 0; s < k->n; s++) {
        k->name[s] = t->tasks[task[s]];
        k->slot[task[s]] = s;
    }
    free(count);
    return true;
}

uint32_t heads_task(const struct heads_data *d, uint32_t row)
{
    uint32_t task = d->t->task[row];

    return task == TABLE_NO_TASK ? TABLE_NO_TASK : d->tasks->slot[task];
}

bool heads_prepare(struct heads *h, const struct heads_data *d, struct err *e)
{
    size_t rows, all;
    struct weights shape = {.n_arms = d->t->n_arms,
                            .n_tasks = d->tasks->n,
                            .difficulty = d->difficulty};

    *h = (struct heads){.n_arms = shape.n_arms,
                        .n_tasks = shape.n_tasks,
                        .difficulty = shape.difficulty};
    h->n = 2 * h->n_arms + h->n_tasks + h->difficulty;
    h->width = weights_width(&shape);
    h->v.bits = d->bits;
    h->v.min_rows = d->min_rows;
    if (!h->v.min_rows)
        h->v.min_rows = d->n_rows >= HEADS_MANY ? 2 : 1;
    if (!vocabulary_build(&h->v, d->t, d->rows, d->n_rows, e))
        return false;
    rows = (size_t)h->v.n_rows * h->width;
    all = rows + (size_t)(h->v.n_dense + 1) * h->width;
    h->block_size = all * sizeof(float);
    h->block = workers_shared(h->block_size);
    if (!h->block)
        return err_set(e, ERR_MEMORY, "no memory for %zu weights", all);
    h->rows = h->block;
    h->dense_rows = h->rows + rows;
    h->bias = h->dense_rows + (size_t)h->v.n_dense * h->width;
    for (uint32_t r = 0; r < h->v.n_rows; r++)
        h->rows[(size_t)r * h->width] = h->v.idf[r];
    return true;
}

void heads_free(struct heads *h)
{
    vocabulary_free(&h->v);
    workers_unshare(h->block, h->block_size);
    *h = (struct heads){0};
}

void heads_lend(const struct heads *h, struct weights *w)
{
    w->n_arms = h->n_arms;
    w->n_tasks = h->n_tasks;
    w->n_dense = h->v.n_dense;
    w->difficulty = h->difficulty;
    w->bits = h->v.bits;
    w->mark_bits = h->v.mark_bits;
    w->n_rows = h->v.n_rows;
    w->dense_clip = VOCABULARY_CLIP;
    w->unseen_idf = h->v.unseen_idf;
    w->word_index = h->v.word_index;
    w->mark_index = h->v.mark_index;
    w->rows = h->rows;
    w->dense_mean = h->v.mean;
    w->dense_scale = h->v.scale;
    w->dense_rows = h->dense_rows;
    w->bias = h->bias;
}

bool heads_is_constant(const struct heads *h, uint32_t head)
{
    for (uint32_t c = 1; c < vocabulary_columns(&h->v); c++)
        if (h->rows[(size_t)c * h->width + 1 + head] != 0)
            return false;
    return true;
}

/* The greatest confidence in a score of the arm, at least a little. */
static float most_trusted(const struct heads_data *d, uint32_t arm,
                          const float *y)
{
    float most = 1e-3f;

    for (size_t i = 0; i < d->n_rows; i++)
        if (!isnan(y[i]))
            most = fmaxf(most, table_trust(d->t, arm, d->rows[i]));
    return most;
}

/*
 * How much of a row each counts; whether not all count for whole ones.
 * A score counts by the confidence in it beside that in the arm's others, in
 * quarters.  Soft scores stand where there is no other, for a quarter.
 * Together they count no more than the scores do: they are the same for many
 * rows, and more of them would only flatten the head.
 */
static bool weigh(const struct heads_data *d, uint32_t arm, float *y,
                  uint8_t *weight)
{
    const float *soft = d->t->arms[arm].soft;
    float whole = SOLVE_WHOLE / most_trusted(d, arm, y);
    size_t gold = 0, n = 0, doubted = 0;

    for (size_t i = 0; i < d->n_rows; i++) {
        uint32_t row = d->rows[i];
        weight[i] = isnan(y[i])
                        ? SOLVE_WHOLE
                        : (uint8_t)lroundf(table_trust(d->t, arm, row) * whole);
        doubted += weight[i] < SOLVE_WHOLE;
        gold += !isnan(y[i]);
        n += d->t->soft && isnan(y[i]) && !isnan(soft[row]);
    }
    for (size_t i = 0; n && i < d->n_rows; i++) {
        uint32_t row = d->rows[i];
        if (!isnan(y[i]) || isnan(soft[row]) ||
            rng_mix(d->seed ^ 0x50f7, row) % n >= SOLVE_WHOLE * gold)
            continue;
        y[i] = soft[row];
        weight[i] = 1;
    }
    return (n && gold) || doubted;
}

/* What the head is to learn from each row; NAN: nothing. */
static void targets(const struct heads_data *d, struct head at, float *y)
{
    const struct table_arm *arm = &d->t->arms[at.group <= TOKENS ? at.i : 0];

    for (size_t i = 0; i < d->n_rows; i++) {
        uint32_t row = d->rows[i], task = heads_task(d, row);
        if (at.group == QUALITY)
            y[i] = arm->score[row];
        else if (at.group == TOKENS)
            y[i] = logf(fmaxf(arm->output_tokens[row], 1));
        else if (at.group == DIFFICULTY)
            y[i] = d->t->mean_score[row];
        else
            y[i] = task == TABLE_NO_TASK ? NAN : task == at.i;
        if (at.group == TOKENS && isnan(arm->output_tokens[row]))
            y[i] = NAN;
    }
}

static double mean_of(const float *y, size_t n, size_t *known)
{
    double sum = 0;

    *known = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(y[i])) {
            sum += (double)y[i];
            ++*known;
        }
    return *known ? sum / (double)*known : NAN;
}

static double mean_of_all(const struct heads_data *d)
{
    double sum = 0;
    size_t n = 0;

    for (uint32_t a = 0; a < d->t->n_arms; a++)
        for (size_t i = 0; i < d->n_rows; i++) {
            float s = d->t->arms[a].score[d->rows[i]];
            if (isnan(s))
                continue;
            sum += (double)s;
            n++;
        }
    return n ? sum / (double)n : .5;
}

static float constant(const struct heads_data *d, struct head at,
                      const float *y)
{
    size_t known;
    double mean = mean_of(y, d->n_rows, &known), all;

    if (at.group == TASK)
        return known && mean >= 1 ? 1 : NO_TASK_SCORE;
    if (at.group == TOKENS)
        return known ? (float)mean : 0;
    all = mean_of_all(d);
    mean = ((known ? mean * (double)known : 0) + MEAN_WEIGHT * all) /
           ((double)known + MEAN_WEIGHT);
    mean = fmax(1e-4, fmin(mean, 1 - 1e-4));
    return (float)log(mean / (1 - mean));
}

/* Too little to learn from, although there are two classes. */
static bool scarce(const struct heads_data *d, struct head at, const float *y)
{
    size_t known;
    double mean = mean_of(y, d->n_rows, &known);

    if (at.group == TASK)
        return !known || mean * (double)known < HEADS_MIN_TASK;
    return known < HEADS_MIN_LABELS;
}

/*
 * Weights of consecutive heads on their way into the rows.  A row holds all
 * heads side by side, so writing one head touches a cache line for each of
 * its weights; a panel of heads touches it once for all of them.
 */
struct panel {
    uint32_t columns, first, n; /* heads first ... first + n - 1 */
    float *w;                   /* (owned) [PANEL * columns] */
    double *factor;             /* (owned) [columns] */
};

static void panel_free(struct panel *p)
{
    free(p->w);
    free(p->factor);
}

static bool panel_init(struct panel *p, const struct heads *h, struct err *e)
{
    uint32_t columns = vocabulary_columns(&h->v), marks_from = 1;

    *p = (struct panel){.columns = columns,
                        .w = malloc((size_t)columns * PANEL * sizeof *p->w),
                        .factor = malloc((columns + 1) * sizeof *p->factor)};
    if (!p->w || !p->factor)
        return err_set(e, ERR_MEMORY, "no memory for the heads' weights");
    while (marks_from < h->v.n_rows && h->v.idf[marks_from] > 0)
        marks_from++;
    for (uint32_t c = 1; c < columns; c++)
        p->factor[c] = vocabulary_factor(&h->v, c, c >= marks_from);
    return true;
}

static void panel_write(struct panel *p, struct heads *h)
{
    for (uint32_t c = 1; c < p->columns; c++) {
        float *to = h->rows + (size_t)c * h->width + 1 + p->first;
        for (uint32_t k = 0; k < p->n; k++)
            to[k] = p->w[(size_t)k * p->columns + c];
    }
    p->first += p->n;
    p->n = 0;
}

/* The next head's weights; NULL: none but its intercept. */
static void panel_add(struct panel *p, struct heads *h, const double *w)
{
    float *to = p->w + (size_t)p->n * p->columns;

    for (uint32_t c = 1; c < p->columns; c++)
        to[c] = w ? (float)(w[c] * p->factor[c]) : 0;
    if (++p->n == PANEL)
        panel_write(p, h);
}

/* Heads at work, in their order. */
struct work {
    struct heads *h;
    const struct heads_data *d;
    struct solve_data *x; /* (owned) */
    struct panel p;       /* (owned) */
    float *y;             /* (owned) [n_rows] one head's targets */
    uint8_t *weight;      /* (owned) [n_rows] what they count */
    double *w;            /* (owned) [columns + 1] and weights */
    struct workers_board *board;
};

static uint32_t next(const struct work *k)
{
    return k->p.first + k->p.n;
}

/* A trained head into its place, or what stands for one that learnt nothing. */
static void place(struct work *k, bool poor)
{
    struct head at = head_at(k->h, next(k));

    k->h->bias[1 + next(k)] =
        poor ? constant(k->d, at, k->y) : (float)k->w[k->p.columns];
    panel_add(&k->p, k->h, poor ? NULL : k->w);
    workers_step(k->board);
}

static bool train_one(struct work *k, struct err *e)
{
    struct head at = head_at(k->h, next(k));
    const struct recipe *r = &recipes[at.group];
    bool many = k->d->n_rows >= HEADS_MANY, poor = true;
    struct solve_task task = {.kind = r->kind,
                              .y = k->y,
                              .C = r->C,
                              .eps = many ? r->eps_many : r->eps,
                              .copies = r->copies,
                              .seed = (uint32_t)rng_mix(k->d->seed, next(k)),
                              .max_rows = r->max_rows};

    targets(k->d, at, k->y);
    if (at.group == QUALITY && weigh(k->d, at.i, k->y, k->weight))
        task.weight = k->weight;
    if (!scarce(k->d, at, k->y) && !solve_run(k->x, &task, k->w, &poor, e))
        return false;
    place(k, poor);
    return true;
}

/* The next n tasks' heads, which learn side by side. */
static bool train_tasks(struct work *k, struct rivals *r, uint32_t n,
                        struct err *e)
{
    if (!rivals_run(r, head_at(k->h, next(k)).i, n, e))
        return false;
    for (uint32_t lane = 0; lane < n; lane++) {
        struct head at = head_at(k->h, next(k));
        targets(k->d, at, k->y);
        rivals_weights(r, lane, k->w);
        place(k, scarce(k->d, at, k->y));
    }
    return true;
}

static bool train_all_tasks(struct work *k, struct err *e)
{
    const struct heads_data *d = k->d;
    uint32_t *slot = malloc((d->n_rows + 1) * sizeof *slot);
    struct rivals_task task = {.class = slot,
                               .C = recipes[TASK].C,
                               .eps = recipes[TASK].eps,
                               .seed = (uint32_t)rng_mix(d->seed, k->h->n),
                               .max_rows = d->task_rows};
    struct rivals *r = NULL;
    bool ok = slot != NULL;

    for (size_t i = 0; ok && i < d->n_rows; i++)
        slot[i] = heads_task(d, d->rows[i]);
    if (ok)
        r = rivals_new(k->x, &task, e);
    else
        err_set(e, ERR_MEMORY, "no memory for %zu rows' tasks", d->n_rows);
    ok = r != NULL;
    for (uint32_t i = 0; ok && i < k->h->n_tasks; i += RIVALS_LANES) {
        uint32_t left = k->h->n_tasks - i;
        ok = train_tasks(k, r, left < RIVALS_LANES ? left : RIVALS_LANES, e);
    }
    rivals_free(r);
    free(slot);
    return ok;
}

static bool work_init(struct work *k, struct err *e)
{
    const struct heads_data *d = k->d;

    k->x = vocabulary_design(&k->h->v, d->t, d->rows, d->n_rows, e);
    if (!k->x || !panel_init(&k->p, k->h, e))
        return false;
    k->y = malloc((d->n_rows + 1) * sizeof *k->y);
    k->w = malloc((k->p.columns + 1) * sizeof *k->w);
    k->weight = malloc((d->n_rows + 1) * sizeof *k->weight);
    return (k->y && k->w && k->weight) ||
           err_set(e, ERR_MEMORY, "no memory for a head's weights");
}

bool heads_train(struct heads *h, const struct heads_data *d,
                 struct workers_board *board, struct err *e)
{
    struct work k = {.h = h, .d = d, .board = board};
    bool ok = work_init(&k, e);

    while (ok && next(&k) < h->n)
        ok = head_at(h, next(&k)).group == TASK ? train_all_tasks(&k, e)
                                                : train_one(&k, e);
    if (ok)
        panel_write(&k.p, h);
    free(k.y);
    free(k.w);
    free(k.weight);
    panel_free(&k.p);
    solve_data_free(k.x);
    return ok;
}
