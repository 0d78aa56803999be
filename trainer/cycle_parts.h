/* SPDX-License-Identifier: Apache-2.0 */
/* Between cycle.c, which changes states, and cycle_steps.c, which finds out
 * whether to. */
#ifndef WEIR_TRAINER_CYCLE_PARTS_H
#define WEIR_TRAINER_CYCLE_PARTS_H

#include "trainer/cycle.h"
#include "trainer/cycle_watch.h"

/* What a step found. */
struct cycle_move {
    struct cycle_state next;
    const char *event; /* "train", "promote" ... NULL: nothing is done now */
    char why[500];
    struct buf figures; /* further members: ,"name":value ... */
};

/* One look at the present stage. */
MUST_USE bool cycle_step(struct cycle_run *r, struct cycle_move *m,
                         struct err *e);

#endif
