/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle_plans.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "features/features.h"
#include "models/plan_form.h"

enum { LIST_MAX = 1 << 16 };

void cycle_plan_text(const struct conf *plan, char *dst, size_t size)
{
    static const char *const roles[] = {"draft", "check", "else"};
    const struct conf *kind = conf_get(plan, "kind");
    enum plan_form_kind form;
    struct plan_form p = {.n_members = 0};
    unsigned wanted;

    *dst = '\0';
    if (!kind || !plan_form_kind_find(kind->value, &form, &wanted))
        return;
    p.kind = form;
    for (unsigned k = 0; k < 3; k++) {
        const struct conf *m = conf_get(plan, roles[k]);

        if (m && (form == PLAN_FORM_VERIFY || k != 1))
            p.member[p.n_members++] = m->value;
    }
    if (p.n_members == wanted && plan_form_write(&p, dst, size) >= size)
        *dst = '\0';
}

bool cycle_plans_wanted(const struct cycle_config *set, bool plans,
                        struct wanted *w, struct err *e)
{
    struct buf list;
    bool ok;

    *w = (struct wanted){0};
    buf_init(&list, LIST_MAX);
    for (uint32_t i = 0; i < set->n_arms; i++) {
        const struct cycle_arm *arm = &set->arms[i];

        if ((arm->plan && !plans) || cycle_panel_hidden(set, arm))
            continue;
        buf_printf(&list, "%s%s", list.len ? "," : "", cycle_arm_learnt(arm));
        if (arm->plan)
            buf_printf(&list, "=%s", arm->plan);
    }
    ok = wanted_parse(w, list.len ? buf_cstr(&list) : NULL, e);
    buf_free(&list);
    return ok;
}

/* ---- panels ---- */

const char *cycle_arm_learnt(const struct cycle_arm *arm)
{
    return arm->panel ? arm->panel : arm->name;
}

const char *cycle_learnt(const struct cycle_config *set, const char *name)
{
    for (uint32_t i = 0; name && i < set->n_arms; i++)
        if (!strcmp(set->arms[i].name, name))
            return cycle_arm_learnt(&set->arms[i]);
    return name;
}

const char *cycle_shown(const struct cycle_config *set, const char *learnt)
{
    for (uint32_t i = 0; i < set->n_arms; i++)
        if (!cycle_panel_hidden(set, &set->arms[i]) &&
            !strcmp(cycle_arm_learnt(&set->arms[i]), learnt))
            return set->arms[i].name;
    return learnt;
}

bool cycle_panel_hidden(const struct cycle_config *set,
                        const struct cycle_arm *arm)
{
    for (const struct cycle_arm *a = set->arms;
         arm->panel && a < set->arms + set->n_arms; a++)
        if (a != arm && !strcmp(cycle_arm_learnt(a), arm->panel) &&
            (!a->panel || a < arm))
            return true;
    return false;
}

double cycle_review_usd(const struct cycle_config *set,
                        const struct cycle_arm *arm, double input,
                        double answer)
{
    double in, out;

    if (!arm->review ||
        !pricebook_find(set->prices, span_of(arm->review), &in, &out))
        return 0;
    return (input + answer + PLAN_FORM_REVIEW_ASKS) * in +
           PLAN_FORM_REVIEW_SAYS * out;
}

static bool is_member(const struct table *t, uint32_t arm)
{
    for (uint32_t k = 0; k < t->n_plans; k++)
        for (unsigned m = 0; m < t->plans[k].n_members; m++)
            if (t->plans[k].member[m] == arm)
                return true;
    return false;
}

static void charge(const struct cycle_config *set, const struct cycle_arm *arm,
                   struct table *t, struct table_arm *a)
{
    double each = cycle_review_usd(set, arm, 0, 0);
    double token = cycle_review_usd(set, arm, 1, 0) - each;

    for (size_t i = 0; i < t->n; i++)
        a->cost[i] =
            (float)((double)a->cost[i] + each +
                    token * (double)(t->est_input[i] + a->output_tokens[i]));
    a->price_in += token;
    a->price_out += token;
    a->price_each += each;
}

