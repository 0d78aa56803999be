/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/evidence.h"

#include <math.h>
#include <stdlib.h>

#include "trainer/evidence_choice.h"
#include "trainer/stretch.h"

/* Of the rows: where the log could not have taken the arm in question. */
#define UNSEEN_MOST .05
/* Two policies that differ on no more than these need no answers of either
 * arm there: all that could be at stake is taken for lost, and for won. */
#define FEW_MOST .05
/* Of the difference between the rows that were learnt from and newer ones:
 * one in twenty is larger by chance. */
#define PAST_Z 1.645

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
    /* [n * n_arms] of the rows without all outcomes, how often a shadow tells
     * an arm's where another answered */
    double *shadow;
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
        if (!evidence_can(c->log, i, (int)a))
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

    return p + (1 - p) * c->shadow[i * c->log->n_arms + a];
}

static void give(const struct comparison *c, uint32_t a,
                 const struct stretch *s, size_t end)
{
    for (size_t i = s->from; i < end; i++)
        c->shadow[i * c->log->n_arms + a] = stretch_rate(s);
}

/* The rows come by time. */
static void find_shadows(const struct comparison *c)
{
    for (uint32_t a = 0; a < c->log->n_arms; a++) {
        struct stretches s = {0};
        struct stretch rest;

        for (size_t i = 0; i < c->log->n; i++) {
            if (c->log->chosen[i] == a || !evidence_can(c->log, i, (int)a) ||
                kind_of(c, i) != KIND_PART)
                continue;
            if (stretch_note(&s, i, !isnan(outcome(c, i, a))))
                give(c, a, &s.last, i + 1);
        }
        rest = stretch_rest(&s);
        give(c, a, &rest, c->log->n);
    }
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
    size_t n, groups;
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
        m.groups++;
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
    out->full_groups = full.n ? full.groups : 0;
    out->full_value = full.mean;
    out->full_error = sqrt(full.variance);
    combine(out, &part, &full, z);
    if (part.n && !reach_matched(&reach)) {
        out->lo -= reach.at_stake / (double)reach.n;
        out->hi += reach.at_stake / (double)reach.n;
    }
}

/* ---- all together ---- */

struct work {
    uint8_t *old, *fresh, *reference; /* (owned) [n] choices */
    struct said said_old, said_fresh; /* (owned) */
    double *expect;                   /* (owned) [n * n_arms] scores */
    double *shadow[2];    /* (owned) [n * n_arms] of scores, costs */
    struct term_of *room; /* (owned) [n] */
    double z, z_cost;     /* of the bounds */
};

static void work_free(struct work *w)
{
    free(w->old);
    free(w->fresh);
    free(w->reference);
    said_free(&w->said_old);
    said_free(&w->said_fresh);
    free(w->expect);
    free(w->shadow[0]);
    free(w->shadow[1]);
    free(w->room);
}

static bool work_new(struct work *w, const struct evidence_ask *ask,
                     struct err *e)
{
    const struct offlog *log = ask->log;

    w->old = calloc(log->n + 1, 1);
    w->fresh = calloc(log->n + 1, 1);
    w->reference = calloc(log->n + 1, 1);
    w->expect = calloc(log->n * log->n_arms + 1, sizeof *w->expect);
    for (int k = 0; k < 2; k++)
        w->shadow[k] = calloc(log->n * log->n_arms + 1, sizeof *w->shadow[k]);
    w->room = calloc(log->n + 1, sizeof *w->room);
    if (!w->old || !w->fresh || !w->reference || !w->expect || !w->room ||
        !w->shadow[0] || !w->shadow[1])
        return err_set(e, ERR_MEMORY, "no memory for %zu rows", log->n);
    return said_new(&w->said_old, log, ask->old, e) &&
           said_new(&w->said_fresh, log, ask->fresh, e);
}

static void expect_of(const struct offlog *log, const struct said *s,
                      double *expect)
{
    for (size_t i = 0; i < log->n * log->n_arms; i++)
        expect[i] = isnan(s->quality[i]) ? .5 : (double)s->quality[i];
}

