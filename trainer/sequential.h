/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has the new one become worse than the old one?  A test that may be looked
 * at after every request.
 *
 * Two streams of numbers in [0, 1], high is good.  The hypothesis: the new
 * one's mean is at least the old one's less `margin`.  Against it a bettor
 * stakes a share of his capital on each pair (mean of the old one's numbers
 * since the last pair, the new one's likewise):
 *
 *   d = old - margin - new,  capital *= 1 + bet d
 *
 * with bets that rest on earlier pairs only.  Where the hypothesis holds the
 * capital has expectation at most 1 at any time, so it ever reaches
 * 1 / delta with probability at most delta (Ville), however often somebody
 * looks (Waudby-Smith and Ramdas, "Estimating means of bounded random
 * variables by betting", 2024; the plug-in bets are theirs, "aGRAPA").
 *
 * The numbers must come in an order that does not depend on what comes
 * later: that of their arrival.
 */
#ifndef WEIR_TRAINER_SEQUENTIAL_H
#define WEIR_TRAINER_SEQUENTIAL_H

#include <stdbool.h>
#include <stdint.h>

struct sequential {
    double margin, delta;
    uint64_t n_old, n_new, pairs;
    double sum_old, sum_new;   /* of all numbers */
    double wait_old, wait_new; /* sums since the last pair */
    uint64_t k_old, k_new;     /* how many these are */
    double mean, square;       /* of d: running */
    double capital;            /* its logarithm */
    bool stopped;              /* stands */
};

void sequential_begin(struct sequential *s, double margin, double delta);
/* One more number of the new one, or of the old one; true when it is the one
 * that stops.  Kept within [0, 1]. */
bool sequential_note(struct sequential *s, bool is_new, double value);
/* Evidence against the hypothesis as a p-value, valid at any time. */
double sequential_p(const struct sequential *s);

#endif
