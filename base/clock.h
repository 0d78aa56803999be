/* SPDX-License-Identifier: Apache-2.0 */
/* Time.  Monotonic for durations, UTC for the log. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include "base/span.h"

uint64_t clock_ns(void);    /* monotonic, nanoseconds */
int64_t clock_utc_ms(void); /* since 1970, milliseconds */
/* The same as of the kernel's last tick, a few ms ago, at a tenth of the
 * cost: for deadlines.  Never compared with the exact ones. */
uint64_t clock_tick_ns(void);
int64_t clock_tick_utc_ms(void);

/* "2026-05-01T12:00:00.000Z"; dst holds 32 bytes. */
void clock_format(int64_t utc_ms, char dst[32]);
/* RFC 3339 with any offset and optional fraction; false when it is not. */
bool clock_parse(struct span s, int64_t *utc_ms);

#endif
