/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/promise.h"

#include <stdio.h>
#include <string.h>

#include "router/digits.h"

enum { NAME_MOST = 80 }; /* bytes of an arm's name */

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

/* Appends what has room; returns where it ends.  Without printf: each answer
 * is told its promise. */
static char *put(char *at, const char *end, struct span text)
{
    size_t room = (size_t)(end - at) - 1;
    size_t n = text.len < room ? text.len : room;

    memcpy(at, text.ptr, n);
    at[n] = '\0';
    return at + n;
}

static char *put_share(char *at, const char *end, double v)
{
    char text[DIGITS_MAX];

    return put(at, end, (struct span){text, digits_put(text, v, 4)});
}

static enum promise_state say(char dst[PROMISE_MAX], enum promise_state s,
                              const char *why)
{
    const char *end = dst + PROMISE_MAX;
    char *at = put(dst, end, span_of(promise_state_name(s)));

    put(put(at, end, SPAN(": ")), end, span_of(why));
    return s;
}

/* The arm's name may be any text: a header takes printable ASCII only. */
static enum promise_state say_holds(char dst[PROMISE_MAX],
                                    const struct route *r,
                                    const struct level *level)
{
    const char *end = dst + PROMISE_MAX;
    struct span reference = span_of(r->set->arms[r->set->reference].name);
    char *at;

    if (reference.len > NAME_MOST)
        reference.len = NAME_MOST;
    at = put(dst, end, SPAN("holds; quality>="));
    at = put(put_share(at, end, level->quality), end, SPAN(" of "));
    at = put(put(at, end, reference), end, SPAN("; confidence="));
    at = put_share(at, end, level->confidence);
    if (r->labels)
        put(put(at, end, SPAN("; labels=")), end, span_of(r->labels));
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

enum promise_state promise_route(const struct route *r,
                                 enum drift_cause drifted)
{
    if (drifted && r->n_levels)
        return PROMISE_VOID;
    return decide_level(r, r->set->quality) ? PROMISE_HOLDS : PROMISE_NONE;
}

enum promise_state promise_route_text(const struct route *r,
                                      enum drift_cause drifted,
                                      char dst[PROMISE_MAX])
{
    switch (promise_route(r, drifted)) {
    case PROMISE_VOID:
        return say_drift(dst, drifted);
    case PROMISE_HOLDS:
        return say_holds(dst, r, decide_level(r, r->set->quality));
    default:
        return say(dst, PROMISE_NONE, "not proven");
    }
}
