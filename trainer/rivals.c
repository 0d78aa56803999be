/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/rivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "trainer/solve.h"

enum { PASSES_MAX = 1000, QUADS = RIVALS_LANES / 4 };

/* Four floats that the compiler keeps in one register. */
typedef float quad __attribute__((vector_size(16), may_alias));

struct rivals {
    struct rivals_task t;
    const struct solve_data *d; /* (borrowed) */
    size_t n;                   /* rows taken */
    uint32_t columns;
    struct solve_value *values; /* (owned) row behind row */
    size_t *start;              /* (owned) [n + 1] into values */
    uint32_t *class;            /* (owned) [n] */
    uint32_t *order;            /* (owned) [n] in which rows are visited */
    float *square;              /* (owned) [n] length of the row, squared */
    float *w;                   /* (owned) [columns][lanes] */
    float *alpha;               /* (owned) [n][lanes] >= 0 */
};

/* What a pass through the rows found, lane by lane. */
struct pass {
    float high[RIVALS_LANES], low[RIVALS_LANES]; /* projected gradients */
    bool done[RIVALS_LANES];
};

void rivals_free(struct rivals *r)
{
    if (!r)
        return;
    free(r->values);
    free(r->start);
    free(r->class);
    free(r->order);
    free(r->square);
    free(r->w);
    free(r->alpha);
    free(r);
}

static bool wanted(const struct rivals_task *t, size_t row, size_t rows)
{
    if (t->class[row] == RIVALS_NONE)
        return false;
    return !t->max_rows || rows <= t->max_rows ||
           rng_mix(t->seed, row) % rows < t->max_rows;
}

static void *lanes_new(size_t n)
{
    return aligned_alloc(64, (n + 1) * RIVALS_LANES * sizeof(float));
}

static bool rooms(struct rivals *r, size_t rows, size_t values)
{
    r->values = malloc((values + 1) * sizeof *r->values);
    r->start = malloc((rows + 1) * sizeof *r->start);
    r->class = malloc((rows + 1) * sizeof *r->class);
    r->order = malloc((rows + 1) * sizeof *r->order);
    r->square = malloc((rows + 1) * sizeof *r->square);
    r->w = lanes_new(r->columns);
    r->alpha = lanes_new(rows);
    return r->values && r->start && r->class && r->order && r->square && r->w &&
           r->alpha;
}

static void row_take(struct rivals *r, size_t row, size_t *at)
{
    size_t n = solve_data_row(r->d, row, r->values + *at);
    double square = 0;

    for (size_t i = 0; i < n; i++)
        square +=
            (double)r->values[*at + i].value * (double)r->values[*at + i].value;
    r->start[r->n] = *at;
    r->class[r->n] = r->t.class[row];
    r->order[r->n] = (uint32_t)r->n;
    r->square[r->n++] = (float)square;
    *at += n;
    r->start[r->n] = *at;
}

struct rivals *rivals_new(const struct solve_data *d,
                          const struct rivals_task *t, struct err *e)
{
    size_t rows = solve_data_rows(d), n = 0, values = 0, at = 0;
    struct rivals *r = calloc(1, sizeof *r);

    for (size_t i = 0; i < rows; i++) {
        if (!wanted(t, i, rows))
            continue;
        n++;
        values += solve_data_row(d, i, NULL);
    }
    if (r) {
        r->t = *t;
        r->d = d;
        r->columns = solve_data_columns(d) + 1;
    }
    if (!r || !rooms(r, n, values)) {
        rivals_free(r);
        err_set(e, ERR_MEMORY, "no memory for %zu training rows", n);
        return NULL;
    }
    r->start[0] = 0;
    for (size_t i = 0; i < rows; i++)
        if (wanted(t, i, rows))
            row_take(r, i, &at);
    return r;
}

