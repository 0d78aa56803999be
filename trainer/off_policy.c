/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/off_policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/bootstrap.h"

enum {
    DRAWS = 1000,
    FIGURES = 5,
    CELL_ROWS = 30,  /* fewer known rows say nothing of a model by itself */
    PRIOR_ROWS = 20, /* that what all models are off by counts for */
};

/* With one model's scale alone nobody knows how models differ. */
#define BLIND_ONE .5

/* What each row adds to the sums. */
struct parts {
    size_t n;
    double *weight;  /* (owned) sum of target / chance over known arms */
    double *wr;      /* (owned) that times what is known */
    double *dr;      /* (owned) the row's doubly robust value */
    double *seen;    /* (owned) the reward itself */
    double *model;   /* (owned) what the model expects of the target */
    double *blind;   /* (owned) how far that may be off where only it speaks */
    double *wm;      /* (owned) weight times what it expected of the known */
    uint64_t *group; /* (owned) */
    double unseen;   /* of the target's choices, summed */
    double besides;  /* for each row */
    double tail;     /* of heavy rewards: the largest by an arm's mean; 0 */
};

/* Of a set of rows, or of a bootstrap's draw of them. */
struct totals {
    double n, weight, wr, dr, seen, model, wm;
};

static void free_parts(struct parts *p)
{
    free(p->weight);
    free(p->wr);
    free(p->dr);
    free(p->seen);
    free(p->model);
    free(p->blind);
    free(p->wm);
    free(p->group);
}

static bool new_parts(struct parts *p, size_t n, struct err *e)
{
    *p = (struct parts){.n = 0};
    p->weight = calloc(n + 1, sizeof *p->weight);
    p->wr = calloc(n + 1, sizeof *p->wr);
    p->dr = calloc(n + 1, sizeof *p->dr);
    p->seen = calloc(n + 1, sizeof *p->seen);
    p->model = calloc(n + 1, sizeof *p->model);
    p->blind = calloc(n + 1, sizeof *p->blind);
    p->wm = calloc(n + 1, sizeof *p->wm);
    p->group = calloc(n + 1, sizeof *p->group);
    if (p->weight && p->wr && p->dr && p->seen && p->model && p->blind &&
        p->wm && p->group)
        return true;
    free_parts(p);
    return err_set(e, ERR_MEMORY, "off-policy estimate: no memory");
}

/* ---- the log and its model ---- */

static double known(const struct logged *l, size_t i, unsigned a)
{
    if (l->outcome)
        return l->outcome[i * l->n_arms + a];
    return l->chosen[i] == a ? l->reward[i] : NAN;
}

static double chance(const struct logged *l, size_t i, unsigned a)
{
    size_t at = i * l->n_arms + a;

    return l->chance ? l->chance[at] : (double)l->propensity[at];
}

static unsigned model_of(const struct logged *l, size_t i)
{
    return l->model ? l->model[i] : 0;
}

static unsigned models(const struct logged *l)
{
    return l->model ? l->n_models : 1;
}

/* Sums over rows where an arm is known and expected. */
struct cell {
    double seen, hoped;
    size_t n;
};

struct scales {
    const struct logged *l;
    double *scale;      /* (owned) [models * n_arms] observed by expected */
    double *blind;      /* (owned) [models * n_arms] how far that may be off
                           where nothing was seen */
    struct cell *cells; /* (owned) [models * n_arms] */
};

static void scales_free(struct scales *s)
{
    free(s->scale);
    free(s->blind);
    free(s->cells);
}

/* Of arm a's known rows: by model, and by the arm that answered if `split`. */
static void fill_cells(const struct scales *s, unsigned a, bool split)
{
    const struct logged *l = s->l;

    memset(s->cells, 0, (size_t)models(l) * l->n_arms * sizeof *s->cells);
    for (size_t i = 0; i < l->n; i++) {
        double r = known(l, i, a), m = l->expected[i * l->n_arms + a];
        struct cell *c =
            &s->cells[model_of(l, i) * l->n_arms + (split ? l->chosen[i] : 0)];

        if (isnan(l->reward[i]) || isnan(r) || isnan(m))
            continue;
        c->seen += r;
        c->hoped += m;
        c->n++;
    }
}

