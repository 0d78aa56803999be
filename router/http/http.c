/* SPDX-License-Identifier: Apache-2.0 */
#include "router/http/http_conn.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "base/clock.h"

enum {
    TICK_MS = 50,
    POOL_MAX = 256,        /* exchanges kept for use again */
    POOL_BYTES = 64 << 10, /* a larger one's memory is given back */
};

uint64_t http_now(struct http_server *s)
{
    s->now = clock_tick_ns() / 1000000;
    return s->now;
}

const char *http_date(struct http_server *s)
{
    int64_t now = clock_tick_utc_ms() / 1000;
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
        else if (c->gathered)
            conn_answered(c);
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

static bool make_events(struct http_server *s)
{
    static const struct timeval every = {0, TICK_MS * 1000};

    s->resume = event_new(s->base, -1, 0, http_resume, s);
    s->tick = event_new(s->base, -1, EV_PERSIST, tick, s);
    s->turn = event_new(s->base, -1, 0, end_turn, s);
    return s->resume && s->tick && s->turn && event_add(s->tick, &every) == 0;
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
    s->lists[WAIT_IDLE].ms = limits->idle_ms;
    s->lists[WAIT_HEAD].ms = limits->header_ms;
    s->lists[WAIT_BODY].ms = limits->body_ms;
    s->lists[WAIT_WRITE].ms = limits->write_ms;
    s->lists[WAIT_LINGER].ms = HTTP_LINGER_MS;
    buf_init(&s->head, 4096);
    buf_init(&s->gathered, HTTP_GATHER_MAX);
    signal(SIGPIPE, SIG_IGN); /* bufferevents write() to closed sockets */
    if (make_events(s) && http_server_listen(s, fd, e))
        return s;
    err_set(e, ERR_MEMORY, "no memory for an HTTP server's events");
    http_server_free(s);
    return NULL;
}

void http_server_drain(struct http_server *s)
{
    s->draining = true;
    http_stop_accepting(s);
    for (struct conn *c = s->lists[WAIT_IDLE].first, *next; c; c = next) {
        next = c->next;
        if (c->served)
            conn_gone(c);
    }
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
    http_stop_accepting(s);
    for (int w = 0; w < WAIT_DEAD; w++)
        while (s->lists[w].first)
            conn_gone(s->lists[w].first);
    while (s->lists[WAIT_DEAD].first)
        conn_free(s->lists[WAIT_DEAD].first);
    free_exchanges(s->pool);
    free_exchanges(s->ended);
    free_exchanges(s->ended_before);
    for (size_t i = 0; i < 3; i++) {
        struct event *ev[] = {s->resume, s->tick, s->turn};

        if (ev[i])
            event_free(ev[i]);
    }
    buf_free(&s->head);
    buf_free(&s->gathered);
    free(s);
}
