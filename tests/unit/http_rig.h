/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of inbound HTTP share: a server in this process, driven
 * between the steps of its clients, and those clients. */
#ifndef TESTS_UNIT_HTTP_RIG_H
#define TESTS_UNIT_HTTP_RIG_H

#include "router/http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/clock.h"

/* A server in this process, driven between the clients' steps. */
struct rig {
    struct event_base *base;
    struct http_server *server;
    struct http_exchange *x; /* the one that waits for its answer */
    unsigned port;
    int requests, gone, full, drained;
    struct buf got; /* what a client has read */
};

static inline void on_gone(void *ctx)
{
    struct rig *r = ctx;

    r->gone++;
    r->x = NULL;
}

static inline void on_full(void *ctx)
{
    ((struct rig *)ctx)->full++;
}

static inline void on_drain(void *ctx)
{
    ((struct rig *)ctx)->drained++;
}

static inline void echo(struct http_exchange *x)
{
    const struct http_request *q = http_request(x);
    struct buf b;

    buf_init(&b, 1 << 24);
    buf_printf(&b, "%.*s %.*s ? %.*s [%.*s] ", SPAN_ARGS(q->method),
               SPAN_ARGS(q->path), SPAN_ARGS(q->query),
               SPAN_ARGS(http_header(x, "x-say")));
    buf_span(&b, q->body);
    http_set(x, "x-echo", SPAN("yes\r\nset-cookie: no"));
    http_reply(x, 200, "text/plain", buf_view(&b));
    buf_free(&b);
}

/* /echo answers at once; everything else waits in r->x. */
static inline void on_request(void *ctx, struct http_exchange *x)
{
    struct rig *r = ctx;

    r->requests++;
    if (span_is(http_request(x)->path, "/echo")) {
        echo(x);
        return;
    }
    http_watch(x, (struct http_watch){r, on_gone, on_full, on_drain});
    r->x = x;
}

static const struct http_limits LIMITS = {
    .header_bytes = 4096,
    .body_bytes = 1 << 20,
    .header_ms = 120,
    .body_ms = 120,
    .idle_ms = 400,
    .write_ms = 200,
    .connections = 40,
    .write_mark = 100000,
};

static inline int set_up(void **state)
{
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
    r->server = http_server_new(r->base, fd, &LIMITS, &handler, &e);
    assert_non_null(r->server);
    buf_init(&r->got, 1 << 26);
    *state = r;
    return 0;
}

static inline int tear_down(void **state)
{
    struct rig *r = *state;

    http_server_free(r->server);
    event_base_free(r->base);
    buf_free(&r->got);
    free(r);
    return 0;
}

static inline void spin(struct rig *r)
{
    for (int i = 0; i < 4; i++)
        event_base_loop(r->base, EVLOOP_NONBLOCK);
}

static inline void spin_ms(struct rig *r, unsigned ms)
{
    uint64_t until = clock_ns() + (uint64_t)ms * 1000000;

    while (clock_ns() < until) {
        spin(r);
        usleep(2000);
    }
}

static inline int client(struct rig *r)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)r->port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    assert_true(fd >= 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static inline void say_n(struct rig *r, int fd, const char *p, size_t n)
{
    if (n)
        assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
    spin(r);
}

static inline void say(struct rig *r, int fd, const char *text)
{
    say_n(r, fd, text, strlen(text));
}

/* Reads what is there; true when the other side has closed. */
static inline bool hear(struct rig *r, int fd)
{
    char chunk[65536];
    ssize_t n;

    spin(r);
    while ((n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT)) > 0) {
        buf_put(&r->got, chunk, (size_t)n);
        spin(r);
    }
    return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static inline void has(struct rig *r, const char *text)
{
    if (!strstr(buf_cstr(&r->got), text))
        fail_msg("no \"%s\" in \"%s\"", text, buf_cstr(&r->got));
}

static inline int count(struct rig *r, const char *text)
{
    const char *p = buf_cstr(&r->got);
    int n = 0;

    while ((p = strstr(p, text))) {
        p += strlen(text);
        n++;
    }
    return n;
}

#define HOST "Host: a\r\n"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
