/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/guarantee.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "models/choose.h"
#include "trainer/bootstrap.h"
#include "trainer/gold.h"
#include "trainer/metrics.h"

_Static_assert(GUARANTEE_RUNGS == GUARANTEE_PRICES, "a rung for each price");

enum { DRAWS = 500, DRAWS_MANY = 200, MANY = 30000, PRICE_ROWS = 20000 };

/* So many standard errors below it, a promise is plainly broken. */
#define BROKEN 3.

/* Largest share of the capital that may be lost on one row. */
#define BET_MOST .75

double guarantee_p(const double *x, size_t n, double high, double delta)
{
    double capital = 0; /* its logarithm */
    double mean = 0, square = .25, k = 1;
    double most = BET_MOST / high;

    for (size_t i = 0; i < n; i++) {
        /* The bet rests on what came before only. */
        double bet =
            sqrt(2 * log(1 / delta) / (fmax(square / k, 1e-9) * (double)n));
        double d;
        capital += log1p(-fmin(bet, most) * x[i]);
        k++;
        d = x[i] - mean;
        mean += d / k;
        square += d * (x[i] - mean);
    }
    return capital > 0 ? exp(-capital) : 1;
}

/* What one price does with the rows. */
struct trial_rows {
    const struct guarantee_rows *r;
    const struct guarantee_ask *ask;
    uint32_t *order; /* (owned) [n] by conversation, those at random */
    size_t *first;   /* (owned) [groups + 1] in order */
    size_t groups;
    uint8_t *choice; /* (owned) [n] arm */
    double *loss;    /* (owned) [groups] */
};

static void trial_rows_free(struct trial_rows *t)
{
    free(t->order);
    free(t->first);
    free(t->choice);
    free(t->loss);
}

static int choose(const struct trial_rows *t, size_t i, double price)
{
    struct candidate c[GUARANTEE_ARMS_MAX];
    uint32_t arms = t->r->n_arms;

    if (t->r->outside && t->r->outside[i])
        return (int)t->ask->reference;
    for (uint32_t a = 0; a < arms; a++)
        c[a] = (struct candidate){.quality = t->r->quality[i * arms + a],
                                  .cost = t->r->cost[i * arms + a],
                                  .allowed = t->ask->arms >> a & 1};
    return choose_by_price(c, arms, price);
}

static void choose_all(struct trial_rows *t, double price)
{
    for (size_t i = 0; i < t->r->n; i++)
        t->choice[i] = (uint8_t)choose(t, i, price);
}

/* The score for the worse (or the better, up) as far as it may be wrong. */
static double at_worst(const struct guarantee_rows *r, size_t cell, bool up)
{
    uint32_t arm = (uint32_t)(cell % r->n_arms);
    double score = (double)r->score[cell];

    if (r->second && r->second[cell])
        score += (double)(up ? r->high[arm] : r->low[arm]);
    return score;
}

/* Of one row.  Where the reference itself is taken its error is one, and
 * quality below 1 makes a low score the worse. */
static double loss_of(const struct trial_rows *t, size_t row)
{
    size_t at = row * t->r->n_arms;
    size_t ref = at + t->ask->reference, mine = at + t->choice[row];

    if (ref == mine)
        return (t->ask->quality - 1) * at_worst(t->r, ref, t->ask->quality > 1);
    return t->ask->quality * at_worst(t->r, ref, true) -
           at_worst(t->r, mine, false);
}

static void losses(struct trial_rows *t)
{
    for (size_t g = 0; g < t->groups; g++) {
        double sum = 0;
        for (size_t k = t->first[g]; k < t->first[g + 1]; k++)
            sum += loss_of(t, t->order[k]);
        t->loss[g] = sum / (double)(t->first[g + 1] - t->first[g]);
    }
}

/* The largest loss there may be, whatever the rows say. */
static double loss_most(const struct trial_rows *t)
{
    double q = t->ask->quality;

    return t->r->second ? q * (1 + t->r->reach) + t->r->reach : q;
}

/* What is left of the chance of an error, once labels took theirs. */
static double chance(const struct trial_rows *t)
{
    double delta = 1 - t->ask->confidence;

    return t->r->second ? delta * (1 - GOLD_SHARE) : delta;
}

struct place {
    uint64_t key, group;
    uint32_t row;
};

