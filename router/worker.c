/* SPDX-License-Identifier: Apache-2.0 */
#include "router/worker.h"

#include <event2/event.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "router/chat/chat.h"
#include "router/chat/chat_shadow.h"
#include "router/health/check.h"
#include "router/http/http.h"
#include "router/paths.h"
#include "router/reload.h"
#include "router/upstream/tokens.h"
#include "router/upstream/upstream.h"

enum {
    SPARE_BYTES_MAX = 256 << 10,
    DRAIN_LOOK_MS = 20,
    DRAIN_GRACE_MS = 500,
    LOOK_NS = 4000,
    /* A provider is paused when an eighth of limits.write_buffer is unread.
     * Of the rest, half is for what it may have sent by then (the window of
     * HTTP/2), the other for what one look at its bytes makes of them. */
    HELD_SHARE = 8,
};

static void on_request(void *ctx, struct http_exchange *x)
{
    paths_serve(ctx, x);
}

static void on_refused(void *ctx, struct span path, int status, const char *why)
{
    paths_refused(ctx, path, status, why);
}

static void on_error_body(void *ctx, struct span path, int status,
                          const char *why, struct buf *out)
{
    struct problem p = {.status = status,
                        .kind = status >= 500 ? "server_error"
                                              : "invalid_request_error",
                        .message = why};

    (void)ctx;
    paths_dialect(path)->write_error(&p, out);
    buf_char(out, '\n');
}

/* ---- snapshots and buffers ---- */

struct snapshot *worker_snapshot(struct worker *w)
{
    struct router *r = w->router;
    unsigned now = atomic_load_explicit(&r->generation, memory_order_acquire);

    if (now != w->generation) {
        struct snapshot *old = w->snapshot;

        pthread_mutex_lock(&r->lock);
        w->snapshot = snapshot_ref(r->latest);
        w->generation = atomic_load(&r->generation);
        pthread_mutex_unlock(&r->lock);
        snapshot_unref(old);
    }
    return snapshot_ref(w->snapshot);
}

struct buf worker_buf(struct worker *w, size_t max)
{
    struct buf b;

    if (w->n_spare > 0) {
        b = w->spare[--w->n_spare];
        b.max = max;
        return b;
    }
    buf_init(&b, max);
    return b;
}

void worker_give_back(struct worker *w, struct buf *b)
{
    if (b->ptr && b->cap <= SPARE_BYTES_MAX && w->n_spare < SPARE_BUFS) {
        buf_reset(b);
        w->spare[w->n_spare++] = *b;
        *b = (struct buf){.max = 0};
        return;
    }
    buf_free(b);
}

/* ---- the end ---- */

/* Who has connected or begun to send when the end came is given a moment. */
static bool is_drained(const struct worker *w)
{
    uint64_t ms = (clock_ns() - w->drained_ns) / 1000000;

    return http_server_busy(w->http) == 0 &&
           (http_server_open(w->http) == 0 || ms >= DRAIN_GRACE_MS);
}

static void watch_drain(struct worker *w)
{
    struct timeval soon = {0, DRAIN_LOOK_MS * 1000};

    if (!w->drained) {
        w->drained = true;
        w->drained_ns = clock_ns();
        http_server_drain(w->http);
    }
    if (is_drained(w))
        event_base_loopbreak(w->base);
    else
        event_add(w->timer, &soon);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    watch_drain(ctx);
}

static void on_ping(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    chat_ping(ctx);
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
    struct worker *w = ctx;
    unsigned opened = atomic_load(&w->router->opened);

    (void)fd;
    (void)what;
    snapshot_unref(worker_snapshot(w));
    reload_answer(w);
    if (opened != w->opened)
        chat_leave_dead(w);
    w->opened = opened;
    if (atomic_load(&w->draining))
        watch_drain(w);
}

void worker_opened(struct worker *w)
{
    struct router *r = w->router;

    atomic_fetch_add(&r->opened, 1);
    for (unsigned i = 0; i < r->n_workers; i++)
        event_active(r->workers[i].wake, EV_READ, 0);
}

void worker_stop(struct worker *w)
{
    atomic_store(&w->draining, true);
    event_active(w->wake, EV_READ, 0);
}

/* ---- the beginning ---- */

static struct http_limits limits_of(const struct limit_settings *l)
{
    return (struct http_limits){
        .header_bytes = l->header_bytes,
        .body_bytes = l->body_bytes,
        .header_ms = (unsigned)l->header_ms,
        .body_ms = (unsigned)l->body_ms,
        .idle_ms = (unsigned)l->idle_ms,
        .write_ms = (unsigned)l->write_ms,
        .connections = (unsigned)l->connections,
        .write_mark = l->write_buffer / HELD_SHARE,
    };
}

static const struct tls *tls_of(void *ctx)
{
    struct worker *w = ctx;
    struct snapshot *s = worker_snapshot(w);

    snapshot_unref(s); /* the worker holds it too */
    return snapshot_tls(s);
}

