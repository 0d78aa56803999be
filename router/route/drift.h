/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do a route's promises still hold?  Two things end them.
 * The mix: does the traffic still have the one that they were made on
 * (models/mix.h)?  Decided requests are counted into histograms; when
 * DRIFT_WINDOW have come, they are compared with those of the classifier's
 * card and begun anew.
 * Outcomes: are answers as good as was predicted?  Labels are held against
 * predictions as they come (models/page_hinkley.h): all of them, those of each
 * arm, and those of each arm's shadow answers, so that an arm that has become
 * worse is found however seldom it serves.
 * The first alarm stands until another classifier is loaded: meanwhile no
 * level of the route holds.  Shared by all workers, kept across reloads by
 * route and classifier.  Thread-safe; counting takes no lock.
 */
#ifndef WEIR_ROUTER_ROUTE_DRIFT_H
#define WEIR_ROUTER_ROUTE_DRIFT_H

#include "base/span.h"
#include "models/mix.h"

enum { DRIFT_WINDOW = 1000 };

/* What has drifted. */
enum drift_cause {
    DRIFT_NONE,
    DRIFT_TASK, /* the mix's histograms, in the order of enum mix_kind */
    DRIFT_QUALITY,
    DRIFT_UNSEEN,
    DRIFT_LENGTH,
    DRIFT_OUTCOMES, /* labels against predictions */
    DRIFT_CAUSES,
};

struct drift_book;
struct drift;

MUST_USE struct drift_book *drift_book_new(void); /* NULL: no memory */
void drift_book_free(struct drift_book *b);       /* NULL: no-op */

/* The state for this route and classifier, made at the first call; lives as
 * long as the book.  NULL: no memory. */
struct drift *drift_of(struct drift_book *book, const char *route,
                       const char *classifier_id, const struct mix *mix);

/* The one that is there already; NULL: none. */
struct drift *drift_find(struct drift_book *book, struct span route,
                         struct span classifier_id);

/* One more request; true when it raises the alarm. */
bool drift_note(struct drift *d, const struct prediction *p,
                double input_tokens);
enum drift_cause drift_alarm(const struct drift *d); /* NULL: none */
const char *drift_cause_name(enum drift_cause c);    /* "outcomes" */
/* The last window's distance, 0 before there was one. */
double drift_distance(const struct drift *d);
/* What was predicted of an arm's answer and what it was labelled as, in
 * [0, 1]: when answers stay behind predictions (models/page_hinkley.h) this
 * raises the alarm; true then.  One thread. */
struct drift_answer {
    struct span arm;
    bool shadow; /* asked beside the arm that served */
    double predicted, score;
};
bool drift_label(struct drift *d, const struct drift_answer *a);
/* How near that is: 1 is the alarm. */
double drift_outcomes(const struct drift *d);
/* The alarm of an earlier process; `cause` as drift_cause_name says it. */
void drift_restore(struct drift *d, struct span cause);
/* Likewise the mean share of unseen words. */
double drift_unseen(const struct drift *d);

#endif
