/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that a learned router has to beat: means over rows of one kind.
 * Each row falls into one cell (its task, a class of lengths, or the one cell
 * of all); the guess for it is the mean over the training rows of that cell,
 * drawn towards the mean of all by SHRINK rows.
 */
#include "trainer/forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "trainer/metrics.h"
#include "trainer/split.h"

enum { BINS = 20, SHRINK = 20 };

enum kind { BY_TASK, BY_LENGTH, ALL_ALIKE };

struct means {
    const struct contest *c;
    enum kind kind;
    uint32_t n_cells;     /* the last one: rows that are of no other */
    double *score, *cost; /* (owned) [n_cells * n_arms] */
    double *count;        /* (owned) [n_cells] scratch */
    uint32_t *task;       /* (owned) test table's task -> cell */
    double bound[BINS];   /* upper ends of the length classes */
    uint64_t seed;
};

static uint32_t cell_of(const struct means *m, const struct table *t,
                        uint32_t row)
{
    uint32_t cell = 0;
    switch (m->kind) {
    case BY_TASK:
        if (t->task[row] == TABLE_NO_TASK)
            return m->n_cells - 1;
        return t == m->c->train ? t->task[row] : m->task[t->task[row]];
    case BY_LENGTH:
        while (cell < BINS - 1 && (double)t->est_input[row] > m->bound[cell])
            cell++;
        return cell;
    case ALL_ALIKE:
        break;
    }
    return 0;
}

static uint32_t task_cell(const struct means *m, const char *name)
{
    const struct table *t = m->c->train;
    for (uint32_t i = 0; i < t->n_tasks; i++) {
        if (!strcmp(t->tasks[i], name))
            return i;
    }
    return m->n_cells - 1;
}

static void means_free(struct means *m)
{
    free(m->score);
    free(m->cost);
    free(m->count);
    free(m->task);
    *m = (struct means){0};
}

static bool means_init(struct means *m, const struct contest *c, enum kind kind,
                       struct err *e)
{
    static const uint32_t fixed[] = {[BY_LENGTH] = BINS, [ALL_ALIKE] = 1};
    uint32_t cells = kind == BY_TASK ? c->train->n_tasks + 1 : fixed[kind];
    size_t n = (size_t)cells * c->n_arms;
    *m = (struct means){.c = c,
                        .kind = kind,
                        .n_cells = cells,
                        .score = calloc(n, sizeof *m->score),
                        .cost = calloc(n, sizeof *m->cost),
                        .count = calloc(cells, sizeof *m->count),
                        .task = calloc(c->test->n_tasks + 1, sizeof *m->task)};
    if (!m->score || !m->cost || !m->count || !m->task) {
        means_free(m);
        return err_set(e, ERR_MEMORY, "no memory for a baseline");
    }
    for (uint32_t i = 0; i < c->test->n_tasks; i++)
        m->task[i] = kind == BY_TASK ? task_cell(m, c->test->tasks[i]) : 0;
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool bounds_set(struct means *m, const uint32_t *rows, size_t n,
                       struct err *e)
{
    double *length = malloc((n + 1) * sizeof *length);
    if (!length)
        return err_set(e, ERR_MEMORY, "no memory for a baseline");
    for (size_t i = 0; i < n; i++)
        length[i] = (double)m->c->train->est_input[rows[i]];
    qsort(length, n, sizeof *length, by_value);
    for (int b = 0; b < BINS; b++)
        m->bound[b] = metrics_quantile(length, n, (b + 1.0) / BINS);
    free(length);
    return true;
}

/* Means of one column; values of one arm in all cells. */
static void column_learn(const struct means *m, const uint32_t *rows, size_t n,
                         const float *column, double *out)
{
    uint32_t stride = m->c->n_arms;
    double total = 0, known = 0;
    memset(m->count, 0, m->n_cells * sizeof *m->count);
    for (uint32_t i = 0; i < m->n_cells; i++)
        out[(size_t)i * stride] = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t cell = cell_of(m, m->c->train, rows[i]);
        if (isnan(column[rows[i]]))
            continue;
        out[(size_t)cell * stride] += (double)column[rows[i]];
        m->count[cell]++;
        total += (double)column[rows[i]];
        known++;
    }
    double mean = known > 0 ? total / known : 0;
    for (uint32_t i = 0; i < m->n_cells; i++) {
        double *cell = &out[(size_t)i * stride];
        *cell = (*cell + SHRINK * mean) / (m->count[i] + SHRINK);
    }
}

