/* SPDX-License-Identifier: Apache-2.0 */
#include "router/http/http_conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "router/http/tls.h"

enum {
    BODY_SMALL = 4096, /* copied rather than taken over */
    BODY_FIRST = 65536,
    ADVANCE_MAX = 16, /* pipelined requests answered in a turn */
    ARENA_SPARE = 1 << 20,
};

static void on_read(struct bufferevent *bev, void *arg);
static void on_write(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);

/* False leaves the socket to the caller. */
static bool open_streams(struct conn *c, int fd, const struct tls *tls)
{
    struct event_base *base = c->server->base;

    if (!tls && !conn_read_plain(c, fd))
        return false;
    c->bev = tls ? tls_accept(tls, base, fd)
                 : bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!c->bev)
        conn_read_end(c);
    else if (tls)
        conn_read_tls(c);
    return c->bev != NULL;
}

bool conn_open(struct http_server *s, int fd, const char *peer,
               const struct tls *tls)
{
    struct conn *c = calloc(1, sizeof *c);

    if (!c)
        return false;
    c->server = s;
    c->keep = true;
    c->tls = tls != NULL;
    if (!open_streams(c, fd, tls)) {
        free(c);
        return false;
    }
    span_copy(c->peer, sizeof c->peer, span_of(peer));
    c->wait = WAIT_NONE;
    c->prev = s->lists[WAIT_NONE].last;
    *(c->prev ? &c->prev->next : &s->lists[WAIT_NONE].first) = c;
    s->lists[WAIT_NONE].last = c;
    s->open++;
    bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
    bufferevent_setwatermark(c->bev, EV_WRITE, s->limits.write_mark / 4, 0);
    conn_read(c, true);
    conn_set(c, CONN_IDLE);
    if (tls) /* to shake hands may not take for ever */
        http_wait(c, WAIT_HEAD);
    return true;
}

size_t conn_unsent(const struct conn *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->bev));
}

/* Of what had to wait; what the socket took at once does not count. */
uint64_t conn_taken(const struct conn *c)
{
    return c->queued - conn_unsent(c);
}

/* What a state waits for. */
static enum conn_wait wait_of(const struct conn *c)
{
    static const enum conn_wait waits[] = {
        [CONN_IDLE] = WAIT_IDLE,     [CONN_HEAD] = WAIT_HEAD,
        [CONN_BODY] = WAIT_BODY,     [CONN_BUSY] = WAIT_NONE,
        [CONN_STREAM] = WAIT_NONE,   [CONN_FLUSH] = WAIT_WRITE,
        [CONN_LINGER] = WAIT_LINGER, [CONN_DEAD] = WAIT_DEAD,
    };

    if (c->state == CONN_STREAM && conn_unsent(c))
        return WAIT_WRITE;
    return waits[c->state];
}

static bool state_runs(enum conn_state s)
{
    return s == CONN_BUSY || s == CONN_STREAM;
}

void conn_set(struct conn *c, enum conn_state state)
{
    enum conn_state was = c->state;

    c->state = state;
    if (state_runs(state) && !state_runs(was))
        c->server->busy++;
    if (!state_runs(state) && state_runs(was))
        c->server->busy--;
    http_wait(c, wait_of(c));
    if (state == CONN_IDLE || state == CONN_LINGER)
        c->scanned = 0;
    if (state == CONN_DEAD) {
        conn_read(c, false);
        bufferevent_disable(c->bev, EV_WRITE);
        bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
        http_turn(c);
    }
}

void exchange_free(struct http_exchange *x)
{
    arena_free(&x->arena);
    buf_free(&x->body);
    buf_free(&x->extra);
    if (x->in)
        evbuffer_free(x->in);
    evbuffer_free(x->out);
    free(x);
}

void conn_free(struct conn *c)
{
    struct conn_list *l = &c->server->lists[c->wait];

    *(c->prev ? &c->prev->next : &l->first) = c->next;
    *(c->next ? &c->next->prev : &l->last) = c->prev;
    if (c->x)
        exchange_free(c->x);
    c->server->open--;
    conn_read_end(c);
    bufferevent_free(c->bev);
    free(c);
}

