/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/plan_seen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/log_plan.h"
#include "trainer/plan.h"

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "no memory for plans");
}

static void members_free(struct plan_seen *p)
{
    for (unsigned m = 0; m < PLAN_FORM_MEMBERS; m++) {
        free(p->member[m]);
        p->member[m] = NULL;
    }
}

void plan_seen_free(struct table *t)
{
    for (uint32_t i = 0; i < t->n_seen; i++) {
        free(t->seen[i].name);
        members_free(&t->seen[i]);
    }
    free(t->seen);
    t->seen = NULL;
    t->n_seen = 0;
}

/* The one of this name, made where there is none; NULL: no memory. */
static struct plan_seen *seen_of(struct table *t, struct span name)
{
    struct plan_seen *all;

    for (uint32_t i = 0; i < t->n_seen; i++)
        if (span_is(name, t->seen[i].name))
            return &t->seen[i];
    all = realloc(t->seen, (t->n_seen + 1) * sizeof *all);
    if (!all)
        return NULL;
    t->seen = all;
    all[t->n_seen] = (struct plan_seen){.name = strndup(name.ptr, name.len)};
    return all[t->n_seen].name ? &all[t->n_seen++] : NULL;
}

static bool member_set(struct plan_seen *p, unsigned m, struct span name,
                       struct err *e)
{
    free(p->member[m]);
    p->member[m] = strndup(name.ptr, name.len);
    return p->member[m] || no_memory(e);
}

bool plan_seen_fix(struct table *t, struct span item, struct err *e)
{
    struct plan_form form;
    struct span name, text;
    struct plan_seen *p;

    plan_form_split(item, &name, &text);
    if (!plan_form_parse(text, &form, e))
        return false;
    p = seen_of(t, name);
    if (!p)
        return no_memory(e);
    p->kind = form.kind;
    p->n_members = form.n_members;
    p->fixed = true;
    for (unsigned m = 0; m < form.n_members; m++)
        if (!member_set(p, m, form.member[m], e))
            return false;
    return true;
}

/* Draft, check (of a verify plan) and else, in the order of plan_form.h;
 * NULL where none was asked. */
static void members_of(const struct log_plan *log, enum plan_form_kind kind,
                       const struct log_plan_member *out[PLAN_FORM_MEMBERS])
{
    unsigned n = 0;

    out[n++] = log_plan_member(log, "draft");
    if (kind == PLAN_FORM_VERIFY)
        out[n++] = log_plan_member(log, "check");
    out[n] = log_plan_member(log, "else");
}

static bool is_member(const struct plan_seen *p, unsigned m,
                      const struct log_plan_member *now)
{
    return !p->member[m] || !now || span_is(now->arm, p->member[m]);
}

/* Does what the row says contradict what was seen before?  Counts for how
 * many rows on end. */
static bool differs(struct plan_seen *p, enum plan_form_kind kind,
                    const struct log_plan_member *const *now)
{
    unsigned m = 0;

    if (p->n_members && p->kind != kind) {
        p->odd_rows = PLAN_SEEN_ROWS;
        return true;
    }
    while (m < p->n_members && is_member(p, m, now[m]))
        m++;
    if (m == p->n_members) {
        if (now[p->odd])
            p->odd_rows = 0; /* the one that differed is there again */
        return false;
    }
    p->odd_rows = m == p->odd ? p->odd_rows + 1 : 1;
    p->odd = m;
    return true;
}

static void forget_arm(struct table *t, const char *name)
{
    int at = table_find_arm(t, span_of(name));
    struct table_arm *a;

    if (at < 0)
        return;
    a = &t->arms[at];
    for (size_t i = 0; i < t->n; i++)
        a->score[i] = a->cost[i] = a->input_tokens[i] = a->output_tokens[i] =
            NAN;
    a->n_scores = 0;
    a->assumed_tokens = 0;
}

static void forget(struct table *t, struct plan_seen *p)
{
    char name[160];
    int at = table_find_arm(t, span_of(p->name));

    for (size_t i = 0; at >= 0 && i < t->n; i++)
        p->others += !isnan(t->arms[at].cost[i]);
    forget_arm(t, p->name);
    snprintf(name, sizeof name, PLAN_FORM_ESCALATES "%s", p->name);
    forget_arm(t, name);
    members_free(p);
}

bool plan_seen_note(struct table *t, struct span arm, struct span json,
                    bool *other, struct err *e)
{
    const struct log_plan_member *now[PLAN_FORM_MEMBERS] = {NULL, NULL, NULL};
    enum plan_form_kind kind;
    struct log_plan log;
    struct plan_seen *p;
    unsigned n;

    *other = false;
    if (!log_plan_parse(json, &log, e))
        return err_wrap(e, "plan");
    /* No plan with an `else`: a panel, for which its model speaks. */
    if (!plan_form_kind_find(log.kind, &kind, &n)) {
        *other = table_find_arm(t, arm) < 0;
        return true;
    }
    p = seen_of(t, arm);
    if (!p)
        return no_memory(e);
    members_of(&log, kind, now);
    if (differs(p, kind, now)) {
        *other = p->fixed || p->odd_rows < PLAN_SEEN_ROWS;
        p->others += *other;
        if (*other)
            return true;
        forget(t, p);
        p->odd_rows = 0;
    }
    p->kind = kind;
    p->n_members = n;
    for (unsigned m = 0; m < n; m++)
        if (!p->member[m] && now[m] && !member_set(p, m, now[m]->arm, e))
            return false;
    return true;
}

bool plan_seen_incomplete(const struct plan_seen *p)
{
    for (unsigned m = 0; m < p->n_members; m++)
        if (!p->member[m])
            return true;
    return false;
}

static bool make_plan(struct table *t, const struct plan_seen *p, struct err *e)
{
    struct plan_form form = {.kind = p->kind, .n_members = p->n_members};
    char text[PLAN_TEXT_MAX], item[PLAN_TEXT_MAX + 160];
    uint32_t index;

    for (unsigned m = 0; m < p->n_members; m++) {
        form.member[m] = span_of(p->member[m]);
        if (table_find_arm(t, form.member[m]) < 0)
            return err_set(e, ERR_USAGE,
                           "--arms: wanted the members of the plan %s too, %s "
                           "is not there",
                           p->name, p->member[m]);
    }
    (void)plan_form_write(&form, text, sizeof text);
    snprintf(item, sizeof item, "%s=%s", p->name, text);
    if (!plan_add(t, span_of(item), &index, e))
        return false;
    for (unsigned m = 0; m < p->n_members; m++) {
        struct table_arm *a = &t->arms[t->plans[index].member[m]];
        if (a->n_scores == 0)
            a->role = TABLE_MEMBER;
    }
    return true;
}

bool plan_seen_add(struct table *t, struct err *e)
{
    for (uint32_t i = 0; i < t->n_seen; i++) {
        const struct plan_seen *p = &t->seen[i];
        int arm = table_find_arm(t, span_of(p->name));

        if (arm < 0 || table_plan_of(t, (uint32_t)arm) ||
            plan_seen_incomplete(p))
            continue;
        if (!make_plan(t, p, e))
            return false;
    }
    return true;
}