/* dot[lanes] = the row times the weights of each lane. */
static void dots(const struct rivals *r, size_t row, float *dot)
{
    quad sum[QUADS] = {{0}};

    for (size_t i = r->start[row]; i < r->start[row + 1]; i++) {
        float v = r->values[i].value;
        const quad *w =
            (const quad *)(const void *)(r->w + (size_t)r->values[i].column *
                                                    RIVALS_LANES);
        quad x = {v, v, v, v};
        for (int q = 0; q < QUADS; q++)
            sum[q] += x * w[q];
    }
    memcpy(dot, sum, sizeof sum);
}

/* The weights move by step[lane] times the row. */
static void move(struct rivals *r, size_t row, const float *step)
{
    quad by[QUADS];

    memcpy(by, step, sizeof by);
    for (size_t i = r->start[row]; i < r->start[row + 1]; i++) {
        float v = r->values[i].value;
        quad *w =
            (quad *)(void *)(r->w + (size_t)r->values[i].column * RIVALS_LANES);
        quad x = {v, v, v, v};
        for (int q = 0; q < QUADS; q++)
            w[q] += x * by[q];
    }
}

/* One coordinate of each lane's dual; own: the lane of the row's class. */
static void visit(struct rivals *r, size_t row, uint32_t own, struct pass *p)
{
    float dot[RIVALS_LANES], step[RIVALS_LANES];
    float *alpha = r->alpha + row * RIVALS_LANES;
    float diagonal = (float)(.5 / r->t.C);
    float curve = r->square[row] + diagonal;
    bool moved = false;

    dots(r, row, dot);
    for (uint32_t k = 0; k < RIVALS_LANES; k++) {
        float y = k == own ? 1.f : -1.f;
        float g = y * dot[k] - 1 + diagonal * alpha[k], next;
        step[k] = 0;
        if (p->done[k])
            continue;
        if (alpha[k] <= 0 && g > 0)
            g = 0;
        p->high[k] = fmaxf(p->high[k], g);
        p->low[k] = fminf(p->low[k], g);
        next = fmaxf(alpha[k] - g / curve, 0);
        step[k] = (next - alpha[k]) * y;
        moved |= step[k] != 0;
        alpha[k] = next;
    }
    if (moved)
        move(r, row, step);
}

/* Lanes whose gradients no longer spread beyond eps rest; true: all do. */
static bool settle(struct pass *p, double eps)
{
    bool all = true;

    for (uint32_t k = 0; k < RIVALS_LANES; k++) {
        p->done[k] |= (double)(p->high[k] - p->low[k]) <= eps;
        all &= p->done[k];
        p->high[k] = -INFINITY;
        p->low[k] = INFINITY;
    }
    return all;
}

bool rivals_run(struct rivals *r, uint32_t first, uint32_t n, struct err *e)
{
    struct pass p;
    struct rng rng;
    bool settled = r->n == 0;

    if (n > RIVALS_LANES)
        return err_set(e, ERR_LIMIT, "more than %d classes at a time",
                       RIVALS_LANES);
    rng_seed(&rng, rng_mix(r->t.seed, first));
    memset(r->w, 0, (size_t)r->columns * RIVALS_LANES * sizeof *r->w);
    memset(r->alpha, 0, r->n * RIVALS_LANES * sizeof *r->alpha);
    for (uint32_t k = 0; k < RIVALS_LANES; k++) {
        p.done[k] = k >= n;
        p.high[k] = -INFINITY;
        p.low[k] = INFINITY;
    }
    for (int pass = 0; pass < PASSES_MAX && !settled; pass++) {
        rng_shuffle(&rng, r->order, r->n);
        for (size_t i = 0; i < r->n; i++) {
            size_t row = r->order[i];
            visit(r, row, r->class[row] - first, &p);
        }
        settled = settle(&p, r->t.eps);
    }
    return true;
}

void rivals_weights(const struct rivals *r, uint32_t lane, double *w)
{
    for (uint32_t c = 0; c < r->columns; c++) {
        uint32_t at = solve_data_place(r->d, c);
        w[c] = (double)r->w[(size_t)at * RIVALS_LANES + lane];
    }
}
