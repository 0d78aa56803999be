/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/evaluate.h"

#include <math.h>
#include <stdlib.h>

#include "trainer/bootstrap.h"
#include "trainer/metrics.h"
#include "trainer/trial.h"

const double eval_targets[EVAL_TARGETS] = {.95, .98, 1.00};

/* Figures of a router: four, then four for each target. */
enum { APGR, CPT50, CPT80, AIQ, AT_TARGET };
enum { SAVING, QUALITY, EDGE, REGRET, PER_TARGET };
enum { ROUTER_FIGURES = AT_TARGET + EVAL_TARGETS * PER_TARGET };
enum { ARM_SCORE, ARM_COST, ARM_QUALITY, ARM_SAVING, ARM_FIGURES };
enum { ECE_BINS = 10 };

#define CONFIDENCE .95

/* Every figure of the rows as they are (draw 0) and of each resample. */
struct draws {
    const struct trial *t;
    unsigned n;     /* resamples + 1 */
    double *weight; /* (owned) [t->n]; NULL-like for draw 0: all 1 */
    double *router; /* (owned) [n_forecasters][ROUTER_FIGURES][n] */
    double *arm;    /* (owned) [n_arms][ARM_FIGURES][n] */
    uint32_t *order[ROUTERS_MAX]; /* (owned) rows by falling rank */
};

static double *router_at(const struct draws *d, unsigned router, unsigned f)
{
    return d->router + ((size_t)router * ROUTER_FIGURES + f) * d->n;
}

static double *arm_at(const struct draws *d, unsigned arm, unsigned f)
{
    return d->arm + ((size_t)arm * ARM_FIGURES + f) * d->n;
}

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "no memory for the evaluation's figures");
}

static void draws_free(struct draws *d)
{
    for (unsigned r = 0; r < ROUTERS_MAX; r++)
        free(d->order[r]);
    free(d->weight);
    free(d->router);
    free(d->arm);
}

static bool draws_init(struct draws *d, const struct trial *t,
                       unsigned resamples, struct err *e)
{
    size_t n = (size_t)resamples + 1;
    *d = (struct draws){
        .t = t,
        .n = resamples + 1,
        .weight = malloc((t->n + 1) * sizeof *d->weight),
        .router = calloc(n_forecasters * ROUTER_FIGURES * n, sizeof(double)),
        .arm = calloc(t->c->n_arms * ARM_FIGURES * n, sizeof(double))};
    if (!d->weight || !d->router || !d->arm)
        return no_memory(e);
    for (size_t i = 0; i < t->n; i++)
        d->weight[i] = 1;
    for (unsigned r = 0; t->c->n_arms == 2 && r < n_forecasters; r++) {
        d->order[r] = malloc((t->n + 1) * sizeof **d->order);
        if (!d->order[r])
            return no_memory(e);
        metrics_order(t->course[r].rank, t->n, d->order[r]);
    }
    return true;
}

/* Sums over the rows of one draw. */
struct sums {
    double weight;
    struct point reference;
    struct point fixed[CLASSIFIER_ARMS_MAX]; /* means, by arm */
    struct point hull[CLASSIFIER_ARMS_MAX];  /* of them */
    size_t n_hull;
    double cheapest, dearest, oracle;
};

static void measure_arms(const struct draws *d, unsigned draw, struct sums *s)
{
    const struct trial *t = d->t;
    *s = (struct sums){.cheapest = INFINITY, .dearest = -INFINITY};
    for (uint32_t a = 0; a < t->c->n_arms; a++) {
        struct point p = {metrics_mean(t->cost + a * t->n, d->weight, t->n),
                          metrics_mean(t->score + a * t->n, d->weight, t->n)};
        s->fixed[a] = s->hull[a] = p;
        s->cheapest = fmin(s->cheapest, p.cost);
        s->dearest = fmax(s->dearest, p.cost);
        arm_at(d, a, ARM_SCORE)[draw] = p.quality;
        arm_at(d, a, ARM_COST)[draw] = p.cost;
    }
    s->reference = s->fixed[t->reference];
    s->n_hull = metrics_hull(s->hull, t->c->n_arms);
    for (uint32_t a = 0; a < t->c->n_arms; a++) {
        arm_at(d, a, ARM_QUALITY)[draw] =
            s->fixed[a].quality / s->reference.quality;
        arm_at(d, a, ARM_SAVING)[draw] =
            1 - s->fixed[a].cost / s->reference.cost;
    }
    for (size_t i = 0; i < t->n; i++)
        s->weight += d->weight[i];
}

