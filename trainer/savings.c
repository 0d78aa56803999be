/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/savings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More of the choices than this rest on expectations alone: said so. */
#define UNSEEN_MOST 0.2

bool savings_solid(const struct off_policy *o)
{
    return o->n >= OFF_POLICY_EFFECTIVE_MIN &&
           (o->unseen > UNSEEN_MOST ||
            o->effective >= OFF_POLICY_EFFECTIVE_MIN);
}

static void note(struct savings *s, const char *fmt, ...) PRINTF(2, 3);

static void note(struct savings *s, const char *fmt, ...)
{
    va_list ap;

    if (s->n_notes == SAVINGS_NOTES_MAX)
        return;
    va_start(ap, fmt);
    vsnprintf(s->notes[s->n_notes++], sizeof s->notes[0], fmt, ap);
    va_end(ap);
}

/* ---- one route ---- */

/* A fixed arm needs no shadows and no judges: what they cost, which is known to
 * the cent, counts as spent (ledger_costs). */
static bool fixed_arm(struct savings_route *s, unsigned arm, float *target,
                      uint64_t seed, struct err *e)
{
    const struct ledger_route *r = s->ledger;
    struct logged costs = ledger_costs(r), scores = ledger_scores(r);
    struct savings_arm *out = &s->arms[arm];
    struct err none;

    out->unable = ledger_fixed(r, arm, target);
    if (!off_policy_estimate(&costs, target, seed, &out->cost, e))
        return false;
    if (!off_policy_estimate(&scores, target, seed, &out->score, &none))
        out->score = (struct off_policy){.n = 0};
    return true;
}

/* The arm that would have been taken without exploring: the likeliest. */
static unsigned likeliest(const struct ledger_route *r, size_t row)
{
    const float *p = r->propensity + row * r->n_arms;
    unsigned best = 0;

    for (unsigned a = 1; a < r->n_arms; a++)
        if (p[a] > p[best])
            best = a;
    return best;
}

static void count_rows(const struct ledger_route *r, struct savings_route *out)
{
    for (size_t i = 0; i < r->n; i++) {
        const double *may = r->may_cost + i * r->n_arms;
        double more;

        out->spent += r->cost[i];
        out->labelled += !isnan(r->score[i]);
        if (!r->explored[i])
            continue;
        out->explored++;
        more = may[r->chosen[i]] - may[likeliest(r, i)];
        out->explored_usd += isnan(more) ? 0 : more;
    }
}

static void calibration(const struct ledger_route *r, struct savings_route *out)
{
    double n = 0, off = 0;

    for (size_t i = 0; i < r->n; i++) {
        double p = r->may_score[i * r->n_arms + r->chosen[i]];
        struct savings_bin *b;

        if (isnan(p) || isnan(r->score[i]))
            continue;
        b = &out->bins[(int)fmin(SAVINGS_BINS - 1, fmax(0, p * SAVINGS_BINS))];
        b->n++;
        b->predicted += p;
        b->observed += r->score[i];
    }
    for (unsigned k = 0; k < SAVINGS_BINS; k++) {
        struct savings_bin *b = &out->bins[k];

        if (b->n == 0)
            continue;
        n += (double)b->n;
        off += fabs(b->predicted - b->observed);
        b->predicted /= (double)b->n;
        b->observed /= (double)b->n;
    }
    out->ece = n > 0 ? off / n : NAN;
}

static bool one_route(const struct ledger_route *r, uint64_t seed,
                      struct savings_route *out, struct err *e)
{
    float *target = calloc(r->n * r->n_arms + 1, sizeof *target);
    struct logged scores = ledger_scores(r);
    struct off_policy own;
    struct err none;
    bool ok = target != NULL || err_set(e, ERR_MEMORY, "no memory");