void cycle_plans_charge(const struct cycle_config *set, struct table *t)
{
    for (uint32_t i = 0; i < set->n_arms; i++) {
        const struct cycle_arm *arm = &set->arms[i];
        int at = table_find_arm(t, span_of(cycle_arm_learnt(arm)));

        if (arm->panel && at >= 0 && !cycle_panel_hidden(set, arm) &&
            !is_member(t, (uint32_t)at))
            charge(set, arm, t, &t->arms[at]);
    }
}

/* ---- what a plan costs ---- */

struct plan_heads {
    uint32_t arm;  /* of the log */
    int escalates; /* of the classifier, -1: it does not know */
    unsigned n;
    int head[PLAN_FORM_MEMBERS];
    double in[PLAN_FORM_MEMBERS], out[PLAN_FORM_MEMBERS]; /* USD a token */
};

/* False where the classifier does not know the plan, or a price is missing. */
static bool heads_of(const struct cycle_config *set, const struct classifier *c,
                     const struct cycle_arm *arm, struct plan_heads *h)
{
    char name[256];
    struct plan_form p;
    struct err ignored;

    if (!plan_form_parse(span_of(arm->plan), &p, &ignored) ||
        classifier_find_arm(c, span_of(arm->name)) < 0)
        return false;
    snprintf(name, sizeof name, PLAN_FORM_ESCALATES "%s", arm->name);
    h->escalates = classifier_find_arm(c, span_of(name));
    h->n = p.n_members;
    for (unsigned m = 0; m < p.n_members; m++) {
        h->head[m] = classifier_find_arm(c, p.member[m]);
        if (h->head[m] < 0 ||
            !pricebook_find(set->prices, p.member[m], &h->in[m], &h->out[m]))
            return false;
    }
    return true;
}

static double expected_usd(const struct plan_heads *h,
                           const struct prediction *p, double input)
{
    double usd[PLAN_FORM_MEMBERS];

    for (unsigned m = 0; m < h->n; m++)
        usd[m] = input * h->in[m] + (double)p->tokens[h->head[m]] * h->out[m];
    return plan_form_expected_usd(
        usd, h->n, h->escalates < 0 ? 1 : (double)p->quality[h->escalates]);
}

static void expect_plan(const struct classifier *c, const struct plan_heads *h,
                        struct offlog *log)
{
    struct prediction p;

    for (size_t i = 0; i < log->n; i++) {
        struct weights_input in = table_row(log->t, i);
        double *at = &log->expected[i * log->n_arms + h->arm];

        if (isnan(*at)) /* not to be had */
            continue;
        weights_predict(classifier_weights(c), &in, -1, &p, NULL);
        *at = expected_usd(h, &p, (double)log->t->est_input[i]);
    }
}

void cycle_plans_expect(const struct cycle_config *set,
                        const struct classifier *c, struct offlog *log)
{
    for (uint32_t k = 0; c && k < set->n_arms; k++) {
        const struct cycle_arm *arm = &set->arms[k];
        int at = table_find_arm(log->t, span_of(arm->name));
        struct plan_heads h;

        if (!arm->plan || at < 0 || !heads_of(set, c, arm, &h))
            continue;
        h.arm = (uint32_t)at;
        expect_plan(c, &h, log);
    }
}

double cycle_plan_now(const struct cycle_config *set, const struct json *basis,
                      const struct cycle_arm *arm)
{
    struct json arms = json_get(basis, "arms");
    struct json value = json_get(basis, "input_tokens");
    struct json of = json_get(&arms, arm->name);
    struct json share = json_get(&of, "escalates");
    double input, escalates, in, out, output, usd[PLAN_FORM_MEMBERS];
    struct plan_form p;
    struct err ignored;

    if (!plan_form_parse(span_of(arm->plan), &p, &ignored) ||
        !json_double(&value, &input) || !json_double(&share, &escalates))
        return NAN;
    for (unsigned m = 0; m < p.n_members; m++) {
        char name[256];
        struct json member, tokens;

        if (!span_copy(name, sizeof name, p.member[m]) ||
            !pricebook_find(set->prices, p.member[m], &in, &out))
            return NAN;
        member = json_get(&arms, name);
        tokens = json_get(&member, "output_tokens");
        if (!json_double(&tokens, &output))
            return NAN;
        usd[m] = input * in + output * out;
    }
    return plan_form_expected_usd(usd, p.n_members, escalates);
}