/* The owner of a running exchange hears of it first, and only once. */
void conn_gone(struct conn *c)
{
    struct http_exchange *x = c->x;
    struct http_watch w = {0};

    if (c->state == CONN_DEAD)
        return;
    if (x && state_runs(c->state))
        w = x->watch;
    if (c->gathered) /* answered before it left */
        conn_deliver(c);
    conn_set(c, CONN_DEAD);
    if (x) {
        c->x = NULL;
        x->conn = NULL;
        x->next = c->server->ended;
        c->server->ended = x;
    }
    if (w.on_gone)
        w.on_gone(w.ctx);
}

void conn_late(struct conn *c)
{
    static const char head[] = "the headers took too long";
    static const char body[] = "the body took too long";

    if (c->wait == WAIT_HEAD || c->wait == WAIT_BODY)
        http_refuse(c, 408, c->wait == WAIT_HEAD ? head : body);
    else if (c->wait == WAIT_WRITE && conn_taken(c) != c->taken_seen)
        http_wait(c, WAIT_WRITE); /* slow, but it takes bytes */
    else
        conn_gone(c);
}

static struct http_exchange *exchange_make(void)
{
    struct http_exchange *x = calloc(1, sizeof *x);

    if (!x)
        return NULL;
    x->out = evbuffer_new();
    if (x->out)
        return x;
    free(x);
    return NULL;
}

/* From the pool or new; cleared. */
static struct http_exchange *exchange_get(struct conn *c)
{
    struct http_server *s = c->server;
    struct http_exchange *x = s->pool;

    if (x) {
        s->pool = x->next;
        s->n_pool--;
        arena_reset(&x->arena);
        buf_reset(&x->body);
        buf_reset(&x->extra);
        if (x->in)
            evbuffer_drain(x->in, evbuffer_get_length(x->in));
        evbuffer_drain(x->out, evbuffer_get_length(x->out));
    } else {
        x = exchange_make();
        if (!x)
            return NULL;
        arena_init(&x->arena, s->limits.header_bytes +
                                  4 * s->limits.body_bytes + ARENA_SPARE);
        buf_init(&x->body, s->limits.body_bytes);
        buf_init(&x->extra, 16384);
    }
    x->conn = c;
    x->next = NULL;
    x->watch = (struct http_watch){0};
    x->chunks = (struct http_chunks){0};
    x->full = x->no_body = false;
    c->x = x;
    return x;
}

/* Empty lines before a request are passed over (RFC 9112 2.2); true when
 * nothing else is there. */
static bool skip_blank(struct evbuffer *in)
{
    char two[2];
    ssize_t n;

    while ((n = evbuffer_copyout(in, two, 2)) == 2 && two[0] == '\r' &&
           two[1] == '\n')
        evbuffer_drain(in, 2);
    return n == 0 || (n == 1 && two[0] == '\r');
}

static void refuse_size(struct conn *c, int status, const char *what,
                        size_t most, size_t found)
{
    char why[120];

    snprintf(why, sizeof why, "%s: wanted at most %zu bytes, found %zu", what,
             most, found);
    http_refuse(c, status, why);
}

/* As many as there are stay with the exchange: most have few. */
static bool keep_headers(struct http_exchange *x)
{
    size_t size = x->head.n_headers * sizeof *x->head.headers;
    void *kept = arena_alloc(&x->arena, size);

    if (kept && size)
        memcpy(kept, x->head.headers, size);
    x->head.headers = kept;
    return kept;
}

