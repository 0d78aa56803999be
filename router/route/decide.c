/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/decide.h"

#include <math.h>
#include <string.h>

#include "models/choose.h"
#include "router/route/expect.h"
#include "router/route/explore.h"
#include "router/route/plans.h"
#include "router/route/rules.h"

static const struct {
    const char *name, *text;
} reasons[REASON_KINDS] = {
    [REASON_NONE] = {"none", "every arm was dropped"},
    [REASON_PINNED] = {"pinned", "asked for by name"},
    [REASON_ONLY] = {"only", "the only arm left"},
    [REASON_FIXED] = {"fixed", "the route's fixed arm"},
    [REASON_RULE] = {"rule", "a rule of the route"},
    [REASON_LEVEL] = {"level",
                      "best worth at the price that keeps the promise"},
    [REASON_FLOOR] = {"floor", "the cheapest above the quality floor"},
    [REASON_BEST] = {"best", "none above the quality floor: the best"},
    [REASON_BUDGET] = {"budget", "best worth at the budget's price"},
    [REASON_NO_CLASSIFIER] = {"no_classifier",
                              "no classifier: the reference arm"},
    [REASON_UNKNOWN_REFERENCE] =
        {"unknown_reference",
         "the classifier does not know the reference arm: that one"},
    [REASON_NO_LEVEL] = {"no_level",
                         "the promise is not proven: the reference arm"},
    [REASON_DRIFTED] = {"drifted",
                        "the traffic left the mix that the promise was made "
                        "on: the reference arm"},
    [REASON_SUBSTITUTE] = {"substitute",
                           "the wanted arm was dropped: the best of the rest"},
    [REASON_EXPLORED] = {"explored", "explored: the neighbour in cost"},
    [REASON_TASK] = {"task", "the route's arm for this task"},
    [REASON_STATIC] = {"static", "a rule of the route answers it itself"},
    [REASON_OUT_OF_DOMAIN] = {"out_of_domain",
                              "far from the training data: abstained"},
    [REASON_STAY] = {"stay", "the conversation stays with its model"},
};

const char *reason_name(enum reason r)
{
    return reasons[r].name;
}

const char *reason_text(enum reason r)
{
    return reasons[r].text;
}

static bool allowed(const struct decision *d, unsigned i)
{
    return d->arms[i].drop.kind == DROP_NONE;
}

static const struct model *model_of(const struct route *r, unsigned i)
{
    return &r->set->arms[i].model->model;
}

/* ---- candidates ---- */

static bool compares_costs(const struct route *r)
{
    return r->set->policy == POLICY_CHEAPEST || r->set->policy == POLICY_BUDGET;
}

/* An arm's name is in the list "a,b , c". */
static bool listed(struct span list, const char *name)
{
    while (list.ptr) {
        if (span_is(span_trim(span_cut(&list, ',')), name))
            return true;
    }
    return false;
}

/* A single arm that the request asks for: its drops of capability are the
 * caller's own affair. */
static bool is_pin(const struct question *q)
{
    struct span arms = q->wish.arms;

    return q->route->set->pinned ||
           (arms.len > 0 && !memchr(arms.ptr, ',', arms.len));
}

static double max_cost(const struct question *q)
{
    double route = q->route->set->max_cost;

    return isnan(q->wish.max_cost) ? route : fmin(q->wish.max_cost, route);
}

struct drop decide_need(const struct question *q, unsigned i)
{
    const struct model *m = model_of(q->route, i);
    struct drop d;

    if (q->abroad >> i & 1)
        return (struct drop){DROP_REGION, 0, 0};
    if (q->down >> i & 1)
        return (struct drop){DROP_UNHEALTHY, 0, 0};
    d = drop_by_task(m, q->request);
    if (d.kind == DROP_NONE && !is_pin(q) && !q->request->embeds)
        d = drop_by_model(m, q->request, q->facts);
    return d;
}

