/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans of several models as a classifier and a command line write them, and
 * what one is expected to cost.  Trainer and router both go by it.
 *
 *   verify(draft,check,else)  draft and check answer side by side; where they
 *       agree the draft's answer stands, else `else` answers as well
 *   cascade(draft,else)       the draft's answer stands when it passes checks
 *
 * In a list of arms a plan may have a name of its own: checked=verify(a,b,c).
 * A classifier that holds the plan "checked" holds its members as arms too,
 * and one more head, "escalates checked": P(`else` is needed).
 */
#ifndef WEIR_MODELS_PLAN_FORM_H
#define WEIR_MODELS_PLAN_FORM_H

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>

enum plan_form_kind { PLAN_FORM_VERIFY, PLAN_FORM_CASCADE };
enum {
    PLAN_FORM_MEMBERS = 3,
    /* A panel, panel(model,review), is no form of plan here: its answer is its
     * model's, whatever the review says.  Tokens that a reviewer is asked with
     * besides the conversation and the answer, and those that it says. */
    PLAN_FORM_REVIEW_ASKS = 200,
    PLAN_FORM_REVIEW_SAYS = 60,
};

/* What the head of P(`else` is needed) is called: this and the plan's name. */
#define PLAN_FORM_ESCALATES "escalates "

struct plan_form {
    enum plan_form_kind kind;
    unsigned n_members;
    struct span member[PLAN_FORM_MEMBERS]; /* (borrowed: the text parsed) the
                                             last is the one escalated to */
};

bool plan_form_is(struct span text); /* has it the form of a plan? */
/* The text alone, without a name. */
MUST_USE bool plan_form_parse(struct span text, struct plan_form *p,
                              struct err *e);

/* "checked=verify(a,b,c)" -> its name and text; without "=" the name is the
 * text.  Borrowed. */
void plan_form_split(struct span item, struct span *name, struct span *text);

/* Cuts off and returns the first name of a list: commas inside parentheses
 * do not separate.  *rest.ptr becomes NULL at the end. */
struct span plan_form_cut(struct span *rest);

const char *plan_form_kind_name(enum plan_form_kind kind);
/* By its name and the members that it needs; false: no such kind. */
bool plan_form_kind_find(struct span name, enum plan_form_kind *kind,
                         unsigned *members);

/* "verify(a,b,c)" with NUL into dst, cut to size; the length it wanted. */
size_t plan_form_write(const struct plan_form *p, char *dst, size_t size);

/* Expected cost (USD): of the members asked first, and of the last one with
 * the probability that it is needed. */
double plan_form_expected_usd(const double *member_usd, unsigned n_members,
                              double escalates);

/* Is this the name of a plan's further head? */
bool plan_form_is_escalates(struct span arm);

#endif
