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
#include "router/turn.h"

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

void plain_read(struct plain_conn *conn, bool on)
{
    if (on)
        event_add(conn->readable, NULL);
    else
        event_del(conn->readable);
    if (on && conn->tls) /* which may have read already */
        event_active(conn->readable, EV_READ, 0);
}

static void close_socket(struct plain_conn *conn)
{
    if (conn->readable)
        event_free(conn->readable);
    if (conn->writable)
        event_free(conn->writable);
    conn->readable = conn->writable = NULL;
    tls_link_free(conn->tls);
    conn->tls = NULL;
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    conn->writing = false;
}

/* It stands or has failed. */
static void dialled(struct plain_conn *conn)
{
    if (conn->connecting || conn->settling)
        conn->host->dialling--;
    conn->connecting = conn->settling = false;
}

void plain_settled(struct plain_conn *conn)
{
    if (!conn->settling)
        return;
    dialled(conn);
    host_pump(conn->host);
}

void plain_later(struct plain_conn *conn)
{
    struct plain *p = conn->host->p;

    if (conn->in_later)
        return;
    conn->in_later = true;
    conn->later = p->later;
    p->later = conn;
    if (!p->in_turn)
        event_active(p->turn, 0, 0);
}

static void not_later(struct plain_conn *conn)
{
    struct plain_conn **at = &conn->host->p->later;

    while (conn->in_later && *at != conn)
        at = &(*at)->later;
    if (conn->in_later)
        *at = conn->later;
    conn->in_later = false;
}

