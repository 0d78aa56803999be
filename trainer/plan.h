/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans of several models (models/plan_form.h) as arms of a table.  Nothing
 * is asked anew: a plan's outcome is what a log says of it, and elsewhere
 * follows from what its members answered.
 *
 *   verify(draft,check,else)  equal answers of draft and check: the draft's
 *       stands, at the cost of both; else `else` answers and is paid on top.
 *       Latency: the slower of the two, plus `else`'s.
 *   cascade(draft,else)  the draft's answer stands when it passes a check
 *       that needs no label: that it gave a final answer at all.  Else `else`
 *       answers, is paid on top and waited for.  (How likely the draft is
 *       right is the classifier's business: it chooses between arms.)
 *
 * A score is never looked at to decide.  Whether a missing answer means "it
 * gave none" (so: no agreement, check failed) or "nobody wrote answers down"
 * is decided per member and task: where at least half of the labelled rows
 * have an answer, answers were written down; elsewhere the plan has no
 * outcome.
 */
#ifndef WEIR_TRAINER_PLAN_H
#define WEIR_TRAINER_PLAN_H

#include "trainer/table.h"

enum { PLAN_TEXT_MAX = 512 }; /* bytes of a plan's text with NUL */

/* Adds a plan, "verify(a,b,c)" or "name=verify(a,b,c)", and its "escalates"
 * to the table, or makes the plan of arms that are there.  Members must be
 * arms of the table already.  *index: in t->plans. */
MUST_USE bool plan_add(struct table *t, struct span item, uint32_t *index,
                       struct err *e);

/* Expected cost (USD) from that of the members, in their order, and P(`else`
 * is needed). */
double plan_cost(const struct table_plan *p, const double *member_cost,
                 double escalates);

/* "verify(a,b,c)" of a table's plan with NUL into dst, cut to size. */
void plan_text(const struct table *t, const struct table_plan *p, char *dst,
               size_t size);

#endif
