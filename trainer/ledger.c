/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/choices.h"
#include "trainer/ledger_shadows.h"

enum { NAMES_BYTES = 16 << 20 };

/* Two walks through the log: how much there is, then the rows. */
struct loading {
    struct ledger *l;
    size_t counted[LEDGER_ROUTES_MAX];
    struct ledger_shadows shadows;
};

/* ---- names ---- */

static struct ledger_kind *kind_of(struct ledger_kinds *k, struct span name,
                                   struct arena *a)
{
    for (unsigned i = 0; i < k->n; i++)
        if (span_eq(k->at[i].name, name))
            return &k->at[i];
    if (k->n == LEDGER_KINDS_MAX)
        return &k->at[k->n - 1];
    k->at[k->n].name =
        k->n + 1 < LEDGER_KINDS_MAX ? arena_copy(a, name) : SPAN("(others)");
    return &k->at[k->n++];
}

static int route_of(const struct ledger *l, struct span name)
{
    for (unsigned i = 0; i < l->n_routes; i++)
        if (span_eq(l->routes[i].name, name))
            return (int)i;
    return -1;
}

static int arm_of(const struct ledger_route *r, struct span name)
{
    for (unsigned i = 0; i < r->n_arms; i++)
        if (span_eq(r->arms[i], name))
            return (int)i;
    return -1;
}

static bool add_arm(struct ledger_route *r, struct span name, struct arena *a)
{
    if (name.len == 0 || arm_of(r, name) >= 0)
        return true;
    if (r->n_arms == LEDGER_ARMS_MAX)
        return false;
    r->arms[r->n_arms] = arena_copy(a, name);
    return r->arms[r->n_arms++].ptr != NULL;
}

/* What weir asked itself is a cost of learning, never a request. */
static bool is_own(const struct log_row *r)
{
    return r->purpose.len > 0;
}

static bool was_answered(const struct log_row *r)
{
    return r->arm.len > 0 && r->status < 400 && !isnan(r->cost_usd) &&
           !span_is(r->reason, "cache") && r->arms.len > 0;
}

/* ---- the first walk ---- */

static bool read_arms(struct ledger_route *route, const struct log_row *r,
                      struct arena *a)
{
    struct choices list;
    struct err e;

    if (!choices_parse(r->arms, &list, &e))
        return false;
    for (unsigned i = 0; i < list.n; i++)
        if (!add_arm(route, list.at[i].arm, a))
            return false;
    return add_arm(route, r->arm, a);
}

static void count_totals(struct ledger *l, const struct log_row *r)
{
    struct ledger_kind *reason;

    l->first_ms = l->requests ? l->first_ms : r->time_ms;
    l->last_ms = r->time_ms;
    l->requests++;
    l->failed += r->status >= 400 || r->status < 0;
    l->cached += span_is(r->reason, "cache");
    l->own += span_is(r->reason, "static");
    if (!isnan(r->cost_usd))
        l->spent += r->cost_usd;
    reason = kind_of(&l->reasons, r->reason, &l->arena);
    reason->n++;
    reason->cost += isnan(r->cost_usd) ? 0 : r->cost_usd;
}

/* -1: too many. */
static int route_add(struct ledger *l, struct span name)
{
    if (l->n_routes == LEDGER_ROUTES_MAX)
        return -1;
    l->routes[l->n_routes].name = arena_copy(&l->arena, name);
    return (int)l->n_routes++;
}

static void count_learning(struct ledger *l, const struct log_row *r)
{
    struct ledger_kind *kind = kind_of(&l->learning, r->purpose, &l->arena);
    double cost = isnan(r->cost_usd) ? 0 : r->cost_usd;
    int i = route_of(l, r->route);

    kind->n++;
    kind->cost += cost;
    l->learnt_for += cost;
    if (i < 0 && r->route.len)
        i = route_add(l, r->route);
    if (i >= 0)
        l->routes[i].learnt_for += cost;
}

