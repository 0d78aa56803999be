/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/off_policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/bootstrap.h"

enum { DRAWS = 1000, FIGURES = 5 };

/* What each row adds to the sums. */
struct parts {
    size_t n;
    double *weight;  /* (owned) target(chosen) / propensity(chosen) */
    double *wr;      /* (owned) that times the reward */
    double *dr;      /* (owned) the row's doubly robust value */
    double *seen;    /* (owned) the reward itself */
    double *model;   /* (owned) what the model expects of the target */
    double unseen;   /* of the target's choices, summed */
    double *wm;      /* (owned) weight times what it expected of the chosen */
    uint64_t *group; /* (owned) */
};

static void free_parts(struct parts *p)
{
    free(p->weight);
    free(p->wr);
    free(p->dr);
    free(p->seen);
    free(p->model);
    free(p->wm);
    free(p->group);
}

static bool new_parts(struct parts *p, size_t n, struct err *e)
{
    *p = (struct parts){.n = 0};
    p->weight = calloc(n + 1, sizeof *p->weight);
    p->wr = calloc(n + 1, sizeof *p->wr);
    p->dr = calloc(n + 1, sizeof *p->dr);
    p->seen = calloc(n + 1, sizeof *p->seen);
    p->model = calloc(n + 1, sizeof *p->model);
    p->wm = calloc(n + 1, sizeof *p->wm);
    p->group = calloc(n + 1, sizeof *p->group);
    if (p->weight && p->wr && p->dr && p->seen && p->model && p->wm && p->group)
        return true;
    free_parts(p);
    return err_set(e, ERR_MEMORY, "off-policy estimate: no memory");
}

/* Observed by expected of each arm, where it was chosen: what the model is
 * off by.  1 where nothing is known. */
static void scales(const struct logged *l, double *scale)
{
    double seen[256] = {0}, hoped[256] = {0};

    for (size_t i = 0; i < l->n; i++) {
        unsigned a = l->chosen[i];
        double m = l->expected[i * l->n_arms + a];

        if (isnan(l->reward[i]) || isnan(m))
            continue;
        seen[a] += l->reward[i];
        hoped[a] += m;
    }
    for (unsigned a = 0; a < l->n_arms; a++)
        scale[a] = hoped[a] > 0 && seen[a] > 0 ? seen[a] / hoped[a] : 1;
}

static double expected(const struct logged *l, const double *scale, size_t i,
                       unsigned a)
{
    double m = l->expected[i * l->n_arms + a];

    return isnan(m) ? 0 : m * scale[a];
}

/* One row: its value by the model, the weight, and how much of the target
 * the log cannot speak of. */
static void add_row(const struct logged *l, const float *target,
                    const double *scale, size_t i, struct parts *p)
{
    const float *t = target + i * l->n_arms;
    const float *prop = l->propensity + i * l->n_arms;
    unsigned c = l->chosen[i];
    double w = prop[c] > 0 ? (double)t[c] / (double)prop[c] : 0;
    double model = 0;

    for (unsigned a = 0; a < l->n_arms; a++) {
        if (!(t[a] > 0))
            continue;
        model += (double)t[a] * expected(l, scale, i, a);
        if (!(prop[a] > 0))
            p->unseen += (double)t[a];
    }
    p->weight[p->n] = w;
    p->wr[p->n] = w * l->reward[i];
    p->dr[p->n] = model + w * (l->reward[i] - expected(l, scale, i, c));
    p->seen[p->n] = l->reward[i];
    p->model[p->n] = model;
    p->wm[p->n] = w * expected(l, scale, i, c);
    p->group[p->n] = l->group[i];
    p->n++;
}