/* A member that is no arm of the route is taken only where the conversation
 * must stay with it. */
static struct drop drop_member(const struct question *q, unsigned i)
{
    if (q->stay && q->stay->hold && q->stay->arm == (int)i)
        return decide_need(q, i);
    return (struct drop){DROP_MEMBER, 0, 0};
}

static struct drop drop_arm(const struct question *q, unsigned i,
                            const struct verdict *v)
{
    const struct route_settings *set = q->route->set;
    const struct model *m = model_of(q->route, i);
    double most = max_cost(q);
    struct drop d;

    if (i >= set->n_arms)
        return drop_member(q, i);
    if (q->wish.arms.len && !listed(q->wish.arms, set->arms[i].name))
        return (struct drop){DROP_NOT_ASKED, 0, 0};
    d = set->arms[i].plan ? plan_need(q, i) : decide_need(q, i);
    if (d.kind != DROP_NONE)
        return d;
    if (!m->priced && (!isnan(most) || (compares_costs(q->route) &&
                                        set->n_arms > 1 && !is_pin(q))))
        return (struct drop){DROP_UNPRICED, 0, 0};
    if (v->cost > most)
        return (struct drop){DROP_COST, v->cost, most};
    return d;
}

/* ---- policies ---- */

static int first_allowed(const struct decision *d, unsigned *count)
{
    int first = -1;

    *count = 0;
    for (unsigned i = 0; i < d->n; i++) {
        if (!allowed(d, i))
            continue;
        if (first < 0)
            first = (int)i;
        ++*count;
    }
    return first;
}

bool decide_better(const struct route *r, const struct decision *d, unsigned a,
                   unsigned b)
{
    const struct verdict *x = &d->arms[a], *y = &d->arms[b];

    if (!isnan(x->quality) && !isnan(y->quality))
        return x->quality > y->quality;
    if (model_of(r, a)->tier != model_of(r, b)->tier)
        return model_of(r, a)->tier > model_of(r, b)->tier;
    return x->cost > y->cost;
}

static int best_allowed(const struct route *r, const struct decision *d)
{
    int best = -1;

    for (unsigned i = 0; i < d->n; i++) {
        if (allowed(d, i) &&
            (best < 0 || decide_better(r, d, i, (unsigned)best)))
            best = (int)i;
    }
    return best;
}

static void take(struct decision *d, int arm, enum reason why)
{
    d->chosen = arm;
    d->reason = why;
}

/* `arm` where it may be taken, else the best of the rest. */
static void take_or_best(const struct route *r, struct decision *d, int arm,
                         enum reason why)
{
    if (allowed(d, (unsigned)arm))
        take(d, arm, why);
    else
        take(d, best_allowed(r, d), REASON_SUBSTITUTE);
}

static void fill_candidates(const struct decision *d, struct candidate *c)
{
    for (unsigned i = 0; i < d->n; i++) {
        const struct verdict *v = &d->arms[i];
        bool known = !isnan(v->quality);

        c[i] = (struct candidate){known ? v->quality : 0, v->cost,
                                  known && allowed(d, i)};
    }
}

const struct level *decide_level(const struct route *r, double target)
{
    for (unsigned i = 0; i < r->n_levels; i++) {
        if (r->levels[i].quality >= target - 1e-9)
            return &r->levels[i];
    }
    return NULL;
}

static void by_floor(const struct question *q, struct decision *d,
                     const struct candidate *c)
{
    const struct route *r = q->route;
    int arm;

    d->floor = d->quality_target * (double)d->arms[r->set->reference].quality;
    arm = choose_by_floor(c, d->n, d->floor);
    if (arm < 0)
        take(d, best_allowed(r, d), REASON_SUBSTITUTE);
    else
        take(d, arm,
             (double)c[arm].quality >= d->floor ? REASON_FLOOR : REASON_BEST);
}

