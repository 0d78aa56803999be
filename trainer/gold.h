/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose labels promises rest on.  Gold is who knows: feedback, benchmarks and
 * scores without a source.  A judge's, a check's or a signal's is second-hand,
 * and may be wrong for one arm more than for another.
 *
 * Where enough conversations have gold for every arm, these alone are looked
 * at.  Else, where both were said of GOLD_PAIRS answers of each arm whose
 * second-hand labels are needed, these are moved by bounds of what gold said
 * beyond them: down for the arm that is taken, up for the reference.  A
 * bound fails with a chance of GOLD_SHARE of the promise's by all arms
 * together, and the promise is tested at what is left.  Else they count as
 * they stand, and it is said that they do.
 *
 * The bounds are those of a betting test (trainer/guarantee.h), valid for any
 * distribution; that an arm's answers with both labels are a fair sample of
 * its answers is taken for granted.
 */
#ifndef WEIR_TRAINER_GOLD_H
#define WEIR_TRAINER_GOLD_H

#include "trainer/table.h"

enum { GOLD_PAIRS = 100 };

#define GOLD_SHARE .5

enum gold_kind {
    GOLD_ALONE,    /* on gold alone, or there is nothing else */
    GOLD_MEASURED, /* second-hand labels, moved by what gold says of them */
    GOLD_NONE,     /* second-hand labels as they stand */
    GOLD_KINDS,
};

struct gold {
    enum gold_kind kind;
    size_t complete;      /* rows with a score and a cost of every choice */
    size_t golden;        /* of them with gold for every choice */
    size_t golden_groups; /* their conversations */
    size_t pairs[CLASSIFIER_ARMS_MAX]; /* answers with both */
    /* What gold says beyond second-hand labels: mean and bounds of it. */
    float bias[CLASSIFIER_ARMS_MAX];
    float low[CLASSIFIER_ARMS_MAX], high[CLASSIFIER_ARMS_MAX];
};

/* Of the table's choices; confidence: the promise's. */
MUST_USE bool gold_find(const struct table *t, double confidence,
                        struct gold *out, struct err *e);

/* Has the row a score and a cost of every arm that may be chosen? */
bool gold_complete(const struct table *t, size_t row);
/* Is the score of every one gold? */
bool gold_golden(const struct table *t, size_t row);

const char *gold_kind_name(enum gold_kind kind); /* "gold", for the card */

/* An upper bound of the mean of x[n], each within [-1, 1], that fails with
 * a chance of at most delta; x may come in any order that does not depend on
 * it.  1 where nothing less can be said. */
double gold_bound(const double *x, size_t n, double delta);

#endif