static bool tells(const struct cell *c)
{
    return c->n >= CELL_ROWS && c->seen > 0 && c->hoped > 0;
}

/* What a model is off by that was never held against this arm: as much as the
 * others are, and as they differ. */
static void stranger(const struct scales *s, double *scale, double *blind)
{
    const struct logged *l = s->l;
    double sum = 0, square = 0;
    unsigned n = 0;

    for (unsigned g = 0; g < models(l); g++) {
        const struct cell *c = &s->cells[g * l->n_arms];
        double x = tells(c) ? log(c->seen / c->hoped) : 0;

        n += tells(c);
        sum += x;
        square += x * x;
    }
    *scale = n ? exp(sum / n) : 1;
    *blind =
        n > 1 ? sqrt(fmax(0, square - sum * sum / n) / (n - 1) * (1 + 1. / n))
              : BLIND_ONE;
    *blind = fmax(*blind, OFF_POLICY_BLIND);
}

/* How much what was seen by what was expected differs from one answering arm
 * to another, within models. */
static double stray(const struct scales *s, unsigned a)
{
    const struct logged *l = s->l;
    double square = 0;
    unsigned n = 0;

    for (unsigned k = 0; k < models(l) * l->n_arms; k++) {
        const struct cell *c = &s->cells[k];

        if (!tells(c))
            continue;
        square += pow(
            c->seen / (c->hoped * s->scale[k / l->n_arms * l->n_arms + a]) - 1,
            2);
        n++;
    }
    return fmax(OFF_POLICY_BLIND, n ? sqrt(square / n) : 0);
}

/* A model of few known rows is scaled as the others are. */
static void scale_arm(struct scales *s, unsigned a)
{
    const struct logged *l = s->l;
    double scale, blind;

    fill_cells(s, a, false);
    stranger(s, &scale, &blind);
    for (unsigned g = 0; g < models(l); g++) {
        const struct cell *c = &s->cells[g * l->n_arms];
        double prior = c->n ? PRIOR_ROWS * c->hoped / (double)c->n : 1;

        s->scale[g * l->n_arms + a] =
            (c->seen + scale * prior) / (c->hoped + prior);
        s->blind[g * l->n_arms + a] = tells(c) ? 0 : blind;
    }
    fill_cells(s, a, true);
    blind = stray(s, a);
    for (unsigned g = 0; g < models(l); g++)
        s->blind[g * l->n_arms + a] = fmax(s->blind[g * l->n_arms + a], blind);
}

static bool scales_find(const struct logged *l, struct scales *s, struct err *e)
{
    size_t n = (size_t)models(l) * l->n_arms + 1;

    *s = (struct scales){.l = l,
                         .scale = calloc(n, sizeof *s->scale),
                         .blind = calloc(n, sizeof *s->blind),
                         .cells = calloc(n, sizeof *s->cells)};
    if (!s->scale || !s->blind || !s->cells)
        return err_set(e, ERR_MEMORY, "off-policy estimate: no memory");
    for (unsigned a = 0; a < l->n_arms; a++)
        scale_arm(s, a);
    return true;
}

static double expected(const struct scales *s, size_t i, unsigned a)
{
    double m = s->l->expected[i * s->l->n_arms + a];

    return isnan(m) ? 0 : m * s->scale[model_of(s->l, i) * s->l->n_arms + a];
}

/* ---- sums ---- */

/* One row: its value by the model, the weights, and how much of the target
 * the log cannot speak of. */
static void add_row(const struct scales *s, const float *target, size_t i,
                    struct parts *p)
{
    const struct logged *l = s->l;
    size_t k = p->n++;