static void by_price(const struct question *q, struct decision *d,
                     const struct candidate *c, enum reason why)
{
    int arm = choose_by_price(c, d->n, d->price);

    if (arm < 0)
        take(d, best_allowed(q->route, d), REASON_SUBSTITUTE);
    else
        take(d, arm, why);
}

/* A level was proven for all arms: it stands behind the choice only where
 * none that was dropped would have been taken. */
static bool as_proven(const struct question *q, const struct decision *d,
                      const struct candidate *c)
{
    unsigned n = q->route->set->n_arms;
    struct candidate all[ARMS_MAX];

    for (unsigned i = 0; i < n; i++) {
        all[i] = c[i];
        all[i].allowed = !isnan(d->arms[i].quality);
    }
    return choose_by_price(all, n, d->price) == d->chosen;
}

static void by_level(const struct question *q, struct decision *d,
                     struct candidate *c, const struct level *level)
{
    const struct route *r = q->route;

    for (unsigned i = 0; i < d->n; i++)
        c[i].cost = c[i].cost * r->scale[i] + r->base[i];
    d->price = level->price;
    by_price(q, d, c, REASON_LEVEL);
    if (d->reason == REASON_LEVEL && as_proven(q, d, c))
        d->level = level;
}

/* Qualities that the tasks' means alone give: sums of P(task) x mean. */
static void prior_of_tasks(const struct question *q, struct candidate *c)
{
    const struct weights *w = classifier_weights(q->classifier);
    const struct prediction *p = q->prediction;
    uint32_t lanes = weights_lanes(w);

    for (unsigned i = 0; i < q->route->set->n_arms; i++) {
        int head = q->route->head[i];
        float sum = 0;

        for (uint32_t t = 0; head >= 0 && t < p->n_tasks; t++)
            sum += p->task[t] * w->task_mean[(size_t)t * lanes + (size_t)head];
        c[i].quality = sum;
    }
}

/* Far from the training data predictions say little. */
static void abstain(const struct question *q, struct decision *d,
                    struct candidate *c)
{
    const struct route_settings *set = q->route->set;
    int arm;

    if (set->out_of_domain == OUTSIDE_REFERENCE) {
        take_or_best(q->route, d, set->reference, REASON_OUT_OF_DOMAIN);
        return;
    }
    if (set->out_of_domain == OUTSIDE_TASK && q->classifier &&
        q->prediction->n_tasks)
        prior_of_tasks(q, c);
    d->floor = d->quality_target * (double)c[set->reference].quality;
    arm = choose_by_floor(c, d->n, d->floor);
    if (arm < 0)
        take(d, best_allowed(q->route, d), REASON_SUBSTITUTE);
    else
        take(d, arm, REASON_OUT_OF_DOMAIN);
}

static void by_quality(const struct question *q, struct decision *d)
{
    const struct route *r = q->route;
    const struct level *level =
        q->drifted ? NULL : decide_level(r, d->quality_target);
    struct candidate c[ARMS_MAX];

    fill_candidates(d, c);
    if (isnan(d->arms[r->set->reference].quality)) {
        take_or_best(r, d, r->set->reference, REASON_UNKNOWN_REFERENCE);
    } else if (domain_outside(&r->domain, q->prediction)) {
        abstain(q, d, c);
    } else if (level) {
        by_level(q, d, c, level);
    } else if (r->fall_to_reference) {
        take_or_best(r, d, r->set->reference,
                     q->drifted ? REASON_DRIFTED : REASON_NO_LEVEL);
    } else {
        by_floor(q, d, c);
    }
}

/* The route has not saved enough for the arm that is worth most: the one of
 * those that it can pay, else the cheapest. */
static void within_room(const struct question *q, struct decision *d,
                        struct candidate *c)
{
    int cheapest = -1;

    for (unsigned i = 0; i < d->n; i++) {
        if (c[i].allowed && (cheapest < 0 || c[i].cost < c[cheapest].cost))
            cheapest = (int)i;
    }
    for (unsigned i = 0; i < d->n; i++)
        c[i].allowed =
            c[i].allowed && ((int)i == cheapest || c[i].cost <= q->room);
    by_price(q, d, c, REASON_BUDGET);
}

