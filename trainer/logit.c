/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/logit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { STEPS_MAX = 50, SIZE = LOGIT_MAX + 1 };

struct scale {
    double mean[LOGIT_MAX], inverse[LOGIT_MAX]; /* 1 / deviation; 0: constant */
};

static double weight_of(const struct logit_rows *r, size_t i)
{
    return r->weight ? r->weight[i] : 1;
}

static void scale_of(const struct logit_rows *r, struct scale *s)
{
    for (unsigned j = 0; j < r->k; j++) {
        double sum = 0, square = 0, n = (double)r->n;
        for (size_t i = 0; i < r->n; i++)
            sum += r->x[i * r->k + j];
        s->mean[j] = n > 0 ? sum / n : 0;
        for (size_t i = 0; i < r->n; i++)
            square += (r->x[i * r->k + j] - s->mean[j]) *
                      (r->x[i * r->k + j] - s->mean[j]);
        s->inverse[j] = square > 1e-12 * n ? sqrt(n / square) : 0;
    }
}

/* The i-th row standardised, and 1 behind it. */
static void row_of(const struct logit_rows *r, const struct scale *s, size_t i,
                   double *z)
{
    for (unsigned j = 0; j < r->k; j++)
        z[j] = (r->x[i * r->k + j] - s->mean[j]) * s->inverse[j];
    z[r->k] = 1;
}

static double logistic(double x)
{
    return 1 / (1 + exp(-fmax(-30, fmin(x, 30))));
}

struct normal {
    double h[SIZE][SIZE], g[SIZE]; /* second and first derivatives */
};

static void derive(const struct logit_rows *r, const struct scale *s,
                   const double *w, struct normal *d)
{
    unsigned n = r->k + 1;
    double z[SIZE];

    memset(d, 0, sizeof *d);
    for (size_t i = 0; i < r->n; i++) {
        double at = 0, p, weight = weight_of(r, i);
        row_of(r, s, i, z);
        for (unsigned j = 0; j < n; j++)
            at += w[j] * z[j];
        p = logistic(at);
        for (unsigned j = 0; j < n; j++) {
            d->g[j] += weight * (p - r->y[i]) * z[j];
            for (unsigned k = 0; k <= j; k++)
                d->h[j][k] += weight * p * (1 - p) * z[j] * z[k];
        }
    }
    for (unsigned j = 0; j < n; j++) {
        double ridge = j < r->k ? LOGIT_RIDGE : 1e-6;
        d->h[j][j] += ridge;
        d->g[j] += ridge * w[j];
    }
}

/* Solves h x = g by Cholesky's decomposition, in place; x over g. */
static void solve(struct normal *d, unsigned n)
{
    for (unsigned j = 0; j < n; j++) {
        for (unsigned k = 0; k <= j; k++) {
            double sum = d->h[j][k];
            for (unsigned m = 0; m < k; m++)
                sum -= d->h[j][m] * d->h[k][m];
            d->h[j][k] = k < j ? sum / d->h[k][k] : sqrt(fmax(sum, 1e-12));
        }
    }
    for (unsigned j = 0; j < n; j++) {
        for (unsigned m = 0; m < j; m++)
            d->g[j] -= d->h[j][m] * d->g[m];
        d->g[j] /= d->h[j][j];
    }
    for (unsigned j = n; j-- > 0;) {
        for (unsigned m = j + 1; m < n; m++)
            d->g[j] -= d->h[m][j] * d->g[m];
        d->g[j] /= d->h[j][j];
    }
}

static double mean_of(const struct logit_rows *r)
{
    double sum = 0, all = 0;

    for (size_t i = 0; i < r->n; i++) {
        sum += weight_of(r, i) * r->y[i];
        all += weight_of(r, i);
    }
    return all > 0 ? fmax(1e-4, fmin(sum / all, 1 - 1e-4)) : .5;
}

