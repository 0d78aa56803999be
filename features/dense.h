/* SPDX-License-Identifier: Apache-2.0 */
/* The table of dense features: a row is a name and a function of the view;
 * behind the rows comes one count for each keyword group. */
#ifndef WEIR_FEATURES_DENSE_H
#define WEIR_FEATURES_DENSE_H

#include "features/view.h"

/* Writes all of them to dst[VEC_DENSE_MAX]; returns how many. */
uint32_t dense_fill(const struct view *v, float *dst);
/* Name of the i-th, NULL behind the last. */
const char *dense_name(unsigned i);

#endif
