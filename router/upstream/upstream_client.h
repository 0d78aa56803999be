/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client of upstream.h must be able to do, and the two that there
 * are.  For upstream.c, the clients and their tests.
 */
#ifndef WEIR_ROUTER_UPSTREAM_UPSTREAM_CLIENT_H
#define WEIR_ROUTER_UPSTREAM_UPSTREAM_CLIENT_H

#include "router/upstream/upstream.h"

/* The first member of each client's calls. */
struct upstream_call {
    const struct upstream_client *client; /* (borrowed) */
};

/* Each with the contract of its namesake in upstream.h; the request has been
 * looked at: its headers end no line and do not frame the message. */
struct upstream_client {
    const char *name;
    bool (*takes)(const struct upstream_request *r);
    void *(*make)(struct event_base *base, unsigned per_host, struct err *e);
    void (*destroy)(void *self); /* NULL: no-op */
    /* NULL: it has its own. */
    void (*share)(void *self, struct tls_trusts *trusts);
    struct upstream_call *(*start)(void *self, const struct upstream_request *r,
                                   const struct upstream_events *ev,
                                   struct err *e);
    struct span (*header)(const struct upstream_call *c, const char *name);
    bool (*connecting)(const struct upstream_call *c);
    void (*pause)(struct upstream_call *c);
    void (*resume)(struct upstream_call *c);
    void (*cancel)(struct upstream_call *c);
};

extern const struct upstream_client upstream_plain; /* plain_client.c */
extern const struct upstream_client upstream_curl;  /* curl_client.c */

/* As upstream_new, with one client for whatever it takes. */
MUST_USE struct upstream *upstream_new_of(const struct upstream_client *only,
                                          struct event_base *base,
                                          unsigned max_connections_per_host,
                                          struct err *e);

#endif