bool evidence_expect(const struct offlog *log, const struct evidence_policy *p,
                     double *expect, struct err *e)
{
    struct said s = {0};
    bool ok = said_new(&s, log, p, e);

    if (ok)
        expect_of(log, &s, expect);
    said_free(&s);
    return ok;
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

/* Of the choices in w. */
static struct comparison scores_of(const struct offlog *log,
                                   const struct work *w)
{
    struct comparison c = {.log = log,
                           .seen = log->score,
                           .expect = w->expect,
                           .scores = true,
                           .shadow = w->shadow[0],
                           .old = w->old,
                           .fresh = w->fresh,
                           .old_times = 1};

    find_shadows(&c);
    return c;
}

static void promise_of(struct comparison scores, const struct work *w,
                       double quality, struct evidence_figure *out)
{
    scores.old = w->reference;
    scores.old_times = quality;
    compare(&scores, w->room, w->z, out);
}

/* Does what serves keep the promise? */
static void kept_of(struct comparison scores, const struct work *w,
                    double quality, struct evidence_figure *out)
{
    scores.fresh = w->old;
    scores.old = w->reference;
    scores.old_times = quality;
    compare(&scores, w->room, w->z_cost, out);
}

static void figures(const struct offlog *log, struct work *w,
                    const struct evidence_policy *fresh, struct evidence *out)
{
    struct comparison score = scores_of(log, w);
    struct comparison cost = {.log = log,
                              .seen = log->spent,
                              .expect = log->expected,
                              .shadow = w->shadow[1],
                              .old = w->old,
                              .fresh = w->fresh,
                              .old_times = 1};

    find_shadows(&cost);
    compare(&score, w->room, w->z, &out->quality);
    compare(&cost, w->room, w->z_cost, &out->cost);
    out->old_quality = alone(score, w->old, w->room);
    out->new_quality = alone(score, w->fresh, w->room);
    out->old_cost = alone(cost, w->old, w->room);
    out->new_cost = alone(cost, w->fresh, w->room);
    promise_of(score, w, fresh->quality, &out->promise);
    kept_of(score, w, fresh->quality, &out->kept);
    shares(log, w->fresh, out->share);
}

/* The fresh policy at this price. */
static bool choose_at(const struct evidence_ask *ask, struct work *w,
                      double price, struct err *e)
{
    struct evidence_policy p = *ask->fresh;

    p.price = price;
    return said_choose(&w->said_fresh, ask->log, &p, w->fresh, e);
}

/* The k-th price that is tried, NAN: there is none. */
static double price_of(const struct evidence_ask *ask, uint32_t k)
{
    const struct guarantee_ladder *l = ask->ladder;

    if (!l)
        return k < EVIDENCE_PARTS ? (k + 1) * ask->fresh->price / EVIDENCE_PARTS
                                  : NAN;
    if (k >= l->n_rungs || l->rung[k].price > ask->most * (1 + 1e-9))
        return NAN;
    return l->rung[k].price;
}

/* The last price, from below, that is shown to keep the promise. */
static bool climb(const struct evidence_ask *ask, struct work *w, double *price,
                  struct err *e)
{
    struct comparison score = scores_of(ask->log, w);
    struct evidence_figure f;
    double at;

    *price = NAN;
    if (isnan(ask->fresh->price)) /* nor was it by what it has learnt from */
        return true;
    for (uint32_t k = 0; !isnan(at = price_of(ask, k)); k++) {
        if (!choose_at(ask, w, at, e))
            return false;
        promise_of(score, w, ask->fresh->quality, &f);
        if (!f.solid || f.lo < 0)
            break;
        *price = at;
    }
    return true;
}

/* ---- with the rows that were learnt from ---- */

/* Both parts' mean, each row counting as much as another. */
static void pool(const struct guarantee_ladder *l,
                 const struct guarantee_rung *r, double z,
                 struct evidence_figure *f)
{
    double a = (double)l->n / (double)(l->n + f->full), b = 1 - a;

    f->value = a * r->mean + b * f->full_value;
    f->error = hypot(a * r->error, b * f->full_error);
    f->lo = f->value - z * f->error;
    f->hi = f->value + z * f->error;
    f->learnt = l->n;
}

struct moved {
    double share;
    size_t n; /* requests */
};

/* Of the newer requests, labelled or not, those that the choices in w take from
 * the reference. */
static struct moved moved_of(const struct offlog *log, const struct work *w)
{
    struct moved m = {0};
    size_t moved = 0;

    for (size_t i = 0; i < log->n; i++) {
        if (isnan(log->spent[i]) && isnan(log->score[i]))
            continue;
        m.n++;
        moved += w->fresh[i] != w->reference[i];
    }
    m.share = m.n ? (double)moved / (double)m.n : 0;
    return m;
}

/* The requests that came since are worse by more than noise, or more of them
 * would be taken from the reference: what was learnt from speaks of another
 * time.  `now` is at r's price, f is pooled with it. */
static bool is_past(const struct guarantee_rung *r, struct moved now,
                    const struct evidence_figure *f)
{
    double n = (double)now.n, old_n = (double)f->learnt;
    double both = (now.share * n + r->share * old_n) / (n + old_n);
    double noise = sqrt(both * (1 - both) * (1 / n + 1 / old_n));

    return f->full_value - r->mean < -PAST_Z * hypot(r->error, f->full_error) ||
           now.share - r->share > PAST_Z * noise;
}

enum { RUNG_NONE = -1, RUNG_UNASKED = -2 };

/* The last rung up to ask->most that both parts together show to keep the
 * promise, and its figure; RUNG_UNASKED: they are too few. */
static bool climb_both(const struct evidence_ask *ask, struct work *w, int *at,
                       struct evidence_figure *out, struct err *e)
{
    const struct guarantee_ladder *l = ask->ladder;
    struct comparison score = scores_of(ask->log, w);
    struct evidence_figure f;

    *at = RUNG_UNASKED;
    for (uint32_t k = 0; !isnan(price_of(ask, k)); k++) {
        const struct guarantee_rung *r = &l->rung[k];

        if (!choose_at(ask, w, r->price, e))
            return false;
        promise_of(score, w, ask->fresh->quality, &f);
        if (!f.full || l->groups + f.full_groups < GUARANTEE_MIN)
            break;
        pool(l, r, w->z, &f);
        if (f.lo < 0) {
            *at = k ? *at : RUNG_NONE;
            break;
        }
        *at = (int)k;
        *out = f;
    }
    return true;
}

static bool find_price(const struct evidence_ask *ask, struct work *w,
                       struct evidence *out, struct evidence_figure *promise,
                       struct err *e)
{
    int at = RUNG_UNASKED;

    if (ask->ladder && !climb_both(ask, w, &at, promise, e))
        return false;
    if (at >= 0 && !choose_at(ask, w, ask->ladder->rung[at].price, e))
        return false;
    out->past = at >= 0 &&
                is_past(&ask->ladder->rung[at], moved_of(ask->log, w), promise);
    out->pooled = at != RUNG_UNASKED && !out->past;
    if (!out->pooled)
        return climb(ask, w, &out->price, e);
    out->price = at >= 0 ? ask->ladder->rung[at].price : NAN;
    return true;
}

bool evidence_compare(const struct evidence_ask *ask, struct evidence *out,
                      struct err *e)
{
    const struct offlog *log = ask->log;
    struct evidence_policy fixed = {.reference = ask->fresh->reference,
                                    .price = NAN};
    struct evidence_figure promise;
    struct work w = {.z = z_of(ask->confidence),
                     .z_cost = z_of(ask->cost_confidence)};
    bool ok = work_new(&w, ask, e) &&
              said_choose(&w.said_old, log, ask->old, w.old, e) &&
              said_choose(&w.said_old, log, &fixed, w.reference, e);

    *out = (struct evidence){.price = NAN};
    if (ok)
        expect_of(log, &w.said_fresh, w.expect);
    ok = ok && (!ask->climb || find_price(ask, &w, out, &promise, e)) &&
         choose_at(ask, &w, isnan(out->price) ? ask->fresh->price : out->price,
                   e);
    if (ok)
        figures(log, &w, ask->fresh, out);
    if (ok && out->pooled && !isnan(out->price))
        out->promise = promise;
    work_free(&w);
    return ok;
}
