/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hist.h"

/* Values below HIST_SUB have a bucket each; above, a power of two is cut
 * into HIST_SUB equal parts. */
static unsigned bucket_of(uint64_t v)
{
    unsigned shift;

    if (v < HIST_SUB)
        return (unsigned)v;
    shift = 63U - (unsigned)__builtin_clzll(v) - 5U;
    return (shift + 1) * HIST_SUB + (unsigned)((v >> shift) - HIST_SUB);
}

uint64_t hist_upper(unsigned bucket)
{
    unsigned shift;

    if (bucket < HIST_SUB)
        return bucket;
    shift = bucket / HIST_SUB - 1;
    return (((uint64_t)(bucket % HIST_SUB) + HIST_SUB + 1) << shift) - 1;
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
    /* One writer: load and store need no lock prefix. */
    atomic_store_explicit(to,
                          atomic_load_explicit(to, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

void hist_add(struct hist *h, uint64_t value)
{
    add(&h->count[bucket_of(value)], 1);
    add(&h->total, 1);
    add(&h->sum, value);
}

void hist_merge(struct hist *into, const struct hist *from)
{
    for (unsigned i = 0; i < HIST_BUCKETS; i++)
        add(&into->count[i], get(&from->count[i]));
    add(&into->total, get(&from->total));
    add(&into->sum, get(&from->sum));
}

uint64_t hist_quantile(const struct hist *h, double q)
{
    uint64_t total = get(&h->total), seen = 0;
    double want = q * (double)total;

    if (total == 0)
        return 0;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += get(&h->count[i]);
        if (seen > 0 && (double)seen >= want)
            return hist_upper(i);
    }
    return hist_upper(HIST_BUCKETS - 1);
}
