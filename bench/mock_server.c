/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mock's server on evhttp: plain is enough here, its clients are tests
 * and benchmarks.
 *
 *   on_request -> decode -> mock_reply -> (latency) -> send_whole
 *                                                   -> on_tick: a frame each
 */
#include "bench/mock.h"

#include "features/features.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 256 << 20, ARENA_MAX = 64 << 20, FRAME_MAX = 1 << 24 };

/* What went over the counter, for GET /mock/ledger. */
struct ledger {
    uint64_t requests, answered, errors, aborted, frames;
    int64_t input_tokens, output_tokens;
};

struct mock_server {
    const struct mock_options *options;
    const struct mock_dialect *dialect;
    struct mock_context context;
    struct event_base *base;
    struct evhttp *http;
    struct ledger ledger;
};

/* One request being answered. */
struct turn {
    struct mock_server *s;
    struct evhttp_request *req; /* NULL once the client has gone */
    struct event *timer;
    struct arena arena;
    struct request request;
    struct mock_reply reply;
    struct mock_cursor cursor;
    struct buf out;
    bool begun;
};

static void turn_free(struct turn *t)
{
    event_free(t->timer);
    arena_free(&t->arena);
    buf_free(&t->out);
    free(t);
}

/* ---- sending ---- */

static void add_header(struct evhttp_request *req, const char *name,
                       const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(req), name, value);
}

static void send_body(struct evhttp_request *req, int status, const char *type,
                      struct span body)
{
    struct evbuffer *b = evbuffer_new();

    add_header(req, "Content-Type", type);
    if (b)
        evbuffer_add(b, body.ptr, body.len);
    evhttp_send_reply(req, status, NULL, b);
    if (b)
        evbuffer_free(b);
}

static void send_error(struct mock_server *s, struct evhttp_request *req,
                       int status, const char *message)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    s->dialect->error(status, message, &b);
    s->ledger.errors++;
    send_body(req, status, "application/json", buf_view(&b));
    buf_free(&b);
}

static void send_fault(struct turn *t)
{
    char seconds[24];

    snprintf(seconds, sizeof seconds, "%lld",
             (long long)t->reply.fault.retry_after);
    if (t->reply.fault.retry_after >= 0)
        add_header(t->req, "retry-after", seconds);
    send_error(t->s, t->req, t->reply.fault.status,
               "The mock was told to fail.");
}

static void count_answer(struct turn *t)
{
    t->s->ledger.answered++;
    t->s->ledger.input_tokens += t->reply.input_tokens;
    t->s->ledger.output_tokens += t->reply.output_tokens;
}

static void send_whole(struct turn *t)
{
    if (t->reply.fault.garbage) {
        send_body(t->req, 200, "application/json", SPAN("{\"choices\": [oops"));
        return;
    }
    t->s->dialect->whole(&t->request, &t->reply, &t->out);
    send_body(t->req, 200, "application/json", buf_view(&t->out));
    count_answer(t);
}

/* ---- the client leaves ---- */

static void on_close(struct evhttp_connection *con, void *ctx)
{
    struct turn *t = ctx;

    (void)con;
    t->req = NULL;
    t->s->ledger.aborted++;
    turn_free(t);
}

static void forget(struct turn *t)
{
    struct evhttp_connection *con = evhttp_request_get_connection(t->req);

    if (con)
        evhttp_connection_set_closecb(con, NULL, NULL);
    turn_free(t);
}

/* ---- streams ---- */

static void wait_ms(struct turn *t, double ms)
{
    struct timeval tv = {(time_t)(ms / 1000),
                         (suseconds_t)(fmod(ms, 1000) * 1000)};

    event_add(t->timer, &tv);
}

/* Ends the connection when what was sent before has left. */
static void cut(struct turn *t)
{
    struct evhttp_connection *con = evhttp_request_get_connection(t->req);
    struct bufferevent *bev = evhttp_connection_get_bufferevent(con);

    if (evbuffer_get_length(bufferevent_get_output(bev))) {
        wait_ms(t, 1);
        return;
    }
    evhttp_connection_set_closecb(con, NULL, NULL);
    turn_free(t);
    evhttp_connection_free(con);
}

static bool send_frame(struct turn *t)
{
    struct evbuffer *b;

    buf_reset(&t->out);
    if (!t->s->dialect->frame(&t->request, &t->reply, &t->cursor, &t->out))
        return false;
    b = evbuffer_new();
    if (b) {
        evbuffer_add(b, t->out.ptr, t->out.len);
        evhttp_send_reply_chunk(t->req, b);
        evbuffer_free(b);
    }
    t->s->ledger.frames++;
    return true;
}

