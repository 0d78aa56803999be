/* SPDX-License-Identifier: Apache-2.0 */
#include "router/http/http_conn.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"

enum {
    ACCEPT_BURST = 64,     /* connections taken in a turn */
    ACCEPT_PAUSE_MS = 100, /* when descriptors have run out */
    TICK_MS = 50,
    LISTEN_BACKLOG = 4096,
    POOL_MAX = 256,        /* exchanges kept for use again */
    POOL_BYTES = 64 << 10, /* a larger one's memory is given back */
};

uint64_t http_now(struct http_server *s)
{
    s->now = clock_ns() / 1000000;
    return s->now;
}

const char *http_date(struct http_server *s)
{
    int64_t now = clock_utc_ms() / 1000;
    struct tm tm;
    time_t t = (time_t)now;

    if (now != s->date_s && gmtime_r(&t, &tm)) {
        strftime(s->date, sizeof s->date, "%a, %d %b %Y %T GMT", &tm);
        s->date_s = now;
    }
    return s->date;
}

static void list_remove(struct conn_list *l, struct conn *c)
{
    *(c->prev ? &c->prev->next : &l->first) = c->next;
    *(c->next ? &c->next->prev : &l->last) = c->prev;
    c->prev = c->next = NULL;
}

static void list_append(struct conn_list *l, struct conn *c)
{
    c->prev = l->last;
    *(l->last ? &l->last->next : &l->first) = c;
    l->last = c;
}

void http_wait(struct conn *c, enum conn_wait wait)
{
    struct http_server *s = c->server;
    struct conn_list *l = &s->lists[wait];

    list_remove(&s->lists[c->wait], c);
    c->wait = wait;
    c->deadline = l->ms ? http_now(s) + l->ms : 0;
    c->taken_seen = conn_taken(c);
    list_append(l, c);
}

void http_turn(struct conn *c)
{
    struct http_server *s = c->server;

    if (c->in_turn)
        return;
    c->in_turn = true;
    c->turn_next = s->turn_list;
    s->turn_list = c;
    event_active(s->turn, 0, 0);
}

/* Gives an exchange's memory back to the pool or to the system. */
static void recycle(struct http_server *s, struct http_exchange *x)
{
    if (s->n_pool >= POOL_MAX || x->arena.used > POOL_BYTES ||
        x->body.cap > POOL_BYTES || x->extra.cap > POOL_BYTES) {
        exchange_free(x);
        return;
    }
    x->next = s->pool;
    s->pool = x;
    s->n_pool++;
}

/*
 * Ended exchanges are held for two rounds: an upstream call cancelled in
 * this turn may look at the request's bytes until its own end of the turn,
 * which lies between the two.
 */
static void recycle_ended(struct http_server *s)
{
    while (s->ended_before) {
        struct http_exchange *x = s->ended_before;

        s->ended_before = x->next;
        recycle(s, x);
    }
    s->ended_before = s->ended;
    s->ended = NULL;
    if (s->ended_before)
        event_active(s->turn, 0, 0);
}

static void end_turn(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;
    struct conn *c = s->turn_list;

    (void)fd;
    (void)what;
    s->turn_list = NULL;
    while (c) {
        struct conn *next = c->turn_next;

        c->in_turn = false;
        if (c->state == CONN_DEAD)
            conn_free(c);
        else if (c->state == CONN_STREAM)
            http_flush(c->x);
        else
            conn_advance(c);
        c = next;
    }
    recycle_ended(s);
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;
    uint64_t now = http_now(s);

    (void)fd;
    (void)what;
    for (int w = 0; w < WAIT_NONE; w++) {
        struct conn_list *l = &s->lists[w];

        while (l->first && l->first->deadline && l->first->deadline <= now)
            conn_late(l->first);
    }
}