static bool count_row(void *ctx, const struct log_row *r, struct err *e)
{
    struct loading *g = ctx;
    struct ledger *l = g->l;
    int i = route_of(l, r->route);

    (void)e;
    if (is_own(r)) {
        count_learning(l, r);
        return true;
    }
    count_totals(l, r);
    if (!was_answered(r))
        return true;
    if (i < 0)
        i = route_add(l, r->route);
    if (i < 0 || !read_arms(&l->routes[i], r, &l->arena))
        l->skipped++;
    else
        g->counted[i]++;
    return true;
}

static bool make_tables(struct ledger_route *r, size_t n, struct err *e)
{
    size_t cells = n * r->n_arms + 1;

    r->chosen = calloc(n + 1, sizeof *r->chosen);
    r->source = calloc(n + 1, sizeof *r->source);
    r->explored = calloc(n + 1, sizeof *r->explored);
    r->cost = calloc(n + 1, sizeof *r->cost);
    r->score = calloc(n + 1, sizeof *r->score);
    r->group = calloc(n + 1, sizeof *r->group);
    r->propensity = calloc(cells, sizeof *r->propensity);
    r->may_cost = calloc(cells, sizeof *r->may_cost);
    r->may_score = calloc(cells, sizeof *r->may_score);
    r->able = calloc(cells, sizeof *r->able);
    r->expecting = calloc(n + 1, sizeof *r->expecting);
    r->told_cost.outcome = calloc(cells, sizeof(double));
    r->told_cost.chance = calloc(cells, sizeof(double));
    r->told_score.outcome = calloc(cells, sizeof(double));
    r->told_score.chance = calloc(cells, sizeof(double));
    return (r->chosen && r->source && r->explored && r->cost && r->score &&
            r->group && r->propensity && r->may_cost && r->may_score &&
            r->able && r->expecting && r->told_cost.outcome &&
            r->told_cost.chance && r->told_score.outcome &&
            r->told_score.chance) ||
           err_set(e, ERR_MEMORY, "no memory for %zu rows", n);
}

/* ---- the second walk ---- */

static void fill_arms(struct ledger_route *r, const struct log_row *row)
{
    size_t at = r->n * r->n_arms;
    struct choices list;
    struct err e;

    for (unsigned a = 0; a < r->n_arms; a++)
        r->may_cost[at + a] = r->may_score[at + a] = NAN;
    if (!choices_parse(row->arms, &list, &e))
        return;
    for (unsigned i = 0; i < list.n; i++) {
        const struct choice *c = &list.at[i];
        int a = arm_of(r, c->arm);

        if (a < 0)
            continue;
        r->may_cost[at + (size_t)a] = c->cost;
        r->may_score[at + (size_t)a] = c->quality;
        r->able[at + (size_t)a] = c->able;
        r->propensity[at + (size_t)a] = (float)fmax(0, c->propensity);
    }
}

static void count_kinds(struct ledger *l, struct ledger_route *r,
                        const struct log_row *row)
{
    struct ledger_kind *const kinds[] = {
        kind_of(&r->tasks, row->task, &l->arena),
        kind_of(&r->keys, row->key_name, &l->arena),
        isnan(row->score) ? NULL : kind_of(&l->sources, row->source, &l->arena),
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!kinds[i])
            continue;
        kinds[i]->n++;
        kinds[i]->cost += row->cost_usd;
        if (isnan(row->score))
            continue;
        kinds[i]->labelled++;
        kinds[i]->score += row->score;
    }
    r->source[r->n] =
        kinds[2] ? (uint8_t)(kinds[2] - l->sources.at) : UINT8_MAX;
}

/* A failover's arm was not drawn by chance: it was certain once the chosen
 * one had failed. */
static bool certain(const struct log_row *row)
{
    return span_is(row->reason, "failover") || isnan(row->propensity);
}

