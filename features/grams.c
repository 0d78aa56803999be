/* SPDX-License-Identifier: Apache-2.0 */
#include "features/grams.h"

#include <string.h>

void grams_clear(struct grams *g, uint32_t most)
{
    uint32_t bits = 6;

    while ((1U << bits) < GRAMS_HOMES_MAX && (1U << bits) < most)
        bits++;
    g->shift = 32 - bits;
    g->n = 0;
    g->slots = (1U << bits) + most;
    memset(g->slot, 0, g->slots * sizeof g->slot[0]);
}

void grams_add(struct grams *g, uint32_t index)
{
    struct gram *s = &g->slot[index >> g->shift], moved = {index, 1};

    while (s->n && s->index < index)
        s++;
    if (s->n && s->index == index) {
        s->n++;
        return;
    }
    for (; s->n; s++) {
        struct gram next = *s;

        *s = moved;
        moved = next;
    }
    *s = moved;
    g->n++;
}

uint32_t grams_take(const struct grams *g, struct term *dst, uint32_t max)
{
    uint32_t n = 0;

    for (const struct gram *s = g->slot; n < g->n && n < max; s++) {
        dst[n] = (struct term){s->index, (float)s->n};
        n += s->n > 0;
    }
    return n;
}
