/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where human amounts are read and written. */
#ifndef WEIR_BASE_UNITS_H
#define WEIR_BASE_UNITS_H

#include "base/span.h"

enum unit_kind { UNIT_BYTES, UNIT_MS, UNIT_US, UNIT_COUNT };

/* "64", "64k", "32MB", "1.5GiB" (k, M, G: 1000; Ki, Mi, Gi: 1024);
 * "200ms", "5s", "2m", "1h", "7d" (a bare number: milliseconds);
 * "50us", "1ms" (a bare number: microseconds);
 * counts "250", "10k".  False when it is not such an amount or too large. */
bool units_parse(struct span s, enum unit_kind kind, uint64_t *out);
/* What units_parse wants, for messages: "a size such as 32MB". */
const char *units_wanted(enum unit_kind kind);

/* "12.3k", "4.5M"; "850 us", "1.2 s"; "$0.000042", "$12.30".  dst holds 32
 * bytes and is returned. */
const char *units_count(double n, char dst[32]);
const char *units_time(double seconds, char dst[32]);
const char *units_usd(double usd, char dst[32]);

#endif
