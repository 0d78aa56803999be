/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/sequential.h"

#include <math.h>

/* Largest share of the capital that one pair may take. */
#define BET_MOST .5
/* What the variance is taken for before anything was seen. */
#define PRIOR_VARIANCE .25

void sequential_begin(struct sequential *s, double margin, double delta)
{
    *s = (struct sequential){
        .margin = margin, .delta = delta, .square = PRIOR_VARIANCE};
}

/* Stake by what came before: about mean / second moment, within bounds. */
static double bet_of(const struct sequential *s)
{
    double k = (double)s->pairs + 1;
    double moment = s->square / k + s->mean * s->mean;
    double most = BET_MOST / (1 + s->margin);

    return fmax(0, fmin(s->mean / fmax(moment, 1e-9), most));
}

static void pair(struct sequential *s)
{
    double old = s->wait_old / (double)s->k_old;
    double mine = s->wait_new / (double)s->k_new;
    double d = old - s->margin - mine, was;

    s->capital += log1p(bet_of(s) * d);
    s->pairs++;
    was = d - s->mean;
    s->mean += was / (double)(s->pairs + 1);
    s->square += was * (d - s->mean);
    s->wait_old = s->wait_new = 0;
    s->k_old = s->k_new = 0;
}

bool sequential_note(struct sequential *s, bool is_new, double value)
{
    bool before = s->stopped;

    value = fmax(0, fmin(value, 1));
    if (is_new) {
        s->n_new++, s->sum_new += value;
        s->k_new++, s->wait_new += value;
    } else {
        s->n_old++, s->sum_old += value;
        s->k_old++, s->wait_old += value;
    }
    /* The new one's numbers are the scarce ones: a pair is made when one of
     * them comes, or by an old one that it had to wait for. */
    if (s->k_old && s->k_new)
        pair(s);
    s->stopped = s->stopped || s->capital >= log(1 / s->delta);
    return s->stopped && !before;
}

double sequential_p(const struct sequential *s)
{
    return s->capital > 0 ? exp(-s->capital) : 1;
}
