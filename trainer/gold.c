/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/gold.h"

#include <math.h>
#include <stdlib.h>

#include "trainer/guarantee.h"

enum { HALVINGS = 14 }; /* a bound to 1e-4 */

static const char *const names[GOLD_KINDS] = {"gold", "measured",
                                              "second-hand"};

const char *gold_kind_name(enum gold_kind kind)
{
    return kind < GOLD_KINDS ? names[kind] : "?";
}

bool gold_complete(const struct table *t, size_t row)
{
    for (uint32_t a = 0; a < t->n_arms; a++)
        if (table_may_choose(t, a) &&
            (isnan(t->arms[a].score[row]) || isnan(t->arms[a].cost[row])))
            return false;
    return true;
}

bool gold_golden(const struct table *t, size_t row)
{
    for (uint32_t a = 0; a < t->n_arms; a++)
        if (table_may_choose(t, a) && t->arms[a].second[row])
            return false;
    return true;
}

/* Is "the mean is at least m" rejected? */
static bool below(const double *x, size_t n, double m, double delta,
                  double *room)
{
    double high = 1 - m, scale = fmax(high, 1e-9);

    for (size_t i = 0; i < n; i++)
        room[i] = (x[i] - m) / scale; /* within [-(1 + m) / scale, 1] */
    return guarantee_p(room, n, 1, delta) <= delta;
}

double gold_bound(const double *x, size_t n, double delta)
{
    double *room = malloc((n + 1) * sizeof *room);
    double low = -1, high = 1;

    for (int k = 0; room && n && k < HALVINGS; k++) {
        double m = (low + high) / 2;

        if (below(x, n, m, delta, room))
            high = m;
        else
            low = m;
    }
    free(room);
    return high;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool count(const struct table *t, struct gold *g, struct err *e)
{
    uint64_t *seen = malloc((t->n + 1) * sizeof *seen);

    if (!seen)
        return err_set(e, ERR_MEMORY, "no memory for the labels' sources");
    for (size_t i = 0; i < t->n; i++) {
        if (!gold_complete(t, i))
            continue;
        g->complete++;
        if (gold_golden(t, i))
            seen[g->golden++] = t->group[i];
    }
    qsort(seen, g->golden, sizeof *seen, by_value);
    for (size_t i = 0; i < g->golden; i++)
        g->golden_groups += i == 0 || seen[i] != seen[i - 1];
    free(seen);
    return true;
}

/* One arm's answers of which both were said; turned around for the lower
 * bound. */
static void measure(const struct table *t, uint32_t arm, double delta,
                    double *x, struct gold *g)
{
    const struct table_arm *a = &t->arms[arm];
    size_t n = 0;
    double sum = 0;

    for (size_t i = 0; i < t->n; i++)
        if (!isnan(a->score[i]) && !isnan(a->beside[i]) && !a->second[i]) {
            x[n] = (double)a->score[i] - (double)a->beside[i];
            sum += x[n++];
        }
    g->pairs[arm] = n;
    g->bias[arm] = n ? (float)(sum / (double)n) : 0;
    g->high[arm] = (float)gold_bound(x, n, delta);
    for (size_t i = 0; i < n; i++)
        x[i] = -x[i];
    g->low[arm] = (float)-gold_bound(x, n, delta);
}

/* Are second-hand scores of this arm needed? */
static bool needed(const struct table *t, uint32_t arm)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->arms[arm].second[i] && gold_complete(t, i))
            return true;
    return false;
}

static bool measure_all(const struct table *t, double delta, struct gold *g,
                        struct err *e)
{
    double *x = malloc((t->n + 1) * sizeof *x);
    unsigned choices = 0;

    if (!x)
        return err_set(e, ERR_MEMORY, "no memory for the labels' sources");
    for (uint32_t a = 0; a < t->n_arms; a++)
        choices += table_may_choose(t, a);
    for (uint32_t a = 0; a < t->n_arms; a++)
        if (table_may_choose(t, a) && needed(t, a)) {
            /* Of each arm one bound is used for a price, of the reference
             * both: as the chosen arm and as what it is held against. */
            measure(t, a, delta * GOLD_SHARE / (choices + 1), x, g);
            if (g->pairs[a] < GOLD_PAIRS)
                g->kind = GOLD_NONE;
        }
    free(x);
    return true;
}

bool gold_find(const struct table *t, double confidence, struct gold *out,
               struct err *e)
{
    *out = (struct gold){.kind = GOLD_ALONE};
    if (!count(t, out, e))
        return false;
    if (out->golden == out->complete || out->golden_groups >= GUARANTEE_MIN)
        return true;
    out->kind = GOLD_MEASURED;
    return measure_all(t, 1 - confidence, out, e);
}
