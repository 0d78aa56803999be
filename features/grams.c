/* SPDX-License-Identifier: Apache-2.0 */
#include "features/grams.h"

enum { VALUES = 256, STEPS = 64 };

_Static_assert(GRAMS_MAX <= UINT16_MAX, "places fit");

/* Byte b of an index. */
static inline unsigned byte_of(uint64_t term, unsigned b)
{
    return term >> (1 + 8 * b) & (VALUES - 1);
}

/* How many have each value becomes where they begin. */
static void add_up(uint16_t low[VALUES], uint16_t high[VALUES])
{
    uint16_t sum_low = 0, sum_high = 0;

    for (unsigned v = 0; v < VALUES; v++) {
        uint16_t n_low = low[v], n_high = high[v];

        low[v] = sum_low;
        high[v] = sum_high;
        sum_low = (uint16_t)(sum_low + n_low);
        sum_high = (uint16_t)(sum_high + n_high);
    }
}

/* By bytes b and b + 1; those that have the same keep their order. */
static inline void sort_by(struct grams *g, unsigned b)
{
    uint16_t low[VALUES] = {0}, high[VALUES] = {0};

    for (uint32_t i = 0; i < g->n_list; i++) {
        low[byte_of(g->list[i], b)]++;
        high[byte_of(g->list[i], b + 1)]++;
    }
    add_up(low, high);
    for (uint32_t i = 0; i < g->n_list; i++)
        g->other[low[byte_of(g->list[i], b)]++] = g->list[i];
    for (uint32_t i = 0; i < g->n_list; i++)
        g->list[high[byte_of(g->other[i], b + 1)]++] = g->other[i];
}

/* The term at `at` to its place before; false when *left steps do not do. */
static bool insert(struct grams *g, uint32_t at, uint32_t *left)
{
    uint64_t term = g->list[at];

    for (; at > 0 && g->list[at - 1] >> 1 > term >> 1; at--, --*left) {
        if (*left == 0)
            break;
        g->list[at] = g->list[at - 1];
    }
    g->list[at] = term;
    return *left > 0;
}

/* Few share their upper half: what these have out of order is put right, as
 * long as that takes few steps. */
static bool settle(struct grams *g)
{
    uint32_t left = STEPS + g->n_list;
    uint64_t most = 0;

    for (uint32_t i = 0; i < g->n_list; i++) {
        uint64_t index = g->list[i] >> 1;

        if (index >= most)
            most = index;
        else if (!insert(g, i, &left))
            return false;
    }
    return true;
}

static void find_runs(struct grams *g)
{
    uint64_t before = UINT64_MAX;
    uint32_t n = 0, n_singles = 0;

    for (uint32_t i = 0; i < g->n_list; i++) {
        uint64_t term = g->list[i] >> 1;
        uint32_t is_first = term != before;

        g->start[n] = i;
        n += is_first;
        n_singles += is_first & ~(uint32_t)g->list[i] & 1;
        before = term;
    }
    /* A repeat wrote its place where the next run's belongs. */
    g->start[n] = g->n_list;
    g->n = n;
    g->n_singles = n_singles;
}

void grams_count(struct grams *g)
{
    sort_by(g, 2);
    if (!settle(g)) {
        sort_by(g, 0);
        sort_by(g, 2);
    }
    find_runs(g);
}

uint32_t grams_take(const struct grams *g, struct term *dst, uint32_t max)
{
    uint32_t n = g->n < max ? g->n : max;

    for (uint32_t i = 0; i < n; i++)
        dst[i] = (struct term){(uint32_t)(g->list[g->start[i]] >> 1),
                               (float)(g->start[i + 1] - g->start[i])};
    return n;
}
