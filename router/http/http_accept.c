/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets and what comes in by them. */
#include "router/http/http_conn.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "router/http/proxy.h"

enum {
    ACCEPT_BURST = 64,     /* connections taken in a turn */
    ACCEPT_PAUSE_MS = 100, /* when descriptors have run out */
    LISTEN_BACKLOG = 4096,
};

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

/* False: the caller closes fd. */
static bool http_open(struct http_server *s, int fd, const char *peer,
                      bool local)
{
    const struct tls *t = NULL;

    if (!local && s->handler.tls)
        t = s->handler.tls(s->handler.ctx);
    return conn_open(s, fd, peer, t);
}

/* ---- connections that say first whose they are ---- */

struct prelude {
    struct prelude *prev, *next;
    struct http_server *server;
    struct event *ev; /* (owned) */
    int fd;           /* (owned) until the connection opens */
    size_t n;
    char bytes[PROXY_MAX];
};

static void prelude_end(struct prelude *p)
{
    *(p->prev ? &p->prev->next : &p->server->preludes) = p->next;
    if (p->next)
        p->next->prev = p->prev;
    p->server->open--;
    event_free(p->ev);
    if (p->fd >= 0)
        close(p->fd);
    free(p);
}

static void prelude_done(struct prelude *p)
{
    struct http_server *s = p->server;
    char peer[PROXY_PEER];
    int fd = p->fd;

    if (!proxy_parse(p->bytes, p->n, peer)) {
        prelude_end(p);
        return;
    }
    p->fd = -1;
    prelude_end(p);
    if (!http_open(s, fd, peer[0] ? peer : "balancer", false))
        close(fd);
}

/* Reads to the header's last byte and not one further: what follows may be
 * TLS. */
static void on_prelude(evutil_socket_t fd, short what, void *arg)
{
    struct prelude *p = arg;
    long whole = proxy_length(p->bytes, p->n);
    size_t want = whole == -2 ? PROXY_FIXED : (size_t)whole;
    ssize_t got = -1;

    if (what & EV_READ)
        got = recv(fd, p->bytes + p->n, want - p->n, 0);
    if (got < 0 && (what & EV_READ) && (errno == EAGAIN || errno == EINTR))
        return;
    p->n += got > 0 ? (size_t)got : 0;
    whole = proxy_length(p->bytes, p->n);
    if (got <= 0 || whole == -1)
        prelude_end(p);
    else if (whole == (long)p->n)
        prelude_done(p);
}

static bool prelude_begin(struct http_server *s, int fd)
{
    struct prelude *p = malloc(sizeof *p);
    struct timeval tv = {s->limits.header_ms / 1000,
                         s->limits.header_ms % 1000 * 1000};

    if (!p)
        return false;
    *p = (struct prelude){.next = s->preludes, .server = s, .fd = fd};
    p->ev = event_new(s->base, fd, EV_READ | EV_PERSIST, on_prelude, p);
    if (!p->ev || event_add(p->ev, &tv) < 0) {
        if (p->ev)
            event_free(p->ev);
        free(p);
        return false;
    }
    if (s->preludes)
        s->preludes->prev = p;
    s->preludes = p;
    s->open++;
    return true;
}

/* ---- accepting ---- */

/* One connection; false when there is none, or none can be taken. */
static bool take_one(struct http_listen *l)
{
    struct http_server *s = l->server;
    static const struct timeval pause = {0, ACCEPT_PAUSE_MS * 1000};
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    char peer[HTTP_PEER_MAX];
    int on = 1;
    int fd = accept4(l->fd, (struct sockaddr *)&a, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (out_of_something(errno)) {
            for (struct http_listen *each = s->listens; each; each = each->next)
                event_del(each->accept);
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
    if (l->local)
        span_copy(peer, sizeof peer, SPAN(HTTP_PEER_LOCAL));
    else
        format_peer(&a, len, peer);
    if (!(s->limits.proxy && !l->local ? prelude_begin(s, fd)
                                       : http_open(s, fd, peer, l->local)))
        close(fd);
    return true;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct http_listen *l = arg;

    (void)fd;
    (void)what;
    for (int i = 0; i < ACCEPT_BURST && take_one(l); i++)
        continue;
}

void http_resume(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;

    (void)fd;
    (void)what;
    for (struct http_listen *l = s->listens; l; l = l->next)
        event_add(l->accept, NULL);
}

bool http_server_listen(struct http_server *s, int fd, struct err *e)
{
    struct http_listen *l = calloc(1, sizeof *l);
    struct sockaddr_storage a;
    socklen_t len = sizeof a;

    if (!l || getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
        free(l);
        return err_sys(e, "listening socket");
    }
    *l = (struct http_listen){.next = s->listens,
                              .server = s,
                              .fd = fd,
                              .local = a.ss_family == AF_UNIX};
    l->accept = event_new(s->base, fd, EV_READ | EV_PERSIST, on_accept, l);
    if (!l->accept || event_add(l->accept, NULL) < 0) {
        if (l->accept)
            event_free(l->accept);
        free(l);
        return err_set(e, ERR_MEMORY, "no memory to listen");
    }
    s->listens = l;
    return true;
}

void http_stop_accepting(struct http_server *s)
{
    event_del(s->resume);
    while (s->listens) {
        struct http_listen *l = s->listens;

        s->listens = l->next;
        event_free(l->accept);
        close(l->fd);
        free(l);
    }
    while (s->preludes)
        prelude_end(s->preludes);
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

/* A socket file that nobody listens on is a dead server's. */
static bool clear_stale(const struct sockaddr_un *a, struct err *e)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool lives;

    if (fd < 0)
        return err_sys(e, "socket");
    lives = connect(fd, (const struct sockaddr *)a, sizeof *a) == 0;
    close(fd);
    if (lives)
        return err_set(e, ERR_STATE, "%s: another server listens there",
                       a->sun_path);
    unlink(a->sun_path);
    return true;
}

int http_listen_unix(const char *path, unsigned mode, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd;

    if (!span_copy(a.sun_path, sizeof a.sun_path, span_of(path))) {
        err_set(e, ERR_INPUT, "%s: wanted at most %zu bytes", path,
                sizeof a.sun_path - 1);
        return -1;
    }
    if (access(path, F_OK) == 0 && !clear_stale(&a, e))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
        chmod(path, (mode_t)mode) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    err_sys(e, "cannot listen on %s", path);
    if (fd >= 0)
        close(fd);
    return -1;
}
