/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shadow answers tell of a ledger's rows: the cost, and with a label the
 * score, of arms that did not answer, and how likely that was.
 *
 * The rate at which shadows are asked is counted (trainer/stretch.h).
 */
#ifndef WEIR_TRAINER_LEDGER_SHADOWS_H
#define WEIR_TRAINER_LEDGER_SHADOWS_H

#include "trainer/ledger.h"

/* Begins zeroed. */
struct ledger_shadows {
    struct ledger_shadow *at; /* (owned) */
    size_t n, cap;
    struct ledger_parent *parents; /* (owned) */
    size_t n_parents, cap_parents;
};

/* A row of purpose shadow. */
MUST_USE bool ledger_shadows_note(struct ledger_shadows *s,
                                  const struct log_row *row, struct err *e);
/* The row that was put last into this route's tables. */
MUST_USE bool ledger_shadows_parent(struct ledger_shadows *s, struct span id,
                                    const struct ledger *l, unsigned route,
                                    struct err *e);
/* All rows are read: fills told_cost and told_score of every route. */
void ledger_shadows_tell(struct ledger_shadows *s, struct ledger *l);
void ledger_shadows_free(struct ledger_shadows *s);

#endif
