/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's log in memory, a route at a time: what was asked, which arm
 * answered, what each was expected to cost and to be worth, what it came to.
 */
#ifndef WEIR_TRAINER_LEDGER_H
#define WEIR_TRAINER_LEDGER_H

#include "base/arena.h"
#include "datasets/log_rows.h"
#include "trainer/off_policy.h"

enum {
    LEDGER_ROUTES_MAX = 64,
    LEDGER_ARMS_MAX = 32,  /* of one route, in the log's whole time */
    LEDGER_KINDS_MAX = 64, /* of tasks, keys, sources; more: the last one */
};

/* How often something was met, and what it came to. */
struct ledger_kind {
    struct span name; /* (arena) "" for none */
    uint64_t n, labelled;
    double cost, score; /* sums */
};

struct ledger_kinds {
    struct ledger_kind at[LEDGER_KINDS_MAX];
    unsigned n;
};

struct ledger_route {
    struct span name;
    unsigned n_arms;
    struct span arms[LEDGER_ARMS_MAX]; /* (arena) */
    uint64_t served[LEDGER_ARMS_MAX];
    double spent[LEDGER_ARMS_MAX];
    size_t n;           /* rows that an arm answered: the tables' */
    uint8_t *chosen;    /* (owned) [n] */
    uint8_t *source;    /* (owned) [n] index in sources, of the label */
    bool *explored;     /* (owned) [n] */
    double *cost;       /* (owned) [n] USD */
    double *score;      /* (owned) [n] NAN: no label */
    uint64_t *group;    /* (owned) [n] conversation */
    float *propensity;  /* (owned) [n * n_arms] */
    double *may_cost;   /* (owned) [n * n_arms] expected, USD */
    double *may_score;  /* (owned) [n * n_arms] expected; NAN: unknown */
    bool *able;         /* (owned) [n * n_arms] the arm was not dropped */
    uint8_t *expecting; /* (owned) [n] in ledger.classifiers: who expected */
    /* What is known of each arm, shadow answers too, and with what chance it
     * was to become known: (owned) [n * n_arms], NAN: nothing is. */
    struct ledger_told {
        double *outcome, *chance;
    } told_cost, told_score;
    struct ledger_kinds tasks, keys;
    double learnt_for; /* USD of what weir asked itself: shadows, judges */
};

struct ledger {
    struct arena arena; /* names */
    struct ledger_route routes[LEDGER_ROUTES_MAX];
    unsigned n_routes;
    struct ledger_kinds sources, reasons; /* of all rows */
    struct ledger_kinds classifiers;      /* of answered requests */
    struct ledger_kinds
        learning;      /* weir's own calls, by purpose: no requests */
    double learnt_for; /* USD, all of them */
    uint64_t requests, failed, cached, own, skipped; /* rows; skipped: of
                                               routes beyond those counted */
    double spent;                                    /* USD, all rows */
    int64_t first_ms, last_ms;
};

MUST_USE bool ledger_load(const char *path, const struct log_range *range,
                          struct ledger *out, struct err *e);
void ledger_free(struct ledger *l); /* also what failed half way */

/* The costs, or the scores, of a route's rows for off_policy_estimate. */
struct logged ledger_costs(const struct ledger_route *r);
struct logged ledger_scores(const struct ledger_route *r);

/* What always taking `arm` would choose: where it was dropped, what was
 * chosen by.  Fills [n * n_arms]; returns the rows where it was dropped. */
size_t ledger_fixed(const struct ledger_route *r, unsigned arm, float *target);

#endif
