/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/log_plan.h"

#include <math.h>

static double number(const struct json *v, const char *key)
{
    struct json x = json_get(v, key);
    double d;

    return json_double(&x, &d) && d >= 0 ? d : NAN;
}

static struct span text_at(const struct json *v, const char *key)
{
    struct json x = json_get(v, key);

    return x.type == JSON_STRING ? json_inner(&x) : (struct span){NULL, 0};
}

static bool member_parse(struct log_plan *p, const struct json *v,
                         struct err *e)
{
    struct log_plan_member *m = &p->members[p->n_members];
    struct json status = json_get(v, "status");

    if (p->n_members == LOG_PLAN_MEMBERS)
        return err_set(e, ERR_INPUT, "members: wanted at most %d",
                       LOG_PLAN_MEMBERS);
    *m = (struct log_plan_member){
        .role = text_at(v, "role"),
        .arm = text_at(v, "arm"),
        .input_tokens = number(v, "input_tokens"),
        .output_tokens = number(v, "output_tokens"),
        .cost_usd = number(v, "cost_usd"),
        .ms = number(v, "ms"),
    };
    if (!json_i64(&status, &m->status))
        m->status = 0;
    if (!m->role.len || !m->arm.len)
        return err_set(e, ERR_INPUT, "members: wanted a role and an arm");
    p->n_members++;
    return true;
}

bool log_plan_parse(struct span text, struct log_plan *p, struct err *e)
{
    struct json v, list, one;
    struct json_iter it;

    *p = (struct log_plan){0};
    if (!json_parse(text, &v, e))
        return false;
    p->kind = text_at(&v, "kind");
    p->verdict = text_at(&v, "verdict");
    p->checks = json_get(&v, "checks");
    if (p->checks.type != JSON_OBJECT)
        p->checks = (struct json){.type = JSON_NONE};
    list = json_get(&v, "members");
    if (!p->kind.len || list.type != JSON_ARRAY)
        return err_set(e, ERR_INPUT,
                       "wanted an object with a kind and members");
    it = json_begin(&list);
    while (json_next(&it, NULL, &one))
        if (!member_parse(p, &one, e))
            return false;
    return true;
}

const struct log_plan_member *log_plan_member(const struct log_plan *p,
                                              const char *role)
{
    for (unsigned i = 0; i < p->n_members; i++)
        if (span_is(p->members[i].role, role))
            return &p->members[i];
    return NULL;
}

double log_plan_escalated(const struct log_plan *p)
{
    if (!span_is(p->kind, "verify") && !span_is(p->kind, "cascade"))
        return NAN;
    if (log_plan_member(p, "else"))
        return 1;
    /* When its time was up, the draft's answer may have stood. */
    return span_is(p->verdict, "accepted") || span_is(p->verdict, "deadline")
               ? 0
               : NAN;
}
