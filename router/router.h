/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server as a whole: N workers, each with its own event loop, listener
 * (SO_REUSEPORT), upstream handle and judge; a main thread for signals and
 * reloads; the outcome log's writer.
 *
 *   signals, reload requests            connections
 *            |                        /      |      \
 *       main thread  --snapshot-->  worker worker worker  --rows--> log
 *                                        |      |
 *                                       providers
 *
 * A request lives and dies on one worker.  Workers share the newest snapshot
 * (each looks at a generation counter when a request begins and takes the
 * lock only after a reload), the books (budgets, drift) and the counters.
 */
#ifndef WEIR_ROUTER_ROUTER_H
#define WEIR_ROUTER_ROUTER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/rng.h"
#include "router/gate/gate.h"
#include "router/health/health.h"
#include "router/listen.h"
#include "router/metrics.h"
#include "router/outlog/outlog.h"
#include "router/request_id.h"
#include "router/retrain.h"
#include "router/route/judge.h"
#include "router/upgrade.h"
#include "router/watch.h"

struct event;
struct event_base;
struct http_server;
struct purse_book;
struct rate_book;
struct makers;
struct news;
struct reload_job;
struct tokens;
struct upstream;

enum { SPARE_BUFS = 16 };

struct router;

struct worker {
    struct router *router; /* (borrowed) */
    unsigned index;
    pthread_t thread;
    bool started;
    struct event_base *base;     /* (owned) */
    struct http_server *http;    /* (owned) */
    struct upstream *upstream;   /* (owned) */
    struct tokens *tokens;       /* (owned) of Google accounts */
    struct outlog_port *port;    /* (owned) or NULL: no log */
    struct metrics_shard *shard; /* (borrowed: router->metrics) */
    struct judge *judge;         /* (owned) */
    struct event *wake;          /* (owned) activated from other threads */
    struct event *timer;         /* (owned) drain's end */
    struct gate gate;
    struct id_source ids;
    struct rng rng;            /* for balancing */
    struct checks *checks;     /* (owned) the first worker's, else NULL */
    struct snapshot *snapshot; /* (owned reference) */
    unsigned generation;       /* of it */
    struct buf scratch;        /* for rows and headers */
    struct arena work;         /* of one event or one whole answer */
    struct chat *waiting;      /* streams that may want a ping */
    struct chat_try *tries;    /* calls that are open */
    unsigned opened;           /* of router->opened, seen */
    struct shadow *shadows;    /* (owned) calls without a client */
    unsigned n_shadows;
    struct event *ping;           /* (owned) looks after them */
    struct buf spare[SPARE_BUFS]; /* (owned) used buffers, kept warm */
    unsigned n_spare;
    _Atomic bool draining;
    bool drained;
    uint64_t drained_ns;        /* when it began */
    struct reload_job *answers; /* under router->lock: to be replied */
};

struct router {
    const char *config;         /* (borrowed: argv) */
    struct snapshot *first;     /* (owned reference) as started */
    struct metrics *metrics;    /* (owned) */
    struct outlog *log;         /* (owned) or NULL */
    struct books books;         /* (owned) what routes keep across snapshots */
    struct rate_book *rates;    /* (owned) of inbound keys */
    struct purse_book *purses;  /* (owned) what a day may cost */
    struct health_book *health; /* (owned) */
    struct sessions *sessions;  /* (owned) */
    struct makers *makers;      /* (owned) of signatures */
    struct cache *cache;        /* (owned) or NULL: none */
    struct worker *workers;     /* (owned) [n_workers] */
    unsigned n_workers;
    struct listeners listeners;
    struct upgrade upgrade;
    struct watch watch;
    struct retrain retrain;
    struct event *look;        /* (owned) or NULL: watches the files */
    struct news *news;         /* (owned) or NULL: no log */
    struct tls_trusts *trusts; /* (owned) by which providers are checked */
    int64_t started_ms;

    struct event_base *base; /* (owned) the main thread's */
    struct event *wake;      /* (owned) activated from workers */
    pthread_mutex_t lock;
    struct snapshot *latest; /* under lock (owned reference) */
    struct reload_job *jobs; /* under lock: to be done */
    _Atomic unsigned generation;
    _Atomic unsigned opened;  /* breakers, since the start */
    _Atomic unsigned running; /* workers that have not drained */
};

/* NULL with e.  argv: (borrowed) of `weir serve`, for an upgrade; NULL: there
 * is none. */
MUST_USE struct router *router_new(const char *config, char **argv,
                                   struct err *e);
/* Starts the workers; serves until SIGTERM or SIGINT.  ready is called once
 * when connections are taken. */
MUST_USE bool router_run(struct router *r,
                         void (*ready)(const struct router *r, void *ctx),
                         void *ctx, struct err *e);
void router_free(struct router *r); /* NULL: no-op */

/* Main thread: loads the configuration again; a bad one changes nothing. */
MUST_USE bool router_reload(struct router *r, struct err *e);

/* Worker's thread: the snapshot for a request that begins now, counted. */
struct snapshot *worker_snapshot(struct worker *w);
/* A breaker has opened: every worker looks at its calls, soon. */
void worker_opened(struct worker *w);
/* A cleared buffer of at most `max` bytes, and back. */
struct buf worker_buf(struct worker *w, size_t max);
void worker_give_back(struct worker *w, struct buf *b);

#endif