static void format_peer(const struct sockaddr_storage *a, socklen_t len,
                        char *dst)
{
    char host[40], port[8];
    bool six = a->ss_family == AF_INET6;

    if (getnameinfo((const struct sockaddr *)a, len, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(dst, HTTP_PEER_MAX, "unknown");
    else
        snprintf(dst, HTTP_PEER_MAX, "%s%s%s:%s", six ? "[" : "", host,
                 six ? "]" : "", port);
}

static void turn_away(int fd)
{
    static const char text[] =
        "HTTP/1.1 503 Service Unavailable\r\n"
        "content-type: application/json\r\nretry-after: 1\r\n"
        "connection: close\r\ncontent-length: 101\r\n\r\n"
        "{\"error\":{\"message\":\"too many connections\","
        "\"type\":\"server_error\",\"param\":null,\"code\":\"overloaded\"}}\n";
    ssize_t n = send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

    (void)n; /* best effort: the connection closes either way */
    close(fd);
}

static bool out_of_something(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

/* One connection; false when there is none, or none can be taken. */
static bool take_one(struct http_server *s)
{
    static const struct timeval pause = {0, ACCEPT_PAUSE_MS * 1000};
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    char peer[HTTP_PEER_MAX];
    int on = 1;
    int fd = accept4(s->fd, (struct sockaddr *)&a, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (out_of_something(errno)) {
            event_del(s->accept);
            event_add(s->resume, &pause);
            return false;
        }
        return errno == EINTR || errno == ECONNABORTED;
    }
    if (s->open >= s->limits.connections) {
        turn_away(fd);
        return true;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    format_peer(&a, len, peer);
    if (!conn_open(s, fd, peer))
        close(fd);
    return true;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;

    (void)fd;
    (void)what;
    for (int i = 0; i < ACCEPT_BURST && take_one(s); i++)
        continue;
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;

    (void)fd;
    (void)what;
    if (!s->draining)
        event_add(s->accept, NULL);
}

static bool make_events(struct http_server *s)
{
    static const struct timeval every = {0, TICK_MS * 1000};

    s->accept = event_new(s->base, s->fd, EV_READ | EV_PERSIST, on_accept, s);
    s->resume = event_new(s->base, -1, 0, on_resume, s);
    s->tick = event_new(s->base, -1, EV_PERSIST, tick, s);
    s->turn = event_new(s->base, -1, 0, end_turn, s);
    return s->accept && s->resume && s->tick && s->turn &&
           event_add(s->accept, NULL) == 0 && event_add(s->tick, &every) == 0;
}

struct http_server *http_server_new(struct event_base *base, int fd,
                                    const struct http_limits *limits,
                                    const struct http_handler *h, struct err *e)
{
    struct http_server *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(e, ERR_MEMORY, "no memory for an HTTP server");
        return NULL;
    }
    s->base = base;
    s->limits = *limits;
    s->handler = *h;
    s->fd = fd;
    s->lists[WAIT_IDLE].ms = limits->idle_ms;
    s->lists[WAIT_HEAD].ms = limits->header_ms;
    s->lists[WAIT_BODY].ms = limits->body_ms;
    s->lists[WAIT_WRITE].ms = limits->write_ms;
    s->lists[WAIT_LINGER].ms = HTTP_LINGER_MS;
    buf_init(&s->head, 4096);
    signal(SIGPIPE, SIG_IGN); /* bufferevents write() to closed sockets */
    if (!make_events(s)) {
        err_set(e, ERR_MEMORY, "no memory for an HTTP server's events");
        s->fd = -1; /* the caller keeps it on failure */
        http_server_free(s);
        return NULL;
    }
    return s;
}

/* "host:port", "[::1]:port", ":port" into two C strings. */
static bool split_address(const char *address, char host[256], char port[8],
                          struct err *e)
{
    const char *colon = strrchr(address, ':');
    struct span h = {address, colon ? (size_t)(colon - address) : 0};
    uint64_t n;

    if (!colon || !span_u64(span_of(colon + 1), &n) || n > 65535)
        return err_set(e, ERR_INPUT, "%s: wanted host:port", address);
    if (h.len >= 2 && h.ptr[0] == '[' && h.ptr[h.len - 1] == ']') {
        h.ptr++;
        h.len -= 2;
    }
    if (!span_copy(host, 256, h) || !span_copy(port, 8, span_of(colon + 1)))
        return err_set(e, ERR_INPUT, "%s: wanted host:port", address);
    return true;
}

static int listen_on(const struct addrinfo *a, const char *address,
                     struct err *e)
{
    int on = 1;
    int fd =
        socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        err_sys(e, "%s: socket", address);
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 &&
        listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    err_sys(e, "cannot listen on %s", address);
    close(fd);
    return -1;
}

int http_listen(const char *address, struct err *e)
{
    static const struct addrinfo hints = {
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found = NULL;
    char host[256], port[8];
    int rc, fd;

    if (!split_address(address, host, port, e))
        return -1;
    rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (rc != 0) {
        err_set(e, ERR_INPUT, "cannot listen on %s: %s", address,
                gai_strerror(rc));
        return -1;
    }
    fd = listen_on(found, address, e);
    freeaddrinfo(found);
    return fd;
}

static void stop_accepting(struct http_server *s)
{
    if (s->accept)
        event_del(s->accept);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void http_server_drain(struct http_server *s)
{
    s->draining = true;
    stop_accepting(s);
    while (s->lists[WAIT_IDLE].first)
        conn_gone(s->lists[WAIT_IDLE].first);
}

size_t http_server_open(const struct http_server *s)
{
    return s->open;
}

size_t http_server_busy(const struct http_server *s)
{
    return s->busy;
}

static void free_exchanges(struct http_exchange *x)
{
    while (x) {
        struct http_exchange *next = x->next;

        exchange_free(x);
        x = next;
    }
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    s->draining = true;
    stop_accepting(s);
    for (int w = 0; w < WAIT_DEAD; w++)
        while (s->lists[w].first)
            conn_gone(s->lists[w].first);
    while (s->lists[WAIT_DEAD].first)
        conn_free(s->lists[WAIT_DEAD].first);
    free_exchanges(s->pool);
    free_exchanges(s->ended);
    free_exchanges(s->ended_before);
    for (size_t i = 0; i < 4; i++) {
        struct event *ev[] = {s->accept, s->resume, s->tick, s->turn};

        if (ev[i])
            event_free(ev[i]);
    }
    buf_free(&s->head);
    free(s);
}
