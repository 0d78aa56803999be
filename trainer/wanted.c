/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/wanted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/plan.h"
#include "trainer/plan_seen.h"

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "no memory for the arms");
}

void names_free(struct names *v)
{
    for (uint32_t i = 0; i < v->n; i++)
        free(v->at[i]);
    free(v->at);
    *v = (struct names){0};
}

bool names_have(const struct names *v, struct span name)
{
    for (uint32_t i = 0; i < v->n; i++) {
        if (span_is(name, v->at[i]))
            return true;
    }
    return false;
}

bool names_add(struct names *v, struct span name, struct err *e)
{
    char **at;
    if (names_have(v, name))
        return true;
    at = realloc(v->at, (v->n + 1) * sizeof *at);
    if (!at)
        return no_memory(e);
    v->at = at;
    at[v->n] = strndup(name.ptr, name.len);
    return at[v->n++] || no_memory(e);
}

static bool plan_take(struct wanted *w, struct span item, struct err *e)
{
    struct span name, text;
    struct plan_form p;
    char head[512];

    plan_form_split(item, &name, &text);
    if (!plan_form_parse(text, &p, e))
        return false;
    for (unsigned m = 0; m < p.n_members; m++)
        if (!names_add(&w->models, p.member[m], e))
            return false;
    snprintf(head, sizeof head, PLAN_FORM_ESCALATES "%.*s", SPAN_ARGS(name));
    return names_add(&w->plans, item, e) && names_add(&w->welcome, name, e) &&
           names_add(&w->welcome, span_of(head), e);
}

/* Its models first, then the members of its plans: so named models keep
 * their places. */
bool wanted_parse(struct wanted *w, const char *arms, struct err *e)
{
    struct span list;

    *w = (struct wanted){0};
    for (list = span_of(arms ? arms : ""); arms && list.ptr;) {
        struct span name = plan_form_cut(&list);
        if (!name.len)
            return err_set(e, ERR_USAGE, "--arms: a name is empty in '%s'",
                           arms);
        if (!plan_form_is(name) && names_have(&w->models, name))
            return err_set(e, ERR_USAGE, "arm %.*s is named twice",
                           SPAN_ARGS(name));
        if (!plan_form_is(name) && !names_add(&w->models, name, e))
            return false;
    }
    w->n_named = w->models.n;
    for (list = span_of(arms ? arms : ""); arms && list.ptr;) {
        struct span name = plan_form_cut(&list);
        if (plan_form_is(name) && !plan_take(w, name, e))
            return false;
    }
    return true;
}

void wanted_free(struct wanted *w)
{
    names_free(&w->models);
    names_free(&w->plans);
    names_free(&w->welcome);
}

void wanted_options(const struct wanted *w, struct table_options *o)
{
    o->arms = (const char *const *)w->models.at;
    o->n_arms = w->models.n;
    o->welcome = (const char *const *)w->welcome.at;
    o->n_welcome = w->welcome.n;
    o->plans = (const char *const *)w->plans.at;
    o->n_plans = w->plans.n;
}

bool wanted_finish(const struct wanted *w, struct table *t, struct err *e)
{
    uint32_t index;

    for (uint32_t i = 0; i < w->plans.n; i++)
        if (!plan_add(t, span_of(w->plans.at[i]), &index, e))
            return false;
    for (uint32_t i = w->n_named; i < w->models.n; i++) {
        int arm = table_find_arm(t, span_of(w->models.at[i]));
        if (arm >= 0)
            t->arms[arm].role = TABLE_MEMBER;
    }
    return plan_seen_add(t, e);
}

struct table *wanted_load(const struct wanted *w, struct table_options *o,
                          struct err *e)
{
    struct table *t;

    wanted_options(w, o);
    t = table_load(o, e);
    if (t && wanted_finish(w, t, e))
        return t;
    table_free(t);
    return NULL;
}
