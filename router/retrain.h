/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The learning cycle beside the server: `weir cycle` as a child process of
 * the same program, niced, at most one, every `retrain.look`.  No training
 * runs in the server itself.  Main thread only, but for retrain_last().
 *
 *   look is over -> child -> now and then, and at its end: files changed?
 *                                                          -> reload
 */
#ifndef WEIR_ROUTER_RETRAIN_H
#define WEIR_ROUTER_RETRAIN_H

#include <pthread.h>

#include "base/buf.h"
#include "base/err.h"

struct event;
struct event_base;
struct settings;

struct retrain {
    char *config;                /* (owned) */
    struct event *timer, *child; /* (owned) or NULL: there is no cycle */
    struct event *follow;        /* (owned) while a child runs */
    int pid;                     /* of the child, 0: none runs */
    void (*look)(void *ctx);     /* files may have changed */
    void *ctx;
    pthread_mutex_t lock;
    struct buf last; /* under lock: the journal's newest line, or nothing */
};

MUST_USE bool retrain_init(struct retrain *r, const char *config);
/* Starts looking, where the settings say so. */
MUST_USE bool retrain_start(struct retrain *r, struct event_base *base,
                            const struct settings *set, struct err *e);
/* The child is killed: what it did is taken up by the next one. */
void retrain_stop(struct retrain *r);
void retrain_free(struct retrain *r);

/* Reads the journal beside this classifier anew. */
void retrain_note(struct retrain *r, const char *classifier);
/* Any thread: appends the newest line, or null. */
void retrain_last(struct retrain *r, struct buf *out);

#endif
