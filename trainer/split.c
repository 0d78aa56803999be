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

bool split_by_time(const struct table *t, const uint32_t *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++)
        if (t->time_ms[rows[i]] < 0)
            return false;
    return n_rows > 0;
}

/* Items in the order of their groups; NULL with e filled. */
static struct item *items_new(const struct table *t, const uint32_t *rows,
                              size_t n, uint64_t seed, bool by_time,
                              struct err *e)
{
    struct item *v = malloc((n ? n : 1) * sizeof *v);

    if (!v) {
        err_set(e, ERR_MEMORY, "no memory to split %zu rows", n);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        v[i] = (struct item){.group = t->group[rows[i]], .at = (uint32_t)i};
    qsort(v, n, sizeof *v, by_group);
    for (size_t i = 0, j; i < n; i = j) {
        uint64_t order = by_time ? 0 : rng_mix(seed, v[i].group);
        for (j = i; j < n && v[j].group == v[i].group; j++) {
            uint64_t when = (uint64_t)t->time_ms[rows[v[j].at]];
            if (by_time && when > order)
                order = when;
        }
        for (size_t k = i; k < j; k++)
            v[k].order = order;
    }
    qsort(v, n, sizeof *v, by_order);
    return v;
}

bool split_folds(const struct table *t, const uint32_t *rows, size_t n_rows,
                 unsigned folds, uint64_t seed, uint8_t *fold, struct err *e)
{
    size_t size[SPLIT_FOLDS_MAX] = {0};
    struct item *v;

    if (folds < 2 || folds > SPLIT_FOLDS_MAX)
        return err_set(e, ERR_USAGE, "wanted 2 to %d folds, found %u",
                       SPLIT_FOLDS_MAX, folds);
    v = items_new(t, rows, n_rows, seed, false, e);
    if (!v)
        return false;
    for (size_t i = 0, j; i < n_rows; i = j) {
        unsigned k = 0;
        for (unsigned f = 1; f < folds; f++)
            if (size[f] < size[k])
                k = f;
        for (j = i; j < n_rows && v[j].group == v[i].group; j++)
            fold[v[j].at] = (uint8_t)k;
        size[k] += j - i;
    }
    free(v);
    return true;
}

bool split_holdout(const struct table *t, uint32_t *rows, size_t n_rows,
                   double share, uint64_t seed, size_t *n_before, struct err *e)
{
    size_t want = (size_t)((double)n_rows * share + 0.5), from = n_rows;
    struct item *v =
        items_new(t, rows, n_rows, seed, split_by_time(t, rows, n_rows), e);
    uint32_t *order = malloc((n_rows ? n_rows : 1) * sizeof *order);

    if (v && !order)
        err_set(e, ERR_MEMORY, "no memory to split %zu rows", n_rows);
    if (!v || !order) {
        free(v);
        free(order);
        return false;
    }
    for (size_t i = 0; i < n_rows; i++)
        order[i] = rows[v[i].at];
    while (from > 0 && (n_rows - from < want ||
                        (from < n_rows && v[from].group == v[from - 1].group)))
        from--;
    for (size_t i = 0; i < n_rows; i++)
        rows[i] = order[i];
    *n_before = from;
    free(v);
    free(order);
    return true;
}
