/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "trainer/metrics.h"
#include "trainer/split.h"
#include "trainer/table_group.h"

/* Where each row of the two tables goes. */
struct layout {
    struct table view;      /* the test table with the groups to split by */
    struct contest contest; /* with the view in the table's place */
    uint64_t *group;        /* (owned) of the view; NULL: the table's own */
    uint8_t *part;          /* (owned) [view.n] fold; one table only */
    uint32_t *train;        /* (owned) rows of the fold at hand */
    uint32_t *test;         /* (owned) */
};

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "no memory for the evaluation");
}

static void layout_free(struct layout *l)
{
    free(l->group);
    free(l->part);
    free(l->train);
    free(l->test);
}

/* A view of the table whose groups are its tasks. */
static bool group_by_task(struct layout *l, struct err *e)
{
    l->group = malloc((l->view.n + 1) * sizeof *l->group);
    if (!l->group)
        return no_memory(e);
    if (l->view.n_tasks < 2)
        return err_set(e, ERR_INPUT,
                       "wanted at least two tasks to leave whole tasks out, "
                       "found %u",
                       l->view.n_tasks);
    for (size_t i = 0; i < l->view.n; i++)
        l->group[i] = l->view.task[i];
    l->view.group = l->group;
    return true;
}

static bool layout_init(struct layout *l, const struct contest *c,
                        const struct evaluate_options *o, struct err *e)
{
    size_t most = c->train->n > c->test->n ? c->train->n : c->test->n;
    *l = (struct layout){.view = *c->test,
                         .contest = *c,
                         .part = calloc(c->test->n + 1, 1),
                         .train = malloc((most + 1) * sizeof *l->train),
                         .test = malloc((most + 1) * sizeof *l->test)};
    if (!l->part || !l->train || !l->test)
        return no_memory(e);
    if (o->by_task && !group_by_task(l, e))
        return false;
    if (c->train != c->test)
        return true;
    l->contest.train = l->contest.test = &l->view;
    for (size_t i = 0; i < c->test->n; i++)
        l->train[i] = (uint32_t)i;
    const struct split s = {&l->view, l->train, c->test->n, o->seed};
    return split_folds(&s, o->folds, l->part, e);
}

/* Rows of the training table whose question is not in the test table. */
static bool rows_unseen(const struct contest *c, uint32_t *rows, size_t *n,
                        struct err *e)
{
    struct table_seen seen;

    if (!table_seen_of(c->test, &seen, e))
        return false;
    for (size_t i = 0; i < c->train->n; i++) {
        if (!table_seen_has(&seen, c->train, i))
            rows[(*n)++] = (uint32_t)i;
    }
    table_seen_free(&seen);
    return true;
}

/* The rows of fold k, and of them as many to learn from as were asked for. */
static bool fold_rows(struct layout *l, const struct evaluate_options *o,
                      unsigned k, struct fold *f, struct err *e)
{
    const struct contest *c = &l->contest;
    struct rng rng;
    struct outcomes all = {c, c->test, l->test};
    size_t n_test = 0;
    *f = (struct fold){
        .train = l->train, .test = l->test, .seed = rng_mix(o->seed, k + 1)};
    for (size_t i = 0; i < c->test->n; i++) {
        if (c->train == c->test && l->part[i] != k)
            l->train[f->n_train++] = (uint32_t)i;
        else
            l->test[n_test++] = (uint32_t)i;
    }
    for (size_t i = 0; i < n_test; i++) {
        if (outcomes_complete(&all, i))
            l->test[f->n_test++] = l->test[i];
    }
    if (c->train != c->test && !rows_unseen(c, l->train, &f->n_train, e))
        return false;
    if (o->labels && o->labels < f->n_train) {
        rng_seed(&rng, f->seed);
        rng_shuffle(&rng, l->train, f->n_train);
        f->n_train = o->labels;
    }
    return true;
}

static bool course_init(struct course *r, size_t n, bool two, struct err *e)
{
    r->choice = calloc(EVAL_TARGETS * n + 1, 1);
    r->rank = two ? calloc(n + 1, sizeof *r->rank) : NULL;
    return (r->choice && (r->rank || !two)) || no_memory(e);
}

static bool step_add(struct course *r, struct step s, struct err *e)
{
    if (r->n_steps == r->cap_steps) {
        size_t cap = r->cap_steps ? 2 * r->cap_steps : 1024;
        struct step *p = realloc(r->steps, cap * sizeof *p);
        if (!p)
            return no_memory(e);
        r->steps = p;
        r->cap_steps = cap;
    }
    r->steps[r->n_steps++] = s;
    return true;
}