static bool read_head(struct conn *c, size_t n)
{
    struct evbuffer *in = c->in;
    struct http_exchange *x = exchange_get(c);
    char *p = x ? arena_alloc(&x->arena, n) : NULL;

    if (!p) {
        http_refuse(c, 503, "no memory for the request");
        return false;
    }
    evbuffer_remove(in, p, n);
    x->head.headers = c->server->headers;
    if (!http_head_parse(p, n, &x->head)) {
        http_refuse(c, x->head.status, x->head.wrong);
        return false;
    }
    if (!keep_headers(x)) {
        http_refuse(c, 503, "no memory for the request");
        return false;
    }
    if (!x->head.chunked && x->head.length > c->server->limits.body_bytes) {
        refuse_size(c, 413, "the body", c->server->limits.body_bytes,
                    x->head.length);
        return false;
    }
    x->no_body = span_is(x->head.method, "HEAD");
    c->keep = x->head.keep;
    x->request = (struct http_request){
        .method = x->head.method,
        .path = x->head.path,
        .query = x->head.query,
        .headers = x->head.headers,
        .n_headers = x->head.n_headers,
        .peer = span_of(c->peer),
    };
    return true;
}

static void continue_100(struct conn *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_exchange *x = c->x;
    size_t have = evbuffer_get_length(c->in);
    /* sendmsg() does not write to it */
    struct iovec iov = {(void *)(uintptr_t)text, sizeof text - 1};

    if (x->head.expects && have == 0 && (x->head.chunked || x->head.length))
        conn_send(c, &iov, 1);
}

static bool step_head(struct conn *c)
{
    struct evbuffer *in = c->in;
    size_t n = evbuffer_get_length(in);
    long end;

    if (n == 0)
        return false;
    end = http_head_end((const char *)evbuffer_pullup(in, -1), n, &c->scanned);
    if (end < 0) {
        http_refuse(c, 400, "a line does not end in CR LF");
        return false;
    }
    if ((end ? (size_t)end : n) > c->server->limits.header_bytes) {
        refuse_size(c, 431, "the headers", c->server->limits.header_bytes, n);
        return false;
    }
    if (end == 0 || !read_head(c, (size_t)end))
        return false;
    conn_set(c, CONN_BODY);
    continue_100(c);
    return c->state == CONN_BODY;
}

static bool step_idle(struct conn *c)
{
    struct evbuffer *in = c->in;

    if (skip_blank(in))
        return false;
    conn_set(c, CONN_HEAD);
    c->served = true;
    return true;
}

/* Takes what is there of a body with a length; true when it is whole. */
static bool take_length(struct conn *c)
{
    struct http_exchange *x = c->x;
    struct evbuffer *in = c->in;
    size_t want = (size_t)x->head.length, n = evbuffer_get_length(in);
    char *to;

    if (x->body.len == 0 && n == want && want > BODY_SMALL &&
        evbuffer_get_contiguous_space(in) == want &&
        (x->in || (x->in = evbuffer_new()))) {
        evbuffer_add_buffer(x->in, in); /* the chain moves, no copy */
        x->request.body.ptr = (char *)evbuffer_pullup(x->in, -1);
        x->request.body.len = want;
        return true;
    }
    if (x->body.len == 0 && n < want && want > BODY_FIRST)
        /* Untouched pages cost nothing: room for the whole at once. */
        (void)!buf_room(&x->body, want);
    if (n > want - x->body.len)
        n = want - x->body.len;
    to = n ? buf_room(&x->body, n) : NULL;
    if (to) {
        evbuffer_remove(in, to, n);
        x->body.len += n;
    }
    x->request.body = buf_view(&x->body);
    return x->body.len == want;
}

static bool take_chunks(struct conn *c)
{
    struct http_exchange *x = c->x;
    struct evbuffer *in = c->in;

    while (evbuffer_get_length(in) && !http_chunks_done(&x->chunks)) {
        size_t n = evbuffer_get_contiguous_space(in);
        const char *p = (const char *)evbuffer_pullup(in, (ssize_t)n);
        struct span data;
        long used = http_chunks_feed(&x->chunks, p, n, &data);

        if (used < 0) {
            http_refuse(c, 400, "the chunked body is malformed");
            return false;
        }
        buf_span(&x->body, data);
        if (x->body.failed) {
            refuse_size(c, 413, "the body", c->server->limits.body_bytes,
                        x->body.len + data.len);
            return false;
        }
        evbuffer_drain(in, (size_t)used);
    }
    x->request.body = buf_view(&x->body);
    return http_chunks_done(&x->chunks);
}

