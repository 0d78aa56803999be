/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a classifier's training data end.  A request is outside when it is
 * beyond what nearly all training rows were by one of three measures of its
 * prediction: the share of words that training never saw, how little any
 * task's head wants it, how far its dense features are from the mean.  The
 * trainer finds the bounds on predictions by heads that had not seen the row
 * and proves its promises for a policy that gives such requests to the
 * reference; the router calls the same function.
 */
#ifndef WEIR_MODELS_DOMAIN_H
#define WEIR_MODELS_DOMAIN_H

#include "models/weights.h"

enum { DOMAIN_LEAST = 200 /* rows to find bounds by */ };

/* Share of the training rows that are outside by their own bounds. */
#define DOMAIN_SHARE .015

struct domain {
    bool known;             /* false: nothing is outside */
    float unseen, top, far; /* most, least, most: struct prediction's */
};

bool domain_outside(const struct domain *d, const struct prediction *p);

#endif
