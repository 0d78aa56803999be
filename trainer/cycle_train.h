/* SPDX-License-Identifier: Apache-2.0 */
/* A challenger, trained on the log up to a point in time, into
 * F.weir.challenger. */
#ifndef WEIR_TRAINER_CYCLE_TRAIN_H
#define WEIR_TRAINER_CYCLE_TRAIN_H

#include "trainer/cycle_config.h"
#include "trainer/cycle_state.h"

struct cycle_trained {
    char id[CYCLE_ID];
    size_t rows, labels; /* learnt from; labels of all arms */
    size_t complete;     /* rows with the outcomes of all arms */
    bool promises;       /* the card holds a level at the wanted quality */
    char use_fixed[64];  /* the card's advice; "": route */
    char no_plans[200];  /* why the route's plans are not learnt; "": they
                            are, or there are none */
};

/* changed: arms whose older outcomes are of another model (cycle_since). */
MUST_USE bool cycle_train(const struct cycle_config *set,
                          const struct cycle_state *changed, int64_t until_ms,
                          struct cycle_trained *out, struct err *e);

#endif
