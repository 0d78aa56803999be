/* SPDX-License-Identifier: Apache-2.0 */
#include "features/grams.h"

#include <string.h>

void grams_clear(struct grams *g, uint32_t most)
{
    uint32_t bits = 6;

    while ((1U << bits) < GRAMS_HOMES_MAX && (1U << bits) < 2 * most)
        bits++;
    g->n_list = g->counted = g->n = g->steps = 0;
    g->crowded = false;
    g->shift = 32 - bits;
    g->n_words = ((1U << bits) + most) / 64 + 1;
    memset(g->taken, 0, g->n_words * sizeof g->taken[0]);
}

/* ---- the table ---- */

static inline uint64_t taken(const struct grams *g, uint32_t i)
{
    return g->taken[i / 64] >> i % 64 & 1;
}

static inline void take(struct grams *g, uint32_t i)
{
    g->taken[i / 64] |= 1ULL << i % 64;
}

/* The term's home is another's: on to its place, pushing along what stands
 * there.  True when the term is new. */
static bool add_beyond(struct grams *g, uint32_t i, uint32_t index)
{
    struct gram moved = {index, 1};

    for (; taken(g, i) && g->slot[i].index < index; i++)
        g->steps++;
    if (taken(g, i) && g->slot[i].index == index) {
        g->slot[i].n++;
        return false;
    }
    for (; taken(g, i); i++, g->steps++) {
        struct gram next = g->slot[i];

        g->slot[i] = moved;
        moved = next;
    }
    g->slot[i] = moved;
    take(g, i);
    return true;
}

/* A free home and one that is the term's own already are one case, so that
 * only a third sort of term is a branch that goes wrong. */
static inline bool add(struct grams *g, uint32_t i, uint32_t index)
{
    struct gram *s = &g->slot[i];
    uint64_t was = taken(g, i);

    if (was & (s->index != index))
        return add_beyond(g, i, index);
    s->index = index;
    s->n = (s->n & (0U - (uint32_t)was)) + 1;
    take(g, i);
    return !was;
}

/* ---- the sort ---- */

/* One byte of the indices, the lower ones being in order already. */
static void sort_byte(const uint32_t *from, uint32_t *to, uint32_t n,
                      unsigned shift)
{
    uint32_t start[257] = {0};

    for (uint32_t i = 0; i < n; i++)
        start[(from[i] >> shift & 255) + 1]++;
    for (unsigned b = 0; b < 256; b++)
        start[b + 1] += start[b];
    for (uint32_t i = 0; i < n; i++)
        to[start[from[i] >> shift & 255]++] = from[i];
}

static uint32_t sort_list(struct grams *g)
{
    uint32_t n = 0;

    for (unsigned shift = 0; shift < 32; shift += 16) {
        sort_byte(g->list, g->other, g->n_list, shift);
        sort_byte(g->other, g->list, g->n_list, shift + 8);
    }
    for (uint32_t i = 0; i < g->n_list; i++)
        n += i == 0 || g->list[i] != g->list[i - 1];
    return n;
}

/* ---- both ---- */

uint32_t grams_count(struct grams *g)
{
    uint32_t most = GRAMS_STEPS * (g->n_list + 64), shift = g->shift;
    uint32_t i = g->counted, n = g->n;

    if (g->crowded)
        most = 0;
    for (; i < g->n_list && g->steps <= most; i++)
        n += add(g, g->list[i] >> shift, g->list[i]);
    g->counted = i;
    g->n = n;
    g->crowded = g->crowded || g->steps > most;
    if (g->crowded)
        g->n = sort_list(g);
    return g->n;
}

static uint32_t take_sorted(const struct grams *g, struct term *dst,
                            uint32_t max)
{
    uint32_t n = 0;

    for (uint32_t i = 0, run; i < g->n_list && n < max; i += run) {
        for (run = 1; i + run < g->n_list; run++) {
            if (g->list[i + run] != g->list[i])
                break;
        }
        dst[n++] = (struct term){g->list[i], (float)run};
    }
    return n;
}

uint32_t grams_take(const struct grams *g, struct term *dst, uint32_t max)
{
    uint32_t n = 0;

    if (g->crowded)
        return take_sorted(g, dst, max);
    for (uint32_t word = 0; word < g->n_words; word++) {
        for (uint64_t at = g->taken[word]; at && n < max; at &= at - 1) {
            const struct gram *s =
                &g->slot[word * 64 + (unsigned)__builtin_ctzll(at)];

            dst[n++] = (struct term){s->index, (float)s->n};
        }
    }
    return n;
}
