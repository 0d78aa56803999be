/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acceptance heads: whether a draft that a plan accepted was adequate, from
 * the numbers that the plan looked at (`checks` in the log's column `plan`).
 * Learnt from labelled rows of logs where the draft's answer stood; where
 * `else` answered, nobody knows what the draft was worth.
 */
#ifndef WEIR_TRAINER_ACCEPTANCE_H
#define WEIR_TRAINER_ACCEPTANCE_H

#include "base/buf.h"
#include "trainer/logit.h"
#include "trainer/table.h"

enum { ACCEPTANCE_ROWS_MIN = 50, ACCEPTANCE_NAME_MAX = 48 };

struct acceptance {
    const char *plan; /* (borrowed: table) the arm's name */
    size_t rows;      /* labelled answers that it was learnt from */
    size_t inadequate;
    char name[LOGIT_MAX][ACCEPTANCE_NAME_MAX];
    struct logit fit;         /* its k names */
    struct logit_check check; /* cross-validated */
    /* Learnt: enough rows, of both kinds, and better than the plan's mean by
     * more than its standard error.  Else the router's own rule holds. */
    bool good;
};

struct acceptance_set {
    struct acceptance *at; /* (owned) [n] plans with labelled answers */
    uint32_t n;
};

/* Of the table's arms, from those of the files that are logs. */
MUST_USE bool acceptance_learn(struct acceptance_set *s, const struct table *t,
                               uint32_t seed, struct err *e);
void acceptance_free(struct acceptance_set *s);

/* What became of them, a line each. */
void acceptance_text(const struct acceptance_set *s, struct buf *out);

#endif
