/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/plain_parts.h"

#include <errno.h>
#include <linux/tcp.h> /* has bytes_acked, which <netinet/tcp.h> lacks */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

void plain_read(struct plain_conn *conn, bool on)
{
    if (on)
        event_add(conn->readable, NULL);
    else
        event_del(conn->readable);
}

static void close_socket(struct plain_conn *conn)
{
    if (conn->readable)
        event_free(conn->readable);
    if (conn->writable)
        event_free(conn->writable);
    conn->readable = conn->writable = NULL;
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    conn->writing = false;
}

/* It has no call any more. */
void plain_close(struct plain_conn *conn)
{
    struct plain_host *h = conn->host;

    if (conn->prev || conn->next || h->kept == conn)
        host_unkeep(conn);
    close_socket(conn);
    h->n_conns--;
    free(conn);
}

/* ---- connecting ---- */

static void write_on(struct plain_conn *conn, bool on)
{
    if (on == conn->writing)
        return;
    conn->writing = on;
    if (on)
        event_add(conn->writable, NULL);
    else
        event_del(conn->writable);
}

static bool open_socket(struct plain_conn *conn, int family)
{
    struct event_base *base = conn->host->p->base;
    int on = 1;

    conn->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0)
        return false;
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(conn->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    conn->readable =
        event_new(base, conn->fd, EV_READ | EV_PERSIST, on_readable, conn);
    conn->writable =
        event_new(base, conn->fd, EV_WRITE | EV_PERSIST, on_writable, conn);
    return conn->readable && conn->writable;
}

/* The addresses that are left share the time that is left. */
static void set_patience(struct plain_conn *conn, uint64_t now)
{
    uint64_t gone = (now - conn->dialled) / 1000000;
    uint64_t all = conn->call->connect_ms;
    uint64_t left = conn->host->found.n - conn->address;

    conn->since = now;
    conn->wait_ms = 0;
    if (all)
        conn->wait_ms = gone < all ? (unsigned)((all - gone) / left) + 1 : 1;
}

/* Tries addresses from conn->address on; false when none is left. */
static bool try_addresses(struct plain_conn *conn)
{
    const struct addresses *a = &conn->host->found;

    for (; conn->address < a->n; conn->address++) {
        const struct sockaddr_storage *at = &a->list[conn->address].at;

        close_socket(conn);
        set_patience(conn, clock_ns());
        if (open_socket(conn, at->ss_family) &&
            (connect(conn->fd, (const struct sockaddr *)at,
                     a->list[conn->address].len) == 0 ||
             errno == EINPROGRESS)) {
            write_on(conn, true);
            return true;
        }
    }
    return false;
}

bool plain_dial(struct plain_host *h, struct plain_call *c)
{
    struct plain_conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        return false;
    conn->host = h;
    conn->fd = -1;
    conn->connecting = true;
    conn->dialled = clock_ns();
    conn->call = c;
    h->n_conns++;
    if (try_addresses(conn)) {
        c->conn = conn;
        c->reused = false;
        return true;
    }
    plain_close(conn);
    return false;
}

bool plain_next_address(struct plain_conn *conn, uint64_t now)
{
    unsigned all = conn->call->connect_ms;

    if (all && now - conn->dialled >= (uint64_t)all * 1000000)
        return false;
    conn->address++;
    return try_addresses(conn);
}

/* ---- writing ---- */

/* What is left of the head and the body, in one call. */
static size_t unsent(const struct plain_call *c, struct iovec iov[2])
{
    size_t head = c->out.len, at = c->sent, n = 0;

    /* sendmsg() does not write to it */
    if (at < head)
        iov[n++] = (struct iovec){c->out.ptr + at, head - at};
    at = at > head ? at - head : 0;
    if (at < c->body.len)
        iov[n++] = (struct iovec){(void *)(uintptr_t)(c->body.ptr + at),
                                  c->body.len - at};
    return n;
}

/* A fault is left to the reading side: an answer may stand before it. */
static void push(struct plain_conn *conn)
{
    struct plain_call *c = conn->call;
    struct iovec iov[2];
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = unsent(c, iov)};
    ssize_t n = m.msg_iovlen ? sendmsg(conn->fd, &m, MSG_NOSIGNAL) : 0;

    if (n > 0)
        c->sent += (size_t)n;
    write_on(conn, c->sent < c->out.len + c->body.len &&
                       (n >= 0 || errno == EAGAIN || errno == EINTR));
}

void plain_send(struct plain_conn *conn, struct plain_call *c)
{
    conn->call = c;
    c->conn = conn;
    c->state = PLAIN_BOUND;
    c->reused = true;
    c->unsent = true;
    plain_todo(c);
}

void plain_push(struct plain_call *c)
{
    c->unsent = false;
    push(c->conn);
}

static void connected(struct plain_conn *conn)
{
    struct plain_call *c = conn->call;
    uint64_t took = (clock_ns() - conn->dialled) / 1000;

    conn->connecting = false;
    c->connect_us = took ? took : 1;
    event_add(conn->readable, NULL);
    push(conn);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct plain_conn *conn = arg;
    int error = 0;
    socklen_t len = sizeof error;

    (void)what;
    if (!conn->connecting) {
        push(conn);
        return;
    }
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error == 0)
        connected(conn);
    else if (!plain_next_address(conn, clock_ns()))
        plain_finish(conn->call, UPSTREAM_REFUSED,
                     "the connection was refused");
}

/* ---- reading ---- */

/*
 * The other side closed a kept connection before it could have read a byte
 * of this request: its kernel acknowledged none.  Only then, or when the
 * method allows it, is a request sent a second time.
 */
static bool may_repeat(const struct plain_conn *conn)
{
    const struct plain_call *c = conn->call;
    struct tcp_info info;
    socklen_t len = sizeof info;

    if (!c->reused || c->first)
        return false;
    if (c->repeatable)
        return true;
    memset(&info, 0, sizeof info);
    if (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(__u64))
        return false;
    /* The connection's own beginning counts as a byte. */
    return info.tcpi_bytes_acked <= conn->written + 1;
}

static void repeat(struct plain_conn *conn)
{
    struct plain_call *c = conn->call;
    struct plain_host *h = conn->host;

    plain_close(conn);
    c->conn = NULL;
    c->fresh = true;
    c->reused = c->unsent = false;
    c->sent = 0;
    host_enqueue(c, true);
    host_pump(h);
}

static void closed(struct plain_conn *conn, int error)
{
    struct plain_call *c = conn->call;
    enum http_answer_step step;

    if (may_repeat(conn)) {
        repeat(conn);
        return;
    }
    step = http_answer_close(&c->answer);
    if (step == HTTP_ANSWER_DONE && error == 0)
        plain_finish(c, UPSTREAM_OK, NULL);
    else
        plain_finish(c, UPSTREAM_CUT,
                     error ? "the connection was reset" : c->answer.wrong);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct plain_conn *conn = arg;
    struct plain_call *c = conn->call;
    struct plain *p = conn->host->p;
    ssize_t n;

    (void)what;
    if (!c) { /* a kept one has closed, or spoken unasked */
        plain_close(conn);
        return;
    }
    if (c->paused) {
        c->held = true;
        plain_read(conn, false);
        return;
    }
    n = recv(fd, p->in, sizeof p->in, 0);
    if (n > 0)
        plain_take(c, (struct span){p->in, (size_t)n});
    else if (n == 0)
        closed(conn, 0);
    else if (errno != EAGAIN && errno != EINTR)
        closed(conn, errno);
}
