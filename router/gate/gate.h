/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request passes before it is served: the client's key, its rates,
 * and a place among those that the worker serves at once.
 *
 *   key? --401    rate? --429    running < limits.requests --> served
 *                                  | no
 *                                queued < limits.queue --> waits its turn
 *                                  | no                     | queue_time
 *                                  +------> 503 <-----------+
 */
#ifndef WEIR_ROUTER_GATE_GATE_H
#define WEIR_ROUTER_GATE_GATE_H

#include "base/err.h"
#include "router/paths.h"

struct event;
struct event_base;
struct gate_wait;
struct purse;
struct rate;
struct worker;

/* Who asks: what place.pass points to.  In the exchange's arena. */
struct gate_pass {
    struct span key;     /* its name; empty: no keys are configured */
    struct purse *purse; /* (borrowed: router) NULL: it may spend all */
    int64_t budget;      /* pico-USD a day */
    bool labels_all;     /* feedback: of other keys' requests too */
    struct rate *rate;   /* (borrowed: router) NULL: no limits */
    uint64_t tokens_per_minute;
};

/* One worker's. */
struct gate {
    struct worker *worker;          /* (borrowed) */
    struct event *timer;            /* (owned) late ones, and next turns */
    struct gate_wait *first, *last; /* (arenas of their exchanges) */
    unsigned running;
    _Atomic unsigned queued; /* the metrics look at it */
};

MUST_USE bool gate_init(struct gate *g, struct worker *w,
                        struct event_base *base, struct err *e);
void gate_free(struct gate *g);

/* The key's and the rate's part; false: answered.  Sets at->pass. */
MUST_USE bool gate_check(struct worker *w, struct http_exchange *x,
                         struct place *at);
/* Chats: starts it now, later, or answers 503. */
void gate_enter(struct worker *w, struct http_exchange *x,
                const struct place *at);
/* A chat that was started is over. */
void gate_leave(struct worker *w, const struct place *at, uint64_t tokens);

#endif
