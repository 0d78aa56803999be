/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/plans.h"

#include <math.h>
#include <string.h>

#include "models/plan_form.h"

enum { NAME_MAX = 600 };

static const char *const kinds[] = {"single", "cascade", "verify", "panel"};

static const struct arm *arm_of(const struct route *r, unsigned i)
{
    return &r->set->arms[i];
}

/* ---- what the classifier knows ---- */

/* "verify(a,b,c)" by the classifier's names of the members; false where one
 * is not known by name. */
static bool known_text(const struct route *r, const struct classifier *c,
                       unsigned i, struct buf *out)
{
    const struct arm *arm = arm_of(r, i);
    const char *before = "(";

    buf_str(out, kinds[arm->plan->kind]);
    for (unsigned k = 0; k < PLAN_ROLES; k++) {
        int head = arm->member[k] < 0 ? -1 : r->head[arm->member[k]];

        if (arm->member[k] < 0)
            continue;
        if (head < 0)
            return false;
        buf_printf(out, "%s%s", before, classifier_arm(c, (uint32_t)head));
        before = ",";
    }
    buf_char(out, ')');
    return !out->failed;
}

/* The head that the card's `plans` has under the plan's key: only with the
 * same members. */
static int head_by_key(const struct classifier *c, const char *key,
                       struct span text)
{
    struct json card, plans, plan;

    if (!json_parse(classifier_card(c), &card, NULL))
        return -1;
    plans = json_get(&card, "plans");
    plan = json_get(&plans, key);
    if (plan.type != JSON_STRING || !span_eq(json_inner(&plan), text))
        return -1;
    return classifier_find_arm(c, span_of(key));
}

static int find_escalates(const struct classifier *c, int head)
{
    struct buf name;
    int found;

    buf_init(&name, NAME_MAX);
    buf_printf(&name, PLAN_FORM_ESCALATES "%s",
               classifier_arm(c, (uint32_t)head));
    found = classifier_find_arm(c, buf_view(&name));
    buf_free(&name);
    return found;
}

void plan_heads(struct route *r, const struct classifier *c, unsigned i)
{
    const struct arm *arm = arm_of(r, i);
    struct buf text;

    r->head[i] = r->escalates[i] = -1;
    if (arm->plan->kind == PLAN_PANEL) {
        r->head[i] = r->head[arm->member[PLAN_DRAFT]];
        if (r->head[i] < 0) /* trained as an arm like a model */
            r->head[i] = classifier_find_arm(c, span_of(arm->name));
        return;
    }
    buf_init(&text, NAME_MAX);
    if (known_text(r, c, i, &text)) {
        r->head[i] = head_by_key(c, arm->name, buf_view(&text));
        if (r->head[i] < 0)
            r->head[i] = classifier_find_arm(c, buf_view(&text));
    }
    if (r->head[i] >= 0)
        r->escalates[i] = find_escalates(c, r->head[i]);
    buf_free(&text);
}

bool plan_accepts(struct route *r, const struct classifier *c, struct arena *a)
{
    struct json card, all, one;

    if (!c || !json_parse(classifier_card(c), &card, NULL))
        return true;
    all = json_get(&card, "acceptance");
    for (unsigned i = 0; i < r->set->n_arms; i++) {
        struct acceptance got, *kept;

        if (!arm_of(r, i)->plan || r->head[i] < 0)
            continue;
        one = json_get(&all, classifier_arm(c, (uint32_t)r->head[i]));
        if (!acceptance_read(&one, &got))
            continue;
        kept = arena_alloc(a, sizeof *kept);
        if (!kept)
            return false;
        *kept = got;
        r->accept[i] = kept;
    }
    return true;
}

/* ---- verdicts ---- */

static double probability(const struct question *q, int head)
{
    double p =
        q->prediction && head >= 0 ? (double)q->prediction->quality[head] : NAN;

    return isnan(p) ? 1 : p;
}

double plan_usd(const struct arm *arm, const double *usd, double escalates)
{
    double of[PLAN_REVIEW];
    unsigned n = 0;

    for (unsigned k = 0; k < PLAN_REVIEW; k++) {
        if (arm->member[k] >= 0)
            of[n++] = usd[arm->member[k]];
    }
    return plan_form_expected_usd(of, n,
                                  arm->member[PLAN_ELSE] >= 0 ? escalates : 1);
}

double plan_review_usd(const struct route *r, unsigned i, double input,
                       double answer)
{
    const struct arm *arm = arm_of(r, i);

    if (!arm->plan || arm->member[PLAN_REVIEW] < 0)
        return 0;
    return model_expected_usd(
        &arm_of(r, (unsigned)arm->member[PLAN_REVIEW])->model->model,
        input + answer + PLAN_FORM_REVIEW_ASKS, PLAN_FORM_REVIEW_SAYS);
}

void plan_predict(const struct question *q, unsigned i, struct decision *d)
{
    const struct arm *arm = arm_of(q->route, i);
    const struct verdict *draft = &d->arms[arm->member[PLAN_DRAFT]];
    double p = probability(q, q->route->escalates[i]);
    int head = q->prediction ? q->route->head[i] : -1;
    double usd[ARMS_MAX], cache[ARMS_MAX];
    struct verdict *v = &d->arms[i];

    for (unsigned k = 0; k < d->n; k++) {
        usd[k] = d->arms[k].cost;
        cache[k] = d->arms[k].cache_usd;
    }
    v->quality = head >= 0 ? q->prediction->quality[head] : NAN;
    v->tokens = draft->tokens;
    v->cost = plan_usd(arm, usd, p) +
              plan_review_usd(q->route, i, (double)q->facts->input_tokens,
                              (double)draft->tokens);
    v->cache_usd = plan_usd(arm, cache, p);
}

struct drop plan_need(const struct question *q, unsigned i)
{
    const struct arm *arm = arm_of(q->route, i);
    struct drop d = {DROP_NONE, 0, 0};

    if (q->request->embeds)
        return (struct drop){DROP_EMBEDDINGS, 0, 0};
    for (unsigned k = 0; k < PLAN_REVIEW && d.kind == DROP_NONE; k++) {
        if (arm->member[k] >= 0)
            d = decide_need(q, (unsigned)arm->member[k]);
    }
    return d;
}

bool plan_has(const struct arm *arm, int member)
{
    for (unsigned k = 0; arm->plan && k < PLAN_REVIEW; k++) {
        if (arm->member[k] == member)
            return true;
    }
    return false;
}

bool plan_verifies(const struct route *r, int arm)
{
    const struct plan_settings *p = arm < 0 ? NULL : r->set->arms[arm].plan;

    return p && (p->kind == PLAN_VERIFY || p->kind == PLAN_PANEL);
}

void plan_members_text(const struct route_settings *set, unsigned i,
                       struct buf *out)
{
    const struct arm *arm = &set->arms[i];
    const char *before = "(";

    buf_str(out, kinds[arm->plan->kind]);
    for (unsigned k = 0; k < PLAN_ROLES; k++) {
        if (arm->member[k] < 0)
            continue;
        buf_printf(out, "%s%s", before, set->arms[arm->member[k]].name);
        before = ",";
    }
    buf_char(out, ')');
}
