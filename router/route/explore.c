/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/explore.h"

/* The allowed arm just below (dir -1) or above (+1) the chosen in cost;
 * equal costs are ordered by position. */
static int neighbour(const struct question *q, const struct decision *d,
                     int dir)
{
    const struct verdict *c = &d->arms[d->chosen];
    int best = -1;

    for (int i = 0; i < (int)d->n; i++) {
        const struct verdict *v = &d->arms[i];
        double step = dir * (v->cost - c->cost);
        bool beyond = step > 0 || (step == 0 && dir * (i - d->chosen) > 0);

        if (i == d->chosen || v->drop.kind != DROP_NONE || !beyond)
            continue;
        if (q->bounded && dir > 0 && v->cost > q->room)
            continue;
        if (best < 0 || dir * (v->cost - d->arms[best].cost) < 0 ||
            (v->cost == d->arms[best].cost && dir * (i - best) < 0))
            best = i;
    }
    return best;
}

/* Uniform in [0,1) from the request's seed. */
static double draw(uint64_t seed)
{
    uint64_t h = span_hash((struct span){(const char *)&seed, sizeof seed}, 1);

    return (double)(h >> 11) * 0x1p-53;
}

/* Whether the route may spend what the dearer neighbour is expected to cost
 * beyond the choice.  Asked before the draw, so that the propensities are
 * those of the draw whatever other requests do meanwhile. */
static bool may_afford(const struct question *q, const struct decision *d,
                       int above)
{
    return above < 0 || !q->afford ||
           q->afford(q->afford_ctx,
                     d->arms[above].cost - d->arms[d->chosen].cost);
}

void explore(const struct question *q, struct decision *d)
{
    double e = q->route->set->explore, u = draw(q->seed);
    int below = neighbour(q, d, -1), above = neighbour(q, d, 1);
    int first = below >= 0 ? below : above;
    double share = below >= 0 && above >= 0 ? e / 2 : e;

    d->arms[d->chosen].propensity = 1;
    if (e <= 0 || first < 0)
        return;
    if (!may_afford(q, d, above)) {
        d->capped = true;
        return;
    }
    d->arms[d->chosen].propensity = (float)(1 - e);
    d->arms[first].propensity = (float)share;
    if (first == below && above >= 0)
        d->arms[above].propensity = (float)share;
    if (u >= e)
        return;
    if (u >= share || first == above)
        d->explored_usd = d->arms[above].cost - d->arms[d->chosen].cost;
    d->chosen = u < share ? first : above;
    d->reason = REASON_EXPLORED;
}
