/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What curl_client.c (loop, sockets, timers, life of a call) and curl_call.c
 * (one call's options, answer and result) share: upstream.h over libcurl's
 * multi_socket interface.  For nobody else.
 *
 *   start -> STARTING --turn--> RUNNING --message, sweep--> DONE -> pool
 *                 \                 \
 *                  cancel            cancel: at once, or DROPPED until the
 *                                    turn's end when libcurl is on the stack
 *
 * libcurl must not be entered from its own callbacks, so whatever they ask
 * for is put down and done when the turn ends (end_turn).
 */
#ifndef WEIR_ROUTER_UPSTREAM_CURL_CALL_H
#define WEIR_ROUTER_UPSTREAM_CURL_CALL_H

#include "base/buf.h"
#include "router/upstream/upstream_client.h"

#include <curl/curl.h>

struct event;

enum call_state { CALL_POOLED, CALL_STARTING, CALL_RUNNING, CALL_DROPPED };

struct curl_call {
    struct upstream_call base;
    struct curl_client *u;         /* (borrowed) */
    CURL *easy;                    /* (owned) */
    struct curl_call *prev, *next; /* in live; pool uses next */
    struct curl_call *todo;        /* in the list of the turn */
    struct upstream_events ev;
    enum call_state state;
    bool in_todo, resume;
    bool paused;            /* the owner wants no more for now */
    bool held;              /* libcurl holds a piece back until it is resumed */
    bool got_head;          /* on_head was called */
    enum upstream_end end;  /* why we ended it ourselves */
    int status;             /* of the answer */
    uint64_t began;         /* ns, monotonic */
    uint64_t first;         /* ns after began of the first byte; 0: none */
    uint64_t last;          /* ns, monotonic, of the last byte or resume */
    uint64_t bytes;         /* of the body so far */
    unsigned first_byte_ms; /* limits, 0: none */
    unsigned stall_ms, total_ms;
    size_t max_body;
    struct buf head; /* (owned) the answer's header lines, NUL after each */

    /* What the easy handle is set to, so that only changes are set again. */
    struct buf url;            /* (owned) */
    CURLU *parsed;             /* (owned) the same for libcurl */
    struct buf lines;          /* (owned) header lines, NUL after each */
    struct curl_slist *nodes;  /* (owned) [n_nodes] */
    size_t n_nodes, cap_nodes; /* nodes used, allocated */
    char method[16];
    char to_text[96];     /* "::ADDRESS:PORT"; "": where the URL says */
    struct curl_slist to; /* the same for libcurl */
    struct buf ca_file;   /* (owned) empty: the system's */
    unsigned connect_ms;
    char error[CURL_ERROR_SIZE];
};

struct sock;

struct curl_client {
    struct event_base *base; /* (borrowed) */
    CURLM *multi;
    struct event *timer, *sweep, *turn; /* (owned) */
    struct curl_call *live, *todo, *pool;
    size_t n_live, n_pool;
    struct sock **socks; /* (owned) [n_socks], by descriptor */
    size_t n_socks;
    uint64_t timer_at;  /* ms, monotonic, when libcurl wants to be called */
    uint64_t timer_set; /* when the event fires; 0: it is not set */
    bool in_curl;       /* libcurl is on the stack */
    bool kick;          /* libcurl wants to be called at once */
    bool in_turn;       /* end_turn is on the stack */
    bool sweeping;      /* the sweep event is set */
};

MUST_USE struct curl_call *call_new(struct curl_client *u, struct err *e);
void call_free(struct curl_call *c);
/* Sets the handle to the request, clears what the last one left. */
MUST_USE bool call_prepare(struct curl_call *c,
                           const struct upstream_request *r, struct err *e);
/* upstream_header */
struct span call_header(const struct upstream_call *base, const char *name);
/* Fills a result from the handle, after its end or ours. */
void call_result(struct curl_call *c, CURLcode code, struct upstream_result *r);

/* curl_client.c: libcurl opens and closes its connections through us. */
curl_socket_t curl_client_open(void *u, curlsocktype purpose,
                               struct curl_sockaddr *a);
int curl_client_close(void *u, curl_socket_t fd);

#endif
