/* SPDX-License-Identifier: Apache-2.0 */
/* What comes after a failed call: another place or key of the same arm, the
 * same again after a wait, another arm, or nothing. */
#include <event2/event.h>

#include "base/clock.h"
#include "router/attempt/backoff.h"
#include "router/chat/chat_parts.h"
#include "router/route/region.h"

/* ---- time ---- */

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct chat *c = ctx;
    enum chat_timer was = c->timer_for;

    (void)fd;
    (void)what;
    c->timer_for = TIMER_NONE;
    if (was == TIMER_RETRY)
        chat_attempt(c);
    else if (was == TIMER_HEDGE)
        chat_hedge(c);
    else if (was == TIMER_HOLD)
        chat_unhold(c);
}

void chat_timer(struct chat *c, enum chat_timer what, uint64_t ms)
{
    struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

    c->timer_for = what;
    if (what == TIMER_NONE) {
        if (c->timer)
            event_del(c->timer);
        return;
    }
    if (!c->timer)
        c->timer = event_new(c->worker->base, -1, 0, on_timer, c);
    if (c->timer)
        event_add(c->timer, &tv);
    else
        c->timer_for = TIMER_NONE;
}

/* Milliseconds that the request still has. */
static uint64_t left_ms(const struct chat *c)
{
    uint64_t spent = (clock_ns() - c->start_ns) / 1000000;
    uint64_t all = c->ask.route->set->deadline_ms;
    uint64_t told = c->ask.hints.deadline_ms;

    if (told && told < all)
        all = told;
    return spent < all ? all - spent : 0;
}

static void bound(unsigned *ms, uint64_t most)
{
    if (*ms == 0 || *ms > most)
        *ms = (unsigned)most;
}

void chat_bounds(const struct chat *c, struct upstream_request *r)
{
    uint64_t most = left_ms(c);

    if (most == 0)
        most = 1;
    bound(&r->connect_ms, most);
    bound(&r->first_byte_ms, most);
    bound(&r->total_ms, most);
}

/* ---- what next ---- */

struct next {
    int arm; /* -1: nothing */
    bool again;
    uint64_t wait_ms;
};

static const struct next nothing = {.arm = -1};

static bool skip_abroad(const void *ctx, const struct model_settings *place,
                        const struct provider_key *key)
{
    const struct chat *c = ctx;

    (void)key;
    return !region_allows(c->ask.route->set, c->ask.key, place);
}

/* Whether a place of the arm may be called now. */
static bool has_place(const struct chat *c, int arm, bool any)
{
    struct pick_question q = {
        .model = c->ask.route->set->arms[arm].model,
        .now_ms = health_now(),
        .tokens = c->facts.input_tokens,
        .resting_too = true,
        .skip = any ? skip_abroad : chat_try_skip,
        .ctx = c,
    };

    return pick_place(&q, NULL);
}

/* The error is of the conversation and the model: another place of the same
 * model would say the same. */
static bool is_everywhere(enum fault f)
{
    return f == FAULT_CONTEXT || f == FAULT_UNSUPPORTED;
}

static struct next other_arm(const struct chat *c, unsigned how)
{
    struct fallback f = {
        .kind = how == RETRY_PROVIDER ? FALLBACK_PROVIDER
                : how == RETRY_LARGER ? FALLBACK_LARGER
                                      : FALLBACK_ANY,
        .from = c->arm,
        .tried = c->tried | (uint32_t)1 << c->arm,
    };
    int arm;

    if (c->member || c->shadow) /* these are themselves or nothing */
        return nothing;
    while ((arm = decide_next(c->ask.route, c->decision, &f)) >= 0) {
        if (has_place(c, arm, false))
            return (struct next){.arm = arm};
        f.tried |= (uint32_t)1 << arm;
    }
    return nothing;
}

/* The same arm once more, after the time that the provider told or a random
 * one. */
static struct next same_later(const struct chat *c)
{
    const struct retry_settings *r = &c->ask.route->set->retry;
    struct next n = {.arm = c->arm, .again = true};

    if (!has_place(c, c->arm, true))
        return nothing;
    if (c->now->told_ms != UINT64_MAX)
        n.wait_ms = c->now->told_ms;
    else
        n.wait_ms = backoff_ms(r->wait_ms, r->wait_max_ms, c->waits,
                               rng_mix(span_hash(span_of(c->id), 0), c->waits));
    if (n.wait_ms > r->wait_max_ms || n.wait_ms >= left_ms(c))
        return nothing;
    return n;
}

static struct next next_of(const struct chat *c)
{
    const struct route_settings *set = c->ask.route->set;
    enum fault f = c->now->fault;
    unsigned how = set->retry.how[f];
    uint64_t told = c->ask.hints.calls;
    uint64_t most = told && told < set->attempts ? told : set->attempts;
    struct next n;

    if (how == RETRY_FAIL || left_ms(c) == 0 || c->attempts - c->hedges >= most)
        return nothing;
    if (how != RETRY_LARGER && !is_everywhere(f) && has_place(c, c->arm, false))
        return (struct next){.arm = c->arm};
    if (how == RETRY_AGAIN && c->waits == 0) {
        n = same_later(c);
        if (n.arm >= 0)
            return n;
    }
    n = other_arm(c, how);
    if (n.arm >= 0 || (how != RETRY_NEXT && how != RETRY_AGAIN))
        return n;
    return same_later(c);
}

bool chat_has_place(const struct chat *c, int arm)
{
    return has_place(c, arm, false);
}

int chat_other_arm(const struct chat *c)
{
    return other_arm(c, RETRY_OTHER).arm;
}

bool chat_retry(struct chat *c)
{
    struct next n = next_of(c);

    if (n.arm < 0)
        return false;
    chat_try_end(c, c->now);
    chat_try_spent(c);
    if (n.arm != c->arm)
        c->waits = 0;
    c->tried |= (uint32_t)1 << c->arm;
    c->arm = n.arm;
    c->again = n.again;
    if (!n.again) {
        chat_attempt(c);
        return true;
    }
    c->waits++;
    chat_set(c, CHAT_CALLING);
    chat_timer(c, TIMER_RETRY, n.wait_ms);
    return true;
}

void chat_retry_or(struct chat *c, enum problem_kind kind, const char *why)
{
    if (!chat_retry(c))
        chat_fail(c, kind, "provider %s: %s", chat_model(c)->provider, why);
}
