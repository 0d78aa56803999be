/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/tally.h"

#include "trainer/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRANTS_MAX = TALLY_MODELS_MAX + TALLY_WAYS_MAX + 1 };

/* Every estimate of every entrant, one behind the other. */
enum { PER_ENTRANT = sizeof(struct entrant) / sizeof(struct estimate) };

struct means {
    double score[ENTRANTS_MAX], cost[ENTRANTS_MAX];
};

static unsigned entrants(const struct tally *t)
{
    return t->n_models + 1 + t->n_ways;
}

/* Models, then the oracle, then the ways. */
static struct entrant *entrant_at(struct tally *t, unsigned i)
{
    if (i < t->n_models)
        return &t->model[i];
    return i == t->n_models ? &t->oracle : &t->way[i - t->n_models - 1];
}

void tally_oracle(const struct tally *t, double *score, double *cost)
{
    for (size_t i = 0; i < t->n; i++) {
        unsigned best = 0;

        for (unsigned m = 1; m < t->n_models; m++) {
            double gain = t->model[m].score[i] - t->model[best].score[i];

            if (gain > 0 ||
                (gain == 0 && t->model[m].cost[i] < t->model[best].cost[i]))
                best = m;
        }
        score[i] = t->model[best].score[i];
        cost[i] = t->model[best].cost[i];
    }
}

static void means_of(struct tally *t, const double *weight, struct means *out)
{
    for (unsigned i = 0; i < entrants(t); i++) {
        const struct entrant *x = entrant_at(t, i);

        out->score[i] = metrics_mean(x->score, weight, t->n);
        out->cost[i] = metrics_mean(x->cost, weight, t->n);
    }
}

static size_t hull_of(const struct tally *t, const struct means *m,
                      struct point *hull)
{
    for (unsigned i = 0; i < t->n_models; i++)
        hull[i] = (struct point){m->cost[i], m->score[i]};
    return metrics_hull(hull, t->n_models);
}

/* The figures of entrant i, as one value each, in the order of `list`. */
static void figures(const struct tally *t, const struct means *m, unsigned i,
                    double *list)
{
    struct point hull[TALLY_MODELS_MAX];
    size_t n_hull = hull_of(t, m, hull);
    double base = metrics_hull_at(hull, n_hull, m->cost[i]);
    unsigned first;

    *list++ = m->score[i];
    *list++ = m->cost[i];
    *list++ = m->cost[i] < hull[0].cost ? NAN : m->score[i] - base;
    for (unsigned k = 0; k < t->n_models; k++) {
        *list++ = m->cost[k] > 0 ? 1 - m->cost[i] / m->cost[k] : NAN;
        *list++ = m->score[k] > 0 ? m->score[i] / m->score[k] : NAN;
    }
    first = t->n_ways ? t->n_models + 1 : i;
    *list++ = m->cost[first] > 0 ? 1 - m->cost[i] / m->cost[first] : NAN;
    *list++ = m->score[i] - m->score[first];
}

/* Where the figures of an entrant belong, in the same order. */
static unsigned places(const struct tally *t, struct entrant *x,
                       struct estimate **at)
{
    unsigned n = 0;

    at[n++] = &x->mean_score;
    at[n++] = &x->mean_cost;
    at[n++] = &x->edge;
    for (unsigned k = 0; k < t->n_models; k++) {
        at[n++] = &x->saving[k];
        at[n++] = &x->ratio[k];
    }
    at[n++] = &x->saving_first;
    at[n++] = &x->gain_first;
    return n;
}

static unsigned figures_each(const struct tally *t)
{
    return 5 + 2 * t->n_models;
}

struct draws {
    double *value;  /* [entrants * figures * resamples] */
    double *weight; /* [n] */
    unsigned resamples;
};

static bool draw_all(struct tally *t, struct draws *d, uint64_t seed,
                     struct err *e)
{
    struct bootstrap b;
    struct means m;
    double one[PER_ENTRANT];
    unsigned each = figures_each(t);

    if (!bootstrap_init(&b, t->group, t->n, seed, e))
        return false;
    for (unsigned k = 0; k < d->resamples; k++) {
        bootstrap_draw(&b, d->weight);
        means_of(t, d->weight, &m);
        for (unsigned i = 0; i < entrants(t); i++) {
            figures(t, &m, i, one);
            for (unsigned f = 0; f < each; f++)
                d->value[((size_t)i * each + f) * d->resamples + k] = one[f];
        }
    }
    bootstrap_free(&b);
    return true;
}

static void settle(struct tally *t, struct draws *d)
{
    struct estimate *at[PER_ENTRANT];
    double one[PER_ENTRANT];
    struct means m;
    unsigned each = figures_each(t);

    means_of(t, NULL, &m);
    t->n_hull = hull_of(t, &m, t->hull);
    for (unsigned i = 0; i < entrants(t); i++) {
        places(t, entrant_at(t, i), at);
        figures(t, &m, i, one);
        for (unsigned f = 0; f < each; f++) {
            double *drawn = d->value + ((size_t)i * each + f) * d->resamples;
            struct interval v = metrics_interval(drawn, d->resamples, 0.95);

            *at[f] = (struct estimate){one[f], v.lo, v.hi};
        }
    }
}

bool tally_run(struct tally *t, unsigned resamples, uint64_t seed,
               struct err *e)
{
    struct draws d = {.resamples = resamples};
    size_t values = (size_t)entrants(t) * figures_each(t) * resamples;
    bool ok;

    if (t->n == 0 || t->n_models == 0)
        return err_set(e, ERR_INPUT,
                       "wanted requests and models, found %zu "
                       "and %u",
                       t->n, t->n_models);
    t->resamples = resamples;
    t->oracle_rows = calloc(t->n * 2, sizeof *t->oracle_rows);
    d.value = calloc(values + 1, sizeof *d.value);
    d.weight = calloc(t->n, sizeof *d.weight);
    ok = t->oracle_rows && d.value && d.weight;
    if (ok) {
        tally_oracle(t, t->oracle_rows, t->oracle_rows + t->n);
        t->oracle.score = t->oracle_rows;
        t->oracle.cost = t->oracle_rows + t->n;
        ok = draw_all(t, &d, seed, e);
        if (ok)
            settle(t, &d);
    } else {
        err_set(e, ERR_MEMORY, "no memory for the tally");
    }
    free(d.value);
    free(d.weight);
    return ok;
}

void tally_free(struct tally *t)
{
    free(t->oracle_rows);
    t->oracle_rows = NULL;
}

unsigned tally_best(const struct tally *t)
{
    unsigned best = 0;

    for (unsigned m = 1; m < t->n_models; m++) {
        double gain =
            t->model[m].mean_score.value - t->model[best].mean_score.value;

        if (gain > 0 || (gain == 0 && t->model[m].mean_cost.value <
                                          t->model[best].mean_cost.value))
            best = m;
    }
    return best;
}
