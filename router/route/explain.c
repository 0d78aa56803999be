/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/explain.h"

#include <math.h>
#include <stdio.h>

#include "router/route/plans.h"
#include "router/route/promise.h"

enum { WEIGHTS_SHOWN = 8, PLAN_TEXT_MAX = 1024 };

static const char *const policies[] = {"cheapest_adequate", "budget", "fixed",
                                       "rules"};

static void member(struct buf *out, const char *key, struct span text)
{
    buf_printf(out, ",\"%s\":", key);
    if (text.ptr)
        buf_json_str(out, text);
    else
        buf_str(out, "null");
}

static void number(struct buf *out, const char *key, double v)
{
    buf_printf(out, ",\"%s\":", key);
    buf_json_num(out, v);
}

static void feature_name(const struct explained *x,
                         const struct contribution *c,
                         char dst[FEATURES_NAME_MAX])
{
    if (c->group == FROM_DENSE) {
        const char *name = features_dense_name(c->index);

        snprintf(dst, FEATURES_NAME_MAX, "%s", name ? name : "dense");
        return;
    }
    features_name(x->request, x->judge->scratch, c->group == FROM_MARK,
                  c->index, dst);
    if (!*dst) /* its text is not there */
        snprintf(dst, FEATURES_NAME_MAX, "%s #%08x",
                 c->group == FROM_MARK ? "mark" : "word", c->index);
}

/* Whose predictions the judge holds; NULL: there are none. */
static const struct classifier *predictor(const struct explained *x)
{
    return x->request->embeds ? NULL : x->route->classifier;
}

static size_t weightiest(const struct explained *x, unsigned arm,
                         struct contribution *out)
{
    const struct classifier *c = predictor(x);
    int head = x->route->head[arm];

    if (!c || head < 0)
        return 0;
    return classifier_contributions(c, &x->judge->vec, (uint32_t)head, out,
                                    WEIGHTS_SHOWN);
}

/* "verify(nano,qwen,opus)", and how often its `else` is expected. */
static void plan_json(const struct explained *x, unsigned i, struct buf *out)
{
    int head = predictor(x) ? x->route->escalates[i] : -1;
    struct buf text;

    if (!x->route->set->arms[i].plan)
        return;
    buf_init(&text, PLAN_TEXT_MAX);
    plan_members_text(x->route->set, i, &text);
    member(out, "plan", buf_view(&text));
    buf_free(&text);
    if (head >= 0)
        number(out, "escalates", (double)x->judge->prediction.quality[head]);
}

static void weights_json(const struct explained *x, unsigned arm,
                         struct buf *out)
{
    struct contribution c[WEIGHTS_SHOWN];
    size_t n = weightiest(x, arm, c);
    char name[FEATURES_NAME_MAX];

