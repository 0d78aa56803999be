/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening sockets of all workers: bound here, taken from systemd
 * (LISTEN_FDS) or from the program that this one replaces (WEIR_FDS).  The
 * router keeps each until it stops, workers have duplicates: a socket that a
 * new program has too never closes, so no connection is refused.
 */
#ifndef WEIR_ROUTER_LISTEN_H
#define WEIR_ROUTER_LISTEN_H

#include "base/err.h"
#include "router/settings/settings.h"

struct http_server;

enum { LISTEN_MAX = 512 };

struct listeners {
    int fds[LISTEN_MAX];  /* (owned) [n] */
    bool all[LISTEN_MAX]; /* every worker accepts from it */
    unsigned n, workers;
    char address[128]; /* of the first: "127.0.0.1:8080", "unix:/path" */
};

MUST_USE bool listeners_open(struct listeners *l, const struct settings *set,
                             unsigned workers, struct err *e);
/* Duplicates of its sockets: to fds[most], *n of them; the caller's. */
MUST_USE bool listeners_of(const struct listeners *l, unsigned worker,
                           int fds[LISTEN_MAX], unsigned *n, struct err *e);
void listeners_close(struct listeners *l);

/* After binding: this user's rights, all threads to come. */
MUST_USE bool listen_as(const char *user, struct err *e);

#endif
