/* SPDX-License-Identifier: Apache-2.0 */
/* Prompts of any length for benchmarks: everyday requests put together from
 * a vocabulary by a seed, plain ASCII without quotes and backslashes. */
#ifndef WEIR_BENCH_WORDS_H
#define WEIR_BENCH_WORDS_H

#include "base/buf.h"

/* Exactly `bytes` bytes. */
void words_write(struct buf *out, uint64_t seed, size_t bytes);

#endif