    p->seen[k] = l->reward[i];
    p->group[k] = l->group[i];
    for (unsigned a = 0; a < l->n_arms; a++) {
        double t = (double)target[i * l->n_arms + a], r = known(l, i, a);
        double m = expected(s, i, a), c = chance(l, i, a);

        if (!(t > 0))
            continue;
        p->model[k] += t * m;
        if (!(c > 0)) {
            p->unseen += t;
            p->blind[k] += t * m * s->blind[model_of(l, i) * l->n_arms + a];
        } else if (!isnan(r)) {
            p->weight[k] += t / c;
            p->wr[k] += t / c * r;
            p->wm[k] += t / c * m;
        }
    }
    p->dr[k] = p->model[k] + p->wr[k] - p->wm[k];
}

/* astray: by how many standard deviations the model is off where only it
 * speaks. */
static struct totals sums(const struct parts *p, const double *count,
                          double astray)
{
    struct totals t = {0};

    for (size_t i = 0; i < p->n; i++) {
        double c = count ? count[i] : 1;

        t.n += c;
        t.weight += c * p->weight[i];
        t.wr += c * p->wr[i];
        t.dr += c * (p->dr[i] + astray * p->blind[i]);
        t.seen += c * (p->seen[i] + p->besides);
        t.model += c * (p->model[i] + astray * p->blind[i]);
        t.wm += c * p->wm[i];
    }
    return t;
}

static void figures(const struct totals *t, double out[FIGURES])
{
    /* Nothing observed of the target: the model as it is. */
    double ratio = t->model * (t->wm > 0 ? t->wr / t->wm : 1);

    out[0] = t->n > 0 ? t->wr / t->n : NAN;
    out[1] = t->weight > 0 ? t->wr / t->weight : NAN;
    out[2] = t->n > 0 ? t->dr / t->n : NAN;
    out[3] = t->n > 0 ? ratio / t->n : NAN;
    out[4] = ratio > 0 ? 1 - t->seen / ratio : NAN;
}

/* ---- intervals ---- */

static double normal(struct rng *r)
{
    return sqrt(-2 * log(1 - rng_unit(r))) *
           cos(6.283185307179586 * rng_unit(r));
}

/* `share` of one more row of the target, as heavy as its rows are, with the
 * reward `times` the mean: what a log of this size may have missed. */
static void one_more(const struct totals *all, double heavy, double share,
                     double times, struct totals *t)
{
    double m = all->model / all->n;

    t->n += share;
    t->weight += share * heavy;
    t->wr += share * heavy * m * times;
    t->wm += share * heavy * m;
    t->model += share * m;
    t->dr += share * (m + heavy * m * (times - 1));
    t->seen += share * all->seen / all->n;
}

/* Draws of each figure, towards its lower and its upper end. */
struct draws {
    struct totals all;
    double heavy;    /* the weight of the target's rows */
    double *lo, *hi; /* [FIGURES * DRAWS] */
    struct rng rng;
};

static void draw_one(const struct parts *p, const double *count,
                     struct draws *to, size_t d)
{
    struct totals low = sums(p, count, normal(&to->rng)), high = low;
    double share = -log(1 - rng_unit(&to->rng)), one[FIGURES];

    if (p->tail > 0) {
        one_more(&to->all, to->heavy, share, 0, &low);
        one_more(&to->all, to->heavy, share, p->tail, &high);
    }
    figures(&low, one);
    for (unsigned k = 0; k < FIGURES; k++)
        to->lo[k * DRAWS + d] = one[k];
    figures(&high, one);
    for (unsigned k = 0; k < FIGURES; k++)
        to->hi[k * DRAWS + d] = one[k];
}

static void all_draws(const struct parts *p, struct bootstrap *b, uint64_t seed,
                      double *count, struct draws *to)
{
    double square = 0;

    for (size_t i = 0; i < p->n; i++)
        square += p->weight[i] * p->weight[i];
    to->heavy = to->all.weight > 0 ? square / to->all.weight : 0;
    rng_seed(&to->rng, rng_mix(seed, 1));
    for (size_t d = 0; d < DRAWS; d++) {
        bootstrap_draw(b, count);
        draw_one(p, count, to, d);
    }
}

