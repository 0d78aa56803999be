/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/bootstrap.h"

#include <stdlib.h>
#include <string.h>

static int by_group(const void *a, const void *b, void *group)
{
    uint64_t x = ((const uint64_t *)group)[*(const uint32_t *)a];
    uint64_t y = ((const uint64_t *)group)[*(const uint32_t *)b];
    return (x > y) - (x < y);
}

/* Numbers the groups 0 .. n_groups - 1; order: scratch of n. */
static void number_groups(struct bootstrap *b, const uint64_t *group,
                          uint32_t *order)
{
    for (size_t i = 0; i < b->n; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, b->n, sizeof *order, by_group, (void *)(uintptr_t)group);
    for (size_t i = 0; i < b->n; i++) {
        if (i == 0 || group[order[i]] != group[order[i - 1]])
            b->n_groups++;
        b->member[order[i]] = (uint32_t)b->n_groups - 1;
    }
}

bool bootstrap_init(struct bootstrap *b, const uint64_t *group, size_t n,
                    uint64_t seed, struct err *e)
{
    uint32_t *order = calloc(n + 1, sizeof *order);
    *b = (struct bootstrap){.n = n,
                            .member = calloc(n + 1, sizeof *b->member),
                            .count = calloc(n + 1, sizeof *b->count)};
    rng_seed(&b->rng, seed);
    bool ok = order && b->member && b->count;
    if (ok)
        number_groups(b, group, order);
    else
        bootstrap_free(b);
    free(order);
    return ok || err_set(e, ERR_MEMORY, "no memory for a bootstrap");
}

void bootstrap_draw(struct bootstrap *b, double *weight)
{
    memset(b->count, 0, b->n_groups * sizeof *b->count);
    for (size_t i = 0; i < b->n_groups; i++)
        b->count[rng_below(&b->rng, b->n_groups)]++;
    for (size_t i = 0; i < b->n; i++)
        weight[i] = b->count[b->member[i]];
}

void bootstrap_free(struct bootstrap *b)
{
    free(b->member);
    free(b->count);
    b->member = NULL;
    b->count = NULL;
}