void logit_fit(const struct logit_rows *rows, struct logit *out)
{
    double w[SIZE] = {0}, mean = mean_of(rows);
    struct scale s;
    struct normal d;

    *out = (struct logit){.k = rows->k, .intercept = log(mean / (1 - mean))};
    if (mean <= 1e-4 || mean >= 1 - 1e-4 || !rows->n)
        return;
    scale_of(rows, &s);
    w[rows->k] = out->intercept;
    for (unsigned step = 0; step < STEPS_MAX; step++) {
        double most = 0;
        derive(rows, &s, w, &d);
        solve(&d, rows->k + 1);
        for (unsigned j = 0; j <= rows->k; j++) {
            w[j] -= fmax(-2, fmin(d.g[j], 2)); /* far steps overshoot */
            most = fmax(most, fabs(d.g[j]));
        }
        if (most < 1e-9)
            break;
    }
    out->intercept = w[rows->k];
    for (unsigned j = 0; j < rows->k; j++) {
        out->w[j] = w[j] * s.inverse[j];
        out->intercept -= out->w[j] * s.mean[j];
    }
}

double logit_p(const struct logit *m, const double *x)
{
    double at = m->intercept;

    for (unsigned j = 0; j < m->k; j++)
        at += m->w[j] * x[j];
    return logistic(at);
}

static double loss_of(double p, double y)
{
    p = fmax(1e-6, fmin(p, 1 - 1e-6));
    return -(y * log(p) + (1 - y) * log(1 - p));
}

/* Rows of other folds, packed. */
struct others {
    double *x, *y, *weight; /* (owned) */
    size_t n;
};

static unsigned fold_of(const struct logit_rows *r, size_t i, uint64_t seed)
{
    return (unsigned)(rng_mix(seed, r->group[i]) % LOGIT_FOLDS);
}

static void pack(const struct logit_rows *r, unsigned fold, uint64_t seed,
                 struct others *o)
{
    o->n = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (fold_of(r, i, seed) == fold)
            continue;
        memcpy(o->x + o->n * r->k, r->x + i * r->k, r->k * sizeof *o->x);
        o->weight[o->n] = weight_of(r, i);
        o->y[o->n++] = r->y[i];
    }
}

/* Sums of losses, each times its weight w; d: their difference. */
struct sums {
    double loss, base, weight; /* of w * loss, w * base, w */
    double ww, wwd, wwdd;      /* of w^2, w^2 d, w^2 d^2 */
};

/* Keeps the first k numbers of each row; x: the rows' own. */
static void narrow(struct logit_rows *r, unsigned k, double *x)
{
    for (size_t i = 0; i < r->n; i++)
        memmove(x + i * k, x + i * r->k, k * sizeof *x);
    r->k = k;
}

static void check_fold(const struct logit_rows *r, unsigned fold, uint64_t seed,
                       struct others *o, struct sums *s)
{
    struct logit_rows rest;
    struct logit m, simple;

    pack(r, fold, seed, o);
    rest = (struct logit_rows){
        .n = o->n, .k = r->k, .x = o->x, .y = o->y, .weight = o->weight};
    logit_fit(&rest, &m);
    narrow(&rest, r->base_k, o->x);
    logit_fit(&rest, &simple);
    for (size_t i = 0; i < r->n; i++) {
        double loss, base, weight = weight_of(r, i);
        if (fold_of(r, i, seed) != fold)
            continue;
        loss = loss_of(logit_p(&m, r->x + i * r->k), r->y[i]);
        base = loss_of(logit_p(&simple, r->x + i * r->k), r->y[i]);
        s->loss += weight * loss;
        s->base += weight * base;
        s->weight += weight;
        s->ww += weight * weight;
        s->wwd += weight * weight * (base - loss);
        s->wwdd += weight * weight * (base - loss) * (base - loss);
    }
}

bool logit_check(const struct logit_rows *rows, uint64_t seed,
                 struct logit_check *out, struct err *e)
{
    struct others o = {.x = malloc((rows->n * rows->k + 1) * sizeof *o.x),
                       .y = malloc((rows->n + 1) * sizeof *o.y),
                       .weight = malloc((rows->n + 1) * sizeof *o.weight)};
    struct sums s = {0};
    double n, mean;
    bool ok = o.x && o.y && o.weight;

    if (!ok)
        err_set(e, ERR_MEMORY, "no memory to check %zu rows", rows->n);
    for (unsigned fold = 0; ok && fold < LOGIT_FOLDS; fold++)
        check_fold(rows, fold, seed, &o, &s);
    n = s.weight > 0 ? s.weight : 1;
    mean = (s.base - s.loss) / n;
    *out = (struct logit_check){
        .loss = s.loss / n,
        .base = s.base / n,
        .error =
            sqrt(fmax(0, s.wwdd - 2 * mean * s.wwd + mean * mean * s.ww)) / n};
    free(o.x);
    free(o.y);
    free(o.weight);
    return ok;
}
