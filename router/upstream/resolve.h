/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses without holding the loop up: the system's resolver in a
 * thread of its own, its answer in the loop.  Numeric addresses need no
 * thread.
 */
#ifndef WEIR_ROUTER_UPSTREAM_RESOLVE_H
#define WEIR_ROUTER_UPSTREAM_RESOLVE_H

#include "base/err.h"

#include <sys/socket.h>

enum { ADDRESSES_MAX = 8 };

struct addresses {
    unsigned n;
    struct {
        struct sockaddr_storage at;
        socklen_t len;
    } list[ADDRESSES_MAX];
};

struct event_base;
struct resolve;

/* A numeric host at once; false when it is a name. */
MUST_USE bool resolve_numeric(const char *host, const char *port,
                              struct addresses *out);

/* Calls done once from the loop, with what was found or with error set, and
 * never after resolve_cancel; then the lookup is gone. */
MUST_USE struct resolve *resolve_start(
    struct event_base *base, const char *host, const char *port,
    void (*done)(void *ctx, const struct addresses *found, const char *error),
    void *ctx);
void resolve_cancel(struct resolve *r); /* NULL: no-op */

#endif
