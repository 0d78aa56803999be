/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans of several models as arms: who of the classifier stands for them,
 * what they are expected to cost and what keeps them from serving.  Pure.
 *
 * A plan is known to the classifier by its key, where the card's `plans` has
 * it with the same members, or else by the text made of its members' names
 * there, as in `verify(nano,qwen,opus)`.  A panel is as good as its model.
 */
#ifndef WEIR_ROUTER_ROUTE_PLANS_H
#define WEIR_ROUTER_ROUTE_PLANS_H

#include "base/arena.h"
#include "router/plan/checks.h"
#include "router/route/decide.h"

/* Fills r->head[i] and r->escalates[i] of a plan, behind its members' heads,
 * none of which is known by its tier yet. */
void plan_heads(struct route *r, const struct classifier *c, unsigned i);

/* Fills r->accept from the card; false: out of memory. */
MUST_USE bool plan_accepts(struct route *r, const struct classifier *c,
                           struct arena *a);

/* A plan's quality, tokens and cost from its members' verdicts.  Where nobody
 * knows how often `else` is needed, the cost is that of always. */
void plan_predict(const struct question *q, unsigned i, struct decision *d);

/* USD of a plan from its members' [n_all], `else` with that probability. */
double plan_usd(const struct arm *arm, const double *usd, double escalates);

/* Expected USD of arm i's review of an answer of so many tokens; it reads the
 * conversation too.  0: it has none. */
double plan_review_usd(const struct route *r, unsigned i, double input,
                       double answer);

/* What keeps one of its members, but for a review's, from serving. */
struct drop plan_need(const struct question *q, unsigned i);

bool plan_has(const struct arm *arm, int member);
/* The arm is a plan in which one model looks after another. */
bool plan_verifies(const struct route *r, int arm);

/* "verify(nano,qwen,opus)" by the arms' names. */
void plan_members_text(const struct route_settings *set, unsigned i,
                       struct buf *out);

#endif
