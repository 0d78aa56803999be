/* SPDX-License-Identifier: Apache-2.0 */
/* How bytes of requests come from the socket: over TLS through the
 * bufferevent, else by one recv() here.  A bufferevent first asks the kernel
 * how much there is, which is a system call for each request. */
#include "router/http/http_conn.h"

#include <errno.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

enum {
    READ_MAX = 65536,    /* bytes taken from a socket at once */
    DIRECT_FROM = 16384, /* of a body's rest: without a copy between */
};

/* Of a request of any size; returns as recv() does.  Only what has come is
 * kept, so that a slow client holds little. */
static ssize_t take_some(struct conn *c, int fd)
{
    char bytes[READ_MAX];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);

    if (n <= 0 || evbuffer_add(c->in, bytes, (size_t)n) == 0)
        return n;
    errno = ENOMEM;
    return -1;
}

/* Of a large body, of which `left` bytes are to come; likewise. */
static ssize_t take_body(struct conn *c, int fd, uint64_t left)
{
    struct evbuffer_iovec room;
    ssize_t n;

    if (evbuffer_reserve_space(
            c->in, (ssize_t)(left < READ_MAX ? left : READ_MAX), &room, 1) < 1)
        return take_some(c, fd);
    n = recv(fd, room.iov_base, room.iov_len, 0);
    room.iov_len = n > 0 ? (size_t)n : 0;
    evbuffer_commit_space(c->in, &room, 1);
    return n;
}

static uint64_t body_left(const struct conn *c)
{
    uint64_t there = evbuffer_get_length(c->in);

    if (c->state != CONN_BODY || c->x->head.chunked)
        return 0;
    there += c->x->body.len;
    return c->x->head.length > there ? c->x->head.length - there : 0;
}

/* callback: libevent's */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    uint64_t left = body_left(c);
    ssize_t n = left >= DIRECT_FROM ? take_body(c, fd, left) : take_some(c, fd);

    (void)what;
    if (n > 0)
        conn_has_read(c);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        conn_gone(c);
}

bool conn_read_plain(struct conn *c, int fd)
{
    c->in = evbuffer_new();
    c->readable =
        event_new(c->server->base, fd, EV_READ | EV_PERSIST, on_readable, c);
    if (c->in && c->readable)
        return true;
    conn_read_end(c);
    return false;
}

void conn_read_tls(struct conn *c)
{
    c->in = bufferevent_get_input(c->bev);
    bufferevent_set_max_single_read(c->bev, READ_MAX);
}

void conn_read(struct conn *c, bool on)
{
    if (!c->readable && on)
        bufferevent_enable(c->bev, EV_READ);
    else if (!c->readable)
        bufferevent_disable(c->bev, EV_READ);
    else if (on)
        event_add(c->readable, NULL);
    else
        event_del(c->readable);
}

void conn_read_end(struct conn *c)
{
    if (c->readable)
        event_free(c->readable);
    if (!c->tls && c->in)
        evbuffer_free(c->in);
    c->readable = NULL;
    c->in = NULL;
}
