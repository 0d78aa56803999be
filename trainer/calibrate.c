/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/calibrate.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { PLATT_STEPS = 50, BINS = 24, ECE_BINS = 10 };

#define EDGE 1e-4    /* predictions nearer to 0 and 1 count as this */
#define FLATTEST .05 /* least slope: never falling */
#define GAIN 2e-3    /* nats by which an isotonic curve must be better */
#define RISE 1e-5f   /* least difference of two knots' values */

struct point {
    float p, y, w;
};

static double logit(double p)
{
    p = fmax(EDGE, fmin(p, 1 - EDGE));
    return log(p / (1 - p));
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

/* Newton's method for y ~ logistic(slope * logit(p) + shift), with a weak
 * pull towards slope 1 and shift 0 that keeps separable data finite. */
static void platt(const struct point *v, size_t n, double *slope, double *shift)
{
    const double pull = 1;
    double a = 1, b = 0;

    for (int step = 0; step < PLATT_STEPS; step++) {
        double ga = pull * (a - 1), gb = pull * b;
        double haa = pull, hab = 0, hbb = pull, det, da, db;
        for (size_t i = 0; i < n; i++) {
            double x = logit((double)v[i].p), q = logistic(a * x + b);
            double r = q - (double)v[i].y, h = q * (1 - q);
            ga += r * x;
            gb += r;
            haa += h * x * x;
            hab += h * x;
            hbb += h;
        }
        det = haa * hbb - hab * hab;
        da = (hbb * ga - hab * gb) / det;
        db = (haa * gb - hab * ga) / det;
        /* A step too long for the curve is shortened. */
        a -= fmax(-1, fmin(da, 1));
        b -= fmax(-1, fmin(db, 1));
        if (fabs(da) + fabs(db) < 1e-9)
            break;
    }
    *slope = a;
    *shift = b;
}

/* Makes both columns strictly ascending without leaving [0,1]. */
static void straighten(struct calibration *c)
{
    for (int k = 1; k < CALIBRATE_KNOTS; k++)
        c->y[k] = fmaxf(c->y[k], c->y[k - 1] + RISE);
    for (int k = CALIBRATE_KNOTS - 1; k >= 0; k--)
        c->y[k] = fminf(c->y[k], 1 - RISE * (float)(CALIBRATE_KNOTS - 1 - k));
}

void calibrate_identity(struct calibration *c)
{
    c->isotonic = false;
    for (int k = 0; k < CALIBRATE_KNOTS; k++)
        c->x[k] = c->y[k] = (float)k / (CALIBRATE_KNOTS - 1);
    straighten(c);
}

static int by_p(const void *a, const void *b)
{
    const struct point *x = a, *y = b;

    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->y < y->y ? -1 : x->y > y->y;
}

struct block {
    double p, y, weight; /* means */
};

/* Pools neighbours until the means rise; returns how many are left. */
static size_t pool(struct block *b, size_t n)
{
    size_t to = 0;

    for (size_t i = 0; i < n; i++) {
        b[to++] = b[i];
        while (to > 1 && b[to - 2].y >= b[to - 1].y) {
            struct block *x = &b[to - 2], *y = &b[to - 1];
            double w = x->weight + y->weight;
            x->p = (x->p * x->weight + y->p * y->weight) / w;
            x->y = (x->y * x->weight + y->y * y->weight) / w;
            x->weight = w;
            to--;
        }
    }
    return to;
}

/* v sorted by p.  Bins of equally many rows, pooled; straight lines from
 * (0,0) through the blocks' means to (1,1), resampled at the knots. */
static void isotonic(struct calibration *c, const struct point *v, size_t n)
{
    struct block b[BINS + 2] = {{0, 0, 1e-9}};
    size_t blocks = 1, at = 0;

    for (size_t k = 0, i = 0; k < BINS; k++) {
        size_t to = n * (k + 1) / BINS;
        struct block x = {0, 0, 0};
        for (size_t j = i; j < to; j++)
            x.weight += (double)v[j].w;
        for (; i < to; i++) {
            x.p += (double)v[i].p * (double)v[i].w / x.weight;
            x.y += (double)v[i].y * (double)v[i].w / x.weight;
        }
        if (x.weight > 0)
            b[blocks++] = x;
    }
    b[blocks++] = (struct block){1, 1, 1e-9};
    blocks = pool(b, blocks);
    c->isotonic = true;
    for (int k = 0; k < CALIBRATE_KNOTS; k++) {
        double x = k / (CALIBRATE_KNOTS - 1.), share;
        while (at + 2 < blocks && b[at + 1].p < x)
            at++;
        share =
            b[at + 1].p > b[at].p ? (x - b[at].p) / (b[at + 1].p - b[at].p) : 1;
        share = fmax(0, fmin(share, 1));
        c->x[k] = (float)x;
        c->y[k] = (float)(b[at].y + share * (b[at + 1].y - b[at].y));
    }
    straighten(c);
}

static double loss_of(const struct calibration *c, const struct point *v,
                      size_t n)
{
    double sum = 0, all = 0;

    for (size_t i = 0; i < n; i++) {
        double q = (double)calibrate_apply(c, v[i].p), w = (double)v[i].w;
        q = fmax(1e-6, fmin(q, 1 - 1e-6));
        sum -=
            w * ((double)v[i].y * log(q) + (1 - (double)v[i].y) * log(1 - q));
        all += w;
    }
    return all > 0 ? sum / all : 0;
}

/* Every other row fits, the rest judges. */
static bool isotonic_is_better(const struct point *v, size_t n)
{
    struct point *half = malloc((n + 2) * sizeof *half);
    struct calibration same, other;
    size_t first = (n + 1) / 2;
    bool better;

    if (!half)
        return false;
    for (size_t i = 0; i < n; i++)
        half[i % 2 ? first + i / 2 : i / 2] = v[i];
    calibrate_identity(&same);
    isotonic(&other, half, first);
    better = loss_of(&other, half + first, n - first) + GAIN <
             loss_of(&same, half + first, n - first);
    free(half);
    return better;
}

void calibrate_fit(struct calibration *c, const float *p, const float *y,
                   const float *w, size_t n)
{
    struct point *v = n < CALIBRATE_ISOTONIC_MIN ? NULL : malloc(n * sizeof *v);

    calibrate_identity(c);
    if (!v)
        return;
    for (size_t i = 0; i < n; i++)
        v[i] = (struct point){p[i], y[i], w[i]};
    qsort(v, n, sizeof *v, by_p);
    if (isotonic_is_better(v, n))
        isotonic(c, v, n);
    free(v);
}

/* Gradient and curvature of the loss; one slope a, offsets b. */
struct arrow {
    double ga, haa;
    double gb[CALIBRATE_ARMS_MAX], hab[CALIBRATE_ARMS_MAX];
    double hbb[CALIBRATE_ARMS_MAX];
};

/* What one row adds: x its logit, q what is said of it now, y its score. */
struct seen {
    double x, q, y, weight;
};

static void arrow_add(struct arrow *h, unsigned k, const struct seen *s)
{
    double x = s->x, r = s->weight * (s->q - s->y);
    double w = s->weight * s->q * (1 - s->q);

    h->ga += r * x;
    h->haa += w * x * x;
    h->gb[k] += r;
    h->hab[k] += w * x;
    h->hbb[k] += w;
}

/* One Newton step; returns how far it went. */
static double arrow_step(struct arrow *h, unsigned arms, double *a, double *b)
{
    double schur = h->haa, g = h->ga, da, moved;

    for (unsigned k = 0; k < arms; k++) {
        schur -= h->hab[k] * h->hab[k] / h->hbb[k];
        g -= h->hab[k] * h->gb[k] / h->hbb[k];
    }
    da = fmax(-1, fmin(g / schur, 1));
    *a -= da;
    moved = fabs(da);
    for (unsigned k = 0; k < arms; k++) {
        double db = (h->gb[k] - h->hab[k] * da) / h->hbb[k];
        db = fmax(-1, fmin(db, 1));
        b[k] -= db;
        moved += fabs(db);
    }
    return moved;
}

void calibrate_shared(const struct calibrate_rows *rows,
                      struct calibrate_shared *out)
{
    const float *p = rows->p, *y = rows->y, *w = rows->w;
    double *slope = &out->slope, *offset = out->offset;
    size_t cells = rows->n * rows->arms, labels = 0;
    double moved = 1;

    *slope = 1;
    for (unsigned k = 0; k < rows->arms; k++)
        offset[k] = 0;
    for (size_t i = 0; i < cells; i++)
        labels += !isnan(y[i]);
    if (labels < CALIBRATE_PLATT_MIN || rows->arms > CALIBRATE_ARMS_MAX)
        return;
    for (int step = 0; step < PLATT_STEPS && moved > 1e-9; step++) {
        struct arrow h = {.ga = *slope - 1, .haa = 1};
        for (unsigned k = 0; k < rows->arms; k++) {
            h.hbb[k] = CALIBRATE_PULL / 4.; /* q (1 - q) is at most 1/4 */
            h.gb[k] = h.hbb[k] * offset[k];
        }
        for (size_t i = 0; i < cells; i++) {
            double x = isnan(y[i]) ? 0 : logit((double)p[i]);
            unsigned k = (unsigned)(i % rows->arms);
            const struct seen s = {x, logistic(*slope * x + offset[k]),
                                   (double)y[i], (double)w[i]};
            if (!isnan(y[i]))
                arrow_add(&h, k, &s);
        }
        moved = arrow_step(&h, rows->arms, slope, offset);
    }
    *slope = fmax(*slope, FLATTEST);
}

bool calibrate_platt(const float *p, const float *y, size_t n, double *slope,
                     double *offset)
{
    struct point *v = malloc((n + 1) * sizeof *v);

    if (!v)
        return false;
    for (size_t i = 0; i < n; i++)
        v[i] = (struct point){p[i], y[i], 1};
    platt(v, n, slope, offset);
    free(v);
    return true;
}

float calibrate_apply(const struct calibration *c, float p)
{
    int k = 0;

    while (k < CALIBRATE_KNOTS && c->x[k] <= p)
        k++;
    if (k == 0 || k == CALIBRATE_KNOTS)
        return c->y[k ? k - 1 : 0];
    return c->y[k - 1] + (c->y[k] - c->y[k - 1]) *
                             ((p - c->x[k - 1]) / (c->x[k] - c->x[k - 1]));
}

/* Rows of one prediction share their mean score, so that the order among
 * them does not matter.  v is sorted. */
static void level_ties(struct point *v, size_t n)
{
    for (size_t i = 0, j; i < n; i = j) {
        double sum = 0;
        for (j = i; j < n && v[j].p == v[i].p; j++)
            sum += (double)v[j].y;
        for (size_t k = i; k < j; k++)
            v[k].y = (float)(sum / (double)(j - i));
    }
}

double calibrate_ece(const float *p, const float *y, size_t n)
{
    struct point *v = malloc((n + 1) * sizeof *v);
    double sum = 0;

    if (!v)
        return NAN;
    for (size_t i = 0; i < n; i++)
        v[i] = (struct point){p[i], y[i], 1};
    qsort(v, n, sizeof *v, by_p);
    level_ties(v, n);
    for (size_t k = 0, i = 0; k < ECE_BINS; k++) {
        size_t to = n * (k + 1) / ECE_BINS;
        double gap = 0;
        for (; i < to; i++)
            gap += (double)v[i].p - (double)v[i].y;
        sum += fabs(gap);
    }
    free(v);
    return n ? sum / (double)n : NAN;
}

double calibrate_log_loss(const float *p, const float *y, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        double q = fmax(1e-6, fmin((double)p[i], 1 - 1e-6));
        sum -= (double)y[i] * log(q) + (1 - (double)y[i]) * log(1 - q);
    }
    return n ? sum / (double)n : NAN;
}