static bool fill_row(void *ctx, const struct log_row *row, struct err *e)
{
    struct loading *g = ctx;
    struct ledger *l = g->l;
    int i = route_of(l, row->route), arm;
    struct ledger_route *r;

    if (i >= 0 && span_is(row->purpose, "shadow"))
        return ledger_shadows_note(&g->shadows, row, e);
    if (i < 0 || is_own(row) || !was_answered(row))
        return true;
    r = &l->routes[i];
    arm = arm_of(r, row->arm);
    if (arm < 0 || r->n == g->counted[i])
        return true;
    fill_arms(r, row);
    count_kinds(l, r, row);
    r->chosen[r->n] = (uint8_t)arm;
    r->cost[r->n] = row->cost_usd;
    r->score[r->n] = row->score;
    r->explored[r->n] = span_is(row->reason, "explored");
    r->group[r->n] =
        row->session.len ? span_hash(row->session, 1) : span_hash(row->id, 2);
    if (certain(row)) {
        memset(r->propensity + r->n * r->n_arms, 0,
               r->n_arms * sizeof *r->propensity);
        r->propensity[r->n * r->n_arms + (size_t)arm] = 1;
    }
    r->expecting[r->n] =
        (uint8_t)(kind_of(&l->classifiers, row->classifier, &l->arena) -
                  l->classifiers.at);
    r->served[arm]++;
    r->spent[arm] += row->cost_usd;
    r->n++;
    return ledger_shadows_parent(&g->shadows, row->id, l, (unsigned)i, e);
}

bool ledger_load(const char *path, const struct log_range *range,
                 struct ledger *out, struct err *e)
{
    struct loading g = {.l = out};
    struct log_range all = *range;
    bool ok;

    memset(out, 0, sizeof *out);
    arena_init(&out->arena, NAMES_BYTES);
    all.own = true;
    ok = log_rows_each(path, &all, count_row, &g, e);
    for (unsigned i = 0; ok && i < out->n_routes; i++)
        ok = make_tables(&out->routes[i], g.counted[i], e);
    ok = ok && log_rows_each(path, &all, fill_row, &g, e);
    if (ok)
        ledger_shadows_tell(&g.shadows, out);
    ledger_shadows_free(&g.shadows);
    return ok;
}

void ledger_free(struct ledger *l)
{
    for (unsigned i = 0; i < l->n_routes; i++) {
        struct ledger_route *r = &l->routes[i];
        void *const all[] = {r->chosen,
                             r->source,
                             r->explored,
                             r->cost,
                             r->score,
                             r->group,
                             r->propensity,
                             r->may_cost,
                             r->may_score,
                             r->able,
                             r->expecting,
                             r->told_cost.outcome,
                             r->told_cost.chance,
                             r->told_score.outcome,
                             r->told_score.chance};

        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
            free(all[k]);
    }
    arena_free(&l->arena);
    l->n_routes = 0;
}

/* ---- for the estimates ---- */

struct logged ledger_costs(const struct ledger_route *r)
{
    return (struct logged){.n = r->n,
                           .n_arms = r->n_arms,
                           .chosen = r->chosen,
                           .reward = r->cost,
                           .propensity = r->propensity,
                           .expected = r->may_cost,
                           .group = r->group,
                           .outcome = r->told_cost.outcome,
                           .chance = r->told_cost.chance,
                           .model = r->expecting,
                           .n_models = LEDGER_KINDS_MAX,
                           .besides = r->learnt_for,
                           .heavy = true};
}

struct logged ledger_scores(const struct ledger_route *r)
{
    struct logged scores = ledger_costs(r);

    scores.reward = r->score;
    scores.heavy = false;
    scores.expected = r->may_score;
    scores.outcome = r->told_score.outcome;
    scores.chance = r->told_score.chance;
    scores.besides = 0;
    return scores;
}

size_t ledger_fixed(const struct ledger_route *r, unsigned arm, float *target)
{
    size_t unable = 0;

    memset(target, 0, r->n * r->n_arms * sizeof *target);
    for (size_t i = 0; i < r->n; i++) {
        size_t at = i * r->n_arms;

        if (r->able[at + arm]) {
            target[at + arm] = 1;
            continue;
        }
        unable++;
        memcpy(target + at, r->propensity + at, r->n_arms * sizeof *target);
    }
    return unable;
}
