/* SPDX-License-Identifier: Apache-2.0 */
#include "router/health/load.h"

#include <math.h>
#include <string.h>

static uint64_t pack(float ms, uint64_t now_ms)
{
    uint32_t bits;

    memcpy(&bits, &ms, sizeof bits);
    return (uint64_t)bits << 32 | (uint32_t)now_ms;
}

static double unpack(uint64_t v, uint64_t now_ms, double *kept)
{
    uint32_t bits = (uint32_t)(v >> 32);
    uint32_t age = (uint32_t)now_ms - (uint32_t)v;
    float ms;

    memcpy(&ms, &bits, sizeof ms);
    if (age > UINT32_MAX / 2) /* another thread's clock was read later */
        age = 0;
    *kept = exp(-(double)age / LOAD_FADE_MS);
    return (double)ms;
}

void load_begin(struct load *l)
{
    atomic_fetch_add_explicit(&l->in_flight, 1, memory_order_relaxed);
}

void load_end(struct load *l, uint64_t now_ms, double latency_ms)
{
    uint64_t was = atomic_load_explicit(&l->mean, memory_order_relaxed), next;

    atomic_fetch_sub_explicit(&l->in_flight, 1, memory_order_relaxed);
    if (latency_ms < 0)
        return;
    do {
        double kept, mean = unpack(was, now_ms, &kept);

        mean = latency_ms > mean ? latency_ms
                                 : mean * kept + latency_ms * (1 - kept);
        next = pack((float)mean, now_ms);
    } while (!atomic_compare_exchange_weak_explicit(
        &l->mean, &was, next, memory_order_relaxed, memory_order_relaxed));
}

double load_latency(const struct load *l, uint64_t now_ms)
{
    double kept;
    double mean = unpack(atomic_load_explicit(&l->mean, memory_order_relaxed),
                         now_ms, &kept);

    return mean * kept;
}

double load_cost(const struct load *l, uint64_t now_ms)
{
    uint32_t n = atomic_load_explicit(&l->in_flight, memory_order_relaxed);

    return (load_latency(l, now_ms) + 1) * (n + 1.0);
}

unsigned load_pick(const double *costs, unsigned n, uint64_t chance)
{
    unsigned a = (unsigned)((chance & 0xffffffff) % n);
    unsigned b;

    if (n == 1)
        return 0;
    b = (unsigned)((chance >> 32) % (n - 1));
    b += b >= a;
    return costs[b] < costs[a] ? b : a;
}

int load_weighted(const double *weights, unsigned n, uint64_t chance)
{
    double all = 0, at;
    int last = -1;

    for (unsigned i = 0; i < n; i++)
        all += weights[i];
    at = (double)(chance >> 11) * 0x1p-53 * all;
    for (unsigned i = 0; i < n; i++) {
        if (weights[i] <= 0)
            continue;
        last = (int)i;
        at -= weights[i];
        if (at < 0)
            return last;
    }
    return last;
}
