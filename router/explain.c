/* SPDX-License-Identifier: Apache-2.0 */
#include "router/explain.h"

#include <math.h>
#include <stdio.h>

enum { WEIGHTS_SHOWN = 8, NAME_BYTES = FEATURES_NAME_MAX };

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

static void feature_name(const struct judge *j, const struct request *r,
                         const struct contribution *c, char dst[NAME_BYTES])
{
    if (c->group == FROM_DENSE) {
        const char *name = features_dense_name(c->index);

        snprintf(dst, NAME_BYTES, "%s", name ? name : "dense");
        return;
    }
    features_name(r, j->scratch, c->group == FROM_MARK, c->index, dst);
}

static size_t weightiest(const struct judge *j, const struct snapshot *s,
                         int head, struct contribution *out)
{
    if (head < 0)
        return 0;
    return classifier_contributions(snapshot_classifier(s), &j->vec,
                                    (uint32_t)head, out, WEIGHTS_SHOWN);
}

static void weights_json(const struct judge *j, const struct snapshot *s,
                         int head, const struct request *r, struct buf *out)
{
    struct contribution c[WEIGHTS_SHOWN];
    size_t n = weightiest(j, s, head, c);
    char name[NAME_BYTES];

    buf_str(out, ",\"features\":[");
    for (size_t i = 0; i < n; i++) {
        feature_name(j, r, &c[i], name);
        buf_str(out, i ? ",{\"name\":" : "{\"name\":");
        buf_json_str(out, span_of(name));
        number(out, "logit", (double)c[i].logit);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void arm_json(const struct judge *j, const struct snapshot *s,
                     const struct route *r, unsigned i,
                     const struct request *request, struct buf *out)
{
    const struct verdict *v = &j->decision.arms[i];
    const struct arm *arm = &r->set->arms[i];
    char why[160];

    buf_str(out, i ? ",{\"arm\":" : "{\"arm\":");
    buf_json_str(out, span_of(arm->name));
    member(out, "model", span_of(arm->model->upstream));
    member(out, "provider", span_of(arm->model->provider));
    number(out, "quality", (double)v->quality);
    number(out, "tokens", (double)v->tokens);
    number(out, "cost_usd", v->cost);
    number(out, "propensity", (double)v->propensity);
    buf_printf(out, ",\"chosen\":%s",
               (int)i == j->decision.chosen ? "true" : "false");
    drop_text(&v->drop, why, sizeof why);
    member(out, "dropped",
           v->drop.kind ? span_of(why) : (struct span){NULL, 0});
    weights_json(j, s, r->head[i], request, out);
    buf_char(out, '}');
}

void explain_json(const struct judge *j, const struct snapshot *s,
                  const struct route *r, const struct request *request,
                  struct buf *out)
{
    const struct decision *d = &j->decision;
    const struct classifier *c = snapshot_classifier(s);

    buf_str(out, "{\"route\":");
    buf_json_str(out, span_of(r->set->item.name));
    member(out, "policy", span_of(policies[r->set->policy]));
    member(out, "reference", span_of(r->set->arms[r->set->reference].name));
    member(out, "arm",
           span_of(d->chosen < 0 ? NULL : r->set->arms[d->chosen].name));
    member(out, "reason", span_of(reason_name(d->reason)));
    member(out, "because", span_of(reason_text(d->reason)));
    number(out, "quality_target", d->quality_target);
    number(out, "floor", d->floor);
    number(out, "price", d->price);
    number(out, "input_tokens", j->facts.input_tokens);
    member(out, "task", d->task.len ? d->task : (struct span){NULL, 0});
    member(out, "classifier", span_of(c ? classifier_id(c) : NULL));
    number(out, "unseen", c ? (double)j->prediction.unseen : NAN);
    buf_str(out, ",\"arms\":[");
    for (unsigned i = 0; i < d->n; i++)
        arm_json(j, s, r, i, request, out);
    buf_str(out, "]}");
}

static void percent(double v, char dst[16])
{
    if (isnan(v))
        snprintf(dst, 16, "-");
    else
        snprintf(dst, 16, "%.1f %%", v * 100);
}

static void arm_text(const struct judge *j, const struct route *r, unsigned i,
                     struct buf *out)
{
    const struct verdict *v = &j->decision.arms[i];
    char quality[16], propensity[16], why[160];

    percent((double)v->quality, quality);
    percent((double)v->propensity, propensity);
    drop_text(&v->drop, why, sizeof why);
    buf_printf(out, "%c %-16s %8s %8.0f %12.6f %8s  %s\n",
               (int)i == j->decision.chosen ? '*' : ' ', r->set->arms[i].name,
               quality, (double)v->tokens, v->cost, propensity,
               (int)i == j->decision.chosen ? reason_text(j->decision.reason)
                                            : why);
}

static void weights_text(const struct judge *j, const struct snapshot *s,
                         const struct route *r, const struct request *request,
                         struct buf *out)
{
    int chosen = j->decision.chosen;
    struct contribution c[WEIGHTS_SHOWN];
    size_t n = chosen < 0 ? 0 : weightiest(j, s, r->head[chosen], c);
    char name[NAME_BYTES];

    if (n == 0)
        return;
    buf_printf(out, "\nwhat weighed most for %s:\n", r->set->arms[chosen].name);
    for (size_t i = 0; i < n; i++) {
        feature_name(j, request, &c[i], name);
        buf_printf(out, "  %+7.3f  %s\n", (double)c[i].logit, name);
    }
}

void explain_text(const struct judge *j, const struct snapshot *s,
                  const struct route *r, const struct request *request,
                  struct buf *out)
{
    const struct decision *d = &j->decision;

    buf_printf(out, "route %s, policy %s, %u input tokens (estimated)",
               r->set->item.name, policies[r->set->policy],
               j->facts.input_tokens);
    if (d->task.len)
        buf_printf(out, ", task %.*s", SPAN_ARGS(d->task));
    if (!snapshot_classifier(s))
        buf_printf(out, "\n%s", snapshot_unclassified(s));
    buf_printf(out, "\n\n  %-16s %8s %8s %12s %8s  %s\n", "arm", "quality",
               "tokens", "cost (USD)", "share", "why");
    for (unsigned i = 0; i < d->n; i++)
        arm_text(j, r, i, out);
    if (d->chosen < 0)
        buf_printf(out, "\n%s\n", reason_text(d->reason));
    weights_text(j, s, r, request, out);
}
