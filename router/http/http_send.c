/* SPDX-License-Identifier: Apache-2.0 */
/* How bytes of answers reach the socket: at once, with what else is answered
 * in this turn of the loop, or by the bufferevent once the socket takes no
 * more. */
#include "router/http/http_conn.h"

#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "router/turn.h"

static void send_rest(struct conn *c, const struct iovec *iov, int n,
                      size_t done)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);

    for (int i = 0; i < n; i++) {
        size_t skip = done < iov[i].iov_len ? done : iov[i].iov_len;

        done -= skip;
        if (skip == iov[i].iov_len)
            continue;
        evbuffer_add(out, (char *)iov[i].iov_base + skip,
                     iov[i].iov_len - skip);
        c->queued += iov[i].iov_len - skip;
    }
}

/* Straight to the socket where nothing waits before it: no round through
 * the poller for an answer that fits.  A failed socket is reported by the
 * bufferevent, which is handed the rest. */
void conn_send(struct conn *c, struct iovec *iov, int n)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    ssize_t done = 0;

    if (!c->tls && conn_unsent(c) == 0)
        done = sendmsg(bufferevent_getfd(c->bev), &m, MSG_NOSIGNAL);
    if (done < 0)
        done = 0;
    send_rest(c, iov, n, (size_t)done);
}

static size_t bytes_of(const struct iovec *iov, int n)
{
    size_t bytes = 0;

    for (int i = 0; i < n; i++)
        bytes += iov[i].iov_len;
    return bytes;
}

void conn_gather(struct conn *c, struct iovec *iov, int n)
{
    struct http_server *s = c->server;
    size_t bytes = bytes_of(iov, n);

    if (c->tls || c->gathered || conn_unsent(c) || bytes > HTTP_FLUSH_AT ||
        (s->n_gathered == 0 && turn_is_over(s->base)) ||
        s->gathered.len + bytes > HTTP_GATHER_MAX ||
        !buf_room(&s->gathered, bytes)) {
        conn_send(c, iov, n);
        return;
    }
    c->gathered_at = (uint32_t)s->gathered.len;
    c->gathered = (uint32_t)bytes;
    s->n_gathered++;
    for (int i = 0; i < n; i++)
        buf_put(&s->gathered, iov[i].iov_base, iov[i].iov_len);
    http_turn(c);
}

void conn_deliver(struct conn *c)
{
    struct http_server *s = c->server;
    struct iovec iov = {s->gathered.ptr + c->gathered_at, c->gathered};

    c->gathered = 0;
    conn_send(c, &iov, 1);
    if (--s->n_gathered > 0)
        return;
    if (s->gathered.cap > HTTP_GATHER_KEEP)
        buf_free(&s->gathered);
    else
        buf_reset(&s->gathered);
}

void conn_answered(struct conn *c)
{
    if (c->gathered)
        conn_deliver(c);
    if (conn_unsent(c) > 0)
        return;
    if (!c->keep || c->server->draining) {
        conn_gone(c);
        return;
    }
    conn_set(c, CONN_IDLE);
    conn_advance(c);
}
