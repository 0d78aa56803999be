/* SPDX-License-Identifier: Apache-2.0 */
#include "router/replayed.h"

#include <string.h>

#include "base/json.h"

enum { ARMS_TEXT_MAX = 1 << 16 };

bool replayed_possible(const struct replayed *r, struct err *e)
{
    const struct logged *l = &r->logged;

    if (l->purpose.len)
        return err_set(e, ERR_INPUT,
                       "it is a call of weir's own (%.*s): nothing was decided",
                       SPAN_ARGS(l->purpose));
    if (!l->question.len)
        return err_set(
            e, ERR_INPUT,
            l->error.len ? "nothing was decided: it ended with an error before"
                         : "its row is of a version before decisions were on "
                           "record");
    if (l->classifier.len && !l->features.len && !r->then.record.embeds)
        return err_set(e, ERR_INPUT,
                       "its features were not logged (log.prompts: none)");
    return true;
}

static void differ(struct replayed *r, struct arena *a, struct span what,
                   struct span then, struct span now)
{
    struct difference *d = &r->differences[r->n];

    if (r->n == REPLAY_DIFFERENCES || span_eq(then, now))
        return;
    *d = (struct difference){arena_copy(a, what), arena_copy(a, then),
                             arena_copy(a, now)};
    r->n += d->what.ptr != NULL;
}

/* Each member of an arm's entry, as the log writes it. */
static void compare_arm(struct replayed *r, struct arena *a,
                        const struct json *then, const struct json *now)
{
    struct json_iter it = json_begin(now);
    struct json key, value, name = json_get(now, "arm");
    char what[128];

    while (json_next(&it, &key, &value)) {
        struct buf label;
        struct span k = json_inner(&key);
        char text[40];

        (void)span_copy(text, sizeof text, k);
        buf_init(&label, sizeof what);
        buf_printf(&label, "%.*s %s", SPAN_ARGS(json_inner(&name)), text);
        differ(r, a, buf_view(&label), json_get(then, text).raw, value.raw);
        buf_free(&label);
    }
}

static void compare_arms(struct replayed *r, struct arena *a,
                         const struct judge *j)
{
    struct json then, now, x, y;
    struct json_iter old, new;
    struct buf text;

    buf_init(&text, ARMS_TEXT_MAX);
    record_arms(r->route->set, &j->decision, &text);
    if (json_parse(r->logged.arms, &then, NULL) &&
        json_parse(buf_view(&text), &now, NULL)) {
        old = json_begin(&then);
        new = json_begin(&now);
        while (json_next(&new, NULL, &y)) {
            if (!json_next(&old, NULL, &x))
                x = (struct json){.type = JSON_NONE};
            compare_arm(r, a, &x, &y);
        }
    }
    buf_free(&text);
}

static struct span arm_name(const struct route_settings *set, int64_t arm)
{
    if (arm < 0 || arm >= set->n_all)
        return SPAN("none");
    return span_of(set->arms[arm].name);
}

static struct span reason_of(uint32_t reason)
{
    return reason < REASON_KINDS ? span_of(reason_name((enum reason)reason))
                                 : SPAN("?");
}

static void compare(struct replayed *r, struct arena *a, const struct judge *j)
{
    const struct record *then = &r->then.record, *now = &j->record;
    const struct route_settings *set = r->route->set;

    r->equal = then->outcome == now->outcome;
    r->settings_changed = then->settings != now->settings;
    if (r->equal)
        return;
    differ(r, a, SPAN("arm"), arm_name(set, then->chosen),
           arm_name(set, now->chosen));
    differ(r, a, SPAN("reason"), reason_of(then->reason),
           reason_of(now->reason));
    compare_arms(r, a, j);
}

bool replayed_run(struct replayed *r, const struct snapshot *s, struct judge *j,
                  struct arena *a, struct err *e)
{
    r->route = snapshot_route(s, r->logged.route);
    if (!r->route)
        return err_set(e, ERR_INPUT, "the route %.*s is no longer configured",
                       SPAN_ARGS(r->logged.route));
    r->then.features = r->logged.features;
    if (r->logged.task_given)
        r->then.task = r->logged.task;
    if (!judge_again(j, s, r->route, &r->then, e))
        return false;
    compare(r, a, j);
    return true;
}