/* It has no call any more. */
void plain_close(struct plain_conn *conn)
{
    struct plain_host *h = conn->host;

    if (conn->prev || conn->next || h->kept == conn || h->multi == conn)
        host_unkeep(conn);
    not_later(conn);
    dialled(conn);
    h2_free(conn);
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
    h->dialling++;
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

/* What is left of the head and the body; how many pieces that are. */
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

/* The same through TLS, a record at a time. */
static void push_sealed(struct plain_conn *conn)
{
    struct plain_call *c = conn->call;
    enum tls_io io = TLS_DONE;
    struct iovec iov[2];
    size_t n;

    while (io == TLS_DONE && unsent(c, iov)) {
        io = tls_link_write(conn->tls, iov[0].iov_base, iov[0].iov_len, &n);
        if (io == TLS_DONE)
            c->sent += n;
    }
    write_on(conn, io == TLS_AGAIN);
}

static void push_any(struct plain_conn *conn)
{
    if (conn->tls)
        push_sealed(conn);
    else
        push(conn);
}

void plain_send(struct plain_conn *conn, struct plain_call *c)
{
    conn->call = c;
    c->conn = conn;
    c->state = PLAIN_BOUND;
    c->reused = true;
    if (turn_is_over(conn->host->p->base)) {
        push_any(conn);
        return;
    }
    c->unsent = true;
    plain_todo(c);
}

void plain_push(struct plain_call *c)
{
    c->unsent = false;
    push_any(c->conn);
}

/* ---- HTTP/2 ---- */

/* All that it had ends with it. */
static void broke(struct plain_conn *conn, const char *why)
{
    struct plain_call *c;

    host_unkeep(conn); /* nobody joins it any more */
    while ((c = conn->calls))
        plain_finish(c, UPSTREAM_CUT, why);
    plain_close(conn);
}

void plain_flush(struct plain_conn *conn)
{
    enum tls_io io = h2_flush(conn);

    if (io == TLS_FAIL || io == TLS_END) {
        broke(conn, "the connection was reset");
        return;
    }
    write_on(conn, io == TLS_AGAIN);
    if (io == TLS_DONE && conn->n_calls == 0 && h2_is_over(conn))
        plain_close(conn);
}

/* Bytes for all its calls; what is left in TLS comes in the next turn, so
 * that others have theirs. */
static void read_shared(struct plain_conn *conn)
{
    struct plain *p = conn->host->p;
    size_t n;
    enum tls_io io = tls_link_read(conn->tls, p->in, PLAIN_READ_SLOW, &n);

    if (io == TLS_DONE && tls_link_pending(conn->tls))
        event_active(conn->readable, EV_READ, 0);
    if (io == TLS_DONE && !h2_take(conn, (struct span){p->in, n}))
        broke(conn, "the provider's HTTP/2 is none");
    else if (io == TLS_END || io == TLS_FAIL)
        broke(conn, "the connection was closed");
    else if (io == TLS_AGAIN && tls_link_wants_write(conn->tls))
        write_on(conn, true);
}

/* ---- it stands ---- */

static void share(struct plain_conn *conn)
{
    struct plain_call *c = conn->call;

    conn->call = NULL;
    c->conn = NULL;
    if (!h2_open(conn)) {
        plain_close(conn);
        plain_fail(c, UPSTREAM_OTHER, "no memory for HTTP/2");
        return;
    }
    host_share(conn);
    if (!h2_send(conn, c))
        plain_fail(c, UPSTREAM_OTHER, "no memory for a stream");
}

static void ready(struct plain_conn *conn)
{
    struct plain_call *c = conn->call;
    struct plain_host *h = conn->host;
    uint64_t took = (clock_ns() - conn->dialled) / 1000;
    bool shared = conn->tls && tls_link_is_h2(conn->tls);

    c->connect_us = took ? took : 1;
    h->speaks = shared ? SPEECH_HTTP2 : SPEECH_HTTP1;
    event_add(conn->readable, NULL);
    if (shared) {
        conn->connecting = false;
        conn->settling = true;
        share(conn);
        return;
    }
    dialled(conn);
    push_any(conn);
    host_pump(h); /* some may have waited to hear that */
}

static void shake(struct plain_conn *conn)
{
    enum tls_io io = tls_link_shake(conn->tls);

    if (io == TLS_DONE) {
        write_on(conn, false);
        ready(conn);
    } else if (io == TLS_AGAIN) {
        write_on(conn, tls_link_wants_write(conn->tls));
    } else {
        plain_finish(conn->call, UPSTREAM_TLS,
                     io == TLS_END ? "the provider ended TLS"
                                   : tls_link_why(conn->tls));
    }
}

static void connected(struct plain_conn *conn)
{
    struct plain_host *h = conn->host;
    const struct tls_server to = {h->name, h->ca_file};
    struct err e = {0};

    if (!h->secure) {
        ready(conn);
        return;
    }
    conn->tls = tls_link_new(h->p->trusts, conn->fd, &to, &e);
    if (!conn->tls) {
        plain_finish(conn->call, UPSTREAM_TLS, e.msg);
        return;
    }
    event_add(conn->readable, NULL);
    shake(conn);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct plain_conn *conn = arg;
    int error = 0;
    socklen_t len = sizeof error;

    (void)what;
    if (conn->h2) {
        plain_flush(conn);
        return;
    }
    if (conn->tls && conn->connecting) {
        shake(conn);
        return;
    }
    if (!conn->connecting && !conn->call) { /* TLS had a word to say */
        write_on(conn, false);
        return;
    }
    if (!conn->connecting) {
        push_any(conn);
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
    if (conn->tls) /* other bytes than ours are acknowledged, too */
        return false;
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

/* As recv() has it. */
static ssize_t take_in(struct plain_conn *conn, char *dst, size_t size)
{
    size_t n = 0;
    enum tls_io io;

    if (!conn->tls)
        return recv(conn->fd, dst, size, 0);
    io = tls_link_read(conn->tls, dst, size, &n);
    if (io == TLS_DONE && tls_link_pending(conn->tls))
        event_active(conn->readable, EV_READ, 0);
    if (io == TLS_AGAIN && tls_link_wants_write(conn->tls))
        write_on(conn, true);
    errno = io == TLS_AGAIN ? EAGAIN : ECONNRESET;
    return io == TLS_DONE ? (ssize_t)n : io == TLS_END ? 0 : -1;
}

/* A kept one has closed, or spoken unasked; TLS has words of its own. */
static void idle_read(struct plain_conn *conn)
{
    char byte;

    if (!conn->tls || take_in(conn, &byte, 1) >= 0 || errno != EAGAIN)
        plain_close(conn);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct plain_conn *conn = arg;
    struct plain_call *c = conn->call;
    struct plain *p = conn->host->p;
    ssize_t n;

    (void)what;
    (void)fd;
    if (conn->h2) {
        read_shared(conn);
        return;
    }
    if (conn->tls && conn->connecting) {
        shake(conn);
        return;
    }
    if (!c) {
        idle_read(conn);
        return;
    }
    if (c->paused) {
        c->held = true;
        plain_read(conn, false);
        return;
    }
    n = take_in(conn, p->in, c->slow ? PLAIN_READ_SLOW : sizeof p->in);
    if (n > 0)
        plain_take(c, (struct span){p->in, (size_t)n});
    else if (n == 0)
        closed(conn, 0);
    else if (errno != EAGAIN && errno != EINTR)
        closed(conn, errno);
}