static void sums(const struct parts *p, const double *count,
                 double out[FIGURES])
{
    double n = 0, w = 0, wr = 0, dr = 0, seen = 0, model = 0, wm = 0;
    double ratio;

    for (size_t i = 0; i < p->n; i++) {
        double c = count ? count[i] : 1;

        n += c;
        w += c * p->weight[i];
        wr += c * p->wr[i];
        dr += c * p->dr[i];
        seen += c * p->seen[i];
        model += c * p->model[i];
        wm += c * p->wm[i];
    }
    /* Nothing observed of the target: the model as it is. */
    ratio = model * (wm > 0 ? wr / wm : 1);
    out[0] = n > 0 ? wr / n : NAN;
    out[1] = w > 0 ? wr / w : NAN;
    out[2] = n > 0 ? dr / n : NAN;
    out[3] = n > 0 ? ratio / n : NAN;
    out[4] = ratio > 0 ? 1 - seen / ratio : NAN;
}

static struct estimate estimate_of(double value, double *draws, size_t n)
{
    struct interval i = metrics_interval(draws, n, 0.95);

    return (struct estimate){value, i.lo, i.hi};
}

static bool intervals(const struct parts *p, uint64_t seed,
                      struct off_policy *out, struct err *e)
{
    struct bootstrap b;
    double *count = calloc(p->n + 1, sizeof *count), one[FIGURES];
    double *draws = calloc((size_t)FIGURES * DRAWS, sizeof *draws);
    bool ok = false;

    if (!count || !draws)
        err_set(e, ERR_MEMORY, "off-policy estimate: no memory");
    else if (bootstrap_init(&b, p->group, p->n, seed, e)) {
        for (size_t d = 0; d < DRAWS; d++) {
            bootstrap_draw(&b, count);
            sums(p, count, one);
            for (unsigned k = 0; k < FIGURES; k++)
                draws[k * DRAWS + d] = one[k];
        }
        bootstrap_free(&b);
        sums(p, NULL, one);
        out->ips = estimate_of(one[0], draws, DRAWS);
        out->snips = estimate_of(one[1], draws + DRAWS, DRAWS);
        out->dr = estimate_of(one[2], draws + (size_t)2 * DRAWS, DRAWS);
        out->ratio = estimate_of(one[3], draws + (size_t)3 * DRAWS, DRAWS);
        out->less = estimate_of(one[4], draws + (size_t)4 * DRAWS, DRAWS);
        ok = true;
    }
    free(count);
    free(draws);
    return ok;
}

static void weights(const struct parts *p, struct off_policy *out)
{
    double w = 0, ww = 0;

    for (size_t i = 0; i < p->n; i++) {
        w += p->weight[i];
        ww += p->weight[i] * p->weight[i];
        out->matched += p->weight[i] > 0;
        out->most = fmax(out->most, p->weight[i]);
    }
    out->effective = ww > 0 ? w * w / ww : 0;
}

bool off_policy_estimate(const struct logged *l, const float *target,
                         uint64_t seed, struct off_policy *out, struct err *e)
{
    struct parts p;
    double scale[256];
    bool ok;

    *out = (struct off_policy){.n = 0};
    if (l->n_arms > 256)
        return err_set(e, ERR_LIMIT, "wanted at most 256 arms, found %u",
                       l->n_arms);
    if (!new_parts(&p, l->n, e))
        return false;
    scales(l, scale);
    for (size_t i = 0; i < l->n; i++)
        if (!isnan(l->reward[i]))
            add_row(l, target, scale, i, &p);
    out->n = p.n;
    weights(&p, out);
    out->unseen = p.n ? p.unseen / (double)p.n : 0;
    ok = p.n > 0
             ? intervals(&p, seed, out, e)
             : err_set(e, ERR_INPUT, "wanted rows with an outcome, found none");
    free_parts(&p);
    return ok;
}

void off_policy_fixed(const struct logged *l, unsigned arm, float *target)
{
    memset(target, 0, l->n * l->n_arms * sizeof *target);
    for (size_t i = 0; i < l->n; i++)
        target[i * l->n_arms + arm] = 1;
}