    buf_str(out, ",\"features\":[");
    for (size_t i = 0; i < n; i++) {
        feature_name(x, &c[i], name);
        buf_str(out, i ? ",{\"name\":" : "{\"name\":");
        buf_json_str(out, span_of(name));
        number(out, "logit", (double)c[i].logit);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void arm_json(const struct explained *x, unsigned i, struct buf *out)
{
    const struct decision *d = &x->judge->decision;
    const struct verdict *v = &d->arms[i];
    const struct arm *arm = &x->route->set->arms[i];
    char why[160];

    buf_str(out, i ? ",{\"arm\":" : "{\"arm\":");
    buf_json_str(out, span_of(arm->name));
    member(out, "model", span_of(arm->model->upstream));
    member(out, "provider", span_of(arm->model->provider));
    plan_json(x, i, out);
    number(out, "quality", (double)v->quality);
    number(out, "tokens", (double)v->tokens);
    number(out, "cost_usd", v->cost);
    if (v->cache_usd != 0)
        number(out, "cache_usd", v->cache_usd);
    number(out, "propensity", (double)v->propensity);
    buf_printf(out, ",\"chosen\":%s", (int)i == d->chosen ? "true" : "false");
    drop_text(&v->drop, why, sizeof why);
    member(out, "dropped",
           v->drop.kind ? span_of(why) : (struct span){NULL, 0});
    weights_json(x, i, out);
    buf_char(out, '}');
}

/* What the request is by the measures of models/domain.h, and the bounds
 * where the classifier has them. */
static void outside_json(const struct explained *x, struct buf *out)
{
    const struct prediction *p = &x->judge->prediction;
    const struct domain *d = &x->route->domain;

    buf_printf(out, ",\"domain\":{\"known\":%s,\"outside\":%s",
               d->known ? "true" : "false",
               domain_outside(d, p) ? "true" : "false");
    number(out, "unseen", (double)p->unseen);
    number(out, "top", (double)p->top);
    number(out, "far", (double)p->far);
    if (d->known) {
        number(out, "unseen_most", (double)d->unseen);
        number(out, "top_least", (double)d->top);
        number(out, "far_most", (double)d->far);
    }
    buf_char(out, '}');
}

void explain_json(const struct explained *x, struct buf *out)
{
    const struct decision *d = &x->judge->decision;
    const struct route_settings *set = x->route->set;
    const struct classifier *c = x->route->classifier;
    char promise[PROMISE_MAX];

    buf_str(out, "{\"route\":");
    buf_json_str(out, span_of(set->item.name));
    member(out, "policy", span_of(policies[set->policy]));
    member(out, "reference", span_of(set->arms[set->reference].name));
    member(out, "arm",
           span_of(d->chosen < 0 ? NULL : set->arms[d->chosen].name));
    member(out, "reason", span_of(reason_name(d->reason)));
    member(out, "because", span_of(reason_text(d->reason)));
    number(out, "quality_target", d->quality_target);
    number(out, "floor", d->floor);
    number(out, "price", d->price);
    number(out, "input_tokens", x->judge->facts.input_tokens);
    member(out, "task", d->task.len ? d->task : (struct span){NULL, 0});
    member(out, "classifier", span_of(c ? classifier_id(c) : NULL));
    number(out, "unseen",
           predictor(x) ? (double)x->judge->prediction.unseen : NAN);
    if (promise_of(x->route)) {
        promise_text(x->route, d, promise);
        member(out, "guarantee", span_of(promise));
    }
    if (predictor(x))
        outside_json(x, out);
    buf_str(out, ",\"arms\":[");
    for (unsigned i = 0; i < d->n; i++)
        arm_json(x, i, out);
    buf_str(out, "]}");
}

static void percent(double v, char dst[16])
{
    if (isnan(v))
        snprintf(dst, 16, "-");
    else
        snprintf(dst, 16, "%.1f %%", v * 100);
}

static void plan_line(const struct explained *x, unsigned i, struct buf *out)
{
    if (!x->route->set->arms[i].plan)
        return;
    buf_str(out, "    = ");
    plan_members_text(x->route->set, i, out);
    buf_char(out, '\n');
}

static void arm_text(const struct explained *x, unsigned i, struct buf *out)
{
    const struct decision *d = &x->judge->decision;
    const struct verdict *v = &d->arms[i];
    bool chosen = (int)i == d->chosen;
    char quality[16], propensity[16], why[160];

    percent((double)v->quality, quality);
    percent((double)v->propensity, propensity);
    drop_text(&v->drop, why, sizeof why);
    buf_printf(out, "%c %-16s %8s %8.0f %12.6f %8s  %s\n", chosen ? '*' : ' ',
               x->route->set->arms[i].name, quality, (double)v->tokens, v->cost,
               propensity, chosen ? reason_text(d->reason) : why);
    plan_line(x, i, out);
}

static void weights_text(const struct explained *x, struct buf *out)
{
    int chosen = x->judge->decision.chosen;
    struct contribution c[WEIGHTS_SHOWN];
    size_t n = chosen < 0 ? 0 : weightiest(x, (unsigned)chosen, c);
    char name[FEATURES_NAME_MAX];

    if (n == 0)
        return;
    buf_printf(out, "\nwhat weighed most for %s:\n",
               x->route->set->arms[chosen].name);
    for (size_t i = 0; i < n; i++) {
        feature_name(x, &c[i], name);
        buf_printf(out, "  %+7.3f  %s\n", (double)c[i].logit, name);
    }
}

static void knob_text(const struct decision *d, struct buf *out)
{
    if (!isnan(d->quality_target))
        buf_printf(out, ", wanted %.3g of the reference", d->quality_target);
    if (!isnan(d->floor))
        buf_printf(out, ", floor %.3f", d->floor);
    if (!isnan(d->price))
        buf_printf(out, ", price %.4g quality/USD", d->price);
}

void explain_text(const struct explained *x, struct buf *out)
{
    const struct decision *d = &x->judge->decision;
    char promise[PROMISE_MAX];

    buf_printf(out, "route %s, policy %s, %u input tokens (estimated)",
               x->route->set->item.name, policies[x->route->set->policy],
               x->judge->facts.input_tokens);
    if (d->task.len)
        buf_printf(out, ", task %.*s", SPAN_ARGS(d->task));
    knob_text(d, out);
    if (promise_of(x->route)) {
        promise_text(x->route, d, promise);
        buf_printf(out, "\nguarantee %s", promise);
    }
    if (!x->route->classifier)
        buf_printf(out, "\n%s", snapshot_unclassified(x->snapshot));
    buf_printf(out, "\n\n  %-16s %8s %8s %12s %8s  %s\n", "arm", "quality",
               "tokens", "cost (USD)", "share", "why");
    for (unsigned i = 0; i < d->n; i++)
        arm_text(x, i, out);
    if (d->chosen < 0)
        buf_printf(out, "\n%s\n", reason_text(d->reason));
    weights_text(x, out);
}
