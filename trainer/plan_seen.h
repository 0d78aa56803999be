/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans that a log's rows were served by: their members follow from the rows,
 * so nobody has to name them again.  A plan is the arm of its name only as
 * long as its members are the same: outcomes by others are left out (an `else`
 * that failed over to another arm), and where PLAN_SEEN_ROWS on end were by
 * others, these are its members now and what the former ones came to is
 * forgotten.  Where --arms says which they are, that holds.
 */
#ifndef WEIR_TRAINER_PLAN_SEEN_H
#define WEIR_TRAINER_PLAN_SEEN_H

#include "trainer/table.h"

enum { PLAN_SEEN_ROWS = 5 };

struct plan_seen {
    char *name; /* (owned) the arm's */
    enum plan_form_kind kind;
    unsigned n_members;
    char *member[PLAN_FORM_MEMBERS]; /* (owned) NULL: not seen yet */
    bool fixed;                      /* as --arms has it */
    unsigned odd, odd_rows; /* the member that differed in the last rows, and
                               in how many on end */
    uint64_t others;        /* outcomes left out or forgotten */
};

void plan_seen_free(struct table *t);

/* A plan as --arms names it, before rows are read. */
MUST_USE bool plan_seen_fix(struct table *t, struct span item, struct err *e);

/* What the log says of how `arm` went with a row that is about to be added.
 * *other: another plan of this name did, leave its outcome out; or it is a
 * panel that is not asked for as an arm: its model's outcome says it all. */
MUST_USE bool plan_seen_note(struct table *t, struct span arm, struct span json,
                             bool *other, struct err *e);

/* Makes plans of those that are arms and none yet.  A member that has no
 * label becomes a mere member. */
MUST_USE bool plan_seen_add(struct table *t, struct err *e);

/* Not all its members are known: it stays an arm like a model. */
bool plan_seen_incomplete(const struct plan_seen *p);

#endif
