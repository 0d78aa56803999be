/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a call to a provider: what its account, its version and its
 * client's dialect want in headers. */
#ifndef WEIR_ROUTER_CHAT_HEAD_H
#define WEIR_ROUTER_CHAT_HEAD_H

#include "router/http/http.h"
#include "router/settings/settings.h"
#include "router/upstream/tokens.h"
#include "router/upstream/upstream.h"

enum { SENT_HEADERS_MAX = 24 };

struct head {
    const struct provider_settings *at; /* (borrowed: settings) */
    const struct provider_key *key;     /* (borrowed: settings) one of at */
    const struct http_exchange *x;      /* (borrowed) of the client */
    const struct dialect_ops *client;
    bool stream;
    struct span type, accept; /* of the body, of the answer; empty: JSON, of a
                                 stream events */
    struct span bearer;       /* of head_sign_in(), or empty */
    struct arena *arena;      /* (borrowed) takes what headers hold */
};

/* r: method, url and the final body, over which AWS keys sign; its headers
 * become h[SENT_HEADERS_MAX]. */
MUST_USE bool head_make(const struct head *c, struct upstream_request *r,
                        struct upstream_header *h, struct err *e);

struct sign_in {
    struct tokens *tokens;              /* (borrowed) of the worker */
    const struct provider_settings *at; /* (borrowed: settings) */
    struct token_waiter *waiter;        /* (borrowed) */
    struct arena *arena;                /* (borrowed) takes the bearer */
};

/* READY: *bearer is the account's authorization, or empty where the provider
 * has none; else as tokens_get(). */
enum token_state head_sign_in(const struct sign_in *s, struct span *bearer,
                              struct err *e);

#endif
