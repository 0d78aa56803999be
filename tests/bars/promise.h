/* SPDX-License-Identifier: Apache-2.0 */
/* The bar of the guarantee: how often is a calibrated threshold's promise
 * broken, when the truth is known? */
#ifndef WEIR_TESTS_BARS_PROMISE_H
#define WEIR_TESTS_BARS_PROMISE_H

#include "trainer/trial.h"

enum { PROMISE_RESAMPLES = 200, PROMISE_ROWS = 2000 };

/*
 * The trial's rows are the whole world, so the true quality at any price is
 * known.  200 times as many rows as one would calibrate on are drawn from it
 * with replacement, a price is found on them, and the promise is looked up
 * in the world.  Prints a line for each alpha; *failed counts those where
 * more than delta of the promises were broken.
 */
MUST_USE bool promise_bars(const struct trial *world, int *failed,
                           struct err *e);

#endif
