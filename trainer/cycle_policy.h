/* SPDX-License-Identifier: Apache-2.0 */
/* What a classifier's card says to the cycle: how the router would serve with
 * it, and what the rows that it has learnt from show of its promise. */
#ifndef WEIR_TRAINER_CYCLE_POLICY_H
#define WEIR_TRAINER_CYCLE_POLICY_H

#include "trainer/cycle_config.h"
#include "trainer/evidence.h"

/* With these arms; c NULL: the reference for all. */
void cycle_policy(const struct cycle_config *set, const struct classifier *c,
                  const struct offlog *log, struct evidence_policy *out);

/* False where the card has no ladder for the route's arms, reference and
 * quality (card.c writes it for the cycle). */
bool cycle_ladder(const struct cycle_config *set, const struct classifier *c,
                  struct guarantee_ladder *out);

#endif
