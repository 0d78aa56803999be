/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/acceptance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "datasets/log_plan.h"

/* Labelled answers of one plan, numbers by name. */
struct samples {
    size_t n, cap;
    double *x; /* (owned) [cap * LOGIT_MAX] 0 where a row lacks the number */
    double *y; /* (owned) [cap] */
    uint64_t *group; /* (owned) [cap] */
};

struct learning {
    struct acceptance_set *s;
    const struct table *t;
    struct samples *samples; /* (owned) [s->n] */
};

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "no memory for acceptance heads");
}

static bool samples_grow(struct samples *m, struct err *e)
{
    size_t cap = m->cap ? 2 * m->cap : 64;
    double *x, *y;
    uint64_t *group;

    if (m->n < m->cap)
        return true;
    x = realloc(m->x, cap * LOGIT_MAX * sizeof *x);
    m->x = x ? x : m->x;
    y = realloc(m->y, cap * sizeof *y);
    m->y = y ? y : m->y;
    group = realloc(m->group, cap * sizeof *group);
    m->group = group ? group : m->group;
    if (!x || !y || !group)
        return no_memory(e);
    m->cap = cap;
    return true;
}

/* The plan's place, made where there is none; -1: no memory. */
static int place_of(struct learning *l, uint32_t arm)
{
    const char *name = l->t->arms[arm].name;
    struct acceptance *at;
    struct samples *samples;

    for (uint32_t i = 0; i < l->s->n; i++)
        if (l->s->at[i].plan == name)
            return (int)i;
    at = realloc(l->s->at, (l->s->n + 1) * sizeof *at);
    if (!at)
        return -1;
    l->s->at = at;
    samples = realloc(l->samples, (l->s->n + 1) * sizeof *samples);
    if (!samples)
        return -1;
    l->samples = samples;
    samples[l->s->n] = (struct samples){0};
    at[l->s->n] = (struct acceptance){.plan = name};
    return (int)l->s->n++;
}

/* A number's column; LOGIT_MAX: no room, or a name too long. */
static unsigned column_of(struct acceptance *a, struct span name)
{
    for (unsigned j = 0; j < a->fit.k; j++)
        if (span_is(name, a->name[j]))
            return j;
    if (a->fit.k == LOGIT_MAX || name.len == 0 ||
        name.len >= ACCEPTANCE_NAME_MAX)
        return LOGIT_MAX;
    span_copy(a->name[a->fit.k], sizeof a->name[0], name);
    return a->fit.k++;
}

static void numbers_take(struct acceptance *a, const struct json *checks,
                         double *x)
{
    struct json_iter it = json_begin(checks);
    struct json key, value;
    double v;

    memset(x, 0, LOGIT_MAX * sizeof *x);
    while (json_next(&it, &key, &value)) {
        unsigned at = column_of(a, json_inner(&key));
        if (at < LOGIT_MAX && json_double(&value, &v) && isfinite(v))
            x[at] = v;
    }
}

/* Is it by the draft that the plan has in the table? */
static bool same_draft(const struct table *t, uint32_t arm,
                       const struct log_plan *p)
{
    const struct table_plan *plan = table_plan_of(t, arm);
    const struct log_plan_member *draft = log_plan_member(p, "draft");

    return draft &&
           (!plan || span_is(draft->arm, t->arms[plan->member[0]].name));
}

static bool outcome_take(struct learning *l, const struct dataset_row *row,
                         const struct outcome *o, struct err *e)
{
    int arm = table_find_arm(l->t, o->arm), at;
    struct log_plan p;
    struct samples *m;

    if (arm < 0 || isnan(o->score) || !o->plan.len)
        return true;
    if (!log_plan_parse(o->plan, &p, e))
        return false;
    if (log_plan_escalated(&p) != 0 || p.checks.type != JSON_OBJECT ||
        !same_draft(l->t, (uint32_t)arm, &p))
        return true;
    at = place_of(l, (uint32_t)arm);
    if (at < 0)
        return no_memory(e);
    m = &l->samples[at];
    if (!samples_grow(m, e))
        return false;
    numbers_take(&l->s->at[at], &p.checks, m->x + m->n * LOGIT_MAX);
    m->y[m->n] = o->score;
    m->group[m->n++] = span_hash(row->session.len ? row->session : row->id, 3);
    return true;
}

static bool file_take(struct learning *l, const char *path, struct err *e)
{
    struct dataset_options opt = {.skip_bad = true}; /* counted before */
    struct dataset_row *row = malloc(sizeof *row);
    struct dataset *d = row ? dataset_open(path, opt, e) : NULL;
    int got = -1;

    if (!row)
        no_memory(e);
    while (d && (got = dataset_next(d, row, e)) > 0)
        for (uint32_t i = 0; i < row->n_outcomes && got > 0; i++)
            if (!outcome_take(l, row, &row->outcomes[i], e))
                got = -1;
    dataset_close(d);
    free(row);
    return got == 0 || err_wrap(e, "%s", path);
}

/* Rows side by side with the columns there are in the end. */
static void pack(struct samples *m, unsigned k)
{
    for (size_t i = 1; i < m->n; i++)
        memmove(m->x + i * k, m->x + i * LOGIT_MAX, k * sizeof *m->x);
}

static bool fit(struct acceptance *a, struct samples *m, uint32_t seed,
                struct err *e)
{
    struct logit_rows rows = {
        .n = m->n, .k = a->fit.k, .x = m->x, .y = m->y, .group = m->group};
    size_t up = 0;

    for (size_t i = 0; i < m->n; i++)
        up += m->y[i] > .5;
    a->rows = m->n;
    a->inadequate = m->n - up;
    if (m->n < ACCEPTANCE_ROWS_MIN || !up || up == m->n)
        return true;
    pack(m, a->fit.k);
    logit_fit(&rows, &a->fit);
    if (!logit_check(&rows, seed, &a->check, e))
        return false;
    a->good = a->check.base - a->check.loss > a->check.error;
    return true;
}

bool acceptance_learn(struct acceptance_set *s, const struct table *t,
                      uint32_t seed, struct err *e)
{
    struct learning l = {.s = s, .t = t};
    bool ok = true;

    *s = (struct acceptance_set){0};
    for (uint32_t i = 0; ok && t->n_seen && i < t->n_files; i++)
        if (t->files[i].is_log)
            ok = file_take(&l, t->files[i].path, e);
    for (uint32_t i = 0; ok && i < s->n; i++)
        ok = fit(&s->at[i], &l.samples[i], seed, e);
    for (uint32_t i = 0; i < s->n; i++) {
        free(l.samples[i].x);
        free(l.samples[i].y);
        free(l.samples[i].group);
    }
    free(l.samples);
    if (!ok)
        acceptance_free(s);
    return ok;
}

void acceptance_free(struct acceptance_set *s)
{
    free(s->at);
    *s = (struct acceptance_set){0};
}

void acceptance_text(const struct acceptance_set *s, struct buf *out)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const struct acceptance *a = &s->at[i];
        buf_printf(out,
                   "Acceptance of %s's drafts: %zu labelled answers, %zu "
                   "inadequate",
                   a->plan, a->rows, a->inadequate);
        if (isnan(a->check.loss) || a->check.base <= 0)
            buf_printf(out,
                       "; a head takes %d with both kinds.  The built-in rule "
                       "holds.\n",
                       ACCEPTANCE_ROWS_MIN);
        else
            buf_printf(out,
                       "; cross-validated log loss %.4f, by their mean "
                       "%.4f%s.\n",
                       a->check.loss, a->check.base,
                       a->good ? "" : ": no better, the built-in rule holds");
    }
}
