/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From files and names to a contest: tables with the wanted models (and the
 * members of wanted plans), plans derived, costs known or not.
 */
#ifndef WEIR_TRAINER_CONTEST_H
#define WEIR_TRAINER_CONTEST_H

#include "trainer/forecast.h"

enum { CONTEST_FILES_MAX = 64 };

struct contest_options {
    const char *const *data; /* [n_data] */
    uint32_t n_data;
    const char *const *train; /* [n_train]; none: learn from data */
    uint32_t n_train;
    const char *arms; /* models and plans by commas; NULL: all models */
    const struct pricebook *prices;
    const struct tiers *tiers;                 /* or NULL */
    bool skip_bad, task_hint, keep_duplicates; /* see table.h */
    void (*progress)(void *ctx, double done);  /* may be NULL */
    void *ctx;
};

/* An arm that the training files do not know is judged by the model of the
 * nearest price that they do know. */
struct stand_in {
    char *arm, *by; /* (owned) */
};

struct contest_set {
    struct contest contest;
    struct table *test, *train; /* (owned) train NULL: the same */
    struct contender *arm;      /* (owned) */
    struct stand_in *stand_in;  /* (owned) [n_stand_ins] */
    uint32_t n_stand_ins;
    char *names; /* (owned) the list of arms, cut in pieces */
};

MUST_USE bool contest_load(struct contest_set *s,
                           const struct contest_options *o, struct err *e);
void contest_free(struct contest_set *s);

/* Over a table that is there already; `train` may equal `test`, and its arms
 * are the same by index.  Arms of the list must be models of the table, or
 * plans over them. */
MUST_USE bool contest_over(struct contest_set *s, struct table *train,
                           struct table *test, const char *arms, struct err *e);

#endif
