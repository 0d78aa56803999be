/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of outbound HTTP share: a provider in this process and
 * calls that write down what they hear.  Each test runs against each of the
 * clients (rig_run). */
#ifndef TESTS_UNIT_UPSTREAM_RIG_H
#define TESTS_UNIT_UPSTREAM_RIG_H

#include "router/upstream/upstream_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/clock.h"
#include "router/http/http.h"

/*
 * The provider is http.c in the same loop where its manners suffice, and a
 * raw listening socket where it has to misbehave.
 */
struct rig {
    struct event_base *base;
    struct http_server *server;
    struct upstream *u;
    unsigned port;
    struct http_exchange *x; /* waits for the test to answer it */
    int requests, gone;
    struct buf seen; /* what the provider got: headers and body */
};

/* The client that is being tested. */
static const struct upstream_client *rig_client;

/* One call and what was heard of it. */
struct heard {
    struct rig *rig;
    struct upstream_call *call;
    struct upstream_result result;
    struct buf body;
    char type[64];
    int heads, bodies, dones, status;
    int cancel_at;       /* 1: on_head, 2: on_body, 3: on_done */
    bool pause;          /* from on_body */
    struct heard *other; /* cancelled from this one's on_body */
};

static inline void on_gone(void *ctx)
{
    struct rig *r = ctx;

    r->gone++;
    r->x = NULL;
}

static inline void on_request(void *ctx, struct http_exchange *x)
{
    struct rig *r = ctx;
    const struct http_request *q = http_request(x);

    r->requests++;
    buf_reset(&r->seen);
    for (size_t i = 0; i < q->n_headers; i++)
        buf_printf(&r->seen, "%.*s=%.*s;", SPAN_ARGS(q->headers[i].name),
                   SPAN_ARGS(q->headers[i].value));
    buf_printf(&r->seen, "%.*s ", SPAN_ARGS(q->method));
    buf_span(&r->seen, q->body);
    if (span_is(q->path, "/echo")) {
        http_set(x, "x-request-id", SPAN("abc"));
        http_reply(x, 200, "text/plain", q->body);
        return;
    }
    http_watch(x, (struct http_watch){.ctx = r, .on_gone = on_gone});
    r->x = x;
}

static inline int set_up(void **state)
{
    static const struct http_limits limits = {.header_bytes = 65536,
                                              .body_bytes = 32 << 20,
                                              .header_ms = 5000,
                                              .body_ms = 5000,
                                              .idle_ms = 300,
                                              .write_ms = 5000,
                                              .connections = 1000,
                                              .write_mark = 262144};
    struct http_handler handler = {.request = on_request};
    struct rig *r = calloc(1, sizeof *r);
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    struct err e;
    int fd = http_listen("127.0.0.1:0", &e);

    assert_non_null(r);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    r->port = ntohs(a.sin_port);
    r->base = event_base_new();
    handler.ctx = r;
    r->server = http_server_new(r->base, fd, &limits, &handler, &e);
    r->u = upstream_new_of(rig_client, r->base, 0, &e);
    assert_non_null(r->server);
    assert_non_null(r->u);
    buf_init(&r->seen, 64 << 20);
    *state = r;
    return 0;
}

static inline int tear_down(void **state)
{
    struct rig *r = *state;

    upstream_free(r->u);
    http_server_free(r->server);
    event_base_free(r->base);
    buf_free(&r->seen);
    free(r);
    return 0;
}

static inline void cancel(struct heard *h)
{
    struct upstream_call *c = h->call;

    h->call = NULL;
    upstream_cancel(c);
}

static inline void on_head(void *ctx, int status)
{
    struct heard *h = ctx;
    struct span type = upstream_header(h->call, "content-type");

    h->heads++;
    h->status = status;
    span_copy(h->type, sizeof h->type, type);
    if (h->cancel_at == 1)
        cancel(h);
}

static inline void on_body(void *ctx, struct span bytes)
{
    struct heard *h = ctx;

    h->bodies++;
    buf_span(&h->body, bytes);
    if (h->pause)
        upstream_pause(h->call);
    if (h->other)
        cancel(h->other);
    h->other = NULL;
    if (h->cancel_at == 2)
        cancel(h);
}

static inline void on_done(void *ctx, const struct upstream_result *r)
{
    struct heard *h = ctx;

    h->dones++;
    h->result = *r;
    if (h->cancel_at == 3)
        upstream_cancel(h->call);
    h->call = NULL;
}

static inline struct upstream_request
request_of(struct rig *r, const char *path, char url[128])
{
    snprintf(url, 128, "http://127.0.0.1:%u%s", r->port, path);
    return (struct upstream_request){.method = "POST",
                                     .url = url,
                                     .body = SPAN("hello"),
                                     .connect_ms = 2000,
                                     .total_ms = 5000};
}

static inline void start(struct rig *r, struct heard *h,
                         const struct upstream_request *q)
{
    struct upstream_events ev = {h, on_head, on_body, on_done};
    struct err e;

    h->rig = r;
    buf_init(&h->body, 64 << 20);
    h->call = upstream_start(r->u, q, &ev, &e);
    if (!h->call)
        fail_msg("%s", e.msg);
    assert_int_equal(h->heads + h->bodies + h->dones, 0);
}

/* Runs the loop until *what is at least n, or for a while. */
static inline void run_until(struct rig *r, const int *what, int n)
{
    uint64_t until = clock_ns() + 3000000000U;

    while (*what < n && clock_ns() < until) {
        event_base_loop(r->base, EVLOOP_NONBLOCK);
        usleep(500);
    }
    if (*what < n)
        fail_msg("waited in vain");
}

static inline void run_ms(struct rig *r, unsigned ms)
{
    uint64_t until = clock_ns() + (uint64_t)ms * 1000000;

    while (clock_ns() < until) {
        event_base_loop(r->base, EVLOOP_NONBLOCK);
        usleep(500);
    }
}

/* Listens itself, to misbehave. */
static inline int listen_raw(unsigned *port)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    struct err e;
    int fd = http_listen("127.0.0.1:0", &e);

    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static inline int accept_raw(struct rig *r, int fd)
{
    int c = -1;

    for (int i = 0; i < 1000 && c < 0; i++) {
        event_base_loop(r->base, EVLOOP_NONBLOCK);
        c = accept(fd, NULL, NULL);
        usleep(500);
    }
    assert_true(c >= 0);
    return c;
}

/* Reads until something is there, and says how much. */
static inline size_t read_raw(struct rig *r, int c)
{
    char in[4096];
    ssize_t n = -1;

    for (int i = 0; i < 1000 && n <= 0; i++) {
        event_base_loop(r->base, EVLOOP_NONBLOCK);
        n = recv(c, in, sizeof in, MSG_DONTWAIT);
        usleep(500);
    }
    assert_true(n > 0);
    return (size_t)n;
}

/* All tests against each client; how many failed. */
static inline int rig_run(const struct CMUnitTest *tests, size_t n)
{
    static const struct upstream_client *const clients[] = {&upstream_plain,
                                                            &upstream_curl};
    int failed = 0;

    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        rig_client = clients[i];
        failed +=
            _cmocka_run_group_tests(rig_client->name, tests, n, NULL, NULL);
    }
    return failed;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
