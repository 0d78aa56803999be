/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/forecast.h"

#include <math.h>
#include <stdlib.h>

const struct forecaster forecasters[] = {
    {"learned", "this program's heads, one per arm", true, forecast_learned},
    {"task-mean", "each arm's mean score in the request's true task", true,
     forecast_task_mean},
    {"length-only", "each arm's mean score among prompts of that length", true,
     forecast_length},
    {"random", "a random share of requests to each arm", true, forecast_random},
    {"oracle", "knows every score: the cheapest of the best arms", false,
     forecast_oracle},
};
const unsigned n_forecasters = sizeof forecasters / sizeof forecasters[0];

bool guesses_init(struct guesses *g, size_t n, uint32_t n_arms, struct err *e)
{
    size_t cells = n * n_arms + 1;
    *g = (struct guesses){.n = n,
                          .n_arms = n_arms,
                          .quality = calloc(cells, sizeof *g->quality),
                          .cost = calloc(cells, sizeof *g->cost)};
    if (g->quality && g->cost)
        return true;
    guesses_free(g);
    return err_set(e, ERR_MEMORY, "no memory for the evaluation's guesses");
}

void guesses_free(struct guesses *g)
{
    free(g->quality);
    free(g->cost);
    *g = (struct guesses){0};
}

/* Where no price is known the shape of the cost still is: tokens, output
 * ones four times as dear as input ones (the usual ratio of list prices);
 * guesses_scale() brings it to the level of the costs that were seen. */
static double arm_cost(const struct table *t, uint32_t arm, uint32_t row,
                       double tokens)
{
    const struct table_arm *a = &t->arms[arm];
    bool known = !isnan(a->price_in) && !isnan(a->price_out);
    double in = known ? a->price_in : 1, out = known ? a->price_out : 4;
    return (double)t->est_input[row] * in + tokens * out;
}

/* One row's guesses, [n_arms] each. */
struct cells {
    double *quality, *cost;
};

static struct cells cells_at(const struct guesses *g, size_t i)
{
    return (struct cells){g->quality + i * g->n_arms, g->cost + i * g->n_arms};
}

static void guess_row(const struct contest *c, const struct table *t,
                      uint32_t row, const struct prediction *p, struct cells at)
{
    for (uint32_t a = 0; a < c->n_arms; a++) {
        const struct contender *k = &c->arm[a];
        double member[PLAN_FORM_MEMBERS];
        at.quality[a] = (double)p->quality[k->arm];
        if (!k->is_plan) {
            at.cost[a] = arm_cost(t, k->arm, row, (double)p->tokens[k->arm]);
            continue;
        }
        for (unsigned m = 0; m < k->plan.n_members; m++) {
            uint32_t arm = k->plan.member[m];
            member[m] = arm_cost(t, arm, row, (double)p->tokens[arm]);
        }
        at.cost[a] =
            plan_cost(&k->plan, member, (double)p->quality[k->plan.escalates]);
    }
}

/* One factor an arm, so that the guesses' mean over the training rows is the
 * mean cost that was seen there. */
static void guesses_scale(const struct contest *c, const struct fold *f,
                          struct guesses *cal, struct guesses *test)
{
    for (uint32_t a = 0; a < c->n_arms; a++) {
        const float *seen = c->train->arms[c->arm[a].arm].cost;
        double sum = 0, guessed = 0;
        for (size_t i = 0; i < f->n_train; i++) {
            if (isnan(seen[f->train[i]]))
                continue;
            sum += (double)seen[f->train[i]];
            guessed += cal->cost[i * c->n_arms + a];
        }
        double factor = guessed > 0 && c->priced ? sum / guessed : 0;
        for (size_t i = 0; i < cal->n; i++)
            cal->cost[i * c->n_arms + a] *= factor;
        for (size_t i = 0; i < test->n; i++)
            test->cost[i * c->n_arms + a] *= factor;
    }
}

bool forecast_learned(const struct contest *c, const struct fold *f,
                      struct guesses *cal, struct guesses *test, struct err *e)
{
    struct fit_options o = c->fit;
    struct prediction p;
    o.seed = (uint32_t)f->seed;
    o.folds = c->folds;
    struct fitted *fit = fit_train(c->train, f->train, f->n_train, &o, e);
    if (!fit)
        return false;
    for (size_t i = 0; i < f->n_train; i++) {
        fit_oof(fit, i, &p);
        guess_row(c, c->train, f->train[i], &p, cells_at(cal, i));
    }
    for (size_t i = 0; i < f->n_test; i++) {
        fit_predict(fit, c->test, f->test[i], &p);
        guess_row(c, c->test, f->test[i], &p, cells_at(test, i));
    }
    guesses_scale(c, f, cal, test);
    fit_free(fit);
    return true;
}

static void know(const struct contest *c, const struct table *t,
                 const uint32_t *rows, struct guesses *g)
{
    for (size_t i = 0; i < g->n; i++) {
        for (uint32_t a = 0; a < c->n_arms; a++) {
            const struct table_arm *arm = &t->arms[c->arm[a].arm];
            g->quality[i * c->n_arms + a] = (double)arm->score[rows[i]];
            g->cost[i * c->n_arms + a] =
                c->priced ? (double)arm->cost[rows[i]] : 0;
        }
    }
}

bool forecast_oracle(const struct contest *c, const struct fold *f,
                     struct guesses *cal, struct guesses *test, struct err *e)
{
    (void)e;
    know(c, c->train, f->train, cal);
    know(c, c->test, f->test, test);
    return true;
}
