/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans among the arms of the cycle's route: cascade and verify are learnt as
 * plans (trainer/plan.h), with their members' heads and P(`else` is needed).
 *
 * A panel's answer is its model's, whatever the review says.  So it is learnt
 * by its model's name, from whatever that answered, and costs the review
 * besides.  Beside its model, or where another plan asks that, it is never
 * the choice, and its review is in no cost of the challenger.
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

/* The name by which the classifier knows the arm. */
const char *cycle_arm_learnt(const struct cycle_arm *arm);
/* Of an arm by its name; others are as they are. */
const char *cycle_learnt(const struct cycle_config *set, const char *name);
/* The other way: the route's arm that a classifier's arm stands for. */
const char *cycle_shown(const struct cycle_config *set, const char *learnt);
/* A panel beside its own model, or behind another one of it. */
bool cycle_panel_hidden(const struct cycle_config *set,
                        const struct cycle_arm *arm);

/* Expected USD of a panel's review; 0: none, or without a price. */
double cycle_review_usd(const struct cycle_config *set,
                        const struct cycle_arm *arm, double input,
                        double answer);

/* Charges the models that stand for panels with the reviews. */
void cycle_plans_charge(const struct cycle_config *set, struct table *t);

#endif
