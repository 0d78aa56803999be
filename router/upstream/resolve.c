/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/span.h"

/* Held by the thread and by the loop; whoever is last releases it. */
struct resolve {
    _Atomic int holders;
    int wake; /* eventfd: the thread has its answer */
    char host[256], port[8];
    struct addresses found;
    const char *error; /* static text */

    /* The loop's. */
    struct event *ev; /* (owned) */
    void (*done)(void *ctx, const struct addresses *found, const char *error);
    void *ctx;
};

static void drop(struct resolve *r)
{
    if (atomic_fetch_sub(&r->holders, 1) > 1)
        return;
    close(r->wake);
    free(r);
}

static const char *look_up(const char *host, const char *port, int flags,
                           struct addresses *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, port, &hints, &list);

    out->n = 0;
    if (rc != 0)
        return gai_strerror(rc);
    for (struct addrinfo *a = list; a && out->n < ADDRESSES_MAX;
         a = a->ai_next) {
        memcpy(&out->list[out->n].at, a->ai_addr, a->ai_addrlen);
        out->list[out->n++].len = a->ai_addrlen;
    }
    freeaddrinfo(list);
    return out->n ? NULL : "no address";
}

bool resolve_numeric(const char *host, const char *port, struct addresses *out)
{
    return look_up(host, port, AI_NUMERICHOST, out) == NULL;
}

static void *run(void *arg)
{
    struct resolve *r = arg;

    r->error = look_up(r->host, r->port, 0, &r->found);
    (void)!eventfd_write(r->wake, 1);
    drop(r);
    return NULL;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct resolve *r = arg;
    eventfd_t n;

    (void)what;
    (void)!eventfd_read(fd, &n);
    event_free(r->ev);
    r->done(r->ctx, &r->found, r->error);
    drop(r);
}

static bool start_thread(struct resolve *r)
{
    pthread_attr_t detached;
    pthread_t thread;
    bool ok;

    if (pthread_attr_init(&detached) != 0)
        return false;
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    ok = pthread_create(&thread, &detached, run, r) == 0;
    pthread_attr_destroy(&detached);
    return ok;
}

struct resolve *resolve_start(
    struct event_base *base, const char *host, const char *port,
    void (*done)(void *ctx, const struct addresses *found, const char *error),
    void *ctx)
{
    struct resolve *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->done = done;
    r->ctx = ctx;
    atomic_store(&r->holders, 2);
    if (r->wake >= 0)
        r->ev = event_new(base, r->wake, EV_READ, on_wake, r);
    if (r->ev && span_copy(r->host, sizeof r->host, span_of(host)) &&
        span_copy(r->port, sizeof r->port, span_of(port)) &&
        event_add(r->ev, NULL) == 0 && start_thread(r))
        return r;
    if (r->ev)
        event_free(r->ev);
    if (r->wake >= 0)
        close(r->wake);
    free(r);
    return NULL;
}

void resolve_cancel(struct resolve *r)
{
    if (!r)
        return;
    event_free(r->ev);
    drop(r);
}
