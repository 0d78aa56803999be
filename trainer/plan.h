/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans of several models as arms of a table.  Nothing is asked anew: a
 * plan's outcome follows from what its members answered.
 *
 *   verify(draft,check,else)  draft and check answer side by side; equal
 *       answers: the draft's stands, at the cost of both; else `else` answers
 *       and is paid on top.  Latency: the slower of the two, plus `else`'s.
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

enum plan_kind { PLAN_VERIFY, PLAN_CASCADE };
enum { PLAN_MEMBERS_MAX = 3 };

struct plan {
    enum plan_kind kind;
    unsigned n_members;
    struct span member[PLAN_MEMBERS_MAX]; /* (borrowed: the text parsed) */
};

bool plan_is(struct span text); /* has it the form of a plan? */
MUST_USE bool plan_parse(struct span text, struct plan *p, struct err *e);

/* Cuts off and returns the first name of a list: commas inside parentheses
 * do not separate.  *rest.ptr becomes NULL at the end. */
struct span plan_list_cut(struct span *rest);

/* Where a plan stands in a table: arms' indices. */
struct plan_arm {
    uint32_t arm;       /* the plan itself */
    uint32_t escalates; /* "escalates PLAN": score 1 where `else` was needed,
                           so that its probability can be learned */
    uint32_t member[PLAN_MEMBERS_MAX];
    enum plan_kind kind;
    unsigned n_members;
};

/* Adds both arms to the table.  Members must be arms of it already. */
MUST_USE bool plan_add(struct table *t, struct span text, struct plan_arm *out,
                       struct err *e);

/* Expected cost (USD): of the members asked first, and of `else` with the
 * probability that it is needed. */
double plan_cost(const struct plan_arm *p, const double *member_cost,
                 double escalates);

#endif
