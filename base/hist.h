/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear histogram of non-negative 64-bit values (HdrHistogram's layout:
 * 32 sub-buckets a power of two, so a quantile is right to 3.2 %).  One
 * writer; readers on other threads see relaxed, never torn, counts.
 */
#ifndef WEIR_BASE_HIST_H
#define WEIR_BASE_HIST_H

#include <stdatomic.h>
#include <stdint.h>

enum { HIST_SUB = 32, HIST_BUCKETS = 60 * HIST_SUB };

struct hist {
    _Atomic uint64_t count[HIST_BUCKETS];
    _Atomic uint64_t total, sum;
};

void hist_add(struct hist *h, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);
uint64_t hist_quantile(const struct hist *h, double q); /* 0 when empty */
uint64_t hist_upper(unsigned bucket); /* largest value of a bucket */

#endif
