/* SPDX-License-Identifier: Apache-2.0 */
/* Which arm takes over when another has failed. */
#include <string.h>

#include "router/route/decide.h"

static const struct model *model_of(const struct route *r, unsigned i)
{
    return &r->set->arms[i].model->model;
}

static bool falls_to(const struct route *r, const struct decision *d,
                     const struct fallback *f, unsigned i)
{
    const struct model *from = model_of(r, (unsigned)f->from);
    const struct model *to = model_of(r, i);
    enum drop_kind drop = d->arms[i].drop.kind;
    bool smaller =
        to->context > 0 && (from->context == 0 || to->context < from->context);

    /* What a plan would begin with has no place behind a failure. */
    if (r->set->arms[i].plan)
        return false;
    if ((drop != DROP_NONE && drop != DROP_RESTING) || f->tried >> i & 1)
        return false;
    if (f->kind == FALLBACK_PROVIDER && !strcmp(from->provider, to->provider))
        return false;
    if (f->kind == FALLBACK_LARGER)
        return to->context > from->context;
    return !smaller || d->certain_tokens <= (double)to->context;
}

int decide_next(const struct route *r, const struct decision *d,
                const struct fallback *f)
{
    const struct verdict *was = &d->arms[d->chosen];
    int cheapest = -1, best = -1;

    for (unsigned i = 0; i < d->n; i++) {
        const struct verdict *v = &d->arms[i];

        if (!falls_to(r, d, f, i))
            continue;
        if (best < 0 || decide_better(r, d, i, (unsigned)best))
            best = (int)i;
        if (v->quality >= was->quality &&
            (cheapest < 0 || v->cost < d->arms[cheapest].cost))
            cheapest = (int)i;
    }
    return cheapest >= 0 ? cheapest : best;
}
