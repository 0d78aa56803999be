/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/evidence.h"

#include <math.h>
#include <stdlib.h>

#include "models/choose.h"

/* Of the rows: where the log could not have taken the arm in question. */
#define UNSEEN_MOST .05
/* Two policies that differ on no more than these need no answers of either
 * arm there: all that could be at stake is taken for lost, and for won. */
#define FEW_MOST .05

/* ---- what a policy would take ---- */

static bool can(const struct offlog *log, size_t i, int arm)
{
    return arm >= 0 && !isnan(log->expected[i * log->n_arms + (size_t)arm]);
}

static int task_of(const struct classifier *c, const struct table *t, size_t i)
{
    uint32_t task = t->task[i];

    return task == TABLE_NO_TASK
               ? -1
               : classifier_find_task(c, span_of(t->tasks[task]));
}

/* What the router's by_quality() does (router/route/decide.c). */
static int by_prediction(const struct offlog *log,
                         const struct evidence_policy *p, size_t i)
{
    struct weights_input in = table_row(log->t, i);
    struct candidate c[CLASSIFIER_ARMS_MAX];
    struct prediction out;
    int reference = table_find_arm(log->t, span_of(p->reference));

    weights_predict(classifier_weights(p->classifier), &in,
                    task_of(p->classifier, log->t, i), &out, NULL);
    if (domain_outside(&p->domain, &out))
        return reference;
    for (uint32_t a = 0; a < log->n_arms; a++) {
        double cost = log->expected[i * log->n_arms + a];
        bool known = p->head[a] >= 0 && can(log, i, (int)a);

        if (!isnan(p->price))
            cost = cost * p->scale[a] + p->base[a];
        c[a] = (struct candidate){known ? out.quality[p->head[a]] : 0, cost,
                                  known};
    }
    if (!isnan(p->price))
        return choose_by_price(c, log->n_arms, p->price);
    return choose_by_floor(c, log->n_arms,
                           p->quality * (double)c[reference].quality);
}

bool evidence_choose(const struct offlog *log, const struct evidence_policy *p,
                     uint8_t *choice, struct err *e)
{
    int reference = table_find_arm(log->t, span_of(p->reference));
    bool predicts = p->classifier && (p->floor || !isnan(p->price));

    if (reference < 0)
        return err_set(e, ERR_INPUT,
                       "wanted requests that could have had the reference arm "
                       "%s, found none",
                       p->reference);
    predicts = predicts && p->head[reference] >= 0;
    for (size_t i = 0; i < log->n; i++) {
        int take = predicts ? by_prediction(log, p, i) : reference;

        choice[i] = can(log, i, take) ? (uint8_t)take : log->chosen[i];
    }
    return true;
}

/* ---- what it is worth ---- */

enum kind { KIND_NONE, KIND_PART, KIND_FULL, KINDS };

/* One comparison: of scores, or of costs. */
struct comparison {
    const struct offlog *log;
    const double *seen;   /* [n] of the arm that answered */
    const double *expect; /* [n * n_arms] */
    bool scores;          /* else costs */
    const uint8_t *old, *fresh;
    double old_times; /* the old one's values count so many times */
    /* [n_arms] of the rows without all outcomes, how often a shadow tells an
     * arm's where another answered */
    double shadow[CLASSIFIER_ARMS_MAX];
};

struct term_of {
    uint64_t group;
    double x;
};

static double outcome(const struct comparison *c, size_t i, uint32_t a)
{
    const struct table_arm *arm = &c->log->t->arms[a];

    return (double)(c->scores ? arm->score : arm->cost)[i];
}

static enum kind kind_of(const struct comparison *c, size_t i)
{
    float p = c->log->propensity[i * c->log->n_arms + c->log->chosen[i]];
    bool full = true;
    uint32_t could = 0;

    if (isnan(c->seen[i]))
        return KIND_NONE;
    for (uint32_t a = 0; a < c->log->n_arms; a++) {
        if (!can(c->log, i, (int)a))
            continue;
        could++;
        full = full && !isnan(outcome(c, i, a));
    }
    if (full && could > 1)
        return KIND_FULL;
    return p > 0 ? KIND_PART : KIND_NONE;
}

/* With what chance an arm's outcome is known: it answered, or its shadow. */
static double reached(const struct comparison *c, size_t i, uint32_t a)
{
    double p = (double)c->log->propensity[i * c->log->n_arms + a];

    return p + (1 - p) * c->shadow[a];
}

