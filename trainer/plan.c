/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/plan.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* recorded[task]: were this member's answers written down there?  Rows
 * without a task are the last, n_tasks-th. */
static bool *answers_recorded(const struct table *t, const struct table_arm *a)
{
    size_t n = (size_t)t->n_tasks + 1;
    size_t *rows = calloc(n, sizeof *rows), *with = calloc(n, sizeof *with);
    bool *recorded = calloc(n, sizeof *recorded);
    for (size_t i = 0; rows && with && i < t->n; i++) {
        if (isnan(a->score[i]))
            continue;
        size_t task = t->task[i] == TABLE_NO_TASK ? n - 1 : t->task[i];
        rows[task]++;
        with[task] += a->answer[i] != 0;
    }
    for (size_t i = 0; rows && with && recorded && i < n; i++)
        recorded[i] = rows[i] > 0 && 2 * with[i] >= rows[i];
    if (!rows || !with) {
        free(recorded);
        recorded = NULL;
    }
    free(rows);
    free(with);
    return recorded;
}

/* What is needed to derive one plan's rows. */
struct deriving {
    const struct table *t;
    const struct table_arm *member[PLAN_FORM_MEMBERS];
    bool *recorded[PLAN_FORM_MEMBERS]; /* (owned) */
    unsigned n_first;                  /* members asked before `else` */
};

enum verdict { UNKNOWN, ACCEPTED, ESCALATED };

static enum verdict judge(const struct deriving *d, size_t row)
{
    const struct table *t = d->t;
    size_t task = t->task[row] == TABLE_NO_TASK ? t->n_tasks : t->task[row];
    uint32_t answer = d->member[0]->answer[row];
    bool accepted = answer != 0;
    for (unsigned m = 0; m < d->n_first; m++) {
        if (isnan(d->member[m]->score[row]) || !d->recorded[m][task])
            return UNKNOWN;
        accepted = accepted && d->member[m]->answer[row] == answer;
    }
    return accepted ? ACCEPTED : ESCALATED;
}

/* Sum of a column over the members that were asked. */
static float sum_of(const struct deriving *d, size_t column, size_t row,
                    unsigned asked)
{
    float sum = 0;
    for (unsigned m = 0; m < asked; m++) {
        const char *arm = (const char *)d->member[m];
        float *const *at = (float *const *)(const void *)(arm + column);
        sum += (*at)[row];
    }
    return sum;
}

#define SUM(d, column, row, asked)                                             \
    sum_of(d, offsetof(struct table_arm, column), row, asked)

/* Of the members asked first, side by side; NAN where one is not known. */
static float latency(const struct deriving *d, size_t row)
{
    float slowest = 0;
    for (unsigned m = 0; m < d->n_first; m++) {
        float ms = d->member[m]->latency_ms[row];
        if (isnan(ms))
            return NAN;
        slowest = ms > slowest ? ms : slowest;
    }
    return slowest;
}

static void derive_row(const struct deriving *d, struct table_arm *plan,
                       struct table_arm *escalates, size_t row)
{
    enum verdict v = judge(d, row);
    const struct table_arm *last = d->member[d->n_first];
    if (v == UNKNOWN || !isnan(escalates->score[row]))
        return; /* what a log says of the plan counts */
    escalates->score[row] = v == ESCALATED;
    escalates->n_scores++;
    const struct table_arm *speaks = v == ESCALATED ? last : d->member[0];
    if (isnan(speaks->score[row]) || !isnan(plan->score[row]))
        return;
    unsigned asked = d->n_first + (v == ESCALATED);
    plan->score[row] = speaks->score[row];
    plan->trust[row] = speaks->trust[row];
    plan->second[row] = speaks->second[row];
    plan->beside[row] = speaks->beside[row];
    plan->n_scores++;
    plan->answer[row] = speaks->answer[row];
    plan->cost[row] = SUM(d, cost, row, asked);
    plan->input_tokens[row] = SUM(d, input_tokens, row, asked);
    plan->output_tokens[row] = SUM(d, output_tokens, row, asked);
    plan->latency_ms[row] = latency(d, row);
    if (v == ESCALATED)
        plan->latency_ms[row] += last->latency_ms[row];
}

static bool has_outcome(const struct table *t, const struct table_arm *a)
{
    for (size_t i = 0; i < t->n; i++)
        if (!isnan(a->score[i]) || !isnan(a->cost[i]))
            return true;
    return false;
}

