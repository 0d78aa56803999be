/* SPDX-License-Identifier: Apache-2.0 */
/* The bar of off-policy estimates: simulated logs of real outcomes, of which
 * the truth is known. */
#ifndef WEIR_TESTS_BARS_OFF_POLICY_BARS_H
#define WEIR_TESTS_BARS_OFF_POLICY_BARS_H

#include "trainer/trial.h"

enum { OFF_POLICY_RUNS = 200, OFF_POLICY_ROWS = 2000 };

/*
 * The trial's rows are the whole world, so the true score and cost of any
 * policy are known.  Each of 200 logs draws rows from it with replacement and
 * serves them by a policy that explores one request in five; of each is
 * estimated what other policies would have given.  Prints a line for each
 * policy and reward; *failed counts those whose doubly robust interval held
 * the truth in fewer than 93 % of the logs, or whose doubly robust estimates
 * strayed as far as those by inverse propensities.
 */
MUST_USE bool off_policy_bars(const struct trial *world, int *failed,
                              struct err *e);

#endif
