/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second call beside one whose answer does not begin: the first to begin an
 * answer goes on, the other is cancelled.
 *
 *   now ----- hedge_ms without a head ----> now + rival
 *                                             | head of either, below 400
 *                                             +--> now; the other LOST
 *                                             | either fails
 *                                             +--> now: the one that is left
 */
#include "base/clock.h"
#include "router/chat/chat_parts.h"

/* How the answer of t is to be read waits in t. */
static void put_aside(struct chat *c, struct chat_try *t)
{
    t->from = c->from;
    t->to = c->to;
    t->reader = c->reader;
    t->writer = c->writer;
    t->losses = c->losses;
    c->from = c->to = NULL;
    c->reader = c->writer = NULL;
    c->losses = NULL;
    c->call = NULL;
}

static void take_up(struct chat *c, struct chat_try *t)
{
    c->now = t;
    c->arm = t->arm;
    c->call = t->call;
    c->from = t->from;
    c->to = t->to;
    c->reader = t->reader;
    c->writer = t->writer;
    c->losses = t->losses;
}

/* Over with a call that was put aside. */
static void drop(struct chat *c, struct chat_try *t)
{
    struct upstream_call *call = t->call;

    t->call = NULL;
    upstream_cancel(call);
    if (t->writer && t->to && t->to->stream_free)
        t->to->stream_free(t->writer);
    t->writer = NULL;
    chat_try_end(c, t);
}

/* It has read the request: that is charged for. */
static void charge(struct chat *c, struct chat_try *t)
{
    const struct usage u = {.input = c->facts.input_tokens};

    t->cost_pico = model_cost(&t->at.place->model, &u);
    c->spent_pico += t->cost_pico;
    c->estimated = true;
}

/* The arm to ask: the same elsewhere, else another. */
static int second_arm(const struct chat *c)
{
    if (chat_has_place(c, c->arm))
        return c->arm;
    return chat_other_arm(c);
}

void chat_hedge(struct chat *c)
{
    struct chat_try *first = c->now, *t;
    struct health *route = c->ask.route->set->health;
    struct err e = {0};
    int arm = second_arm(c);

    if (!c->call || first->head_ns || arm < 0 || !health_spend(route))
        return;
    c->arm = arm;
    t = chat_try_new(c);
    c->arm = first->arm;
    if (!t)
        return;
    t->hedge = true;
    c->hedges++;
    put_aside(c, first);
    c->now = t;
    c->arm = arm;
    if (t->at.place->at->account.len == 0 && !chat_media_wanted(c) &&
        chat_call(c, t, &e))
        c->rival = t;
    else
        t->fault = c->refused ? FAULT_UNSUPPORTED : FAULT_CONNECT;
    c->refused = 0;
    put_aside(c, t);
    if (!c->rival)
        drop(c, t);
    take_up(c, first);
}

void chat_hedge_end(struct chat *c, enum fault f)
{
    struct chat_try *t = c->rival;

    if (!t)
        return;
    c->rival = NULL;
    if (t->fault == FAULT_NONE)
        t->fault = f;
    charge(c, t);
    drop(c, t);
}

static void count(struct chat *c, const struct chat_try *won)
{
    struct span labels[2] = {
        span_of(c->ask.route->set->item.name),
        won->hedge ? SPAN("second") : SPAN("first"),
    };

    metrics_count(c->worker->shard, METRIC_HEDGES, labels, 1);
}

bool chat_hedge_head(struct chat *c, struct chat_try *t)
{
    struct chat_try *now = c->now, *other = t == now ? c->rival : now;
    bool failed = t->fault != FAULT_NONE || t->status >= 400;
    const struct span none = {NULL, 0};

    put_aside(c, now);
    /* now was put aside from c, the rival when it began */
    c->rival = failed ? t : other;
    if (failed && t->fault == FAULT_NONE)
        t->fault = fault_of_words(t->status, none, none);
    take_up(c, failed ? other : t);
    count(c, failed ? other : t);
    if (!failed) {
        chat_hedge_end(c, FAULT_LOST);
        return true;
    }
    c->rival = NULL;
    drop(c, t);
    return false;
}
