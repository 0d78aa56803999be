/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/bounds.h"

#include <stdlib.h>
#include <string.h>

/* Quantiles tried: 1 - share / STEPS ... 1 - share. */
enum { STEPS = 8 };

enum { UNSEEN, TOP, FAR, MEASURES };

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? -1 : x > y;
}

static size_t outside(const struct fitted *f, size_t n, const struct domain *d)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        struct prediction p;
        fit_oof(f, i, &p);
        count += domain_outside(d, &p);
    }
    return count;
}

/* sorted: [MEASURES][n] */
static struct domain at_share(const float *sorted, size_t n, double share)
{
    size_t beyond = (size_t)(share * (double)n);

    return (struct domain){true, sorted[UNSEEN * n + n - 1 - beyond],
                           sorted[TOP * n + beyond],
                           sorted[FAR * n + n - 1 - beyond]};
}

bool bounds_find(const struct fitted *f, struct domain *out, struct err *e)
{
    size_t n;
    float *m;

    *out = (struct domain){.known = false};
    (void)fit_rows(f, &n);
    if (n < DOMAIN_LEAST || !fit_held_out(f))
        return true;
    m = malloc(MEASURES * n * sizeof *m);
    if (!m)
        return err_set(e, ERR_MEMORY, "no memory for the bounds of %zu rows",
                       n);
    for (size_t i = 0; i < n; i++) {
        struct prediction p;
        fit_oof(f, i, &p);
        m[UNSEEN * n + i] = p.unseen;
        m[TOP * n + i] = p.top;
        m[FAR * n + i] = p.far;
    }
    for (int k = 0; k < MEASURES; k++)
        qsort(m + k * n, n, sizeof *m, by_value);
    for (int k = STEPS; k > 0; k--) {
        *out = at_share(m, n, DOMAIN_SHARE * k / STEPS);
        if ((double)outside(f, n, out) <= DOMAIN_SHARE * (double)n)
            break;
    }
    free(m);
    return true;
}
