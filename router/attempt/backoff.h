/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before a provider is called again.  Pure: time and chance
 * come from the caller. */
#ifndef WEIR_ROUTER_ATTEMPT_BACKOFF_H
#define WEIR_ROUTER_ATTEMPT_BACKOFF_H

#include "base/span.h"

/* Exponential with full jitter: uniform in [0, min(most, first * 2^n)], n the
 * waits before this one.  chance: any 64 random bits. */
uint64_t backoff_ms(uint64_t first_ms, uint64_t most_ms, unsigned n,
                    uint64_t chance);

/* retry-after-ms (a number of milliseconds) where it is there, else
 * retry-after (a number of seconds, or an HTTP date).  False: neither, or
 * nonsense. */
bool backoff_told(struct span after, struct span after_ms, int64_t utc_ms,
                  uint64_t *out_ms);

#endif