/* All sockets go to the server; what is left on failure is closed. */
static bool give_sockets(struct worker *w, const struct http_limits *limits,
                         const struct http_handler *h, struct err *e)
{
    int fds[LISTEN_MAX];
    unsigned n, i;

    if (!listeners_of(&w->router->listeners, w->index, fds, &n, e))
        return false;
    w->http = n ? http_server_new(w->base, fds[0], limits, h, e) : NULL;
    for (i = w->http ? 1 : 0; w->http && i < n; i++) {
        if (!http_server_listen(w->http, fds[i], e))
            break;
    }
    if (w->http && i == n)
        return true;
    for (; i < n; i++)
        close(fds[i]);
    return n ||
           err_set(e, ERR_STATE, "worker %u: no listening socket", w->index);
}

static bool open_http(struct worker *w, struct err *e)
{
    const struct limit_settings *l = &snapshot_settings(w->snapshot)->limits;
    struct http_limits limits = limits_of(l);
    struct http_handler handler = {.ctx = w,
                                   .request = on_request,
                                   .refused = on_refused,
                                   .error_body = on_error_body,
                                   .tls = tls_of};

    limits.proxy = snapshot_settings(w->snapshot)->proxy_protocol;
    return give_sockets(w, &limits, &handler, e);
}

static bool open_events(struct worker *w, struct err *e)
{
    w->base = event_base_new();
    w->wake = w->base ? event_new(w->base, -1, EV_PERSIST, on_wake, w) : NULL;
    w->timer = w->base ? evtimer_new(w->base, on_timer, w) : NULL;
    w->ping = w->base ? event_new(w->base, -1, EV_PERSIST, on_ping, w) : NULL;
    w->judge = judge_new();
    if (!w->wake || !w->timer || !w->ping || !w->judge)
        return err_set(e, ERR_MEMORY, "worker: out of memory");
    return true;
}

bool worker_init(struct worker *w, struct router *r, unsigned index,
                 struct err *e)
{
    const struct limit_settings *l = &snapshot_settings(r->first)->limits;

    w->router = r;
    w->index = index;
    w->shard = metrics_shard(r->metrics, index);
    w->snapshot = snapshot_ref(r->first);
    id_source_seed(&w->ids);
    rng_seed(&w->rng, w->ids.state[0]);
    buf_init(&w->scratch, l->body_bytes + (1 << 20));
    arena_init(&w->work, 4 * l->answer_bytes + (1 << 20));
    if (!open_events(w, e) || !open_http(w, e) ||
        !gate_init(&w->gate, w, w->base, e))
        return false;
    w->upstream = upstream_new(w->base, (unsigned)l->upstream_connections, e);
    w->tokens = w->upstream ? tokens_new(w->upstream, e) : NULL;
    if (!w->tokens)
        return false;
    upstream_share(w->upstream, r->trusts);
    w->checks = index == 0 ? checks_new(w, e) : NULL;
    if (index == 0 && !w->checks)
        return false;
    if (!r->log)
        return true;
    w->port = outlog_port_new(r->log, w->base, e);
    return w->port != NULL;
}

/* ---- the loop ---- */

/* True when there was something to do.  A look that finds nothing takes a
 * microsecond or two, the least event more than LOOK_NS; libevent itself does
 * not tell. */
static bool look(struct event_base *base)
{
    uint64_t from = clock_ns();

    event_base_loop(base, EVLOOP_NONBLOCK);
    return clock_ns() - from > LOOK_NS;
}

/* To sleep and to be woken takes some 10 us each time, here and of those who
 * wake us.  Meanwhile the core is anybody's. */
static void loop_polling(struct event_base *base, uint64_t patience_ns)
{
    uint64_t last = clock_ns();

    do {
        if (clock_ns() - last > patience_ns) {
            event_base_loop(base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
            last = clock_ns();
        } else if (look(base)) {
            last = clock_ns();
        } else {
            sched_yield();
        }
    } while (!event_base_got_break(base));
}

static void *run(void *ctx)
{
    struct worker *w = ctx;
    uint64_t us = snapshot_settings(w->snapshot)->limits.busy_poll_us;
    char name[16];

    snprintf(name, sizeof name, "worker-%u", w->index + 1);
    pthread_setname_np(pthread_self(), name);
    if (us > 0)
        loop_polling(w->base, us * 1000);
    else
        event_base_loop(w->base, EVLOOP_NO_EXIT_ON_EMPTY);
    atomic_fetch_sub(&w->router->running, 1);
    event_active(w->router->wake, EV_READ, 0);
    return NULL;
}

bool worker_start(struct worker *w, struct err *e)
{
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        return err_set(e, ERR_IO, "worker: no thread to be had");
    w->started = true;
    atomic_fetch_add(&w->router->running, 1);
    return true;
}

void worker_free(struct worker *w)
{
    http_server_free(w->http);
    chat_shadows_end(w);
    tokens_free(w->tokens);
    checks_free(w->checks);
    upstream_free(w->upstream);
    if (w->port)
        outlog_port_free(w->port);
    if (w->wake)
        event_free(w->wake);
    if (w->timer)
        event_free(w->timer);
    if (w->ping)
        event_free(w->ping);
    gate_free(&w->gate);
    if (w->base)
        event_base_free(w->base);
    judge_free(w->judge);
    snapshot_unref(w->snapshot);
    buf_free(&w->scratch);
    arena_free(&w->work);
    while (w->n_spare > 0)
        buf_free(&w->spare[--w->n_spare]);
}