/*
 * The score by which requests go to the strong arm first.  Folds of single
 * groups are alike, so a request's place is its rank within its fold (equal
 * scores share the middle one), and small offsets between the folds' fits do
 * not count.  Folds of whole tasks are not alike: one may need the strong arm
 * more than another, and the guessed gain says so; it stays as it is.
 */
static bool ranks_set(const struct trial *t, const struct guesses *g,
                      double *rank, struct err *e)
{
    uint32_t *order = malloc((g->n + 1) * sizeof *order);
    double *score = malloc((g->n + 1) * sizeof *score);
    bool ok = order && score;
    for (size_t i = 0; ok && i < g->n; i++)
        rank[i] = score[i] = g->quality[i * g->n_arms + t->strong] -
                             g->quality[i * g->n_arms + t->weak];
    if (ok)
        metrics_order(score, g->n, order);
    /* Who says the same of a whole fold says nothing: no offset of the fold's
     * training rows is to look like knowledge. */
    bool mute = ok && g->n && score[order[0]] == score[order[g->n - 1]];
    for (size_t i = 0, j; ok && (mute || !t->by_task) && i < g->n; i = j) {
        for (j = i; j < g->n && score[order[j]] == score[order[i]]; j++)
            ;
        for (size_t k = i; k < j; k++)
            rank[order[k]] =
                t->by_task ? 0 : 1 - (double)(i + j) / (2 * (double)g->n);
    }
    free(order);
    free(score);
    return ok || no_memory(e);
}

/* One fold at work; its rows begin at `at` in the trial. */
struct bout {
    const struct contest *c;
    struct fold f;
    size_t at;
    struct guesses cal, test; /* (owned) of one router after the other */
    struct knobs knobs;       /* of that router */
};

/* The path of the bout's row i along the knob. */
static bool path_add(struct trial *t, struct course *r, const struct bout *b,
                     size_t i, struct err *e)
{
    size_t at = b->at + i;
    float score = 0, cost = 0;
    uint32_t before = UINT32_MAX;
    for (unsigned j = 0; j < POLICY_KNOBS; j++) {
        uint32_t arm = policy_choose(&b->test, i, b->knobs.price[j]);
        if (arm == before)
            continue;
        float s = (float)t->score[arm * t->n + at];
        float c = (float)t->cost[arm * t->n + at];
        if (!step_add(r, (struct step){(uint32_t)at, j, s - score, c - cost},
                      e))
            return false;
        score = s;
        cost = c;
        before = arm;
    }
    return true;
}

/* What the router does with the rows, the knob set for each target. */
static bool choices_set(struct trial *t, unsigned router, struct bout *b,
                        struct err *e)
{
    struct course *r = &t->course[router];
    struct outcomes seen = {b->c, b->c->train, b->f.train};
    if (!policy_knobs(&b->cal, &b->knobs, e))
        return false;
    for (unsigned target = 0; target < EVAL_TARGETS; target++) {
        int knob = 0; /* the oracle needs no calibration */
        if (forecasters[router].is_router)
            knob = policy_calibrate(&b->cal, &seen, &b->knobs, t->reference,
                                    eval_targets[target]);
        uint8_t *choice = r->choice + target * t->n + b->at;
        for (size_t i = 0; i < b->f.n_test; i++)
            choice[i] =
                (uint8_t)(knob < 0 ? t->reference
                                   : policy_choose(&b->test, i,
                                                   b->knobs.price[knob]));
    }
    for (size_t i = 0; i < b->f.n_test; i++) {
        if (!path_add(t, r, b, i, e))
            return false;
    }
    return true;
}

static bool bout_router(struct trial *t, unsigned router, struct bout *b,
                        struct err *e)
{
    double *rank = t->course[router].rank;
    uint32_t n_arms = b->c->n_arms;
    bool ok = guesses_init(&b->cal, b->f.n_train, n_arms, e) &&
              guesses_init(&b->test, b->f.n_test, n_arms, e) &&
              forecasters[router].run(b->c, &b->f, &b->cal, &b->test, e) &&
              (!rank || ranks_set(t, &b->test, rank + b->at, e)) &&
              choices_set(t, router, b, e);
    if (ok && router == 0) {
        size_t cells = b->f.n_test * n_arms;
        memcpy(t->guess + b->at * n_arms, b->test.quality,
               cells * sizeof *t->guess);
        memcpy(t->expected + b->at * n_arms, b->test.cost,
               cells * sizeof *t->expected);
    }
    guesses_free(&b->cal);
    guesses_free(&b->test);
    return ok || err_wrap(e, "%s", forecasters[router].name);
}