static void by_budget(const struct question *q, struct decision *d)
{
    struct candidate c[ARMS_MAX];

    fill_candidates(d, c);
    d->price = q->price;
    by_price(q, d, c, REASON_BUDGET);
    if (d->chosen < 0)
        return;
    d->wanted = d->arms[d->chosen].cost;
    if (q->bounded && d->wanted > q->room)
        within_room(q, d, c);
}

/* ---- rules ---- */

static bool holds(const struct question *q, const struct decision *d, int i)
{
    const struct rule_settings *rule = q->route->set->rules.at;

    return q->again ? i == q->rule : rule_holds(q, d, &rule[i].when);
}

/* True when a rule held. */
static bool by_rules(const struct question *q, struct decision *d)
{
    const struct route_settings *set = q->route->set;
    const struct rule_settings *rule = set->rules.at;

    for (unsigned i = 0; i < set->rules.n; i++) {
        int arm = rule[i].index;

        if ((arm >= 0 && !allowed(d, (unsigned)arm)) || !holds(q, d, (int)i))
            continue;
        d->rule = (int)i;
        d->answer = rule[i].answer;
        take(d, arm, d->answer ? REASON_STATIC : REASON_RULE);
        return true;
    }
    return false;
}

static bool by_task(const struct question *q, struct decision *d)
{
    const struct route_settings *set = q->route->set;

    if (!d->task_given && !d->task_likely)
        return false;
    for (unsigned i = 0; i < set->tasks.n; i++) {
        if (!span_is(d->task, set->tasks.at[i].name) ||
            !allowed(d, set->task_arms[i]))
            continue;
        take(d, set->task_arms[i], REASON_TASK);
        return true;
    }
    return false;
}

static void by_policy(const struct question *q, struct decision *d)
{
    const struct route_settings *set = q->route->set;

    if (set->policy == POLICY_RULES || set->policy == POLICY_FIXED)
        take_or_best(q->route, d, set->reference, REASON_FIXED);
    else if (!q->prediction)
        take_or_best(q->route, d, set->reference, REASON_NO_CLASSIFIER);
    else if (set->policy == POLICY_BUDGET)
        by_budget(q, d);
    else
        by_quality(q, d);
}

/* Vectors of two models cannot be compared: the named reference, else the first
 * that can; whoever stands in for it must be the same model elsewhere. */
static void by_vectors(const struct question *q, struct decision *d)
{
    const struct route *r = q->route;
    const char *chosen;
    unsigned left;

    if (r->set->reference_name && allowed(d, (unsigned)r->set->reference))
        take(d, r->set->reference, REASON_FIXED);
    else
        take(d, first_allowed(d, &left), REASON_FIXED);
    chosen = model_of(r, (unsigned)d->chosen)->origin;
    for (unsigned i = 0; i < d->n; i++) {
        if (allowed(d, i) && strcmp(model_of(r, i)->origin, chosen) != 0)
            d->arms[i].drop.kind = DROP_VECTORS;
    }
}

/* ---- all together ---- */

/* Arms whose keys rest stay away where another can do it. */
static void drop_resting(uint32_t resting, struct decision *d)
{
    bool other = false;

    for (unsigned i = 0; i < d->n; i++)
        other = other || (allowed(d, i) && !(resting >> i & 1));
    for (unsigned i = 0; other && i < d->n; i++) {
        if (allowed(d, i) && resting >> i & 1)
            d->arms[i].drop = (struct drop){DROP_RESTING, 0, 0};
    }
}

/* A token is at least one byte of the body; media are not told by bytes. */
static double certain_tokens(const struct question *q)
{
    const struct facts *f = q->facts;
    const struct params *p = &q->request->params;

    if (f->images || f->files || f->audios)
        return INFINITY;
    return (double)q->request->body.len +
           (p->max_tokens >= 0 ? (double)p->max_tokens : 256);
}