static void begin_stream(struct turn *t)
{
    add_header(t->req, "Content-Type", "text/event-stream; charset=utf-8");
    add_header(t->req, "Cache-Control", "no-cache");
    evhttp_send_reply_start(t->req, 200, "OK");
    t->begun = true;
}

static void step_stream(struct turn *t)
{
    struct mock_fault *f = &t->reply.fault;
    double gap = t->s->options->tps > 0 ? 1000 / t->s->options->tps : 0;

    if (!t->begun)
        begin_stream(t);
    for (;;) {
        int64_t frame = (int64_t)t->cursor.frame;

        if (f->cut >= 0 && frame >= f->cut) {
            cut(t);
            return;
        }
        if (f->stall_frame == frame) {
            f->stall_frame = -1;
            wait_ms(t, (double)f->stall_ms);
            return;
        }
        if (!send_frame(t)) {
            count_answer(t);
            evhttp_send_reply_end(t->req);
            forget(t);
            return;
        }
        if (gap > 0) {
            wait_ms(t, gap);
            return;
        }
    }
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct turn *t = ctx;

    (void)fd;
    (void)what;
    if (t->reply.fault.status) {
        send_fault(t);
        forget(t);
        return;
    }
    if (t->reply.fault.cut == 0) {
        cut(t);
        return;
    }
    if (t->request.params.stream && !t->reply.fault.garbage) {
        step_stream(t);
        return;
    }
    send_whole(t);
    forget(t);
}

/* ---- requests ---- */

static struct turn *turn_new(struct mock_server *s, struct evhttp_request *req)
{
    struct turn *t = calloc(1, sizeof *t);
    struct evhttp_connection *con = evhttp_request_get_connection(req);

    if (!t)
        return NULL;
    t->s = s;
    t->req = req;
    arena_init(&t->arena, ARENA_MAX);
    buf_init(&t->out, FRAME_MAX);
    t->timer = evtimer_new(s->base, on_tick, t);
    if (!t->timer) {
        free(t);
        return NULL;
    }
    evhttp_connection_set_closecb(con, on_close, t);
    /* evhttp stops reading while a reply is pending; without this a client
     * that leaves is not seen. */
    bufferevent_enable(evhttp_connection_get_bufferevent(con), EV_READ);
    return t;
}

static struct span body_of(struct turn *t)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(t->req);
    size_t n = evbuffer_get_length(in);
    char *copy = arena_alloc(&t->arena, n);

    if (!copy)
        return (struct span){NULL, 0};
    evbuffer_copyout(in, copy, n);
    return (struct span){copy, n};
}

/* Whole answers that took no time leave at once. */
static void schedule(struct turn *t)
{
    double ms = (double)t->s->options->latency_ms;

    if (t->reply.fault.latency_ms >= 0)
        ms = (double)t->reply.fault.latency_ms;
    if (!t->request.params.stream && t->s->options->tps > 0)
        ms += 1000 * (double)t->reply.output_tokens / t->s->options->tps;
    if (ms > 0)
        wait_ms(t, ms);
    else
        on_tick(-1, 0, t);
}

static void answer(struct mock_server *s, struct evhttp_request *req)
{
    struct turn *t = turn_new(s, req);
    struct err e;

    if (!t) {
        send_error(s, req, 500, "no memory");
        return;
    }
    if (!s->dialect->decode(body_of(t), &t->arena, &t->request, &e)) {
        send_error(s, req, 400, e.msg);
        forget(t);
        return;
    }
    if (!mock_reply(&s->context, &t->request, &t->arena, &t->reply, &e)) {
        send_error(s, req, 500, e.msg);
        forget(t);
        return;
    }
    schedule(t);
}

static void list_models(struct mock_server *s, struct evhttp_request *req)
{
    struct buf b;
    const char *name = "mock-model";

    buf_init(&b, 1 << 20);
    buf_str(&b, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; name; i++) {
        if (s->context.book)
            name = mock_book_model(s->context.book, i);
        else if (i > 0)
            name = NULL;
        if (!name)
            break;
        buf_str(&b, i ? ",{\"id\":" : "{\"id\":");
        buf_json_str(&b, span_of(name));
        buf_str(&b, ",\"object\":\"model\",\"created\":1750000000,"
                    "\"owned_by\":\"mock\"}");
    }
    buf_str(&b, "]}");
    send_body(req, 200, "application/json", buf_view(&b));
    buf_free(&b);
}