static bool bout_run(struct trial *t, struct bout *b, unsigned k,
                     const struct evaluate_options *o, struct err *e)
{
    if (b->f.n_test == 0 || b->f.n_train < 2 * b->c->folds)
        return err_set(
            e, ERR_INPUT,
            "wanted at least 1 row to judge by and %u to learn from, "
            "found %zu and %zu",
            2 * b->c->folds, b->f.n_test, b->f.n_train);
    for (unsigned r = 0; r < n_forecasters; r++) {
        if (!bout_router(t, r, b, e))
            return false;
        if (o->progress)
            o->progress(o->ctx, (k + (r + 1.0) / n_forecasters) / t->folds);
    }
    return true;
}

/* The rows of all folds, one fold behind the other, and what happened. */
static bool rows_collect(struct trial *t, struct layout *l,
                         const struct evaluate_options *o, struct err *e)
{
    const struct contest *c = t->c;
    struct fold f;
    for (unsigned k = 0; k < t->folds; k++) {
        if (!fold_rows(l, o, k, &f, e))
            return false;
        memcpy(t->row + t->n, f.test, f.n_test * sizeof *t->row);
        t->n += f.n_test;
        t->n_train += f.n_train;
    }
    t->n_train /= t->folds;
    t->n_left_out = c->test->n - t->n;
    t->guess = calloc(t->n * c->n_arms + 1, sizeof *t->guess);
    t->expected = calloc(t->n * c->n_arms + 1, sizeof *t->expected);
    t->score = calloc(t->n * c->n_arms + 1, sizeof *t->score);
    t->cost = calloc(t->n * c->n_arms + 1, sizeof *t->cost);
    if (!t->guess || !t->expected || !t->score || !t->cost)
        return no_memory(e);
    struct outcomes all = {c, c->test, t->row};
    for (uint32_t a = 0; a < c->n_arms; a++) {
        for (size_t i = 0; i < t->n; i++) {
            t->score[a * t->n + i] = outcomes_score(&all, i, a);
            t->cost[a * t->n + i] = outcomes_cost(&all, i, a);
        }
    }
    if (t->n == 0)
        return err_set(e, ERR_INPUT,
                       "no row has an outcome of every arm (%zu rows read)",
                       c->test->n);
    return true;
}

static bool reference_set(struct trial *t, const struct evaluate_options *o,
                          struct err *e)
{
    const struct contest *c = t->c;
    double best = -1, mean[2];
    for (uint32_t a = 0; a < c->n_arms; a++) {
        double m = metrics_mean(t->score + a * t->n, NULL, t->n);
        if (a < 2)
            mean[a] = m;
        if (o->reference ? !strcmp(o->reference, c->arm[a].name)
                         : m > best && !c->arm[a].is_plan) {
            best = m;
            t->reference = a;
        }
    }
    t->strong = mean[1] >= mean[0];
    t->weak = !t->strong;
    if (best < 0)
        return err_set(e, ERR_USAGE, "wanted a reference among the arms%s%s",
                       o->reference ? ", found " : ": a model, not a plan",
                       o->reference ? o->reference : "");
    return true;
}

static bool options_check(const struct contest *c,
                          const struct evaluate_options *o, struct err *e)
{
    if (c->n_arms < 2)
        return err_set(e, ERR_USAGE, "wanted at least two arms, found %u",
                       c->n_arms);
    if (o->by_task && c->train != c->test)
        return err_set(e, ERR_USAGE,
                       "whole tasks are left out of one set: "
                       "not with a training set of its own");
    return true;
}

bool trial_run(struct trial *t, const struct contest *c,
               const struct evaluate_options *o, struct err *e)
{
    struct layout l = {0};
    struct bout b = {0};
    *t = (struct trial){.c = c,
                        .by_task = o->by_task,
                        .folds = c->train == c->test ? o->folds : 1,
                        .row = malloc((c->test->n + 1) * sizeof *t->row)};
    bool ok = options_check(c, o, e) && (t->row || no_memory(e)) &&
              layout_init(&l, c, o, e) && rows_collect(t, &l, o, e) &&
              reference_set(t, o, e);
    for (unsigned r = 0; ok && r < n_forecasters; r++)
        ok = course_init(&t->course[r], t->n, c->n_arms == 2, e);
    b.c = &l.contest;
    for (unsigned k = 0; ok && k < t->folds; k++) {
        b.at += b.f.n_test;
        ok = fold_rows(&l, o, k, &b.f, e) && bout_run(t, &b, k, o, e);
    }
    layout_free(&l);
    if (!ok)
        trial_free(t);
    return ok;
}

void trial_free(struct trial *t)
{
    for (unsigned r = 0; r < ROUTERS_MAX; r++) {
        free(t->course[r].rank);
        free(t->course[r].choice);
        free(t->course[r].steps);
    }
    free(t->row);
    free(t->guess);
    free(t->expected);
    free(t->score);
    free(t->cost);
    *t = (struct trial){0};
}
