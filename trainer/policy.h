/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy's knob, tried out: a row of prices (quality per USD) from "money
 * does not matter" to "only money does", spaced so that each step moves about
 * as many requests.  The choice itself is models/choose.h.
 */
#ifndef WEIR_TRAINER_POLICY_H
#define WEIR_TRAINER_POLICY_H

#include "trainer/forecast.h"

enum { POLICY_KNOBS = 256 };

struct knobs {
    double price[POLICY_KNOBS]; /* rising, the first is 0 */
};

MUST_USE bool policy_knobs(const struct guesses *calibration, struct knobs *k,
                           struct err *e);

/* The contender that is chosen for row i of the guesses. */
uint32_t policy_choose(const struct guesses *g, size_t i, double price);

/* What the arms really did, for the rows of some guesses; NAN: not known. */
struct outcomes {
    const struct contest *c;
    const struct table *t;
    const uint32_t *rows;
};
double outcomes_score(const struct outcomes *o, size_t i, uint32_t arm);
double outcomes_cost(const struct outcomes *o, size_t i, uint32_t arm);
/* Are score and (where the contest is priced) cost of all arms known? */
bool outcomes_complete(const struct outcomes *o, size_t i);

/* The knob that was cheapest on these rows while it held `target` times the
 * mean score of arm `reference`; -1: none was cheaper than that arm itself,
 * so take that. */
int policy_calibrate(const struct guesses *g, const struct outcomes *o,
                     const struct knobs *k, uint32_t reference, double target);

#endif
