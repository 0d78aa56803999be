/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one rule by which predictions become an arm.  The trainer evaluates
 * and calibrates exactly this function and the router calls it, so the two
 * cannot disagree.  Pure; ties go to the cheaper, then to the earlier arm.
 */
#ifndef WEIR_MODELS_CHOOSE_H
#define WEIR_MODELS_CHOOSE_H

#include "base/err.h"

struct candidate {
    float quality; /* predicted P(adequate), [0,1] */
    double cost;   /* expected USD of this request */
    bool allowed;  /* false: dropped by a constraint before */
};

/*
 * Each arm's worth is quality - price * cost; the worthiest allowed arm is
 * taken.  `price` (quality per USD, >= 0) is the policy's knob: 0 buys the
 * best predicted quality, a large one the cheapest arm.  -1 when no arm is
 * allowed.
 */
int choose_by_price(const struct candidate *arms, unsigned n, double price);

/* The cheapest allowed arm whose quality is at least `floor`; when none
 * reaches it, the allowed arm of the highest quality. */
int choose_by_floor(const struct candidate *arms, unsigned n, double floor);

#endif
