/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two policies on the requests of a log that neither has learnt from: how
 * much better is the one, and does it keep the promise?
 *
 * Each request gives every arm a value.  Where all arms' outcomes are there
 * (two arms, and a shadow answer) it is what was seen; else the doubly robust
 * one,
 *
 *   expected(a) + [a's outcome is known] (outcome - expected(a)) / chance
 *
 * with the chance that it answered, or that a shadow answer of it is labelled
 * (as often as that is so in its stretch of the log, trainer/stretch.h), whose
 * mean is right whatever was expected (Dudik, Langford and Li, "Doubly robust
 * policy evaluation and learning", 2011), as long as the expectation does not
 * come from these rows.  A difference of two policies is a mean of such values'
 * differences, by conversation; the rows of either kind give one estimate each,
 * and both are weighted by their precision.  Intervals are normal
 * approximations.
 */
#ifndef WEIR_TRAINER_EVIDENCE_H
#define WEIR_TRAINER_EVIDENCE_H

#include "models/classifier.h"
#include "models/domain.h"
#include "trainer/guarantee.h"
#include "trainer/offlog.h"

enum {
    EVIDENCE_MATCHED = 30, /* fewer rows with the arm in question say nothing */
    EVIDENCE_FULL = 100,   /* likewise of rows with all outcomes */
};

/* How a route would be served: what the router does with a classifier. */
struct evidence_policy {
    const struct classifier *classifier; /* NULL: the reference for all */
    const char *reference;               /* arm */
    double quality;                      /* share of the reference's */
    bool floor;           /* without a level: the floor on predictions, not the
                             reference */
    double price;         /* of the level; NAN: it has none */
    struct domain domain; /* what is outside goes to the reference */
    /* By arm of the log: the classifier's arm (-1: none), and what brings its
     * costs back to those of the level's day. */
    int head[CLASSIFIER_ARMS_MAX];
    double scale[CLASSIFIER_ARMS_MAX], base[CLASSIFIER_ARMS_MAX];
    /* USD a token, by which the classifier's own expected tokens make costs;
     * NAN: they are as the log expected them. */
    double price_in[CLASSIFIER_ARMS_MAX], price_out[CLASSIFIER_ARMS_MAX];
};

/* A mean of differences with its one-sided bounds. */
struct evidence_figure {
    double value, lo, hi;
    double error;   /* standard error */
    size_t n, full; /* rows that it rests on; of them with all outcomes */
    size_t differ;  /* rows on which the policies differ */
    size_t matched; /* of them where the rarer of the two arms was seen */
    /* Of the rows with all outcomes alone; full_groups 0: too few of them. */
    double full_value, full_error;
    size_t full_groups; /* conversations */
    size_t learnt;      /* rows of the ladder that are counted in, too */
    bool solid;         /* there is enough to say it */
};

struct evidence {
    double price; /* that the fresh one was found to have; NAN: see below */
    bool pooled;  /* with the rows that it has learnt from */
    bool past;    /* not so, for newer ones are worse */
    struct evidence_figure promise;    /* new - q * reference, wanted above 0 */
    struct evidence_figure kept;       /* old - q * reference, as cost is */
    struct evidence_figure quality;    /* new - old */
    struct evidence_figure cost;       /* new - old, USD a request */
    double old_cost, new_cost;         /* estimated means: USD a request, */
    double old_quality, new_quality;   /* score; NAN: nothing to say */
    double share[CLASSIFIER_ARMS_MAX]; /* of requests, that the new one gives
                                          each arm of the log */
};

/* Fills expect[n * n_arms]: what the policy's classifier predicts of each arm;
 * of arms that it does not know .5. */
MUST_USE bool evidence_expect(const struct offlog *log,
                              const struct evidence_policy *p, double *expect,
                              struct err *e);

/*
 * old and fresh: two policies over the same arms and reference.  The fresh
 * one's predictions stand for what was not seen, so it must not have learnt
 * from these rows.  confidence: of each bound; cost_confidence: of cost's.
 *
 * climb: the fresh one's price is looked for, upwards in an order that was
 * fixed before, and the first that is not shown to keep the promise ends the
 * search (as trainer/guarantee.h does: so the chance that what is found breaks
 * it is that of one bound); found.price is the last that was, and the figures
 * are those of it.  NAN: none, then they are those of its own.
 *
 * ladder: what the rows say that it has learnt from, each by a fit that had
 * not seen it (cross-fitting).  They and the newer rows with all outcomes are
 * one sample then, of GUARANTEE_MIN conversations or more, on which the
 * ladder's prices up to `most` are tried.  Where at the price that is found
 * the newer ones are worse than those by more than noise, or fewer of them go
 * to the reference, the newer ones decide alone; without a ladder too, over
 * EVIDENCE_PARTS-ths of the fresh one's price.
 */
enum { EVIDENCE_PARTS = 12 };

struct evidence_ask {
    const struct offlog *log;
    const struct evidence_policy *old, *fresh;
    double confidence, cost_confidence;
    bool climb;
    const struct guarantee_ladder *ladder; /* NULL: none */
    double most;                           /* INFINITY: any price */
};

MUST_USE bool evidence_compare(const struct evidence_ask *ask,
                               struct evidence *out, struct err *e);

#endif