static struct estimate estimate_of(double value, const struct draws *from,
                                   unsigned figure)
{
    size_t at = (size_t)figure * DRAWS;

    return (struct estimate){value,
                             metrics_interval(from->lo + at, DRAWS, 0.95).lo,
                             metrics_interval(from->hi + at, DRAWS, 0.95).hi};
}

static bool intervals(const struct parts *p, uint64_t seed,
                      struct off_policy *out, struct err *e)
{
    struct bootstrap b;
    double *count = calloc(p->n + 1, sizeof *count), one[FIGURES];
    double *space = calloc((size_t)2 * FIGURES * DRAWS, sizeof *space);
    struct draws draws = {.all = sums(p, NULL, 0),
                          .lo = space,
                          .hi = space ? space + FIGURES * DRAWS : NULL};
    bool ok = false;

    if (!count || !space)
        err_set(e, ERR_MEMORY, "off-policy estimate: no memory");
    else if (bootstrap_init(&b, p->group, p->n, seed, e)) {
        all_draws(p, &b, seed, count, &draws);
        bootstrap_free(&b);
        figures(&draws.all, one);
        out->ips = estimate_of(one[0], &draws, 0);
        out->snips = estimate_of(one[1], &draws, 1);
        out->dr = estimate_of(one[2], &draws, 2);
        out->ratio = estimate_of(one[3], &draws, 3);
        out->less = estimate_of(one[4], &draws, 4);
        ok = true;
    }
    free(count);
    free(space);
    return ok;
}

static void weights(const struct parts *p, struct off_policy *out)
{
    double w = 0, ww = 0;

    for (size_t i = 0; i < p->n; i++) {
        w += p->weight[i];
        ww += p->weight[i] * p->weight[i];
        out->matched += p->weight[i] > 0;
        out->most = fmax(out->most, p->weight[i]);
    }
    out->effective = ww > 0 ? w * w / ww : 0;
}

/* The largest that became known of an arm by the mean of what did, of the arm
 * where that is most: other arms' runaway answers warn of those that the log
 * did not happen to see. */
static double tail(const struct logged *l)
{
    double most = 0;

    for (unsigned a = 0; a < l->n_arms; a++) {
        double sum = 0, largest = 0;
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++) {
            double r = known(l, i, a);

            if (isnan(r))
                continue;
            n++;
            sum += r;
            largest = fmax(largest, r);
        }
        if (n >= CELL_ROWS && sum > 0)
            most = fmax(most, largest * (double)n / sum);
    }
    return most;
}

bool off_policy_estimate(const struct logged *l, const float *target,
                         uint64_t seed, struct off_policy *out, struct err *e)
{
    struct scales s = {0};
    struct parts p;
    bool ok;

    *out = (struct off_policy){.n = 0};
    if (l->n_arms > 256)
        return err_set(e, ERR_LIMIT, "wanted at most 256 arms, found %u",
                       l->n_arms);
    if (!new_parts(&p, l->n, e))
        return false;
    ok = scales_find(l, &s, e);
    for (size_t i = 0; ok && i < l->n; i++)
        if (!isnan(l->reward[i]))
            add_row(&s, target, i, &p);
    out->n = p.n;
    p.besides = p.n ? l->besides / (double)p.n : 0;
    p.tail = l->heavy ? tail(l) : 0;
    weights(&p, out);
    out->unseen = p.n ? p.unseen / (double)p.n : 0;
    if (ok && p.n == 0)
        ok = err_set(e, ERR_INPUT, "wanted rows with an outcome, found none");
    ok = ok && intervals(&p, seed, out, e);
    scales_free(&s);
    free_parts(&p);
    return ok;
}

void off_policy_fixed(const struct logged *l, unsigned arm, float *target)
{
    memset(target, 0, l->n * l->n_arms * sizeof *target);
    for (size_t i = 0; i < l->n; i++)
        target[i * l->n_arms + arm] = 1;
}
