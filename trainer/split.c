/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/split.h"

#include <stdlib.h>

#include "base/rng.h"

/* A row on its way to a fold: sorted by group, groups by `order`. */
struct item {
    uint64_t order; /* random, or when the group ended */
    uint64_t group;
    uint32_t at; /* position in rows */
};

static int by_group(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int by_order(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return by_group(a, b);
}

bool split_by_time(const struct split *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->t->time_ms[s->rows[i]] < 0)
            return false;
    return s->n > 0;
}

/* Where one group's items stand, and what they are to be sorted by. */
static uint64_t group_order(const struct split *s, const struct item *v,
                            size_t n, bool by_time)
{
    uint64_t last = 0;

    if (!by_time)
        return rng_mix(s->seed, v->group);
    for (size_t i = 0; i < n; i++) {
        uint64_t when = (uint64_t)s->t->time_ms[s->rows[v[i].at]];
        last = when > last ? when : last;
    }
    return last;
}

/* Items in the order of their groups; NULL with e filled. */
static struct item *items_new(const struct split *s, bool by_time,
                              struct err *e)
{
    struct item *v = malloc((s->n ? s->n : 1) * sizeof *v);

    if (!v) {
        err_set(e, ERR_MEMORY, "no memory to split %zu rows", s->n);
        return NULL;
    }
    for (size_t i = 0; i < s->n; i++)
        v[i] =
            (struct item){.group = s->t->group[s->rows[i]], .at = (uint32_t)i};
    qsort(v, s->n, sizeof *v, by_group);
    for (size_t i = 0, j; i < s->n; i = j) {
        uint64_t order;
        for (j = i; j < s->n && v[j].group == v[i].group; j++)
            ;
        order = group_order(s, v + i, j - i, by_time);
        for (size_t k = i; k < j; k++)
            v[k].order = order;
    }
    qsort(v, s->n, sizeof *v, by_order);
    return v;
}

bool split_folds(const struct split *s, unsigned folds, uint8_t *fold,
                 struct err *e)
{
    size_t size[SPLIT_FOLDS_MAX] = {0};
    struct item *v;

    if (folds < 2 || folds > SPLIT_FOLDS_MAX)
        return err_set(e, ERR_USAGE, "wanted 2 to %d folds, found %u",
                       SPLIT_FOLDS_MAX, folds);
    v = items_new(s, false, e);
    if (!v)
        return false;
    for (size_t i = 0, j; i < s->n; i = j) {
        unsigned k = 0;
        for (unsigned f = 1; f < folds; f++)
            if (size[f] < size[k])
                k = f;
        for (j = i; j < s->n && v[j].group == v[i].group; j++)
            fold[v[j].at] = (uint8_t)k;
        size[k] += j - i;
    }
    free(v);
    return true;
}

bool split_holdout(const struct split *s, double share, uint32_t *order,
                   size_t *n_before, struct err *e)
{
    size_t want = (size_t)((double)s->n * share + .5), from = s->n;
    struct item *v = items_new(s, split_by_time(s), e);

    if (!v)
        return false;
    for (size_t i = 0; i < s->n; i++)
        order[i] = s->rows[v[i].at];
    while (from > 0 && (s->n - from < want ||
                        (from < s->n && v[from].group == v[from - 1].group)))
        from--;
    *n_before = from;
    free(v);
    return true;
}