static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static bool arrange(struct trial_rows *t, struct err *e)
{
    size_t n = t->r->n;
    struct place *p = malloc((n + 1) * sizeof *p);

    t->order = malloc((n + 1) * sizeof *t->order);
    t->first = malloc((n + 1) * sizeof *t->first);
    t->choice = malloc(n + 1);
    t->loss = malloc((n + 1) * sizeof *t->loss);
    if (!p || !t->order || !t->first || !t->choice || !t->loss) {
        free(p);
        return err_set(e, ERR_MEMORY, "no memory to calibrate on %zu rows", n);
    }
    for (size_t i = 0; i < n; i++)
        p[i] = (struct place){rng_mix(t->ask->seed, t->r->group[i]),
                              t->r->group[i], (uint32_t)i};
    qsort(p, n, sizeof *p, by_key);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || p[i].group != p[i - 1].group)
            t->first[t->groups++] = i;
        t->order[i] = p[i].row;
    }
    t->first[t->groups] = n;
    free(p);
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The prices at which a row's dearer arm gives way to a cheaper one. */
static size_t switches(const struct trial_rows *t, size_t i, double *to)
{
    size_t at = i * t->r->n_arms, n = 0;
    const double *cost = t->r->cost + at;
    const float *quality = t->r->quality + at;
    uint32_t ref = t->ask->reference;

    for (uint32_t a = 0; a < t->r->n_arms; a++) {
        double gain = (double)(quality[ref] - quality[a]);
        if ((t->ask->arms >> a & 1) && cost[a] < cost[ref] && gain > 0)
            to[n++] = gain / (cost[ref] - cost[a]);
    }
    return n;
}

/*
 * 0, then quantiles of the prices at which rows change their arm, so that
 * each step moves about as many requests; bent: fewer of them the lower the
 * price is.  They follow from predictions alone, never from scores, and so
 * are fixed before anything is tested.
 */
static bool prices_set(const struct trial_rows *t, bool bent,
                       double price[GUARANTEE_PRICES], struct err *e)
{
    size_t step = t->r->n / PRICE_ROWS + 1, n = 0;
    double *all = malloc((t->r->n / step + 1) * t->r->n_arms * sizeof *all);

    if (!all)
        return err_set(e, ERR_MEMORY, "no memory for prices");
    for (size_t i = 0; i < t->r->n; i += step)
        n += switches(t, i, all + n);
    qsort(all, n, sizeof *all, by_value);
    price[0] = 0;
    for (size_t k = 1; k < GUARANTEE_PRICES; k++) {
        size_t last = GUARANTEE_PRICES - 1;
        size_t at = bent ? (n - 1) * k * k / (last * last) : (n - 1) * k / last;

        price[k] = n ? all[at] : 0;
    }
    free(all);
    return true;
}

/* Prices upwards while the promise can be shown to hold. */
static bool climb(struct trial_rows *t, struct guarantee_level *out,
                  struct err *e)
{
    double price[GUARANTEE_PRICES], delta = chance(t);

    if (t->groups < GUARANTEE_MIN)
        return true;
    if (!prices_set(t, false, price, e))
        return false;
    for (int k = 0; k < GUARANTEE_PRICES; k++) {
        if (k && price[k] <= price[k - 1])
            continue;
        choose_all(t, price[k]);
        losses(t);
        if (guarantee_p(t->loss, t->groups, loss_most(t), delta) > delta)
            break;
        out->valid = true;
        out->price = price[k];
    }
    return true;
}

/* Of the choices that were made last. */
static void rung_measure(const struct trial_rows *t, struct guarantee_rung *s)
{
    const struct guarantee_rows *r = t->r;
    double sum = 0, square = 0;

    for (size_t g = 0; g < t->groups; g++)
        sum -= t->loss[g] * (double)(t->first[g + 1] - t->first[g]);
    s->mean = sum / (double)r->n;
    for (size_t g = 0; g < t->groups; g++) {
        double rows = (double)(t->first[g + 1] - t->first[g]);
        double off = rows * (-t->loss[g] - s->mean);

        square += off * off;
    }
    s->error = sqrt(square) / (double)r->n;
    s->share = 0;
    for (size_t i = 0; i < r->n; i++)
        s->share += (t->choice[i] != t->ask->reference) / (double)r->n;
}

static bool rungs_measure(struct trial_rows *t, struct guarantee_ladder *out,
                          struct err *e)
{
    double price[GUARANTEE_PRICES];

    if (!prices_set(t, true, price, e))
        return false;
    for (int k = 0; k < GUARANTEE_PRICES; k++) {
        struct guarantee_rung *s = &out->rung[out->n_rungs];

        if (k && price[k] <= price[k - 1])
            continue;
        s->price = price[k];
        choose_all(t, s->price);
        losses(t);
        rung_measure(t, s);
        out->n_rungs++;
        if (s->mean + BROKEN * s->error < 0)
            break;
    }
    return true;
}

bool guarantee_ladder_make(const struct guarantee_rows *r,
                           const struct guarantee_ask *ask,
                           struct guarantee_ladder *out, struct err *e)
{
    struct trial_rows t = {.r = r, .ask = ask};
    bool ok = true;

