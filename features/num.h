/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two shapes in which counts become features.  Integer arithmetic and
 * single, correctly rounded operations only: libm's log2 may differ in its
 * last bit from one machine to the next, and then so would the vectors.
 */
#ifndef WEIR_FEATURES_NUM_H
#define WEIR_FEATURES_NUM_H

#include <stdint.h>

float num_log2p1(uint64_t n);                   /* log2(1 + n), to 1e-4 */
float num_ratio(uint64_t part, uint64_t whole); /* 0 where whole is 0 */

#endif
