/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a provider's headers say is left of its limits: x-ratelimit-* and
 * anthropic-ratelimit-*.  Pure; every byte comes from outside.
 */
#ifndef WEIR_ROUTER_HEALTH_ALLOWANCE_H
#define WEIR_ROUTER_HEALTH_ALLOWANCE_H

#include "base/span.h"

/* Of requests, of tokens; -1: not said. */
struct allowance {
    int64_t requests, tokens;
    int64_t requests_reset_ms, tokens_reset_ms; /* from now */
};

/* header: a header of the answer by lower-case name, empty when not there. */
struct allowance allowance_read(struct span (*header)(const void *ctx,
                                                      const char *name),
                                const void *ctx, int64_t utc_ms);

/* "1s", "6m0s", "20ms", "1h2m", "1.5", "2026-05-01T12:00:00Z" in milliseconds
 * from utc_ms on; -1: nonsense. */
int64_t allowance_reset(struct span text, int64_t utc_ms);

#endif