/* How many shadows tell, counted: the log does not hold the rate. */
static void find_shadows(struct comparison *c)
{
    size_t could[CLASSIFIER_ARMS_MAX] = {0}, told[CLASSIFIER_ARMS_MAX] = {0};

    for (size_t i = 0; i < c->log->n; i++) {
        if (kind_of(c, i) != KIND_PART)
            continue;
        for (uint32_t a = 0; a < c->log->n_arms; a++) {
            if (c->log->chosen[i] == a || !can(c->log, i, (int)a))
                continue;
            could[a]++;
            told[a] += !isnan(outcome(c, i, a));
        }
    }
    for (uint32_t a = 0; a < c->log->n_arms; a++)
        c->shadow[a] = could[a] ? (double)told[a] / (double)could[a] : 0;
}

static double value(const struct comparison *c, enum kind kind, size_t i,
                    uint32_t a)
{
    size_t at = i * c->log->n_arms;
    double m, seen = outcome(c, i, a);

    if (kind == KIND_FULL)
        return seen;
    m = c->expect[at + a];
    if (isnan(m))
        m = 0;
    if (!isnan(seen) && reached(c, i, a) > 0)
        m += (seen - m) / reached(c, i, a);
    return m;
}

static int by_group(const void *a, const void *b)
{
    const struct term_of *x = a, *y = b;

    return x->group < y->group ? -1 : x->group > y->group;
}

struct mean_of {
    double mean, variance; /* of the mean, by conversation */
    size_t n;
};

static struct mean_of mean_of(struct term_of *t, size_t n)
{
    struct mean_of m = {.n = n};
    double sum = 0, square = 0;

    if (!n)
        return m;
    for (size_t i = 0; i < n; i++)
        sum += t[i].x;
    m.mean = sum / (double)n;
    qsort(t, n, sizeof *t, by_group);
    for (size_t i = 0; i < n;) {
        double off = 0;
        uint64_t group = t[i].group;

        for (; i < n && t[i].group == group; i++)
            off += t[i].x - m.mean;
        square += off * off;
    }
    m.variance = square / (double)n / (double)n;
    return m;
}

/* How well the log speaks of the arms that are compared. */
struct reach {
    size_t differ, old_seen, new_seen, unseen, n;
    double at_stake; /* sum over rows that differ: what either could be worth
                        at the most */
};

static double stake(const struct comparison *c, size_t i)
{
    const double *m = c->expect + i * c->log->n_arms;

    return c->scores ? 1 : fmax(fmax(m[c->old[i]], m[c->fresh[i]]), 0);
}

static void reach_row(const struct comparison *c, size_t i, struct reach *r)
{
    uint32_t old = c->old[i], fresh = c->fresh[i];

    r->n++;
    r->unseen += !(reached(c, i, old) > 0) || !(reached(c, i, fresh) > 0);
    if (old == fresh)
        return;
    r->differ++;
    r->at_stake += stake(c, i);
    r->old_seen += !isnan(outcome(c, i, old));
    r->new_seen += !isnan(outcome(c, i, fresh));
}

static bool reach_matched(const struct reach *r)
{
    return !r->differ ||
           (r->old_seen >= EVIDENCE_MATCHED && r->new_seen >= EVIDENCE_MATCHED);
}

static bool reach_enough(const struct reach *r)
{
    return r->n >= EVIDENCE_FULL &&
           (double)r->unseen <= UNSEEN_MOST * (double)r->n &&
           (reach_matched(r) || (double)r->differ <= FEW_MOST * (double)r->n);
}

/* Both kinds' means by their precision; one that says too little is left
 * out. */
static void combine(struct evidence_figure *f, const struct mean_of *part,
                    const struct mean_of *full, double z)
{
    double wp = part->n ? 1 / fmax(part->variance, 1e-18) : 0;
    double wf = full->n ? 1 / fmax(full->variance, 1e-18) : 0;

    f->n = part->n + full->n;
    f->full = full->n;
    f->solid = f->n > 0;
    if (!f->solid) {
        f->value = f->lo = f->hi = f->error = NAN;
        return;
    }
    f->value = (wp * part->mean + wf * full->mean) / (wp + wf);
    f->error = sqrt(1 / (wp + wf));
    f->lo = f->value - z * f->error;
    f->hi = f->value + z * f->error;
}

/* new - old_times * old, where the terms' array has room for all rows. */
static void compare(const struct comparison *c, struct term_of *room, double z,
                    struct evidence_figure *out)
{
    struct mean_of part, full;
    struct reach reach = {0};
    size_t n = 0;

    *out = (struct evidence_figure){0};
    for (enum kind k = KIND_PART; k < KINDS; k++) {
        n = 0;
        for (size_t i = 0; i < c->log->n; i++) {
            if (kind_of(c, i) != k)
                continue;
            if (k == KIND_PART)
                reach_row(c, i, &reach);
            out->differ += k == KIND_FULL && c->old[i] != c->fresh[i];
            room[n++] =
                (struct term_of){c->log->t->group[i],
                                 value(c, k, i, c->fresh[i]) -
                                     c->old_times * value(c, k, i, c->old[i])};
        }
        *(k == KIND_PART ? &part : &full) = mean_of(room, n);
    }
    out->differ += reach.differ;
    out->matched =
        reach.old_seen < reach.new_seen ? reach.old_seen : reach.new_seen;
    if (!reach_enough(&reach))
        part.n = 0;
    if (full.n < EVIDENCE_FULL)
        full.n = 0;
    combine(out, &part, &full, z);
    if (part.n && !reach_matched(&reach)) {
        out->lo -= reach.at_stake / (double)reach.n;
        out->hi += reach.at_stake / (double)reach.n;
    }
}

