/* SPDX-License-Identifier: Apache-2.0 */
#include "models/page_hinkley.h"

#include <math.h>

void page_hinkley_reset(struct page_hinkley *p, double slack, double limit)
{
    *p = (struct page_hinkley){.slack = slack, .limit = limit};
}

bool page_hinkley_note(struct page_hinkley *p, double residual)
{
    bool before = p->alarm;

    if (isnan(residual))
        return false;
    residual = fmax(-1, fmin(residual, 1));
    p->n++;
    p->sum += residual;
    p->excess = fmax(0, p->excess + residual - p->slack);
    p->alarm = p->alarm || p->excess > p->limit;
    return p->alarm && !before;
}

double page_hinkley_mean(const struct page_hinkley *p)
{
    return p->n ? p->sum / (double)p->n : 0;
}