    *out = (struct guarantee_ladder){.n = r->n};
    if (r->n) {
        ok = arrange(&t, e) && rungs_measure(&t, out, e);
        out->groups = t.groups;
    }
    trial_rows_free(&t);
    return ok;
}

/* Quality by the reference's were labels wrong as far as they may be. */
static double measured_at(const struct trial_rows *t, bool up)
{
    const struct guarantee_rows *r = t->r;
    double score = 0, best = 0;

    for (size_t i = 0; i < r->n; i++) {
        size_t ref = i * r->n_arms + t->ask->reference;
        size_t mine = i * r->n_arms + t->choice[i];
        score += at_worst(r, mine, up);
        best += at_worst(r, ref, ref == mine ? up : !up);
    }
    return best > 0 ? score / best : NAN;
}

/* One draw of the bootstrap: saving and quality by the reference's. */
static void redraw(const struct trial_rows *t, const double *weight,
                   double *saving, double *quality)
{
    const struct guarantee_rows *r = t->r;
    double spent = 0, whole = 0, score = 0, best = 0;

    for (size_t i = 0; i < r->n; i++) {
        size_t at = i * r->n_arms, mine = at + t->choice[i];
        size_t ref = at + t->ask->reference;
        spent += weight[i] * r->spent[mine];
        whole += weight[i] * r->spent[ref];
        score += weight[i] * (double)r->score[mine];
        best += weight[i] * (double)r->score[ref];
    }
    *saving = whole > 0 ? 1 - spent / whole : 0;
    *quality = best > 0 ? score / best : NAN;
}

static bool intervals(struct trial_rows *t, struct guarantee_level *out,
                      struct err *e)
{
    size_t n = t->r->n;
    unsigned draws = n > MANY ? DRAWS_MANY : DRAWS;
    double *weight = malloc((n + 1) * sizeof *weight);
    double saving[DRAWS], quality[DRAWS];
    struct bootstrap b = {0};
    bool ok = bootstrap_init(&b, t->r->group, n, t->ask->seed, e);

    if (ok && !weight)
        ok = err_set(e, ERR_MEMORY, "no memory for an interval");
    for (unsigned d = 0; ok && d < draws; d++) {
        bootstrap_draw(&b, weight);
        redraw(t, weight, &saving[d], &quality[d]);
    }
    if (ok) {
        struct interval s = metrics_interval(saving, draws, .95);
        struct interval q = metrics_interval(quality, draws, .95);
        out->lo = s.lo;
        out->hi = s.hi;
        out->measured_lo = q.lo;
        out->measured_hi = q.hi;
        if (t->r->second) {
            out->measured_lo += measured_at(t, false) - out->measured;
            out->measured_hi += measured_at(t, true) - out->measured;
        }
    }
    bootstrap_free(&b);
    free(weight);
    return ok;
}

static bool measure(struct trial_rows *t, struct guarantee_level *out,
                    struct err *e)
{
    const struct guarantee_rows *r = t->r;
    double score = 0, best = 0, spent = 0, whole = 0;

    choose_all(t, out->price);
    for (size_t i = 0; i < r->n; i++) {
        size_t at = i * r->n_arms;
        score += (double)r->score[at + t->choice[i]];
        best += (double)r->score[at + t->ask->reference];
        spent += r->spent[at + t->choice[i]];
        whole += r->spent[at + t->ask->reference];
        out->share[t->choice[i]] += 1. / (double)r->n;
    }
    out->measured = best > 0 ? score / best : NAN;
    out->saving = whole > 0 ? 1 - spent / whole : 0;
    return intervals(t, out, e);
}

bool guarantee_measure(const struct guarantee_rows *r,
                       const struct guarantee_ask *ask, double price,
                       struct guarantee_level *out, struct err *e)
{
    struct trial_rows t = {.r = r, .ask = ask};
    bool ok;

    *out = (struct guarantee_level){.n = r->n, .price = price};
    ok = arrange(&t, e);
    out->groups = t.groups;
    ok = ok && measure(&t, out, e);
    trial_rows_free(&t);
    return ok;
}

bool guarantee_find(const struct guarantee_rows *r,
                    const struct guarantee_ask *ask,
                    struct guarantee_level *out, struct err *e)
{
    struct trial_rows t = {.r = r, .ask = ask};
    bool ok;

    *out = (struct guarantee_level){
        .n = r->n, .measured = 1, .measured_lo = 1, .measured_hi = 1};
    ok = arrange(&t, e);
    out->groups = t.groups;
    ok = ok && climb(&t, out, e);
    if (ok && out->valid)
        ok = measure(&t, out, e);
    if (ok && !out->valid)
        out->share[ask->reference] = 1;
    trial_rows_free(&t);
    return ok;
}
