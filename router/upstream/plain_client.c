/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/plain_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/decimal.h"

enum {
    SWEEP_MS = 20,       /* how late a timeout may be */
    AGE_MS = 10000,      /* how often kept connections are looked at */
    POOL_MAX = 512,      /* calls kept for use again */
    OUT_MAX = 64 << 10,  /* bytes of a request's head */
    SPARE_MAX = 4 << 10, /* of a pooled call's buffers each */
};

static struct plain_call *call_of(const struct upstream_call *base)
{
    return (struct plain_call *)(uintptr_t)base;
}

void plain_todo(struct plain_call *c)
{
    if (c->in_todo)
        return;
    c->in_todo = true;
    c->todo = c->p->todo;
    c->p->todo = c;
    if (!c->p->in_turn)
        event_active(c->p->turn, 0, 0);
}

static void sweep_later(struct plain *p, enum plain_sweep how)
{
    unsigned ms = how == SWEEP_LIVE ? SWEEP_MS : AGE_MS;
    struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000};

    p->sweeping = how;
    if (how != SWEEP_OFF)
        event_add(p->sweep, &tv);
}

/* ---- a call's beginning and end ---- */

static void call_free(struct plain_call *c)
{
    http_answer_free(&c->answer);
    buf_free(&c->out);
    buf_free(&c->rest);
    free(c);
}

static struct plain_call *call_get(struct plain *p)
{
    struct plain_call *c = p->pool;

    if (c) {
        p->pool = c->next;
        p->n_pool--;
        return c;
    }
    c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->base.client = &upstream_plain;
    c->p = p;
    http_answer_init(&c->answer);
    buf_init(&c->out, OUT_MAX);
    buf_init(&c->rest, PLAIN_READ_MAX);
    return c;
}

static void call_put(struct plain_call *c)
{
    struct plain *p = c->p;

    c->state = PLAIN_POOLED;
    if (p->n_pool >= POOL_MAX && !c->in_todo) {
        call_free(c);
        return;
    }
    if (c->out.cap > SPARE_MAX)
        buf_free(&c->out);
    if (c->answer.head.cap > SPARE_MAX)
        buf_free(&c->answer.head);
    buf_free(&c->rest);
    c->next = p->pool;
    p->pool = c;
    p->n_pool++;
}

static void live_add(struct plain_call *c)
{
    struct plain *p = c->p;

    c->prev = NULL;
    c->next = p->live;
    if (p->live)
        p->live->prev = c;
    p->live = c;
    p->n_live++;
    if (p->sweeping != SWEEP_LIVE)
        sweep_later(p, SWEEP_LIVE);
}

/* Out of the live list, into the pool. */
void plain_release(struct plain_call *c)
{
    *(c->prev ? &c->prev->next : &c->p->live) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->p->n_live--;
    call_put(c);
}

/* The call leaves its queue or connection, which another may then have. */
static void leave(struct plain_call *c, bool keep)
{
    struct plain_conn *conn = c->conn;

    if (c->state == PLAIN_QUEUED)
        host_dequeue(c);
    c->state = PLAIN_ENDED;
    if (!conn)
        return;
    if (conn->h2) {
        h2_drop(c);
        host_pump(c->host);
        return;
    }
    c->conn = NULL;
    conn->call = NULL;
    conn->written += c->sent;
    if (keep)
        host_keep(conn);
    else
        plain_close(conn);
    host_pump(c->host);
}

static void fill_result(const struct plain_call *c, enum upstream_end end,
                        const char *why, struct upstream_result *r)
{
    *r = (struct upstream_result){
        .end = end,
        .status = c->answer.status,
        .connect_us = c->connect_us,
        .first_byte_us = c->first / 1000,
        .total_us = (clock_ns() - c->began) / 1000,
        .reused = c->reused && c->first > 0,
        .connected = c->reused || c->connect_us > 0,
    };
    if (end == UPSTREAM_OK)
        return;
    if (end == UPSTREAM_TOO_LARGE && !why)
        snprintf(r->reason, sizeof r->reason,
                 "the answer is larger than %zu bytes", c->max_body);
    else
        span_copy(r->reason, sizeof r->reason, span_of(why));
}

void plain_finish(struct plain_call *c, enum upstream_end end, const char *why)
{
    struct upstream_result r;
    bool sent = c->conn && c->sent == c->out.len + c->body.len;

    fill_result(c, end, why, &r);
    leave(c, end == UPSTREAM_OK && c->answer.keep && sent);
    if (c->ev.on_done)
        c->ev.on_done(c->ev.ctx, &r);
    plain_release(c);
}

void plain_fail(struct plain_call *c, enum upstream_end end, const char *why)
{
    c->end = end;
    c->why = why;
    plain_todo(c);
}

