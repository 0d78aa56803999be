/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What signals are worth: P(adequate | what an answer shows of itself and
 * what its conversation's next request showed, which arm it was), learnt from
 * a log's answers that have a gold label (feedback, judge, benchmark) too.
 * The absence of signals is modelled like their presence: an answer without
 * any is one of the rows.  Where the fit is better than the arms' means on
 * rows that it has not seen, answers without a gold label get its probability
 * as a soft score, which heads count for a quarter and nothing else counts:
 * promises, calibration and metrics rest on gold alone.
 */
#ifndef WEIR_TRAINER_SIGNALS_H
#define WEIR_TRAINER_SIGNALS_H

#include "base/buf.h"
#include "datasets/dataset.h"
#include "trainer/logit.h"

enum {
    SIGNALS_GOLD_MIN = 200,
    SIGNALS_ARMS_MAX = 32,
    SIGNALS_NAMES_MAX = LOGIT_MAX - SIGNALS_ARMS_MAX,
    SIGNALS_NAME_MAX = 64, /* bytes with NUL; longer names are not looked at */
};

struct signals {
    char arm[SIGNALS_ARMS_MAX][SIGNALS_NAME_MAX];   /* columns 0 ... */
    char name[SIGNALS_NAMES_MAX][SIGNALS_NAME_MAX]; /* columns behind them */
    unsigned n_arms, n_names;
    size_t gold;  /* answers with a gold label */
    size_t shown; /* of them with a signal */
    struct logit fit;
    struct logit_check check; /* base: by the arm alone */
    bool good; /* enough gold, and better than the arms' means by more than
                  the standard error: soft scores may be made */
};

/* From those of the files that are logs. */
MUST_USE bool signals_learn(struct signals *s, const char *const *files,
                            uint32_t n_files, uint32_t seed, struct err *e);

/* The soft score of an answer; NAN: it has a gold label, or its signals were
 * not recorded, or the fit is not good. */
double signals_score(const struct signals *s, const struct outcome *o);

/*
 * Joins the soft scores of a table, which know nothing of the questions, with
 * what a fit on its scores alone says of these: the logit of that, moved by
 * what the signals say beyond the arm's mean.  (So signals are taken to
 * depend on the question only through the answer's adequacy.)  Without this
 * many equal soft scores flatten the heads.
 */
struct table;
MUST_USE bool signals_join(struct table *t, uint32_t seed, unsigned threads,
                           struct err *e);

/* A line on it; nothing where no log has signals. */
void signals_text(const struct signals *s, struct buf *out);

#endif
