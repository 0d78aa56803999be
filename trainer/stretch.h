/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often shadow answers of an arm tell, counted in short stretches of a
 * log: each as long as it takes to meet a few, or a bounded number of rows
 * without.  The log does not hold the rate at which they are asked, and it
 * changes: with the configuration, with what the route promises, or when the
 * day's budget is spent.
 */
#ifndef WEIR_TRAINER_STRETCH_H
#define WEIR_TRAINER_STRETCH_H

#include <stdbool.h>
#include <stddef.h>

struct stretch {
    size_t from;        /* its first row */
    size_t told, could; /* shadows that tell, rows that could have had one */
};

/* Begins zeroed. */
struct stretches {
    struct stretch now, last;
};

/* Row i, by time, could have had a shadow; true: s->last is the stretch that
 * ends with it. */
bool stretch_note(struct stretches *s, size_t i, bool told);
/* What is left at the end is too short to be counted by itself: it is counted
 * with the stretch before it. */
struct stretch stretch_rest(const struct stretches *s);
double stretch_rate(const struct stretch *s);

#endif