/* ---- timers ---- */

static bool over(uint64_t since, unsigned limit_ms, uint64_t now)
{
    return limit_ms && now > since &&
           now - since >= (uint64_t)limit_ms * 1000000;
}

/* Which of a call's limits has run out, in words; NULL: none. */
static const char *late(const struct plain_call *c, uint64_t now)
{
    const struct plain_conn *conn = c->conn;

    if (over(c->began, c->total_ms, now))
        return "the answer took longer than the total timeout";
    if (!c->first && over(c->began, c->first_byte_ms, now))
        return conn ? "no first byte in time" : "no free connection in time";
    if (c->state == PLAIN_QUEUED && c->host->lookup &&
        over(c->began, c->connect_ms, now))
        return "the host's name was not resolved in time";
    if (c->state == PLAIN_QUEUED && c->host->dialling && c->host->secure &&
        over(c->began, c->connect_ms, now))
        return "no connection in time";
    if (conn && conn->connecting && over(conn->since, conn->wait_ms, now))
        return plain_next_address(c->conn, now) ? NULL
                                                : "no connection in time";
    if (c->first && !c->paused && over(c->last, c->stall_ms, now))
        return "the answer stalled";
    return NULL;
}

static void sweep(evutil_socket_t fd, short what, void *arg)
{
    struct plain *p = arg;
    uint64_t now = clock_ns();
    struct plain_call *c = p->live, *next;

    (void)fd;
    (void)what;
    for (; c; c = next) {
        bool waits = c->state != PLAIN_ENDED && !c->end;
        const char *why = waits ? late(c, now) : NULL;

        next = c->next;
        if (!why)
            continue;
        plain_finish(c, UPSTREAM_TIMEOUT, why);
        next = p->live; /* on_done may have changed the list anywhere */
    }
    for (struct plain_host *h = p->hosts; h; h = h->next)
        host_age(h, now);
    sweep_later(p, p->n_live                 ? SWEEP_LIVE
                   : p->n_kept + p->n_shared ? SWEEP_KEPT
                                             : SWEEP_OFF);
}

static void do_todo(struct plain_call *c)
{
    if (c->state != PLAIN_QUEUED && c->state != PLAIN_BOUND)
        return;
    if (c->end) {
        plain_finish(c, c->end, c->why);
        return;
    }
    if (c->unsent)
        plain_push(c);
    if (c->resume)
        plain_read_on(c);
}

static void end_turn(evutil_socket_t fd, short what, void *arg)
{
    struct plain *p = arg;

    (void)fd;
    (void)what;
    p->in_turn = true;
    while (p->todo || p->later) {
        struct plain_call *c = p->todo;
        struct plain_conn *conn = p->later;

        if (c) {
            p->todo = c->todo;
            c->in_todo = false;
            do_todo(c);
        } else {
            p->later = conn->later;
            conn->in_later = false;
            plain_flush(conn);
        }
    }
    p->in_turn = false;
}

/* ---- upstream_client.h ---- */

static void destroy(void *self)
{
    struct plain *p = self;

    if (!p)
        return;
    for (struct plain_call *c = p->live; c; c = c->next) {
        if (c->state == PLAIN_QUEUED)
            host_dequeue(c); /* nobody gets a connection any more */
        c->state = PLAIN_BOUND;
    }
    while (p->live) {
        leave(p->live, false);
        plain_release(p->live);
    }
    while (p->pool) {
        struct plain_call *c = p->pool;

        p->pool = c->next;
        call_free(c);
    }
    while (p->hosts) {
        struct plain_host *h = p->hosts;

        p->hosts = h->next;
        host_free(h);
    }
    tls_trusts_free(p->own);
    if (p->sweep)
        event_free(p->sweep);
    if (p->turn)
        event_free(p->turn);
    free(p);
}

static void *make(struct event_base *base, unsigned per_host, struct err *e)
{
    struct plain *p = calloc(1, sizeof *p);

    if (!p) {
        err_set(e, ERR_MEMORY, "no memory for upstream connections");
        return NULL;
    }
    p->base = base;
    p->per_host = per_host;
    p->sweep = event_new(base, -1, 0, sweep, p);
    p->turn = event_new(base, -1, 0, end_turn, p);
    p->own = p->trusts = tls_trusts_new(e);
    if (p->sweep && p->turn && p->own)
        return p;
    err_set(e, ERR_MEMORY, "no memory for upstream connections");
    destroy(p);
    return NULL;
}

static void share(void *self, struct tls_trusts *trusts)
{
    struct plain *p = self;

    tls_trusts_free(p->own);
    p->own = NULL;
    p->trusts = trusts;
}

