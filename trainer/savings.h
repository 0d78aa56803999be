/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What routing saved, from a server's own log: the spend, what each fixed
 * arm would have cost and been worth on the same requests, with 95 %
 * intervals, and in plain words what can be claimed and what cannot.
 */
#ifndef WEIR_TRAINER_SAVINGS_H
#define WEIR_TRAINER_SAVINGS_H

#include "base/buf.h"
#include "trainer/ledger.h"

enum { SAVINGS_BINS = 10, SAVINGS_NOTES_MAX = 12 };

/* One fixed arm beside what was done. */
struct savings_arm {
    struct off_policy cost;  /* .less: the saving */
    struct off_policy score; /* of the labelled rows; .n 0: none */
    size_t unable;           /* requests that it could not have served */
};

struct savings_bin {
    uint64_t n;
    double predicted, observed; /* means */
};

struct savings_route {
    const struct ledger_route *ledger; /* (borrowed) */
    double spent;                      /* USD */
    struct savings_arm arms[LEDGER_ARMS_MAX];
    uint64_t labelled, explored;
    double explored_usd;   /* what exploring added to the expected cost */
    struct estimate score; /* of the labelled rows */
    struct savings_bin bins[SAVINGS_BINS]; /* predicted beside observed */
    double ece;
    unsigned dearest; /* the arm that would have cost most */
};

struct savings {
    const struct ledger *ledger; /* (borrowed) */
    struct savings_route routes[LEDGER_ROUTES_MAX];
    char notes[SAVINGS_NOTES_MAX][320]; /* what can(not) be claimed */
    unsigned n_notes;
};

MUST_USE bool savings_compute(const struct ledger *l, uint64_t seed,
                              struct savings *out, struct err *e);

/* Whether an estimate stands on enough rows to be said. */
bool savings_solid(const struct off_policy *o);

void savings_text(const struct savings *s, struct buf *out);
void savings_json(const struct savings *s, struct buf *out);
void savings_page(const struct savings *s, struct buf *out); /* HTML */

#endif