/* ---- all together ---- */

struct work {
    uint8_t *old, *fresh, *reference; /* (owned) [n] choices */
    double *expect;                   /* (owned) [n * n_arms] scores */
    struct term_of *room;             /* (owned) [n] */
};

static void work_free(struct work *w)
{
    free(w->old);
    free(w->fresh);
    free(w->reference);
    free(w->expect);
    free(w->room);
}

static bool work_new(struct work *w, const struct offlog *log, struct err *e)
{
    w->old = calloc(log->n + 1, 1);
    w->fresh = calloc(log->n + 1, 1);
    w->reference = calloc(log->n + 1, 1);
    w->expect = calloc(log->n * log->n_arms + 1, sizeof *w->expect);
    w->room = calloc(log->n + 1, sizeof *w->room);
    return (w->old && w->fresh && w->reference && w->expect && w->room) ||
           err_set(e, ERR_MEMORY, "no memory for %zu rows", log->n);
}

void evidence_expect(const struct offlog *log, const struct evidence_policy *p,
                     double *expect)
{
    const struct classifier *c = p->classifier;
    struct prediction out;

    for (size_t i = 0; i < log->n; i++) {
        struct weights_input in = table_row(log->t, i);

        if (c)
            weights_predict(classifier_weights(c), &in, task_of(c, log->t, i),
                            &out, NULL);
        for (uint32_t a = 0; a < log->n_arms; a++) {
            int head = c ? p->head[a] : -1;

            expect[i * log->n_arms + a] =
                head >= 0 ? (double)out.quality[head] : .5;
        }
    }
}

/* z with P(normal > z) = 1 - confidence, by Newton's method. */
static double z_of(double confidence)
{
    double z = 1;

    for (int i = 0; i < 40; i++) {
        double off = 1 - .5 * erfc(z / sqrt(2)) - confidence;
        double slope = exp(-z * z / 2) / sqrt(2 * acos(-1));

        z -= fmax(-.5, fmin(off / slope, .5));
    }
    return z;
}

static void shares(const struct offlog *log, const uint8_t *choice,
                   double *share)
{
    for (size_t i = 0; i < log->n; i++)
        share[choice[i]] += 1. / (double)log->n;
}

/* The mean of one policy: the comparison with nothing. */
static double alone(struct comparison c, const uint8_t *choice,
                    struct term_of *room)
{
    struct evidence_figure f;

    c.old = c.fresh = choice;
    c.old_times = 0;
    compare(&c, room, 1, &f);
    return f.value;
}

static void figures(const struct offlog *log, struct work *w,
                    const struct evidence_policy *fresh, double z,
                    struct evidence *out)
{
    struct comparison score = {.log = log,
                               .seen = log->score,
                               .expect = w->expect,
                               .scores = true,
                               .old = w->old,
                               .fresh = w->fresh,
                               .old_times = 1};
    struct comparison cost = {.log = log,
                              .seen = log->spent,
                              .expect = log->expected,
                              .old = w->old,
                              .fresh = w->fresh,
                              .old_times = 1};

    find_shadows(&score);
    find_shadows(&cost);
    compare(&score, w->room, z, &out->quality);
    compare(&cost, w->room, z, &out->cost);
    out->old_quality = alone(score, w->old, w->room);
    out->new_quality = alone(score, w->fresh, w->room);
    out->old_cost = alone(cost, w->old, w->room);
    out->new_cost = alone(cost, w->fresh, w->room);
    score.old = w->reference;
    score.old_times = fresh->quality;
    compare(&score, w->room, z, &out->promise);
    shares(log, w->fresh, out->share);
}

bool evidence_compare(const struct evidence_ask *ask, struct evidence *out,
                      struct err *e)
{
    const struct offlog *log = ask->log;
    struct evidence_policy fixed = {.reference = ask->fresh->reference,
                                    .price = NAN};
    struct work w = {0};
    bool ok = work_new(&w, log, e) &&
              evidence_choose(log, ask->old, w.old, e) &&
              evidence_choose(log, ask->fresh, w.fresh, e) &&
              evidence_choose(log, &fixed, w.reference, e);

    *out = (struct evidence){0};
    if (ok) {
        evidence_expect(log, ask->fresh, w.expect);
        figures(log, &w, ask->fresh, z_of(ask->confidence), out);
    }
    work_free(&w);
    return ok;
}
