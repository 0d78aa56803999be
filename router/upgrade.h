/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new program in the place of a running one (SIGUSR2): it gets the
 * listening sockets, says when it takes connections, and only then the old
 * one drains.  If it does not come up, the old one goes on.
 *
 *   old: SIGUSR2 -> start new (WEIR_FDS, WEIR_READY_FD) -> byte -> drain
 *                                                       -> end  -> go on
 */
#ifndef WEIR_ROUTER_UPGRADE_H
#define WEIR_ROUTER_UPGRADE_H

#include "base/err.h"

struct event;
struct event_base;
struct listeners;

struct upgrade {
    char program[4096]; /* as started: what is there now is run */
    char **argv;        /* (borrowed) "serve", ... */
    struct event *ev;   /* (owned) the new one's word, while it starts */
    int fd, pid;
    void (*up)(void *ctx); /* it takes connections: drain */
    void *ctx;
};

/* At the start: where the program is. */
void upgrade_init(struct upgrade *u, char **argv);
MUST_USE bool upgrade_start(struct upgrade *u, struct event_base *base,
                            const struct listeners *l, struct err *e);
void upgrade_free(struct upgrade *u);
/* In the new program, once it takes connections. */
void upgrade_ready(void);

#endif
