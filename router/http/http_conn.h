/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What http.c (server, accepting, waiting), http_conn.c (a connection's
 * states), http_read.c (bytes that come), http_reply.c (answers) and
 * http_send.c (their bytes) share.
 * For nobody else.
 *
 *            bytes        whole head       whole body
 *   IDLE ---------> HEAD ----------> BODY ----------> BUSY --begin--> STREAM
 *    ^               |  (431, 400)    | (413, 408)     |                |
 *    |               v                v              reply             end
 *    |             LINGER: said, discarding            |                |
 *    +--------------- all sent ----- FLUSH <-----------+----------------+
 *
 * Any state goes to DEAD when the client leaves, a wait runs out or we cut.
 * States change in conn_set() only.  Memory of connections and exchanges is
 * released at the end of the loop's turn, never below a callback.
 *
 * Every connection is in one of the lists by what it waits for.  A list's
 * members wait equally long, so each is in order of deadline and one timer
 * looks at the heads.
 */
#ifndef WEIR_ROUTER_HTTP_HTTP_CONN_H
#define WEIR_ROUTER_HTTP_HTTP_CONN_H

#include "base/buf.h"
#include "router/http/http.h"
#include "router/http/http_parse.h"

#include <stdatomic.h>
#include <sys/uio.h>

#include <event2/util.h>

struct bufferevent;
struct prelude;
struct evbuffer;
struct event;

enum conn_state {
    CONN_IDLE,
    CONN_HEAD,
    CONN_BODY,
    CONN_BUSY,   /* the handler has it */
    CONN_STREAM, /* the answer has begun */
    CONN_FLUSH,  /* answered, bytes unsent */
    CONN_LINGER, /* refused: what still comes is read and dropped */
    CONN_DEAD,
};

enum conn_wait {
    WAIT_IDLE,
    WAIT_HEAD,
    WAIT_BODY,
    WAIT_WRITE,
    WAIT_LINGER,
    WAIT_NONE,
    WAIT_DEAD,
    WAIT_N,
};

enum {
    HTTP_PIPELINE_MAX = 65536, /* bytes read ahead of a running exchange */
    HTTP_LINGER_MS = 2000,
    HTTP_LINGER_MAX = 8 << 20, /* bytes dropped before we cut */
    HTTP_FLUSH_AT = 32768,     /* bytes of an answer gathered in a turn */
    HTTP_STREAM_AT = 8192,     /* ... of a stream */
    HTTP_GATHER_MAX = 1 << 20, /* ... of all whole ones together */
    HTTP_GATHER_KEEP = 128 << 10,
    HTTP_PEER_MAX = 56,
};

struct conn {
    struct http_server *server; /* (borrowed) */
    struct bufferevent *bev;    /* (owned) */
    struct event *readable;     /* (owned) NULL over TLS: the bufferevent's */
    struct evbuffer *in;        /* (owned, or over TLS the bufferevent's) */
    struct http_exchange *x;    /* (owned) from BODY to the answer's end */
    struct conn *prev, *next;   /* in the list of its wait */
    struct conn *turn_next;     /* in the list of the turn */
    uint64_t deadline;          /* ms on the loop's clock; 0: none */
    uint64_t queued;            /* bytes ever given to the bufferevent */
    uint64_t taken_seen;        /* conn_taken() when the wait began */
    size_t scanned;             /* bytes of the head looked at; LINGER: lost */
    uint32_t gathered_at, gathered; /* its part of the server's; 0: none */
    enum conn_state state;
    enum conn_wait wait;
    bool served;    /* a request has begun on it */
    bool keep;      /* may serve another request */
    bool tls;       /* bytes go through the bufferevent */
    bool paused;    /* reading is off: enough is pipelined */
    bool in_turn;   /* stands in the list of the turn */
    bool advancing; /* conn_advance is on the stack */
    char peer[HTTP_PEER_MAX];
};