static bool derive(struct table *t, const struct table_plan *p, struct err *e)
{
    struct deriving d = {.t = t, .n_first = p->n_members - 1};
    bool ok = true;
    for (unsigned m = 0; m < p->n_members; m++) {
        d.member[m] = &t->arms[p->member[m]];
        d.recorded[m] = answers_recorded(t, d.member[m]);
        ok = ok && d.recorded[m];
    }
    for (size_t i = 0; ok && i < t->n; i++)
        derive_row(&d, &t->arms[p->arm], &t->arms[p->escalates], i);
    for (unsigned m = 0; m < p->n_members; m++)
        free(d.recorded[m]);
    if (!ok)
        return err_set(e, ERR_MEMORY, "no memory for a plan's rows");
    return has_outcome(t, &t->arms[p->arm]) ||
           err_set(e, ERR_INPUT,
                   "no row has its outcome, nor the answers that it could be "
                   "derived from");
}

/* The arm of this name, made where there is none; -1: e is filled. */
static int arm_called(struct table *t, struct span name, struct err *e)
{
    int at = table_find_arm(t, name);

    if (at >= 0)
        return at;
    if (t->n_arms == CLASSIFIER_ARMS_MAX) {
        err_set(e, ERR_LIMIT, "wanted at most %d arms with those of plans",
                CLASSIFIER_ARMS_MAX);
        return -1;
    }
    return table_add_arm(t, name, e);
}

static bool arms_of(struct table *t, struct span name, struct table_plan *p,
                    struct err *e)
{
    char head[512];
    int arm, escalates;

    if (name.len + sizeof PLAN_FORM_ESCALATES > sizeof head)
        return err_set(e, ERR_USAGE, "wanted a shorter name");
    snprintf(head, sizeof head, PLAN_FORM_ESCALATES "%.*s", SPAN_ARGS(name));
    arm = arm_called(t, name, e);
    escalates = arm < 0 ? -1 : arm_called(t, span_of(head), e);
    if (escalates < 0)
        return false;
    p->arm = (uint32_t)arm;
    p->escalates = (uint32_t)escalates;
    if (table_plan_of(t, p->arm))
        return err_set(e, ERR_USAGE, "it is named twice");
    for (unsigned m = 0; m < p->n_members; m++)
        if (p->member[m] == p->arm)
            return err_set(e, ERR_USAGE, "it is its own member");
    return true;
}

static bool plan_store(struct table *t, const struct table_plan *p,
                       uint32_t *index, struct err *e)
{
    struct table_plan *all = realloc(t->plans, (t->n_plans + 1) * sizeof *all);

    if (!all)
        return err_set(e, ERR_MEMORY, "no memory for a plan");
    t->plans = all;
    all[t->n_plans] = *p;
    *index = t->n_plans++;
    return true;
}

bool plan_add(struct table *t, struct span item, uint32_t *index, struct err *e)
{
    struct plan_form form;
    struct table_plan p = {0};
    struct span name, text;

    plan_form_split(item, &name, &text);
    if (!name.len)
        return err_set(e, ERR_USAGE, "plan %.*s: wanted a name before '='",
                       SPAN_ARGS(item));
    if (!plan_form_parse(text, &form, e))
        return false;
    p.kind = form.kind;
    p.n_members = form.n_members;
    for (unsigned m = 0; m < p.n_members; m++) {
        int at = table_find_arm(t, form.member[m]);
        if (at < 0)
            return err_set(e, ERR_INPUT, "plan %.*s: no row has model %.*s",
                           SPAN_ARGS(item), SPAN_ARGS(form.member[m]));
        p.member[m] = (uint32_t)at;
    }
    return (arms_of(t, name, &p, e) && derive(t, &p, e) &&
            plan_store(t, &p, index, e)) ||
           err_wrap(e, "plan %.*s", SPAN_ARGS(item));
}

double plan_cost(const struct table_plan *p, const double *member_cost,
                 double escalates)
{
    return plan_form_expected_usd(member_cost, p->n_members, escalates);
}

void plan_text(const struct table *t, const struct table_plan *p, char *dst,
               size_t size)
{
    struct plan_form form = {.kind = p->kind, .n_members = p->n_members};

    for (unsigned m = 0; m < p->n_members; m++)
        form.member[m] = span_of(t->arms[p->member[m]].name);
    (void)plan_form_write(&form, dst, size);
}
