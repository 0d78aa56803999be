/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The learning cycle: from the labels of a log to a better classifier in
 * place, with every step's reason in the journal.
 *
 *         enough labels, `every` is over, an alarm
 *   idle ------------------------------------------> gate
 *    ^ ^    worse, the same, given up                  | better on unseen rows
 *    | +---------------------------------------------- +
 *    |      worse on newer rows                        v
 *    +---------------------------------------------- shadow
 *    |      worse in service (sequential test)         | still better
 *    +---------------------------------------------- canary
 *    |      rollback: outcomes fall short              | as good in service
 *    +---------------------------------------------- watch
 *           settled
 *
 * A run goes as far as the log allows and ends.  A change of state is first
 * a line of the journal that holds the whole next state, then files
 * (trainer/cycle_files.h), then the state file: a run that was killed is
 * taken up by the next one.  F.weir.cycle.lock keeps two apart.
 */
#ifndef WEIR_TRAINER_CYCLE_H
#define WEIR_TRAINER_CYCLE_H

#include "trainer/cycle_config.h"
#include "trainer/cycle_state.h"

struct cycle_run {
    const struct cycle_config *set;
    bool dry;   /* nothing is written: what would be done is told */
    bool force; /* trains although nothing calls for it */
    /* Each line of the journal, and why nothing further is done now; the
     * latter with `journalled` false. */
    void (*say)(void *ctx, struct span line, bool journalled);
    /* For tests: comes by between any two writes.  May be NULL. */
    void (*point)(void *ctx, const char *name);
    void *ctx;
    struct cycle_state state; /* in the end */
    unsigned steps;           /* changes of state that were made */
};

/* False where something failed that is no matter of evidence; what runs goes
 * on running then. */
MUST_USE bool cycle_run(struct cycle_run *r, struct err *e);

/* The journal's line of a rollback by hand. */
MUST_USE bool cycle_note_rollback(const char *model, const char *from,
                                  const char *to, struct err *e);

#endif