static bool means_learn(struct means *m, const uint32_t *rows, size_t n,
                        struct err *e)
{
    if (m->kind == BY_LENGTH && !bounds_set(m, rows, n, e))
        return false;
    for (uint32_t a = 0; a < m->c->n_arms; a++) {
        const struct table_arm *arm = &m->c->train->arms[m->c->arm[a].arm];
        column_learn(m, rows, n, arm->score, m->score + a);
        if (m->c->priced)
            column_learn(m, rows, n, arm->cost, m->cost + a);
    }
    return true;
}

static void means_guess(const struct means *m, const struct table *t,
                        uint32_t row, struct guesses *g, size_t at)
{
    size_t n = m->c->n_arms, cell = cell_of(m, t, row);
    memcpy(g->quality + at * n, m->score + cell * n, n * sizeof(double));
    memcpy(g->cost + at * n, m->cost + cell * n, n * sizeof(double));
}

/* Guesses for the training rows: fold by fold, from the other folds. */
static bool calibrate(struct means *m, const struct fold *f,
                      struct guesses *cal, struct err *e)
{
    uint8_t *part = malloc(f->n_train + 1);
    uint32_t *rows = malloc((f->n_train + 1) * sizeof *rows);
    const struct split s = {m->c->train, f->train, f->n_train, f->seed};
    bool ok = part && rows;
    if (!ok)
        err_set(e, ERR_MEMORY, "no memory for a baseline");
    ok = ok && split_folds(&s, m->c->folds, part, e);
    for (unsigned k = 0; ok && k < m->c->folds; k++) {
        size_t n = 0;
        for (size_t i = 0; i < f->n_train; i++) {
            if (part[i] != k)
                rows[n++] = f->train[i];
        }
        ok = means_learn(m, rows, n, e);
        for (size_t i = 0; ok && i < f->n_train; i++) {
            if (part[i] == k)
                means_guess(m, m->c->train, f->train[i], cal, i);
        }
    }
    free(part);
    free(rows);
    return ok;
}

/* m is initialised; it is released here. */
static bool run(struct means *m, const struct fold *f, struct guesses *cal,
                struct guesses *test, struct err *e)
{
    bool ok = m->count && calibrate(m, f, cal, e) &&
              means_learn(m, f->train, f->n_train, e);
    for (size_t i = 0; ok && i < f->n_test; i++)
        means_guess(m, m->c->test, f->test[i], test, i);
    means_free(m);
    return ok;
}

bool forecast_task_mean(const struct contest *c, const struct fold *f,
                        struct guesses *cal, struct guesses *test,
                        struct err *e)
{
    struct means m;
    bool ok = means_init(&m, c, BY_TASK, e);
    return run(&m, f, cal, test, e) && ok;
}

bool forecast_length(const struct contest *c, const struct fold *f,
                     struct guesses *cal, struct guesses *test, struct err *e)
{
    struct means m;
    bool ok = means_init(&m, c, BY_LENGTH, e);
    return run(&m, f, cal, test, e) && ok;
}

/*
 * Constant guesses, and for each row its own random idea of what money is
 * worth: as the policy's price rises, a growing random share of requests
 * moves from one arm to the next cheaper one of the hull.  That is the best
 * a router can do that knows nothing of the request.
 */
static void randomise(struct guesses *g, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed);
    for (size_t i = 0; i < g->n; i++) {
        double worth = exp(6 * rng_unit(&rng) - 3);
        for (uint32_t a = 0; a < g->n_arms; a++) {
            g->cost[i * g->n_arms + a] *= worth;
            /* No two rows alike: ranks need an order. */
            g->quality[i * g->n_arms + a] += 1e-6 * rng_unit(&rng);
        }
    }
}

bool forecast_random(const struct contest *c, const struct fold *f,
                     struct guesses *cal, struct guesses *test, struct err *e)
{
    struct means m;
    bool ok = means_init(&m, c, ALL_ALIKE, e);
    if (!run(&m, f, cal, test, e) || !ok)
        return false;
    randomise(cal, rng_mix(f->seed, 1));
    randomise(test, rng_mix(f->seed, 2));
    return true;
}
