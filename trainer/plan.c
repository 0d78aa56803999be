/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row a kind of plan; the last member is the one escalated to. */
static const struct kind {
    const char *name;
    enum plan_kind kind;
    unsigned members;
    const char *form;
} kinds[] = {
    {"verify", PLAN_VERIFY, 3, "verify(draft,check,else)"},
    {"cascade", PLAN_CASCADE, 2, "cascade(draft,else)"},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

bool plan_is(struct span text)
{
    return span_has(text, SPAN("("));
}

struct span plan_list_cut(struct span *rest)
{
    struct span list = *rest;
    int depth = 0;
    for (size_t i = 0; i < list.len; i++) {
        char c = list.ptr[i];
        depth += (c == '(') - (c == ')');
        if (c != ',' || depth > 0)
            continue;
        *rest = (struct span){list.ptr + i + 1, list.len - i - 1};
        return span_trim((struct span){list.ptr, i});
    }
    *rest = (struct span){NULL, 0};
    return span_trim(list);
}

static const struct kind *kind_of(struct span name)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (span_is(name, kinds[i].name))
            return &kinds[i];
    }
    return NULL;
}

static bool members_parse(const struct kind *k, struct span list,
                          struct plan *p, struct err *e)
{
    while (list.ptr) {
        struct span name = plan_list_cut(&list);
        if (name.len == 0 || plan_is(name))
            return err_set(e, ERR_USAGE, "wanted the name of a model in %s",
                           k->form);
        if (p->n_members == k->members)
            return err_set(e, ERR_USAGE, "wanted %s, found more models",
                           k->form);
        for (unsigned i = 0; i < p->n_members; i++) {
            if (span_eq(p->member[i], name))
                return err_set(e, ERR_USAGE, "%.*s is in the plan twice",
                               SPAN_ARGS(name));
        }
        p->member[p->n_members++] = name;
    }
    if (p->n_members < k->members)
        return err_set(e, ERR_USAGE, "wanted %s, found %u models", k->form,
                       p->n_members);
    return true;
}

bool plan_parse(struct span text, struct plan *p, struct err *e)
{
    struct span rest = span_trim(text);
    struct span name = span_trim(span_cut(&rest, '('));
    const struct kind *k = kind_of(name);
    if (!k)
        return err_set(e, ERR_USAGE,
                       "wanted a plan such as %s or %s, found %.*s",
                       kinds[0].form, kinds[1].form, SPAN_ARGS(text));
    if (!rest.len || rest.ptr[rest.len - 1] != ')')
        return err_set(e, ERR_USAGE, "wanted %s, found %.*s", k->form,
                       SPAN_ARGS(text));
    rest.len--;
    *p = (struct plan){.kind = k->kind};
    return members_parse(k, rest, p, e) ||
           err_wrap(e, "plan %.*s", SPAN_ARGS(text));
}

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
    const struct table_arm *member[PLAN_MEMBERS_MAX];
    bool *recorded[PLAN_MEMBERS_MAX]; /* (owned) */
    unsigned n_first;                 /* members asked before `else` */
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
    if (v == UNKNOWN)
        return;
    escalates->score[row] = v == ESCALATED;
    escalates->n_scores++;
    const struct table_arm *speaks = v == ESCALATED ? last : d->member[0];
    if (isnan(speaks->score[row]))
        return;
    unsigned asked = d->n_first + (v == ESCALATED);
    plan->score[row] = speaks->score[row];
    plan->n_scores++;
    plan->answer[row] = speaks->answer[row];
    plan->cost[row] = SUM(d, cost, row, asked);
    plan->input_tokens[row] = SUM(d, input_tokens, row, asked);
    plan->output_tokens[row] = SUM(d, output_tokens, row, asked);
    plan->latency_ms[row] = latency(d, row);
    if (v == ESCALATED)
        plan->latency_ms[row] += last->latency_ms[row];
}

static bool derive(struct table *t, const struct plan_arm *p, struct err *e)
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
    if (t->arms[p->arm].n_scores == 0)
        return err_set(e, ERR_INPUT,
                       "no row has the answers that it needs: its outcome "
                       "cannot be derived");
    return true;
}

bool plan_add(struct table *t, struct span text, struct plan_arm *out,
              struct err *e)
{
    struct plan p;
    char name[512];
    int arm, escalates;
    if (!plan_parse(text, &p, e))
        return false;
    *out = (struct plan_arm){.kind = p.kind, .n_members = p.n_members};
    for (unsigned m = 0; m < p.n_members; m++) {
        int at = table_find_arm(t, p.member[m]);
        if (at < 0)
            return err_set(e, ERR_INPUT, "plan %.*s: no row has model %.*s",
                           SPAN_ARGS(text), SPAN_ARGS(p.member[m]));
        out->member[m] = (uint32_t)at;
    }
    snprintf(name, sizeof name, "escalates %.*s", SPAN_ARGS(text));
    arm = table_add_arm(t, text, e);
    escalates = arm < 0 ? -1 : table_add_arm(t, span_of(name), e);
    if (escalates < 0)
        return false;
    out->arm = (uint32_t)arm;
    out->escalates = (uint32_t)escalates;
    return derive(t, out, e) || err_wrap(e, "plan %.*s", SPAN_ARGS(text));
}

double plan_cost(const struct plan_arm *p, const double *member_cost,
                 double escalates)
{
    double sum = 0;
    for (unsigned m = 0; m + 1 < p->n_members; m++)
        sum += member_cost[m];
    return sum + escalates * member_cost[p->n_members - 1];
}
