/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands at an address that a client wrote, within bounds of bytes, time
 * and redirects, and from public addresses only: a name is resolved once,
 * all that it resolves to is looked at (public_address.h), and one of these is
 * connected to, so that a name which means something else a moment later
 * gains nothing.  Each redirect begins anew.  On the worker's loop, by its own
 * upstream client; nothing waits.
 *
 *   URL -> name -> addresses -> GET -> 200: bytes
 *    ^                           |
 *    +------- Location ----------+
 */
#ifndef WEIR_ROUTER_UPSTREAM_FETCH_H
#define WEIR_ROUTER_UPSTREAM_FETCH_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/socket.h>

struct event_base;
struct fetch;
struct upstream;

struct fetch_rules {
    struct upstream *upstream; /* (borrowed) the worker's */
    struct event_base *base;   /* (borrowed) likewise */
    /* Which addresses may be connected to: address_is_public(); NULL: all. */
    bool (*may)(const struct sockaddr *a);
    unsigned redirects; /* at the most */
    unsigned connect_ms, total_ms;
    /* (borrowed until the end) Bytes that may yet come, of all fetches that
     * share it: each takes its own away. */
    size_t *room;
};

struct fetch_events {
    void *ctx;
    /* Once, from the loop, and never after fetch_cancel; then the fetch is
     * gone.  why: NULL and the bytes, else what is wrong, for people.  Both
     * are valid during the call. */
    void (*done)(void *ctx, struct span bytes, const char *why);
};

/* NULL with e filled where the address is refused as it stands. */
MUST_USE struct fetch *fetch_start(const char *url, const struct fetch_rules *r,
                                   const struct fetch_events *ev,
                                   struct err *e);
void fetch_cancel(struct fetch *f); /* NULL: no-op */

/* What the first bytes show it to be: image/png, image/jpeg, image/gif,
 * image/webp, application/pdf; NULL: none of these. */
const char *fetch_kind(struct span bytes);

#endif
