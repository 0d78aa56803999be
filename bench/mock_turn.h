/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request that the mock answers, from its arrival to its last byte.
 *
 *   server -> turn_start -> (latency) -> whole, or a frame a tick
 *                                     -> mock_raw.c, where bytes are counted
 */
#ifndef WEIR_BENCH_MOCK_TURN_H
#define WEIR_BENCH_MOCK_TURN_H

#include "bench/mock.h"
#include "bench/mock_ledger.h"

#include <event2/event.h>
#include <event2/http.h>

struct mock_server {
    const struct mock_options *options;
    const struct mock_dialect *only; /* NULL: all */
    struct mock_context context;
    struct mock_script *script; /* (owned) or NULL */
    struct mock_ledger *ledger; /* (owned) */
    struct event_base *base;
    struct evhttp *http;
    struct evhttp_bound_socket *socket;
    struct event *rebind; /* while nobody listens */
    bool down;
    unsigned port;
    uint64_t number;     /* of requests so far */
    double script_began; /* seconds of the monotonic clock */
    double window;       /* of --rps: which second */
    uint64_t in_window;
};

struct turn {
    struct mock_server *s;
    const struct mock_dialect *dialect;
    struct evhttp_request *req;
    struct event *timer;
    struct arena arena;
    struct request request;
    struct mock_reply reply;
    struct mock_cursor cursor;
    struct buf out;
    bool begun, stream;
    bool raw;    /* played from memory: out is head and body */
    bool list;   /* Gemini's streams without alt=sse: a JSON array */
    size_t sent; /* bytes of out, where bytes are counted */
};

/* NULL: no memory. */
struct turn *turn_new(struct mock_server *s, struct evhttp_request *req,
                      const struct mock_dialect *d);
void turn_free(struct turn *t);
/* Its connection goes on to the next request. */
void turn_end(struct turn *t);
/* Its connection is closed; reset: so that the client sees an error. */
void turn_cut(struct turn *t, bool reset);
void turn_wait(struct turn *t, double ms);
/* When the reply and its faults are known. */
void turn_start(struct turn *t);
/* An error in place of the answer; the turn ends. */
void turn_refuse(struct turn *t, const struct mock_error *p);
void turn_count(struct turn *t, enum mock_outcome outcome);

/* The answer from memory, byte by byte (mock_raw.c); takes the turn. */
void turn_raw(struct turn *t, int status);
void turn_raw_step(struct turn *t);
/* The whole body of a stream, frame by frame; chunked: with its lengths. */
void turn_frames(struct turn *t, bool chunked, struct buf *out);

void mock_header(struct evhttp_request *req, const char *name,
                 const char *value);
void mock_send(struct evhttp_request *req, int status, const char *type,
               struct span body);
void mock_send_error(struct evhttp_request *req, const struct mock_dialect *d,
                     const struct mock_error *p);
/* Nobody listens for that long. */
void mock_down(struct mock_server *s, double ms);

#endif
