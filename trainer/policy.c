/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/policy.h"

#include <math.h>
#include <stdlib.h>

#include "models/choose.h"
#include "trainer/metrics.h"

/* Prices at which some row would change its mind; about this many. */
enum { BREAKS_MAX = 1 << 18 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of one row: where each pair of arms would swap. */
static size_t breaks_of(const struct guesses *g, size_t i, double *out,
                        size_t room)
{
    const double *q = g->quality + i * g->n_arms, *c = g->cost + i * g->n_arms;
    size_t n = 0;
    for (uint32_t a = 0; a < g->n_arms; a++) {
        for (uint32_t b = 0; b < g->n_arms; b++) {
            if (q[a] > q[b] && c[a] > c[b] && n < room)
                out[n++] = (q[a] - q[b]) / (c[a] - c[b]);
        }
    }
    return n;
}

bool policy_knobs(const struct guesses *g, struct knobs *k, struct err *e)
{
    size_t pairs = (size_t)g->n_arms * (g->n_arms - 1) / 2, n = 0;
    size_t stride = 1 + g->n * pairs / BREAKS_MAX;
    double *at = malloc(BREAKS_MAX * sizeof *at);
    if (!at)
        return err_set(e, ERR_MEMORY, "no memory to calibrate a policy");
    for (size_t i = 0; i < g->n; i += stride)
        n += breaks_of(g, i, at + n, BREAKS_MAX - n);
    qsort(at, n, sizeof *at, by_value);
    k->price[0] = 0;
    for (int i = 1; i < POLICY_KNOBS - 1; i++)
        k->price[i] =
            n ? metrics_quantile(at, n, (i - 1.0) / (POLICY_KNOBS - 3)) : 0;
    k->price[POLICY_KNOBS - 1] = 1e30; /* only money */
    free(at);
    return true;
}

uint32_t policy_choose(const struct guesses *g, size_t i, double price)
{
    struct candidate arms[CLASSIFIER_ARMS_MAX];
    for (uint32_t a = 0; a < g->n_arms; a++)
        arms[a] =
            (struct candidate){.quality = (float)g->quality[i * g->n_arms + a],
                               .cost = g->cost[i * g->n_arms + a],
                               .allowed = true};
    return (uint32_t)choose_by_price(arms, g->n_arms, price);
}

double outcomes_score(const struct outcomes *o, size_t i, uint32_t arm)
{
    return (double)o->t->arms[o->c->arm[arm].arm].score[o->rows[i]];
}

double outcomes_cost(const struct outcomes *o, size_t i, uint32_t arm)
{
    return o->c->priced
               ? (double)o->t->arms[o->c->arm[arm].arm].cost[o->rows[i]]
               : 0;
}

bool outcomes_complete(const struct outcomes *o, size_t i)
{
    for (uint32_t a = 0; a < o->c->n_arms; a++) {
        if (isnan(outcomes_score(o, i, a)) || isnan(outcomes_cost(o, i, a)))
            return false;
    }
    return true;
}

int policy_calibrate(const struct guesses *g, const struct outcomes *o,
                     const struct knobs *k, uint32_t reference, double target)
{
    double quality[POLICY_KNOBS] = {0}, cost[POLICY_KNOBS] = {0};
    double floor = 0, least = 0;
    int best = -1;
    for (size_t i = 0; i < g->n; i++) {
        if (!outcomes_complete(o, i))
            continue;
        floor += target * outcomes_score(o, i, reference);
        least += outcomes_cost(o, i, reference);
        for (int j = 0; j < POLICY_KNOBS; j++) {
            uint32_t arm = policy_choose(g, i, k->price[j]);
            quality[j] += outcomes_score(o, i, arm);
            cost[j] += outcomes_cost(o, i, arm);
        }
    }
    for (int j = 0; j < POLICY_KNOBS; j++) {
        if (quality[j] >= floor && cost[j] < least) {
            best = j;
            least = cost[j];
        }
    }
    return best;
}