static void find_task(const struct question *q, struct decision *d)
{
    const struct prediction *p = q->prediction;
    uint32_t best = 0;

    d->task = q->wish.task;
    d->task_given = q->wish.task.len > 0;
    if (d->task_given || !p || !q->classifier || p->n_tasks == 0)
        return;
    for (uint32_t i = 1; i < p->n_tasks; i++) {
        if (p->task[i] > p->task[best])
            best = i;
    }
    d->task = span_of(classifier_task(q->classifier, best));
    d->task_likely = p->task[best] >= 0.5f;
}

static bool must_stay(const struct question *q, const struct decision *d)
{
    const struct stay *s = q->stay;

    return s && s->hold && s->arm >= 0 && allowed(d, (unsigned)s->arm);
}

/* Those that are not for exploring. */
static bool settled(const struct question *q, struct decision *d)
{
    static const uint32_t by_will = 1u << REASON_PINNED | 1u << REASON_STAY |
                                    1u << REASON_RULE | 1u << REASON_TASK;

    if (by_will >> d->reason & 1 || q->request->embeds ||
        plan_verifies(q->route, d->chosen) || !compares_costs(q->route))
        return true;
    d->risky = q->again ? q->risky : risk_holds(q, d);
    return d->risky;
}

/* Predictions and drops, plans behind their members. */
static void judge_arms(const struct question *q, struct decision *d)
{
    const struct arm *arms = q->route->set->arms;

    for (unsigned i = 0; i < d->n; i++) {
        if (!arms[i].plan)
            d->arms[i] = expect_arm(q, i);
    }
    for (unsigned i = 0; i < d->n; i++) {
        if (arms[i].plan)
            plan_predict(q, i, d);
        d->arms[i].drop = drop_arm(q, i, &d->arms[i]);
    }
}

/* A plan that is asked for by name is not begun anew in the middle of what
 * one of its members does. */
static void pin(const struct question *q, struct decision *d, int arm)
{
    const struct stay *s = q->stay;

    if (!s || !s->hold || s->arm < 0 ||
        !plan_has(&q->route->set->arms[arm], s->arm) ||
        decide_need(q, (unsigned)s->arm).kind != DROP_NONE) {
        take(d, arm, REASON_PINNED);
        return;
    }
    d->arms[s->arm].drop.kind = DROP_NONE;
    take(d, s->arm, REASON_STAY);
}

/* only: the one arm that is left, or -1. */
static void choose(const struct question *q, struct decision *d, int only)
{
    if (q->request->embeds)
        by_vectors(q, d);
    else if (must_stay(q, d))
        take(d, q->stay->arm, REASON_STAY);
    else if (by_rules(q, d) || by_task(q, d))
        return;
    else if (only >= 0)
        take(d, only, REASON_ONLY);
    else
        by_policy(q, d);
}

void decide(const struct question *q, struct decision *out)
{
    const struct route_settings *set = q->route->set;
    unsigned left;
    int first;

    *out = (struct decision){.n = set->n_all,
                             .chosen = -1,
                             .rule = -1,
                             .drifted = q->drifted,
                             .certain_tokens = certain_tokens(q),
                             .floor = NAN,
                             .price = NAN,
                             .quality_target = NAN};
    if (set->policy == POLICY_CHEAPEST)
        out->quality_target =
            isnan(q->wish.quality) ? set->quality : q->wish.quality;
    find_task(q, out);
    judge_arms(q, out);
    drop_resting(q->resting, out);
    first = first_allowed(out, &left);
    if (first < 0)
        return;
    if (is_pin(q))
        pin(q, out, first);
    else
        choose(q, out, left == 1 ? first : -1);
    if (out->chosen < 0)
        return;
    if (settled(q, out))
        out->arms[out->chosen].propensity = 1;
    else
        explore(q, out);
}