static bool write_head(struct plain_call *c, const struct upstream_request *r,
                       struct span path, struct err *e)
{
    struct buf *b = &c->out;
    bool host = false, body = c->body.len > 0 || r->method[0] == 'P';

    buf_reset(b);
    buf_str(b, r->method);
    buf_put(b, path.len && path.ptr[0] == '/' ? " " : " /",
            path.len && path.ptr[0] == '/' ? 1 : 2);
    buf_span(b, path);
    buf_put(b, " HTTP/1.1\r\n", 11);
    for (size_t i = 0; i < r->n_headers; i++) {
        host = host || strcasecmp(r->headers[i].name, "host") == 0;
        buf_str(b, r->headers[i].name);
        buf_put(b, ": ", 2);
        buf_span(b, r->headers[i].value);
        buf_put(b, "\r\n", 2);
    }
    if (!host) {
        buf_put(b, "host: ", 6);
        buf_str(b, c->host->authority);
        buf_put(b, "\r\n", 2);
    }
    if (body) {
        buf_put(b, "content-length: ", 16);
        buf_decimal(b, c->body.len);
        buf_put(b, "\r\n", 2);
    }
    buf_put(b, "\r\n", 2);
    return !b->failed || err_set(e, ERR_LIMIT,
                                 "the upstream request's headers are larger "
                                 "than %d bytes",
                                 OUT_MAX);
}

static bool prepare(struct plain_call *c, const struct upstream_request *r,
                    struct err *e)
{
    static const char *const twice[] = {"GET", "HEAD", "PUT", "DELETE",
                                        "OPTIONS"};
    size_t n = strlen(r->method);
    struct span path;

    if (n == 0 || n > 16 || strspn(r->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") < n)
        return err_set(e, ERR_INPUT, "unknown method %.20s", r->method);
    c->host = host_of(c->p, r, &path, e);
    if (!c->host)
        return false;
    c->body = r->body;
    if (!write_head(c, r, path, e))
        return false;
    c->repeatable = false;
    for (size_t i = 0; i < sizeof twice / sizeof *twice; i++)
        c->repeatable |= strcmp(r->method, twice[i]) == 0;
    http_answer_begin(&c->answer, strcmp(r->method, "HEAD") == 0);
    c->unsent = c->resume = c->paused = c->held = c->fresh = c->reused = false;
    c->slow = r->slow;
    c->has_head = c->whole = false;
    c->stream = 0;
    c->conn = NULL;
    c->sent = 0;
    c->connect_ms = r->connect_ms;
    c->first_byte_ms = r->first_byte_ms;
    c->stall_ms = r->stall_ms;
    c->total_ms = r->total_ms;
    c->max_body = r->max_body;
    c->bytes = c->first = c->connect_us = 0;
    c->began = c->last = clock_ns();
    c->end = UPSTREAM_OK;
    return true;
}

static struct upstream_call *start(void *self, const struct upstream_request *r,
                                   const struct upstream_events *ev,
                                   struct err *e)
{
    struct plain *p = self;
    struct plain_call *c = call_get(p);

    if (!c) {
        err_set(e, ERR_MEMORY, "no memory for an upstream call");
        return NULL;
    }
    if (!prepare(c, r, e)) {
        call_put(c);
        return NULL;
    }
    c->ev = *ev;
    live_add(c);
    host_enqueue(c, false);
    host_pump(c->host);
    return &c->base;
}

static struct span header(const struct upstream_call *base, const char *name)
{
    return http_answer_header(&call_of(base)->answer, name);
}

static bool connecting(const struct upstream_call *base)
{
    const struct plain_call *c = call_of(base);

    return c->state == PLAIN_QUEUED ||
           (c->state == PLAIN_BOUND && c->conn && c->conn->connecting);
}

static void hold(struct upstream_call *base)
{
    call_of(base)->paused = true; /* held back at the next piece */
}

static void go_on(struct upstream_call *base)
{
    struct plain_call *c = call_of(base);

    c->paused = false;
    if (!c->held)
        return;
    c->resume = true;
    plain_todo(c);
}

static void cancel(struct upstream_call *base)
{
    struct plain_call *c = call_of(base);

    if (c->state == PLAIN_POOLED || c->state == PLAIN_ENDED)
        return;
    c->ev = (struct upstream_events){0};
    leave(c, false);
    if (!c->in_take)
        plain_release(c);
}

const struct upstream_client upstream_plain = {
    .name = "plain",
    .takes = host_takes,
    .make = make,
    .destroy = destroy,
    .share = share,
    .start = start,
    .header = header,
    .connecting = connecting,
    .pause = hold,
    .resume = go_on,
    .cancel = cancel,
};
