/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/metrics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { DECILES = 10 };

static double weight_of(const double *weight, size_t i)
{
    return weight ? weight[i] : 1;
}

static int by_falling_score(const void *a, const void *b, void *score)
{
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    double x = ((const double *)score)[i], y = ((const double *)score)[j];
    if (x != y)
        return x < y ? 1 : -1;
    return (i > j) - (i < j);
}

void metrics_order(const double *score, size_t n, uint32_t *order)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, n, sizeof *order, by_falling_score,
            (void *)(uintptr_t)score);
}

double metrics_pgr(double router, double weak, double strong)
{
    return strong > weak ? (router - weak) / (strong - weak) : NAN;
}

/* The curve's vertices, from "no strong call" on, one run of equal scores
 * after the other. */
struct walk {
    const struct ranking *r;
    size_t next;
    double total, total_gain; /* of all rows */
    double share, pgr;        /* where the walk stands */
};

static double gain(const struct ranking *r, size_t i)
{
    return weight_of(r->weight, i) * (r->strong[i] - r->weak[i]);
}

/* False where PGR has no meaning. */
static bool walk_start(struct walk *w, const struct ranking *r)
{
    *w = (struct walk){.r = r};
    for (size_t i = 0; i < r->n; i++) {
        w->total += weight_of(r->weight, i);
        w->total_gain += gain(r, i);
    }
    return w->total > 0 && w->total_gain > 0;
}

static bool walk_step(struct walk *w)
{
    const struct ranking *r = w->r;
    if (w->next == r->n)
        return false;
    double weight = 0, gained = 0, score = r->score[r->order[w->next]];
    while (w->next < r->n && r->score[r->order[w->next]] == score) {
        uint32_t i = r->order[w->next++];
        weight += weight_of(r->weight, i);
        gained += gain(r, i);
    }
    w->share += weight / w->total;
    w->pgr += gained / w->total_gain;
    return true;
}

double metrics_apgr(const struct ranking *r)
{
    struct walk w;
    double area = 0, share = 0, pgr = 0;
    if (!walk_start(&w, r))
        return NAN;
    /* One vertex a decile: the first whose share reaches it. */
    for (int decile = 1; walk_step(&w);) {
        double reached = w.share * DECILES + 1e-9;
        if (reached < decile && w.next < r->n)
            continue;
        area += (w.share - share) * (w.pgr + pgr) / 2;
        share = w.share;
        pgr = w.pgr;
        decile = (int)reached + 1;
    }
    return area;
}

double metrics_cpt(const struct ranking *r, double x)
{
    struct walk w;
    double share = 0, pgr = 0;
    if (!walk_start(&w, r))
        return NAN;
    while (walk_step(&w)) {
        if (w.pgr >= x - 1e-12 && w.pgr > pgr)
            return share + (w.share - share) * (x - pgr) / (w.pgr - pgr);
        share = w.share;
        pgr = w.pgr;
    }
    return 1;
}

static int by_cost(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    if (p->cost != q->cost)
        return p->cost < q->cost ? -1 : 1;
    return (p->quality < q->quality) - (p->quality > q->quality);
}

/* Is b below or on the line from a to c? */
static bool is_below(struct point a, struct point b, struct point c)
{
    return (b.quality - a.quality) * (c.cost - a.cost) <=
           (c.quality - a.quality) * (b.cost - a.cost);
}

size_t metrics_hull(struct point *p, size_t n)
{
    size_t kept = 0;
    qsort(p, n, sizeof *p, by_cost);
    for (size_t i = 0; i < n; i++) {
        if (kept && p[i].quality <= p[kept - 1].quality)
            continue;
        while (kept >= 2 && is_below(p[kept - 2], p[kept - 1], p[i]))
            kept--;
        p[kept++] = p[i];
    }
    return kept;
}

double metrics_hull_at(const struct point *hull, size_t n, double cost)
{
    if (n == 0 || cost < hull[0].cost)
        return 0;
    for (size_t i = 1; i < n; i++) {
        const struct point *a = &hull[i - 1], *b = &hull[i];
        if (cost <= b->cost)
            return a->quality + (b->quality - a->quality) * (cost - a->cost) /
                                    (b->cost - a->cost);
    }
    return hull[n - 1].quality;
}

double metrics_aiq(struct point *p, size_t n, double lo, double hi)
{
    double area = 0, at = lo;
    n = metrics_hull(p, n);
    if (hi <= lo)
        return metrics_hull_at(p, n, hi);
    for (size_t i = 0; i <= n; i++) {
        double to = i < n ? fmin(p[i].cost, hi) : hi;
        if (to <= at)
            continue;
        /* Left of the first point there is nothing. */
        if (i > 0)
            area += (to - at) *
                    (metrics_hull_at(p, n, at) + metrics_hull_at(p, n, to)) / 2;
        at = to;
    }
    return area / (hi - lo);
}

static double bin_gap(const double *predicted, const double *outcome, size_t n,
                      double lo, double hi)
{
    double gap = 0;
    for (size_t i = 0; i < n; i++) {
        if (predicted[i] >= lo && predicted[i] < hi && !isnan(outcome[i]))
            gap += predicted[i] - outcome[i];
    }
    return fabs(gap);
}

double metrics_ece(const double *predicted, const double *outcome, size_t n,
                   unsigned bins)
{
    double sum = 0;
    size_t used = 0;
    for (size_t i = 0; i < n; i++)
        used += !isnan(predicted[i]) && !isnan(outcome[i]);
    for (unsigned b = 0; b < bins; b++) {
        double lo = b ? (double)b / bins : -INFINITY;
        double hi = b + 1 < bins ? (double)(b + 1) / bins : INFINITY;
        sum += bin_gap(predicted, outcome, n, lo, hi);
    }
    return used ? sum / (double)used : NAN;
}

double metrics_mean(const double *x, const double *weight, size_t n)
{
    double sum = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        sum += weight_of(weight, i) * x[i];
        total += weight_of(weight, i);
    }
    return total > 0 ? sum / total : NAN;
}

double metrics_quantile(const double *sorted, size_t n, double p)
{
    if (n == 0)
        return NAN;
    double at = p * (double)(n - 1);
    size_t i = (size_t)at;
    if (i + 1 >= n)
        return sorted[n - 1];
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct interval metrics_interval(double *values, size_t n, double level)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(values[i]))
            values[kept++] = values[i];
    }
    qsort(values, kept, sizeof *values, by_value);
    double tail = (1 - level) / 2;
    return (struct interval){metrics_quantile(values, kept, tail),
                             metrics_quantile(values, kept, 1 - tail)};
}
