/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/stretch.h"

enum {
    SHADOWS = 8, /* a stretch of the log is over with so many */
    ROWS = 1000, /* or with so many rows that could have had one */
};

bool stretch_note(struct stretches *s, size_t i, bool told)
{
    s->now.could++;
    s->now.told += told;
    if (s->now.told < SHADOWS && s->now.could < ROWS)
        return false;
    s->last = s->now;
    s->now = (struct stretch){.from = i + 1};
    return true;
}

struct stretch stretch_rest(const struct stretches *s)
{
    if (!s->last.could)
        return s->now;
    return (struct stretch){s->last.from, s->last.told + s->now.told,
                            s->last.could + s->now.could};
}

double stretch_rate(const struct stretch *s)
{
    return s->could ? (double)s->told / (double)s->could : 0;
}
