/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How busy and how slow a deployment is, and which of several equal ones to
 * take: of two at random the one of less cost, which is the calls in flight
 * and the new one times the latency.  The latency is a moving average that a
 * slower call moves at once and that otherwise fades with time (peak EWMA, as
 * in Finagle's balancer).  Shared by threads without a lock.
 */
#ifndef WEIR_ROUTER_HEALTH_LOAD_H
#define WEIR_ROUTER_HEALTH_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Milliseconds in which the average fades to a third. */
#define LOAD_FADE_MS 10000.0

struct load {
    _Atomic uint32_t in_flight;
    _Atomic uint64_t mean; /* a float's bits (ms), then the time (ms) */
};

void load_begin(struct load *l);
/* latency_ms: to the answer's head; < 0: none to be learned from. */
void load_end(struct load *l, uint64_t now_ms, double latency_ms);
double load_latency(const struct load *l, uint64_t now_ms); /* ms, faded */
double load_cost(const struct load *l, uint64_t now_ms);

/* Of n > 0 costs, one; chance: any 64 random bits. */
unsigned load_pick(const double *costs, unsigned n, uint64_t chance);
/* One of n > 0 by weight; -1 when all weights are 0. */
int load_weighted(const double *weights, unsigned n, uint64_t chance);

#endif
