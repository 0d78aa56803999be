/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/judge.h"

#include <math.h>
#include <stdlib.h>

#include "trainer/bounds.h"
#include "trainer/plan.h"

/* Output tokens are about so many times as dear as input ones, where an
 * arm's prices are not known but its costs are. */
#define OUTPUT_TIMES 4

/* Rows that say something about policies. */
static bool row_counts(const struct judged *j, const struct table *t,
                       uint32_t row)
{
    return gold_complete(t, row) &&
           (!j->gold || j->gold->kind != GOLD_ALONE || gold_golden(t, row));
}

static bool arrays_new(struct judged *j, size_t n, uint32_t arms)
{
    size_t cells = n * arms + 1;

    *j = (struct judged){.gold = j->gold};
    j->second = malloc(cells);
    j->quality = malloc(cells * sizeof *j->quality);
    j->score = malloc(cells * sizeof *j->score);
    j->cost = malloc(cells * sizeof *j->cost);
    j->spent = malloc(cells * sizeof *j->spent);
    j->group = malloc((n + 1) * sizeof *j->group);
    j->outside = malloc(n + 1);
    return j->quality && j->score && j->cost && j->spent && j->group &&
           j->outside && j->second;
}

static double expected_cost(const struct table_arm *arm, double input,
                            double output)
{
    if (isnan(arm->price_in) || isnan(arm->price_out))
        return input + OUTPUT_TIMES * output;
    return input * arm->price_in + output * arm->price_out + arm->price_each;
}

static void take(struct judged *j, const struct table *t, uint32_t row,
                 const struct prediction *p)
{
    size_t at = j->rows.n * t->n_arms;
    bool moved = j->gold && j->gold->kind == GOLD_MEASURED;

    mix_add(&j->mix, p, (double)t->est_input[row]);
    j->input_tokens += (double)t->est_input[row];
    for (uint32_t a = 0; a < t->n_arms; a++) {
        const struct table_arm *arm = &t->arms[a];
        j->output_tokens[a] += (double)p->tokens[a];
        j->quality[at + a] = p->quality[a];
        j->score[at + a] = arm->score[row];
        j->second[at + a] = arm->second[row];
        if (moved && arm->second[row])
            j->score[at + a] += j->gold->bias[a];
        j->cost[at + a] =
            expected_cost(arm, (double)t->est_input[row], (double)p->tokens[a]);
        j->spent[at + a] = (double)arm->cost[row];
    }
    j->outside[j->rows.n] = domain_outside(&j->domain, p);
    j->group[j->rows.n++] = t->group[row];
}

/* Of what is known. */
static double mean_of(const double *x, const struct judged *j, uint32_t arm)
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < j->rows.n; i++) {
        double v = x[i * j->rows.n_arms + arm];
        sum += isnan(v) ? 0 : v;
        n += !isnan(v);
    }
    return n ? sum / (double)n : NAN;
}

/* What was spent by what was guessed, where both are known. */
static double level_of(const struct judged *j, uint32_t arm)
{
    double spent = 0, guessed = 0;

    for (size_t i = 0; i < j->rows.n; i++) {
        size_t at = i * j->rows.n_arms + arm;
        if (isnan(j->spent[at]))
            continue;
        spent += j->spent[at];
        guessed += j->cost[at];
    }
    return guessed > 0 ? spent / guessed : 0;
}

/* Without prices the expected cost has the right shape only: brings it to
 * the level of the costs that were seen. */
static void scale_unpriced(struct judged *j, const struct table *t)
{
    for (uint32_t a = 0; a < t->n_arms; a++) {
        bool priced =
            !isnan(t->arms[a].price_in) && !isnan(t->arms[a].price_out);
        double factor;
        if (priced || t->arms[a].role == TABLE_ESCALATES || table_plan_of(t, a))
            continue;
        factor = level_of(j, a);
        for (size_t i = 0; i < j->rows.n; i++)
            j->cost[i * t->n_arms + a] *= factor;
    }
}

/* A plan's from its members' and P(`else` is needed), as the router does. */
static void cost_plans(struct judged *j, const struct table *t)
{
    for (uint32_t k = 0; k < t->n_plans; k++) {
        const struct table_plan *p = &t->plans[k];
        double member[PLAN_FORM_MEMBERS];
        for (size_t i = 0; i < j->rows.n; i++) {
            size_t at = i * t->n_arms;
            for (unsigned m = 0; m < p->n_members; m++)
                member[m] = j->cost[at + p->member[m]];
            j->cost[at + p->arm] =
                plan_cost(p, member, (double)j->quality[at + p->escalates]);
        }
    }
}

/* Sums to means. */
static void average(struct judged *j)
{
    double n = j->rows.n ? (double)j->rows.n : 1;

    j->input_tokens /= n;
    for (uint32_t a = 0; a < j->rows.n_arms; a++)
        j->output_tokens[a] /= n;
}