struct http_exchange {
    struct conn *conn; /* (borrowed) NULL once it has ended */
    struct http_exchange *next;
    struct http_request request;
    struct http_head head;
    struct http_watch watch;
    struct arena arena;
    struct http_chunks chunks;
    struct evbuffer *in;  /* (owned) a large body that came whole, or NULL */
    struct evbuffer *out; /* (owned) gathered in this turn, unsent */
    struct buf body;      /* (owned) one that arrived in pieces */
    struct buf extra;     /* (owned) headers of the answer */
    bool full;            /* on_full was called last */
    bool no_body;         /* HEAD */
};

struct conn_list {
    struct conn *first, *last;
    unsigned ms; /* 0: for ever */
};

struct http_listen {
    struct http_listen *next; /* (owned) */
    struct http_server *server;
    struct event *accept; /* (owned) */
    int fd;               /* (owned) */
    bool local;           /* a Unix socket */
};

struct http_server {
    struct event_base *base; /* (borrowed) */
    struct http_limits limits;
    struct http_handler handler;
    struct http_listen *listens;        /* (owned) */
    struct prelude *preludes;           /* (owned) */
    struct event *resume, *tick, *turn; /* (owned) */
    struct conn_list lists[WAIT_N];
    struct conn *turn_list;
    struct http_exchange *pool, *ended, *ended_before;
    size_t n_pool;
    struct buf head;     /* scratch for the head of an answer */
    struct buf gathered; /* whole answers that leave when the turn ends */
    size_t n_gathered;   /* connections that have a part of it */
    struct http_header headers[HTTP_HEADERS_MAX]; /* ... of a request */
    _Atomic size_t open, busy;
    uint64_t now; /* ms, of the last tick or event */
    int64_t date_s;
    char date[32];
    bool draining;
};

/* http.c */
uint64_t http_now(struct http_server *s);
void http_wait(struct conn *c, enum conn_wait wait); /* moves or refreshes */
void http_turn(struct conn *c); /* looks at it again when the turn ends */
const char *http_date(struct http_server *s);

/* http_accept.c */
void http_resume(evutil_socket_t fd, short what, void *server);
void http_stop_accepting(struct http_server *s);

/* http_conn.c */
MUST_USE bool conn_open(struct http_server *s, int fd, const char *peer,
                        const struct tls *tls);
void conn_set(struct conn *c, enum conn_state state);

/* Makes `in` and `readable`, by which nothing is read yet.  False: no memory,
 * and nothing to end. */
MUST_USE bool conn_read_plain(struct conn *c, int fd);
void conn_read_tls(struct conn *c);      /* once there is a bufferevent */
void conn_read(struct conn *c, bool on); /* whether what comes is read */
void conn_read_end(struct conn *c);      /* before the bufferevent's end */
void conn_has_read(struct conn *c);      /* there is more in `in` */

void conn_advance(struct conn *c);
void conn_gone(struct conn *c); /* tells the owner, closes */
void conn_late(struct conn *c); /* its wait ran out */
void conn_free(struct conn *c);
size_t conn_unsent(const struct conn *c);
uint64_t conn_taken(const struct conn *c); /* bytes the client has taken */
void exchange_free(struct http_exchange *x);

/* http_send.c */
void conn_send(struct conn *c, struct iovec *iov, int n);
/* conn_send when the turn ends: what is answered in one turn leaves together,
 * and a client's process is woken once for it.  What is long goes at once. */
void conn_gather(struct conn *c, struct iovec *iov, int n);
void conn_deliver(struct conn *c); /* what was gathered */
/* Answered: sends, waits for what is unsent, or goes on. */
void conn_answered(struct conn *c);

/* http_reply.c */
/* An error in OpenAI's shape, then the connection ends. */
void http_refuse(struct conn *c, int status, const char *why);
void http_flush(struct http_exchange *x);
/* The answer is complete: the exchange leaves its connection. */
void http_finish(struct http_exchange *x);

#endif