    scores.outcome = scores.chance = NULL; /* what was served, no shadows */
    out->ledger = r;
    count_rows(r, out);
    calibration(r, out);
    for (unsigned a = 0; ok && a < r->n_arms; a++) {
        ok = fixed_arm(out, a, target, seed, e);
        if (out->arms[a].cost.ratio.value >
            out->arms[out->dearest].cost.ratio.value)
            out->dearest = a;
    }
    out->score = (struct estimate){NAN, NAN, NAN};
    if (ok && off_policy_estimate(&scores, r->propensity, seed, &own, &none))
        out->score = own.ips; /* weights of 1: the plain mean */
    free(target);
    return ok;
}

/* ---- what can be claimed ---- */

static void note_costs(struct savings *s, const struct savings_route *r)
{
    const struct savings_arm *a = &r->arms[r->dearest];
    struct span name = r->ledger->arms[r->dearest], route = r->ledger->name;

    if (r->ledger->n < OFF_POLICY_EFFECTIVE_MIN) {
        note(s, "%.*s: %zu requests are too few for any claim.",
             SPAN_ARGS(route), r->ledger->n);
        return;
    }
    if (!savings_solid(&a->cost))
        note(s,
             "%.*s: %.*s was taken too rarely for a claim (effective sample "
             "%.0f).",
             SPAN_ARGS(route), SPAN_ARGS(name), a->cost.effective);
    else if (a->cost.less.lo > 0)
        note(s,
             "%.*s cost %.1f %% (%.1f to %.1f) less than %.*s for everything "
             "would have.",
             SPAN_ARGS(route), 100 * a->cost.less.value, 100 * a->cost.less.lo,
             100 * a->cost.less.hi, SPAN_ARGS(name));
    else
        note(s, "%.*s: no saving against %.*s for everything is shown.",
             SPAN_ARGS(route), SPAN_ARGS(name));
    if (a->cost.unseen > UNSEEN_MOST)
        note(s,
             "That rests for %.0f %% of the requests on what the classifier "
             "expected of %.*s's answers' length, scaled to its real answers: "
             "the log never took it there. Exploration would measure it, so "
             "would shadow answers.",
             100 * a->cost.unseen, SPAN_ARGS(name));
}

static void note_quality(struct savings *s, const struct savings_route *r)
{
    const struct savings_arm *a = &r->arms[r->dearest];
    struct span route = r->ledger->name;
    double share =
        r->ledger->n ? (double)r->labelled / (double)r->ledger->n : 0;

    if (r->labelled < OFF_POLICY_EFFECTIVE_MIN) {
        note(s,
             "%.*s: nothing can be claimed about quality: %llu of %zu "
             "requests have a label.",
             SPAN_ARGS(route), (unsigned long long)r->labelled, r->ledger->n);
        return;
    }
    if (share < 0.95)
        note(s,
             "%.*s: quality is that of the %.1f %% of requests with a label; "
             "where users label what annoyed them, it is not that of the rest.",
             SPAN_ARGS(route), 100 * share);
    if (a->score.n == 0 || !savings_solid(&a->score) ||
        a->score.unseen > UNSEEN_MOST)
        note(s,
             "%.*s: how good %.*s would have been is not measured: it did not "
             "answer enough of the labelled requests by chance.",
             SPAN_ARGS(route), SPAN_ARGS(r->ledger->arms[r->dearest]));
}

bool savings_compute(const struct ledger *l, uint64_t seed, struct savings *out,
                     struct err *e)
{
    memset(out, 0, sizeof *out);
    out->ledger = l;
    if (l->requests == 0)
        return err_set(e, ERR_INPUT, "wanted requests, found none");
    for (unsigned i = 0; i < l->n_routes; i++)
        if (l->routes[i].n > 0 &&
            !one_route(&l->routes[i], seed, &out->routes[i], e))
            return false;
    for (unsigned i = 0; i < l->n_routes; i++) {
        if (l->routes[i].n == 0 || l->routes[i].n_arms < 2)
            continue;
        note_costs(out, &out->routes[i]);
        note_quality(out, &out->routes[i]);
    }
    if (l->skipped)
        note(out,
             "%llu requests are in no route's table: too many routes or arms.",
             (unsigned long long)l->skipped);
    return true;
}