/* About the means, by which the scores have been moved. */
static void bounds_of_labels(struct judged *j)
{
    const struct gold *g = j->gold;

    if (!g || g->kind != GOLD_MEASURED)
        return;
    for (uint32_t a = 0; a < CLASSIFIER_ARMS_MAX; a++) {
        j->low[a] = g->low[a] - g->bias[a];
        j->high[a] = g->high[a] - g->bias[a];
        j->rows.reach = fmax(j->rows.reach, fmax(fabs((double)g->low[a]),
                                                 fabs((double)g->high[a])));
    }
    j->rows.second = j->second;
    j->rows.low = j->low;
    j->rows.high = j->high;
}

/* rows NULL: the fit's own. */
static bool judge(struct judged *j, const struct fitted *f,
                  const uint32_t *rows, size_t n, struct err *e)
{
    const struct table *t = fit_table(f);
    const uint32_t *at = rows ? rows : fit_rows(f, &n);

    if (!arrays_new(j, n, t->n_arms)) {
        judged_free(j);
        return err_set(e, ERR_MEMORY, "no memory to judge %zu rows", n);
    }
    j->rows = (struct guarantee_rows){.n_arms = t->n_arms,
                                      .quality = j->quality,
                                      .cost = j->cost,
                                      .score = j->score,
                                      .spent = j->spent,
                                      .group = j->group,
                                      .outside = j->outside};
    bounds_of_labels(j);
    if (!bounds_find(f, &j->domain, e)) {
        judged_free(j);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        struct prediction p;
        if (rows)
            fit_predict(f, t, at[i], &p);
        else
            fit_oof(f, i, &p);
        if (row_counts(j, t, at[i])) {
            take(j, t, at[i], &p);
        } else {
            mix_add(&j->rest, &p, (double)t->est_input[at[i]]);
            j->left_out++;
        }
    }
    average(j);
    scale_unpriced(j, t);
    cost_plans(j, t);
    return true;
}

bool judge_own(struct judged *j, const struct fitted *f, struct err *e)
{
    return judge(j, f, NULL, 0, e);
}

bool judge_rows(struct judged *j, const struct fitted *f, const uint32_t *rows,
                size_t n, struct err *e)
{
    return judge(j, f, rows, n, e);
}

void judged_free(struct judged *j)
{
    free(j->quality);
    free(j->score);
    free(j->cost);
    free(j->spent);
    free(j->group);
    free(j->outside);
    free(j->second);
    *j = (struct judged){.gold = j->gold};
}

double judged_spent(const struct judged *j, uint32_t arm)
{
    return mean_of(j->spent, j, arm);
}

double judged_cost(const struct judged *j, uint32_t arm)
{
    return mean_of(j->cost, j, arm);
}

static double mean_of_floats(const float *x, const struct judged *j,
                             uint32_t arm)
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < j->rows.n; i++) {
        float v = x[i * j->rows.n_arms + arm];
        sum += isnan(v) ? 0 : (double)v;
        n += !isnan(v);
    }
    return n ? sum / (double)n : NAN;
}

double judged_score(const struct judged *j, uint32_t arm)
{
    return mean_of_floats(j->score, j, arm);
}

double judged_quality(const struct judged *j, uint32_t arm)
{
    return mean_of_floats(j->quality, j, arm);
}

uint32_t judged_best(const struct judged *j, uint64_t arms)
{
    uint32_t best = UINT32_MAX;

    for (uint32_t a = 0; a < j->rows.n_arms; a++) {
        double mine = judged_score(j, a), his;
        if (!(arms >> a & 1))
            continue;
        his = best == UINT32_MAX ? -1 : judged_score(j, best);
        if (best == UINT32_MAX || mine > his ||
            (mine >= his && judged_spent(j, a) > judged_spent(j, best)))
            best = a;
    }
    return best == UINT32_MAX ? 0 : best;
}

/* Does this arm alone keep the promise?  Rows of one conversation are taken
 * one by one here: it is advice, no guarantee. */
static bool keeps(const struct judged *j, uint32_t arm, uint32_t reference,
                  double q, double delta)
{
    double *loss = malloc((j->rows.n + 1) * sizeof *loss), p = 1;

    for (size_t i = 0; loss && i < j->rows.n; i++) {
        const float *row = j->score + i * j->rows.n_arms;
        loss[i] = q * (double)row[reference] - (double)row[arm];
    }
    if (loss)
        p = guarantee_p(loss, j->rows.n, q, delta);
    free(loss);
    return p <= delta;
}

uint32_t judged_fixed(const struct judged *j, const struct guarantee_ask *ask)
{
    uint32_t best = ask->reference;

    for (uint32_t a = 0; a < j->rows.n_arms; a++)
        if ((ask->arms >> a & 1) &&
            judged_spent(j, a) < judged_spent(j, best) &&
            keeps(j, a, ask->reference, ask->quality, 1 - ask->confidence))
            best = a;
    return best;
}
