/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of marks: categories of a request, each hashed with its row's
 * name ("role=user", "tool=search"), so that rows cannot be confused.
 */
#ifndef WEIR_FEATURES_MARKS_H
#define WEIR_FEATURES_MARKS_H

#include "features/view.h"

/* Writes the marks, ascending, to dst[VEC_MARKS_MAX]; returns how many. */
uint32_t marks_fill(const struct view *v, struct term *dst);
/* Writes "row=value" of the mark with this index to dst, "" without one. */
void marks_name(const struct view *v, uint32_t index, char *dst, size_t size);

#endif
