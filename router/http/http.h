/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inbound HTTP/1.1 on libevent bufferevents, our own strict parser.  One
 * server object per worker thread; only http_server_open and _busy may be
 * called from another.
 *
 * An exchange is one request and its answer.  The handler is called when the
 * whole body is there; it answers now or later, whole (http_reply) or in
 * pieces (http_begin, http_write..., http_end).  Requests that a client
 * pipelines wait their turn.  When the client goes away, on_gone is called
 * once, whatever the state; after it, or after the answer's end (http_reply,
 * http_end, http_abort), no function may be called with the exchange again.
 * Its memory (request, arena) stays until the end of the loop's turn.  A
 * client that closes its sending side while an answer is due has left.
 */
#ifndef WEIR_ROUTER_HTTP_HTTP_H
#define WEIR_ROUTER_HTTP_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct event_base;
struct http_server;
struct http_exchange;
struct tls;

/* The peer on a Unix socket. */
#define HTTP_PEER_LOCAL "local"

struct http_limits {
    size_t header_bytes;  /* all headers together; beyond: 431 */
    size_t body_bytes;    /* beyond: 413, without reading it all */
    unsigned header_ms;   /* from first byte to end of headers: 408 */
    unsigned body_ms;     /* between two reads of a body: 408 */
    unsigned idle_ms;     /* keep-alive without a request: closed */
    unsigned write_ms;    /* client takes nothing: closed */
    unsigned connections; /* beyond: refused */
    size_t write_mark;    /* bytes unsent above which on_full is called */
    bool proxy;           /* TCP: a PROXY header comes first (proxy.h) */
};

struct http_header {
    struct span name, value;
};

struct http_request {
    struct span method, path, query; /* path without query, as sent */
    const struct http_header *headers;
    size_t n_headers;
    struct span body;
    struct span peer; /* "127.0.0.1:40312", HTTP_PEER_LOCAL */
};

struct http_handler {
    void *ctx;
    void (*request)(void *ctx, struct http_exchange *x); /* one is there */
    /* A request was answered with an error before it was whole; path is empty
     * when its head could not be read.  May be NULL. */
    void (*refused)(void *ctx, struct span path, int status, const char *why);
    /* Writes such an error's body; NULL: OpenAI's shape. */
    void (*error_body)(void *ctx, struct span path, int status, const char *why,
                       struct buf *out);
    /* What new TCP connections are to speak; NULL, or returning NULL: plain
     * HTTP. */
    const struct tls *(*tls)(void *ctx);
};

/* What an exchange's owner wants to hear; any may be NULL. */
struct http_watch {
    void *ctx;
    void (*on_gone)(void *ctx);  /* the client left before the end */
    void (*on_full)(void *ctx);  /* unsent bytes went above write_mark */
    void (*on_drain)(void *ctx); /* and fell below a quarter of it */
};

/* fd: a listening socket, one per worker; on success it is the server's.
 * SIGPIPE is ignored from here on. */
MUST_USE struct http_server *http_server_new(struct event_base *base, int fd,
                                             const struct http_limits *limits,
                                             const struct http_handler *h,
                                             struct err *e);
/* Another listening socket, TCP or Unix; on success it is the server's. */
MUST_USE bool http_server_listen(struct http_server *s, int fd, struct err *e);
/* Stops accepting; idle connections close, running exchanges go on and
 * their connections close behind them.  A connection that has sent nothing yet
 * may still send its request: the client could not know. */
void http_server_drain(struct http_server *s);
size_t http_server_open(const struct http_server *s); /* connections */
size_t http_server_busy(const struct http_server *s); /* exchanges */
void http_server_free(struct http_server *s);         /* cuts off the rest */

/* A non-blocking listening TCP socket with SO_REUSEPORT; "host:port",
 * "[::1]:port", port 0 picks one.  -1 with e. */
MUST_USE int http_listen(const char *address, struct err *e);
/* Likewise a Unix socket at the path, with these permissions; a file that a
 * dead server left is replaced. */
MUST_USE int http_listen_unix(const char *path, unsigned mode, struct err *e);

const struct http_request *http_request(const struct http_exchange *x);
/* A header's value by lower-case name; empty when it is not there, or no
 * exchange (NULL). */
struct span http_header(const struct http_exchange *x, const char *name);
/* A decoded query parameter, in the exchange's arena. */
struct span http_query(struct http_exchange *x, const char *name);
/* Lives as long as the exchange; capped. */
struct arena *http_arena(struct http_exchange *x);
void http_watch(struct http_exchange *x, struct http_watch w);

/* Adds a header to the answer; before http_reply or http_begin.  Bytes that
 * would end the line are dropped from the value. */
void http_set(struct http_exchange *x, const char *name, struct span value);
void http_setf(struct http_exchange *x, const char *name, const char *fmt, ...)
    PRINTF(3, 4);
void http_reply(struct http_exchange *x, int status, const char *type,
                struct span body);
/* Streaming: chunked for HTTP/1.1, until close for 1.0. */
void http_begin(struct http_exchange *x, int status, const char *type);
void http_write(struct http_exchange *x, struct span bytes);
void http_end(struct http_exchange *x);
/* Cuts the connection so that the client sees the answer is not whole. */
void http_abort(struct http_exchange *x);
size_t http_unsent(const struct http_exchange *x); /* bytes */

#endif