/* True when the exchange was answered at once and another may follow. */
static bool step_body(struct conn *c)
{
    struct http_server *s = c->server;
    struct http_exchange *x = c->x;

    if (!(x->head.chunked ? take_chunks(c) : take_length(c))) {
        if (c->state == CONN_BODY && x->body.failed)
            http_refuse(c, 503, "no memory for the body");
        else if (c->state == CONN_BODY)
            http_wait(c, WAIT_BODY);
        return false;
    }
    conn_set(c, CONN_BUSY);
    s->handler.request(s->handler.ctx, x);
    return c->state == CONN_IDLE;
}

static bool step_none(struct conn *c)
{
    (void)c;
    return false;
}

static bool (*const STEPS[])(struct conn *c) = {
    [CONN_IDLE] = step_idle,   [CONN_HEAD] = step_head,
    [CONN_BODY] = step_body,   [CONN_BUSY] = step_none,
    [CONN_STREAM] = step_none, [CONN_FLUSH] = step_none,
    [CONN_LINGER] = step_none, [CONN_DEAD] = step_none,
};

/* Reading stops while enough is there that cannot be served yet. */
static void limit_reading(struct conn *c)
{
    struct evbuffer *in = c->in;
    bool waits = state_runs(c->state) || c->state == CONN_FLUSH;
    bool stop = waits && evbuffer_get_length(in) >= HTTP_PIPELINE_MAX;

    if (c->state == CONN_DEAD || stop == c->paused)
        return;
    c->paused = stop;
    conn_read(c, !stop);
}

/* Goes on with what has been read; the handler may be called from here. */
void conn_advance(struct conn *c)
{
    int left = ADVANCE_MAX * 3; /* steps a request */

    if (c->advancing)
        return;
    c->advancing = true;
    while (left > 0 && STEPS[c->state](c))
        left--;
    c->advancing = false;
    if (left == 0)
        http_turn(c);
    limit_reading(c);
}

static void linger(struct conn *c)
{
    struct evbuffer *in = c->in;

    c->scanned += evbuffer_get_length(in);
    evbuffer_drain(in, evbuffer_get_length(in));
    if (c->scanned > HTTP_LINGER_MAX)
        conn_gone(c);
}

void conn_has_read(struct conn *c)
{
    if (c->state == CONN_LINGER)
        linger(c);
    else
        conn_advance(c);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    conn_has_read(arg);
}

static void drained(struct conn *c)
{
    struct http_exchange *x = c->x;

    if (!x || !x->full)
        return;
    x->full = false;
    if (x->watch.on_drain)
        x->watch.on_drain(x->watch.ctx);
}

/* The socket took bytes and at most a quarter of the mark is left. */
static void on_write(struct bufferevent *bev, void *arg)
{
    struct conn *c = arg;
    size_t left = conn_unsent(c);

    if (c->state == CONN_STREAM) {
        if (left == 0)
            http_wait(c, WAIT_NONE);
        drained(c);
    }
    if (left > 0)
        return;
    if (c->tls && !c->keep)
        tls_bye(bev);
    if (c->state == CONN_LINGER)
        shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    if (c->state == CONN_FLUSH)
        conn_answered(c);
}

/* The other side closed, or the socket failed.  Half-closed counts as gone
 * (as in nginx): a client that waits for an answer keeps its side open. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct conn *c = arg;

    (void)bev;
    if (!(what & BEV_EVENT_CONNECTED))
        conn_gone(c);
    else if (c->state == CONN_IDLE) /* hands are shaken */
        http_wait(c, WAIT_IDLE);
}
