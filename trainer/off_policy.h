/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy would have given on requests that another one served: off-
 * policy estimates from a log with propensities (docs/evaluation.md).
 *
 *   IPS    mean of w r,  w = target(chosen) / propensity(chosen)
 *   SNIPS  sum of w r by sum of w
 *   DR     mean of  sum_a target(a) m(a)  +  w (r - m(chosen))
 *   ratio  mean of  sum_a target(a) m(a)  times  sum of w r by sum of
 *          w m(chosen): what survey sampling calls a ratio estimate.  Of
 *          costs, whose few large ones rule, it strays least.
 *
 * r is what was observed (a cost, or a score), m(a) what a model expected of
 * each arm.  Where shadow answers tell of arms that did not answer, each known
 * arm counts, divided by the chance that it was to become known.
 *
 * Where the target takes arms that the log never took on such a request, only
 * the model speaks: that share is told (`unseen`).  The model is scaled, arm by
 * arm and model by model, to what was observed of it, and the interval is wider
 * by how much such scales differ: from one answering arm to another, and, for
 * a model that was never held against an arm, from model to model.
 *
 * Costs are heavy-tailed: one answer in some hundreds runs on to the model's
 * limit, and where the log happens to hold none for an arm, no resample does.
 * The interval's ends then count one more request of the target, with a random
 * share, that is free (lower end) or as many times the mean as the largest
 * known cost of any arm is of that arm's (upper end): Gaffke's bound for a mean
 * ("Three test statistics for a nonparametric one-sided hypothesis on the mean
 * of a nonnegative variable", 2005).
 */
#ifndef WEIR_TRAINER_OFF_POLICY_H
#define WEIR_TRAINER_OFF_POLICY_H

#include "base/err.h"
#include "trainer/metrics.h"

/* A log as arrays; rows [n], arms [n_arms], tables row by row.  All
 * borrowed. */
struct logged {
    size_t n;
    unsigned n_arms;
    const uint8_t *chosen;   /* [n] arm that answered */
    const double *reward;    /* [n] observed; NAN: not known, row left out */
    const float *propensity; /* [n * n_arms] of every arm */
    const double *expected;  /* [n * n_arms] the model's; NAN: none */
    const uint64_t *group;   /* [n] rows that belong together */
    /* Where shadow answers tell of more than the arm that answered, both of
     * these; else both NULL: [n * n_arms] what is known of each arm (NAN:
     * nothing), and with what chance it was to become known. */
    const double *outcome, *chance;
    /* [n] who expected, below n_models: each is scaled by itself; NULL: one
     * and the same. */
    const uint8_t *model;
    unsigned n_models;
    double besides; /* costs: what was spent besides the rewards, in all */
    bool heavy;     /* costs: a few large ones rule, and may all be missing */
};

/* One estimate with its 95 % interval. */
struct estimate {
    double value, lo, hi;
};

struct off_policy {
    size_t n;         /* rows that could be used */
    size_t matched;   /* rows whose arm the target takes */
    double effective; /* sample size: (sum w)^2 / sum w^2 */
    double most;      /* the largest weight */
    double unseen;    /* share of the target's choices that the log could
                         not have made: only the model speaks there */
    struct estimate ips, snips, dr, ratio; /* by request */
    /* What was observed, and `besides`, beside the target's ratio estimate,
     * on the same draws: 1 - observed / target.  Of costs: the saving. */
    struct estimate less;
};

/* target: [n * n_arms] probabilities of the policy in question. */
MUST_USE bool off_policy_estimate(const struct logged *l, const float *target,
                                  uint64_t seed, struct off_policy *out,
                                  struct err *e);

/* The target that always takes `arm`; fills [n * n_arms]. */
void off_policy_fixed(const struct logged *l, unsigned arm, float *target);

/* What is only expected is off by at least so much, one standard deviation. */
#define OFF_POLICY_BLIND .15

/* Fewer effective rows carry no figure. */
enum { OFF_POLICY_EFFECTIVE_MIN = 50 };

#endif
