/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans among the arms of the cycle's route: cascade and verify are learnt as
 * plans (trainer/plan.h), with their members' heads and P(`else` is needed); a
 * panel is an arm like a model here.
 */
#ifndef WEIR_TRAINER_CYCLE_PLANS_H
#define WEIR_TRAINER_CYCLE_PLANS_H

#include "base/conf.h"
#include "base/json.h"
#include "models/classifier.h"
#include "trainer/cycle_config.h"
#include "trainer/offlog.h"
#include "trainer/wanted.h"

/* "verify(a,b,c)" of a plan's configuration into dst (NUL); "" where it is of
 * another kind or not whole. */
void cycle_plan_text(const struct conf *plan, char *dst, size_t size);

/* The route's arms as `weir train --arms` takes them; plans false: without
 * its plans. */
MUST_USE bool cycle_plans_wanted(const struct cycle_config *set, bool plans,
                                 struct wanted *w, struct err *e);

/* What the log's requests would cost by each plan that the classifier knows:
 * what was expected then is by one that may not have known how often `else`
 * is needed. */
void cycle_plans_expect(const struct cycle_config *set,
                        const struct classifier *c, struct offlog *log);

/* USD of a plan's mean request by the card's basis at today's prices; NAN: it
 * cannot be said. */
double cycle_plan_now(const struct cycle_config *set, const struct json *basis,
                      const struct cycle_arm *arm);

#endif
