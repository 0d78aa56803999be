/* SPDX-License-Identifier: Apache-2.0 */
#include "features/sketch.h"

void sketch_add(struct sketch_work *w, uint64_t gram)
{
    uint32_t *least = &w->least[gram >> 59], was = *least;
    uint32_t value = (uint32_t)(gram >> 24) | 1;

    *least = was - 1 < value - 1 ? was : value; /* 0 gives way: no branch */
}

/* One of 255: the least hash has been mixed by nobody, its low bits are as
 * good as any. */
struct sketch sketch_of(const struct sketch_work *w)
{
    struct sketch s;

    for (unsigned i = 0; i < SKETCH_BINS; i++)
        s.bins[i] = w->least[i] ? (uint8_t)((w->least[i] >> 1) % 255 + 1) : 0;
    return s;
}

unsigned sketch_filled(const struct sketch *s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SKETCH_BINS; i++)
        n += s->bins[i] != 0;
    return n;
}

double sketch_likeness(const struct sketch *a, const struct sketch *b)
{
    unsigned either = 0, same = 0;

    for (unsigned i = 0; i < SKETCH_BINS; i++) {
        either += a->bins[i] || b->bins[i];
        same += a->bins[i] && a->bins[i] == b->bins[i];
    }
    return either ? (double)same / either : 0;
}
