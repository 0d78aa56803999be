/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/promise.h"

#include <stdio.h>

/* Why no level stands behind a decision; NULL: by the policy's own level. */
static const char *const without[REASON_KINDS] = {
    [REASON_NONE] = "no arm is left",
    [REASON_PINNED] = "asked for by name",
    [REASON_ONLY] = "only one arm is left",
    [REASON_FIXED] = "fixed arm",
    [REASON_RULE] = "a rule chose",
    [REASON_FLOOR] = "not proven",
    [REASON_BEST] = "not proven",
    [REASON_BUDGET] = "budget",
    [REASON_NO_CLASSIFIER] = "no classifier",
    [REASON_UNKNOWN_REFERENCE] = "unknown reference",
    [REASON_NO_LEVEL] = "not proven",
    [REASON_SUBSTITUTE] = "the wanted arm was dropped",
    [REASON_EXPLORED] = "explored",
    [REASON_STAY] = "the conversation stays",
    [REASON_TASK] = "the task's arm",
    [REASON_STATIC] = "a rule answered",
};

const char *promise_state_name(enum promise_state s)
{
    static const char *const names[] = {"holds", "void", "none"};

    return names[s];
}

bool promise_of(const struct route *r)
{
    return r->set->policy == POLICY_CHEAPEST;
}

static enum promise_state say(char dst[PROMISE_MAX], enum promise_state s,
                              const char *why)
{
    snprintf(dst, PROMISE_MAX, "%s: %s", promise_state_name(s), why);
    return s;
}

/* The arm's name may be any text: a header takes printable ASCII only. */
static enum promise_state say_holds(char dst[PROMISE_MAX],
                                    const struct route *r,
                                    const struct level *level)
{
    const char *reference = r->set->arms[r->set->reference].name;

    snprintf(dst, PROMISE_MAX, "holds; quality>=%.4g of %.80s; confidence=%.4g",
             level->quality, reference, level->confidence);
    for (char *p = dst; *p; p++)
        *p = (char)(*p < ' ' || *p > '~' ? '?' : *p);
    return PROMISE_HOLDS;
}

static enum promise_state say_drift(char dst[PROMISE_MAX],
                                    enum drift_cause drifted)
{
    char why[60];

    snprintf(why, sizeof why, "drift in %s", drift_cause_name(drifted));
    return say(dst, PROMISE_VOID, why);
}

enum promise_state promise_text(const struct route *r, const struct decision *d,
                                char dst[PROMISE_MAX])
{
    const char *why = without[d->reason];

    if (d->drifted && r->n_levels)
        return say_drift(dst, d->drifted);
    if (d->reason == REASON_OUT_OF_DOMAIN)
        return say(dst, PROMISE_VOID, "out of domain");
    if (d->reason == REASON_LEVEL && d->level)
        return say_holds(dst, r, d->level);
    return say(dst, PROMISE_NONE, why ? why : "the wanted arm was dropped");
}

enum promise_state promise_route_text(const struct route *r,
                                      enum drift_cause drifted,
                                      char dst[PROMISE_MAX])
{
    const struct level *level = decide_level(r, r->set->quality);

    if (drifted && r->n_levels)
        return say_drift(dst, drifted);
    if (level)
        return say_holds(dst, r, level);
    return say(dst, PROMISE_NONE, "not proven");
}