static void show_ledger(struct mock_server *s, struct evhttp_request *req)
{
    const struct ledger *l = &s->ledger;
    struct buf b;

    buf_init(&b, 4096);
    buf_printf(&b,
               "{\"requests\":%llu,\"answered\":%llu,\"errors\":%llu,"
               "\"aborted\":%llu,\"frames\":%llu,\"input_tokens\":%lld,"
               "\"output_tokens\":%lld}",
               (unsigned long long)l->requests, (unsigned long long)l->answered,
               (unsigned long long)l->errors, (unsigned long long)l->aborted,
               (unsigned long long)l->frames, (long long)l->input_tokens,
               (long long)l->output_tokens);
    send_body(req, 200, "application/json", buf_view(&b));
    buf_free(&b);
}

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);

    return n >= m && !strcmp(path + n - m, end);
}

static void on_request(struct evhttp_request *req, void *ctx)
{
    struct mock_server *s = ctx;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    bool post = evhttp_request_get_command(req) == EVHTTP_REQ_POST;

    path = path ? path : "";
    if (post && ends_with(path, s->dialect->path)) {
        s->ledger.requests++;
        answer(s, req);
    } else if (!post && ends_with(path, "/models")) {
        list_models(s, req);
    } else if (!post && !strcmp(path, "/mock/ledger")) {
        show_ledger(s, req);
    } else if (!post && !strcmp(path, "/healthz")) {
        send_body(req, 200, "text/plain", SPAN("ok\n"));
    } else {
        send_error(s, req, 404, "The mock does not serve this path.");
    }
}

/* ---- life ---- */

static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(ctx);
}

static bool announce(struct mock_server *s, struct evhttp_bound_socket *sock,
                     struct err *e)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    unsigned port = 0;
    FILE *f;

    if (getsockname(evhttp_bound_socket_get_fd(sock), (struct sockaddr *)&addr,
                    &len) != 0)
        return err_sys(e, "getsockname");
    if (addr.ss_family == AF_INET)
        port = ntohs(((struct sockaddr_in *)&addr)->sin_port);
    else
        port = ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
    fprintf(stderr, "weir mock: %s on http://%s:%u/v1\n", s->dialect->name,
            s->options->listen, port);
    if (!s->options->port_file)
        return true;
    f = fopen(s->options->port_file, "w");
    if (!f)
        return err_sys(e, "%s", s->options->port_file);
    fprintf(f, "%u\n", port);
    return fclose(f) == 0 || err_sys(e, "%s", s->options->port_file);
}

static const struct mock_dialect *find_dialect(const char *name)
{
    static const struct mock_dialect *const all[] = {&mock_openai};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!strcmp(all[i]->name, name))
            return all[i];
    }
    return NULL;
}

static bool serve(struct mock_server *s, struct err *e)
{
    struct evhttp_bound_socket *sock;
    struct event *term = evsignal_new(s->base, SIGTERM, on_signal, s->base);
    struct event *intr = evsignal_new(s->base, SIGINT, on_signal, s->base);
    bool ok = false;

    evhttp_set_max_body_size(s->http, BODY_MAX);
    evhttp_set_max_headers_size(s->http, 1 << 16);
    evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
    evhttp_set_gencb(s->http, on_request, s);
    sock = evhttp_bind_socket_with_handle(s->http, s->options->listen,
                                          (ev_uint16_t)s->options->port);
    if (!sock) {
        err_sys(e, "cannot listen on %s:%llu", s->options->listen,
                (unsigned long long)s->options->port);
    } else if (term && intr && announce(s, sock, e)) {
        event_add(term, NULL);
        event_add(intr, NULL);
        event_base_dispatch(s->base);
        ok = true;
    }
    if (term)
        event_free(term);
    if (intr)
        event_free(intr);
    return ok;
}

static bool prepare(struct mock_server *s, const struct mock_options *o,
                    struct err *e)
{
    s->options = o;
    s->dialect = find_dialect(o->dialect);
    if (!s->dialect)
        return err_set(e, ERR_USAGE, "--dialect: wanted openai, found '%s'",
                       o->dialect);
    s->context.options = o;
    s->context.scratch = features_scratch_new();
    s->context.vec = malloc(sizeof *s->context.vec);
    s->base = event_base_new();
    s->http = s->base ? evhttp_new(s->base) : NULL;
    if (!s->context.scratch || !s->context.vec || !s->http)
        return err_set(e, ERR_MEMORY, "no memory for the server");
    if (o->answers)
        s->context.book = mock_book_open(o->answers, e);
    return !o->answers || s->context.book;
}

bool mock_run(const struct mock_options *o, struct err *e)
{
    struct mock_server s = {0};
    bool ok = prepare(&s, o, e) && serve(&s, e);

    if (s.http)
        evhttp_free(s.http);
    if (s.base)
        event_base_free(s.base);
    features_scratch_free(s.context.scratch);
    free(s.context.vec);
    mock_book_free(s.context.book);
    return ok;
}