static void measure_ranking(const struct draws *d, unsigned router,
                            unsigned draw)
{
    const struct trial *t = d->t;
    bool two = d->order[router] != NULL;
    struct ranking r = {.n = t->n,
                        .order = d->order[router],
                        .score = t->course[router].rank,
                        .weak = t->score + t->weak * t->n,
                        .strong = t->score + t->strong * t->n,
                        .weight = d->weight};
    router_at(d, router, APGR)[draw] = two ? metrics_apgr(&r) : NAN;
    router_at(d, router, CPT50)[draw] = two ? metrics_cpt(&r, .5) : NAN;
    router_at(d, router, CPT80)[draw] = two ? metrics_cpt(&r, .8) : NAN;
}

/* The whole path of the knob, and the cheapest arm, which any router may
 * always take. */
static double measure_aiq(const struct draws *d, unsigned router,
                          const struct sums *s)
{
    const struct course *r = &d->t->course[router];
    struct point p[POLICY_KNOBS + 1] = {{0, 0}};
    struct point at = {0, 0};
    for (size_t i = 0; i < r->n_steps; i++) {
        const struct step *x = &r->steps[i];
        p[x->knob].cost += d->weight[x->row] * (double)x->cost;
        p[x->knob].quality += d->weight[x->row] * (double)x->score;
    }
    for (unsigned k = 0; k < POLICY_KNOBS; k++) {
        at.cost += p[k].cost / s->weight;
        at.quality += p[k].quality / s->weight;
        p[k] = at;
    }
    p[POLICY_KNOBS] = s->fixed[0];
    for (uint32_t a = 1; a < d->t->c->n_arms; a++) {
        if (s->fixed[a].cost < p[POLICY_KNOBS].cost)
            p[POLICY_KNOBS] = s->fixed[a];
    }
    return metrics_aiq(p, POLICY_KNOBS + 1, s->cheapest, s->dearest);
}

static struct point measure_choice(const struct draws *d, unsigned router,
                                   unsigned target, const struct sums *s)
{
    const struct trial *t = d->t;
    const uint8_t *choice = t->course[router].choice + target * t->n;
    struct point p = {0, 0};
    for (size_t i = 0; i < t->n; i++) {
        p.cost += d->weight[i] * t->cost[choice[i] * t->n + i];
        p.quality += d->weight[i] * t->score[choice[i] * t->n + i];
    }
    return (struct point){p.cost / s->weight, p.quality / s->weight};
}

static void measure_router(const struct draws *d, unsigned router,
                           unsigned draw, struct sums *s)
{
    bool priced = d->t->c->priced;
    measure_ranking(d, router, draw);
    router_at(d, router, AIQ)[draw] = priced ? measure_aiq(d, router, s) : NAN;
    for (unsigned k = 0; k < EVAL_TARGETS; k++) {
        unsigned f = AT_TARGET + k * PER_TARGET;
        struct point p = measure_choice(d, router, k, s);
        double mix = metrics_hull_at(s->hull, s->n_hull, p.cost);
        if (!forecasters[router].is_router)
            s->oracle = p.quality;
        router_at(d, router, f + SAVING)[draw] =
            priced ? 1 - p.cost / s->reference.cost : NAN;
        router_at(d, router, f + QUALITY)[draw] =
            priced ? p.quality / s->reference.quality : NAN;
        router_at(d, router, f + EDGE)[draw] = priced ? p.quality - mix : NAN;
        router_at(d, router, f + REGRET)[draw] =
            priced ? s->oracle - p.quality : NAN;
    }
}

static bool measure_all(struct draws *d, uint64_t seed, size_t *n_groups,
                        struct err *e)
{
    const struct trial *t = d->t;
    struct bootstrap b;
    struct sums s;
    uint64_t *group = malloc((t->n + 1) * sizeof *group);
    if (!group)
        return no_memory(e);
    for (size_t i = 0; i < t->n; i++)
        group[i] = t->c->test->group[t->row[i]];
    bool ok = bootstrap_init(&b, group, t->n, seed, e);
    for (unsigned draw = 0; ok && draw < d->n; draw++) {
        if (draw)
            bootstrap_draw(&b, d->weight);
        measure_arms(d, draw, &s);
        /* The oracle, whose score the others' regret needs, is the last. */
        for (unsigned r = n_forecasters; r-- > 0;)
            measure_router(d, r, draw, &s);
    }
    if (ok) {
        *n_groups = b.n_groups;
        bootstrap_free(&b);
    }
    free(group);
    return ok;
}

static struct figure figure_of(const struct draws *d, double *draws)
{
    struct interval i = metrics_interval(draws + 1, d->n - 1, CONFIDENCE);
    return (struct figure){draws[0], i.lo, i.hi};
}

