/* SPDX-License-Identifier: Apache-2.0 */
#include "models/domain.h"

bool domain_outside(const struct domain *d, const struct prediction *p)
{
    return d->known && (p->unseen > d->unseen || p->far > d->far ||
                        (p->n_tasks > 0 && p->top < d->top));
}
