/* SPDX-License-Identifier: Apache-2.0 */
/* A client's request read and judged: what chat and explain begin with. */
#ifndef WEIR_ROUTER_CHAT_ASK_H
#define WEIR_ROUTER_CHAT_ASK_H

#include "router/chat/hints.h"
#include "router/paths.h"
#include "router/problem.h"
#include "router/router.h"

struct ask {
    struct place place; /* set before ask_read; dialect NULL: OpenAI */
    struct span body;   /* likewise; empty: the exchange's */
    bool spends;        /* likewise: exploring takes the route's money */
    const struct dialect_ops *dialect;
    struct request request;         /* .body is empty until it was read */
    const struct route *route;      /* NULL until it was found */
    const struct key_settings *key; /* (borrowed: snapshot) NULL: none */
    struct wish wish;
    struct hints hints;
    bool judged; /* the worker's judge holds the decision */
    bool plain;  /* log-probabilities were left out of it (ask_plain.h) */
    uint64_t decision_ns;
    uint64_t session;         /* session_key(), 0: none */
    struct session_note last; /* of it */
    struct stay stay;
    struct problem problem; /* why it failed */
    const char *error;      /* the problem's word for the log */
    unsigned retry_after;   /* seconds, for the client; 0: not said */
};

/* False with a->problem. */
MUST_USE bool ask_read(struct ask *a, struct worker *w,
                       const struct snapshot *s, struct http_exchange *x,
                       uint64_t seed);
/* a->dialect and a->place fill a->request from a body; all lives in the arena.
 */
MUST_USE bool ask_decode(struct ask *a, struct span body, struct arena *arena,
                         struct err *e);
/* After ask_read: false with a->problem when every arm was dropped. */
MUST_USE bool ask_has_arm(struct ask *a, const struct decision *d,
                          struct arena *arena);

#endif