static void arm_fill(const struct draws *d, uint32_t a, struct eval_arm *out)
{
    const struct trial *t = d->t;
    const struct contender *k = &t->c->arm[a];
    const float *ms = t->c->test->arms[k->arm].latency_ms;
    double sum = 0, n = 0;
    double *guess = malloc((t->n + 1) * sizeof *guess);
    for (size_t i = 0; i < t->n; i++) {
        if (guess)
            guess[i] = t->guess[i * t->c->n_arms + a];
        if (!isnan(ms[t->row[i]])) {
            sum += (double)ms[t->row[i]];
            n++;
        }
    }
    *out = (struct eval_arm){
        .name = k->name,
        .is_plan = k->is_plan,
        .score = figure_of(d, arm_at(d, a, ARM_SCORE)),
        .cost = figure_of(d, arm_at(d, a, ARM_COST)),
        .quality = figure_of(d, arm_at(d, a, ARM_QUALITY)),
        .saving = figure_of(d, arm_at(d, a, ARM_SAVING)),
        .latency_ms = n > 0 ? sum / n : NAN,
        .ece = guess ? metrics_ece(guess, t->score + a * t->n, t->n, ECE_BINS)
                     : NAN};
    free(guess);
}

static void router_fill(const struct draws *d, unsigned r,
                        struct eval_router *out)
{
    *out = (struct eval_router){.name = forecasters[r].name,
                                .about = forecasters[r].about,
                                .is_router = forecasters[r].is_router,
                                .apgr = figure_of(d, router_at(d, r, APGR)),
                                .cpt50 = figure_of(d, router_at(d, r, CPT50)),
                                .cpt80 = figure_of(d, router_at(d, r, CPT80)),
                                .aiq = figure_of(d, router_at(d, r, AIQ))};
    for (unsigned k = 0; k < EVAL_TARGETS; k++) {
        unsigned f = AT_TARGET + k * PER_TARGET;
        out->at[k] = (struct eval_saving){
            .saving = figure_of(d, router_at(d, r, f + SAVING)),
            .quality = figure_of(d, router_at(d, r, f + QUALITY)),
            .edge = figure_of(d, router_at(d, r, f + EDGE)),
            .regret = figure_of(d, router_at(d, r, f + REGRET))};
    }
}

/*
 * A router earns its place where its score lies above what the best mix of
 * fixed arms reaches for the same money, with confidence shared out over all
 * the comparisons made (Bonferroni).  The first such router, at the target
 * where it is most above.
 */
static void winner_set(const struct draws *d, struct evaluation *v)
{
    double level = 1 - (1 - CONFIDENCE) / (v->n_routers * EVAL_TARGETS);
    v->winner = -1;
    for (unsigned r = 0; r < v->n_routers && v->winner < 0; r++) {
        double most = 0;
        for (unsigned k = 0; v->routers[r].is_router && k < EVAL_TARGETS; k++) {
            double *edge = router_at(d, r, AT_TARGET + k * PER_TARGET + EDGE);
            struct interval i = metrics_interval(edge + 1, d->n - 1, level);
            if (i.lo > 0 && edge[0] > most) {
                most = edge[0];
                v->winner = (int)r;
                v->winner_target = k;
            }
        }
    }
    v->fixed = v->reference;
    for (uint32_t a = 0; v->priced && a < v->n_arms; a++) {
        if (v->arms[a].quality.value >= 1 &&
            v->arms[a].cost.value < v->arms[v->fixed].cost.value)
            v->fixed = a;
    }
}

static bool fill(const struct draws *d, struct evaluation *v, struct err *e)
{
    v->arms = calloc(v->n_arms, sizeof *v->arms);
    v->routers = calloc(v->n_routers, sizeof *v->routers);
    if (!v->arms || !v->routers)
        return no_memory(e);
    for (uint32_t a = 0; a < v->n_arms; a++)
        arm_fill(d, a, &v->arms[a]);
    for (unsigned r = 0; r < v->n_routers; r++)
        router_fill(d, r, &v->routers[r]);
    winner_set(d, v);
    return true;
}

bool evaluate(const struct contest *c, const struct evaluate_options *o,
              struct evaluation *v, struct err *e)
{
    struct trial t;
    struct draws d = {0};
    *v = (struct evaluation){0};
    if (!trial_run(&t, c, o, e))
        return false;
    *v = (struct evaluation){.n = t.n,
                             .n_left_out = t.n_left_out,
                             .n_train = t.n_train,
                             .folds = t.folds,
                             .resamples = o->resamples,
                             .seed = o->seed,
                             .priced = c->priced,
                             .n_arms = c->n_arms,
                             .n_routers = n_forecasters,
                             .reference = t.reference};
    bool ok = draws_init(&d, &t, o->resamples, e) &&
              measure_all(&d, o->seed, &v->n_groups, e) && fill(&d, v, e);
    draws_free(&d);
    trial_free(&t);
    if (!ok)
        evaluation_free(v);
    return ok;
}

void evaluation_free(struct evaluation *v)
{
    free(v->arms);
    free(v->routers);
    *v = (struct evaluation){0};
}
