/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outbound HTTP on libevent: http:// and the streams of https:// (HTTP/1.1 or
 * HTTP/2) by a client of our own, everything else by libcurl; connections are
 * kept and used again.  One object per worker thread.
 *
 * A stream that is paused holds at most 32 kB of what came by then; nothing
 * else on its connection waits for it.
 *
 * Calls back: on_head once when the status and headers are there, on_body
 * for each piece, on_done exactly once at the end, whatever happened, and
 * never after upstream_cancel; after either the call must not be used again.
 * No callback runs inside any of these functions.  A call may be cancelled,
 * paused, resumed and another started from any callback.
 */
#ifndef WEIR_ROUTER_UPSTREAM_UPSTREAM_H
#define WEIR_ROUTER_UPSTREAM_UPSTREAM_H

#include "base/err.h"
#include "base/span.h"

struct event_base;
struct tls_trusts;
struct upstream;
struct upstream_call;

enum upstream_end {
    UPSTREAM_OK,        /* the answer came whole (any status) */
    UPSTREAM_REFUSED,   /* no connection */
    UPSTREAM_TIMEOUT,   /* connect, first byte, stall or total */
    UPSTREAM_CUT,       /* ended before it was whole */
    UPSTREAM_TOO_LARGE, /* more than max_body */
    UPSTREAM_TLS,
    UPSTREAM_OTHER,
};

struct upstream_header {
    const char *name;
    struct span value;
};

struct upstream_request {
    const char *method; /* "POST" */
    const char *url;
    /* "203.0.113.9:443", "[2001:db8::9]:443": connected to instead of what
     * the URL names, which is not looked up; NULL: the URL's. */
    const char *connect_to;
    const char
        *ca_file; /* PEM that servers are checked by; NULL: the system's */
    const struct upstream_header *headers;
    size_t n_headers;
    /* (borrowed until on_done, after a cancel until the loop's turn ends) */
    struct span body;
    unsigned connect_ms, first_byte_ms, stall_ms, total_ms; /* 0: none */
    size_t max_body; /* bytes of the answer; 0: no limit (streams) */
    /* A stream: many are open for long, each small; what comes is handed on in
     * pieces of 4 kB at most, so that it is paused in time. */
    bool slow;
};

struct upstream_result {
    enum upstream_end end;
    int status;          /* 0: none came */
    uint64_t connect_us; /* 0 on a kept connection */
    uint64_t first_byte_us, total_us;
    bool reused;
    bool connected;   /* there was a connection, new or kept */
    char reason[160]; /* for people; holds no secret */
};

struct upstream_events {
    void *ctx;
    void (*on_head)(void *ctx, int status);
    void (*on_body)(void *ctx, struct span bytes);
    void (*on_done)(void *ctx, const struct upstream_result *r);
};

MUST_USE struct upstream *upstream_new(struct event_base *base,
                                       unsigned max_connections_per_host,
                                       struct err *e);
void upstream_free(struct upstream *u); /* cancels what still runs */
/* Before the first call: servers are checked by these (borrowed), not by its
 * own. */
void upstream_share(struct upstream *u, struct tls_trusts *trusts);

/* NULL with e filled when the call could not even be set up. */
MUST_USE struct upstream_call *upstream_start(struct upstream *u,
                                              const struct upstream_request *r,
                                              const struct upstream_events *ev,
                                              struct err *e);
/* A header of the answer by lower-case name, from on_head until on_done. */
struct span upstream_header(const struct upstream_call *c, const char *name);
/* It has had no connection yet: nothing can have been sent. */
bool upstream_connecting(const struct upstream_call *c);
void upstream_pause(struct upstream_call *c);
void upstream_resume(struct upstream_call *c);
void upstream_cancel(struct upstream_call *c); /* NULL: no-op */
const char *upstream_end_name(enum upstream_end end);

#endif
