/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of our own client share; for nobody else.  It speaks http://
 * and, for streams, https://.  plain_client.c has the life of a call,
 * plain_answer.c what comes back, plain_host.c who gets which connection,
 * plain_conn.c the sockets, plain_h2.c many calls on one of them.
 *
 *   start --> QUEUED --a connection--> BOUND --answer whole--> ENDED --> pool
 *               ^                       |  |                    ^
 *               +--kept one had died----+  +--fault, late-------+
 *
 * A call is queued at its host (scheme://host:port) until a kept connection
 * is free or another may be opened.  A connection has one call or is kept;
 * its read event stays set all its life, so that a request on a kept one is
 * one write and one read.  One that speaks HTTP/2 has many calls; while it is
 * not known whether a host does, one connection is opened and the others wait.
 *
 * Nothing calls back below upstream_start, _pause, _resume or _cancel: what
 * they find out waits for the end of the turn.
 */
#ifndef WEIR_ROUTER_UPSTREAM_PLAIN_PARTS_H
#define WEIR_ROUTER_UPSTREAM_PLAIN_PARTS_H

#include "router/upstream/http_answer.h"
#include "router/upstream/resolve.h"
#include "router/upstream/tls_link.h"
#include "router/upstream/upstream_client.h"

struct event;
struct plain;
struct plain_conn;
struct plain_host;

enum plain_state { PLAIN_POOLED, PLAIN_QUEUED, PLAIN_BOUND, PLAIN_ENDED };

struct plain_call {
    struct upstream_call base;
    struct plain *p;                            /* (borrowed) */
    struct plain_host *host;                    /* (borrowed) */
    struct plain_conn *conn;                    /* BOUND; NULL: it has ended */
    struct plain_call *prev, *next;             /* in live; pool uses next */
    struct plain_call *queue_prev, *queue_next; /* QUEUED; on an HTTP/2 one */
    struct plain_call *todo;                    /* in the list of the turn */
    struct upstream_events ev;
    enum plain_state state;
    bool in_todo;     /* stands in the list of the turn */
    bool in_take;     /* its bytes are being read out */
    bool resume;      /* to do: read on */
    bool unsent;      /* to do: goes out on its kept connection */
    bool paused;      /* the owner wants no more for now */
    bool held;        /* reading is off */
    bool repeatable;  /* the method may be sent twice */
    bool fresh;       /* wants no kept connection: one had died */
    bool reused;      /* its connection had been kept */
    bool slow;        /* a stream: little is read, and looked at, at once */
    bool has_head;    /* HTTP/2: its headers came */
    bool whole;       /* HTTP/2: its last byte came */
    int32_t stream;   /* HTTP/2: its number; 0: none */
    struct buf out;   /* (owned) the request's head */
    struct span body; /* (borrowed) */
    size_t sent;      /* of out and body together */
    struct http_answer answer;
    struct buf rest; /* (owned) read already, held back by a pause */
    unsigned connect_ms, first_byte_ms, stall_ms, total_ms; /* 0: none */
    size_t max_body;
    uint64_t bytes;        /* of the body so far */
    uint64_t began;        /* ns, monotonic */
    uint64_t connect_us;   /* that the connection took */
    uint64_t first;        /* ns after began of the first byte; 0: none */
    uint64_t last;         /* ns, monotonic, of the last byte or resume */
    enum upstream_end end; /* to do: ends with that; OK: it does not */
    const char *why;       /* (static) */
};

struct plain_conn {
    struct plain_host *host;           /* (borrowed) */
    struct plain_call *call;           /* (borrowed) NULL: kept */
    struct plain_conn *prev, *next;    /* kept: in the host's list */
    struct event *readable, *writable; /* (owned) */
    struct tls_link *tls;              /* (owned) or NULL */
    struct plain_h2 *h2;               /* (owned) or NULL */
    struct plain_call *calls;          /* HTTP/2: by queue_next */
    unsigned n_calls;
    struct plain_conn *later; /* in the list of the turn */
    int fd;
    bool connecting, writing; /* writing: its event is set */
    bool settling; /* HTTP/2: how many calls it may have is not known yet */
    bool in_later;
    unsigned address; /* that is tried or was taken, of host->found */
    unsigned wait_ms; /* for this address; 0: no limit */
    uint64_t since;   /* ns, monotonic: kept, or this address tried */
    uint64_t dialled; /* ns, monotonic: the first address tried */
    uint64_t written; /* bytes ever, before the present request */
};

/* What a host's last connection spoke. */
enum plain_speech { SPEECH_UNKNOWN, SPEECH_HTTP1, SPEECH_HTTP2 };

struct plain_host {
    struct plain *p; /* (borrowed) */
    struct plain_host *next;
    char *authority; /* (owned) host:port as the URL has it */
    char *ca_file;   /* (owned) or NULL */
    char name[256], port[8];
    bool secure;
    enum plain_speech speaks;
    unsigned dialling;        /* connections that cannot be had yet */
    struct plain_conn *multi; /* those that speak HTTP/2 */
    struct plain_conn *kept, *kept_last; /* the newest first */
    size_t n_conns;                      /* kept and in use */
    struct plain_call *queue, *queue_last;
    struct resolve *lookup; /* (owned) under way */
    struct addresses found;
    uint64_t found_at; /* ns, monotonic; 0: not looked up */
    bool numeric;      /* found holds for ever */
};

enum plain_sweep { SWEEP_OFF, SWEEP_KEPT, SWEEP_LIVE };

enum {
    PLAIN_READ_MAX = 65536,  /* bytes taken from a socket at once */
    PLAIN_READ_SLOW = 16384, /* ... for a stream, or from TLS */
    PLAIN_SLICE = 4096,      /* ... that a stream's owner gets at once */
};

struct plain {
    struct event_base *base;    /* (borrowed) */
    struct event *sweep, *turn; /* (owned) */
    struct plain_call *live, *pool, *todo;
    struct plain_conn *later; /* what they have to write leaves with the turn */
    struct tls_trusts *own;   /* (owned) or NULL */
    struct tls_trusts *trusts; /* (borrowed) own, or shared with others */
    struct plain_host *hosts;  /* (owned) */
    size_t n_live, n_pool, per_host;
    size_t n_kept, n_shared; /* connections; shared: they speak HTTP/2 */
    enum plain_sweep sweeping;
    bool in_turn;            /* the turn's event runs */
    char in[PLAIN_READ_MAX]; /* what was read last */
};

/* ---- plain_client.c ---- */

/* Ends it when the turn ends. */
void plain_fail(struct plain_call *c, enum upstream_end end, const char *why);
/* Ends it now; no caller of upstream.h may be on the stack. */
void plain_finish(struct plain_call *c, enum upstream_end end, const char *why);
void plain_todo(struct plain_call *c);
/* Out of the live list, into the pool. */
void plain_release(struct plain_call *c);

/* ---- plain_answer.c ---- */

/* Bytes of its answer; no caller of upstream.h may be on the stack. */
void plain_take(struct plain_call *c, struct span in);
/* What a pause held back, and then what comes. */
void plain_read_on(struct plain_call *c);
/* HTTP/2: the head as HTTP/1.1 has it; bytes of the body, of which *used were
 * taken and the rest is kept behind a pause; all has come.  Each may end the
 * call; plain_data says false when it did. */
void plain_head(struct plain_call *c, struct span text, bool too_large);
MUST_USE bool plain_data(struct plain_call *c, struct span in, size_t *used);
void plain_whole(struct plain_call *c);
/* Sent once more, from the queue's front. */
void plain_again(struct plain_call *c);

/* ---- plain_host.c ---- */

/* The URL's host, made where it is new, and what to ask it for. */
MUST_USE struct plain_host *host_of(struct plain *p,
                                    const struct upstream_request *r,
                                    struct span *path, struct err *e);
bool host_takes(const struct upstream_request *r);
/* In the queue, at its front or its end, and out of it. */
void host_enqueue(struct plain_call *c, bool front);
void host_dequeue(struct plain_call *c);
/* Gives connections to those that wait for one. */
void host_pump(struct plain_host *h);
void host_keep(struct plain_conn *conn);
/* Out of the list of the kept ones, or of those that speak HTTP/2. */
void host_unkeep(struct plain_conn *conn);
void host_share(struct plain_conn *conn);
/* Closes what was kept for too long. */
void host_age(struct plain_host *h, uint64_t now);
void host_free(struct plain_host *h);

/* ---- plain_conn.c ---- */

/* Opens one for the call; false when not even that could be begun. */
MUST_USE bool plain_dial(struct plain_host *h, struct plain_call *c);
/* The call goes out on this kept connection, with others of its turn when that
 * ends (router/turn.h). */
void plain_send(struct plain_conn *conn, struct plain_call *c);
void plain_push(struct plain_call *c);
/* This address has had its time; false when it was the last. */
MUST_USE bool plain_next_address(struct plain_conn *conn, uint64_t now);
void plain_close(struct plain_conn *conn);
void plain_read(struct plain_conn *conn, bool on);
/* It writes what it has when the turn ends. */
void plain_later(struct plain_conn *conn);
/* The other side has said how many calls may share it. */
void plain_settled(struct plain_conn *conn);
/* Writes what HTTP/2 has; may close the connection. */
void plain_flush(struct plain_conn *conn);

/* ---- plain_h2.c ---- */

MUST_USE bool h2_open(struct plain_conn *conn);
void h2_free(struct plain_conn *conn);
bool h2_has_room(const struct plain_conn *conn);
MUST_USE bool h2_send(struct plain_conn *conn, struct plain_call *c);
void h2_forget(struct plain_call *c); /* its stream has ended */
void h2_drop(struct plain_call *c);   /* ends its stream */
/* It has taken so many of the bytes that it had kept. */
void h2_credit(struct plain_call *c, size_t n);
/* False: the other side does not speak it. */
MUST_USE bool h2_take(struct plain_conn *conn, struct span in);
MUST_USE enum tls_io h2_flush(struct plain_conn *conn);
bool h2_is_over(const struct plain_conn *conn); /* may be closed */

#endif
