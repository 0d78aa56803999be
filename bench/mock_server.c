/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mock's server on evhttp: plain is enough here, its clients are tests
 * and benchmarks.
 */
#include "bench/mock_turn.h"

#include "base/clock.h"
#include "bench/mock_serve.h"
#include "bench/mock_tls.h"
#include "features/features.h"

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 256 << 20, SCRIPT_MAX = 1 << 20, LIST_MAX = 1 << 20 };

/* ---- beside conversations ---- */

static const char *model_at(const struct mock_server *s, size_t i)
{
    if (s->context.book)
        return mock_book_model(s->context.book, i);
    return i ? NULL : "mock-model";
}

static void list_models(struct mock_server *s, struct evhttp_request *req,
                        const struct mock_place *at)
{
    const char *name;
    struct buf b;
    size_t i;

    buf_init(&b, LIST_MAX);
    for (i = 0; (name = model_at(s, i)); i++)
        mock_list_model(at->dialect, span_of(name), i, &b);
    mock_list_end(at->dialect, i, &b);
    mock_send(req, 200, "application/json", buf_view(&b));
    buf_free(&b);
}

static void show_model(struct evhttp_request *req, const struct mock_place *at)
{
    struct buf b;

    buf_init(&b, LIST_MAX);
    mock_model(at->dialect, at->model, &b);
    mock_send(req, 200, "application/json", buf_view(&b));
    buf_free(&b);
}

static void show_ledger(struct mock_server *s, struct evhttp_request *req)
{
    struct buf b;

    buf_init(&b, LIST_MAX);
    mock_ledger_write(s->ledger, &b);
    mock_send(req, 200, "application/json", buf_view(&b));
    buf_free(&b);
}

static void new_script(struct mock_server *s, struct evhttp_request *req)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    struct mock_script *script;
    size_t n = evbuffer_get_length(in);
    struct err e;

    script = mock_script_read(
        (struct span){n ? (const char *)evbuffer_pullup(in, -1) : "", n}, &e);
    if (!script) {
        struct mock_error p = {.status = 400, .message = e.msg};

        mock_send_error(req, &mock_openai, &p);
        return;
    }
    mock_script_free(s->script);
    s->script = script;
    s->script_began = (double)clock_ns() * 1e-9;
    s->number = 0;
    mock_send(req, 200, "application/json", SPAN("{\"ok\":true}"));
}

/* ---- dispatch ---- */

static struct span header(struct evhttp_request *req, const char *name)
{
    return span_of(
        evhttp_find_header(evhttp_request_get_input_headers(req), name));
}

static void refuse(struct evhttp_request *req, const struct mock_place *at)
{
    struct mock_error p = {
        .status = at->known ? 405 : 404,
        .message = at->known ? "The mock does not take this method here."
                             : "The mock does not serve this path."};

    mock_send_error(req, at->dialect, &p);
}

static void serve(struct mock_server *s, struct evhttp_request *req,
                  const struct mock_place *at)
{
    switch (at->op) {
    case MOCK_CHAT:
    case MOCK_COUNT:
        mock_ledger_request(s->ledger);
        mock_serve(s, req, at);
        break;
    case MOCK_MODELS:
        list_models(s, req, at);
        break;
    case MOCK_MODEL:
        show_model(req, at);
        break;
    case MOCK_LEDGER:
        show_ledger(s, req);
        break;
    case MOCK_SCRIPT:
        new_script(s, req);
        break;
    case MOCK_HEALTH:
        mock_send(req, 200, "text/plain", SPAN("ok\n"));
        break;
    case MOCK_NOTHING:
        refuse(req, at);
    }
}

static void on_request(struct evhttp_request *req, void *ctx)
{
    struct mock_server *s = ctx;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    struct mock_call_head head = {
        .post = evhttp_request_get_command(req) == EVHTTP_REQ_POST,
        .path = span_of(uri ? evhttp_uri_get_path(uri) : NULL),
        .query = span_of(uri ? evhttp_uri_get_query(uri) : NULL),
        .version = header(req, "anthropic-version"),
        .google = header(req, "x-goog-api-key"),
    };
    struct mock_place at;
    struct arena a;

    arena_init(&a, 1 << 20);
    at = mock_place(s->only, &head, &a);
    serve(s, req, &at);
    arena_free(&a);
}

/* ---- life ---- */

static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(ctx);
}

static bool listen_at(struct mock_server *s)
{
    s->socket = evhttp_bind_socket_with_handle(s->http, s->options->listen,
                                               (ev_uint16_t)s->port);
    return s->socket != NULL;
}

static void on_rebind(evutil_socket_t fd, short what, void *ctx)
{
    struct mock_server *s = ctx;
    struct timeval soon = {0, 10000};

    (void)fd;
    (void)what;
    s->down = !listen_at(s);
    if (s->down)
        event_add(s->rebind, &soon);
}

void mock_down(struct mock_server *s, double ms)
{
    struct timeval tv = {(time_t)(ms / 1000),
                         (suseconds_t)(fmod(ms, 1000) * 1000)};

    if (s->socket)
        evhttp_del_accept_socket(s->http, s->socket);
    s->socket = NULL;
    s->down = true;
    event_add(s->rebind, &tv);
}

static bool announce(struct mock_server *s, struct err *e)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    FILE *f;

    if (getsockname(evhttp_bound_socket_get_fd(s->socket),
                    (struct sockaddr *)&addr, &len) != 0)
        return err_sys(e, "getsockname");
    if (addr.ss_family == AF_INET)
        s->port = ntohs(((struct sockaddr_in *)&addr)->sin_port);
    else
        s->port = ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
    fprintf(stderr, "weir mock: %s on http%s://%s:%u\n", s->options->dialect,
            s->options->tls ? "s" : "", s->options->listen, s->port);
    if (!s->options->port_file)
        return true;
    f = fopen(s->options->port_file, "w");
    if (!f)
        return err_sys(e, "%s", s->options->port_file);
    fprintf(f, "%u\n", s->port);
    return fclose(f) == 0 || err_sys(e, "%s", s->options->port_file);
}

static bool run(struct mock_server *s, struct err *e)
{
    struct event *term = evsignal_new(s->base, SIGTERM, on_signal, s->base);
    struct event *intr = evsignal_new(s->base, SIGINT, on_signal, s->base);
    bool ok = false;

    evhttp_set_max_body_size(s->http, BODY_MAX);
    evhttp_set_max_headers_size(s->http, 1 << 16);
    evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
    evhttp_set_gencb(s->http, on_request, s);
    s->port = (unsigned)s->options->port;
    if (!listen_at(s)) {
        err_sys(e, "cannot listen on %s:%u", s->options->listen, s->port);
    } else if (term && intr && s->rebind && announce(s, e)) {
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

static bool open_files(struct mock_server *s, struct err *e)
{
    const struct mock_options *o = s->options;

    s->ledger = mock_ledger_new(o->price, e);
    if (!s->ledger)
        return false;
    if (o->journal && !mock_ledger_journal(s->ledger, o->journal, e))
        return false;
    if (o->answers && !(s->context.book = mock_book_open(o->answers, e)))
        return false;
    if (o->script && !(s->script = mock_script_open(o->script, e)))
        return false;
    s->script_began = (double)clock_ns() * 1e-9;
    return true;
}

static bool prepare(struct mock_server *s, const struct mock_options *o,
                    struct err *e)
{
    s->options = o;
    s->only = mock_dialect_find(o->dialect);
    if (!s->only && strcmp(o->dialect, "all") != 0)
        return err_set(e, ERR_USAGE,
                       "--dialect: wanted openai, responses, anthropic, "
                       "gemini, bedrock, cohere or all, found '%s'",
                       o->dialect);
    s->context.options = o;
    s->context.scratch = features_scratch_new();
    s->context.vec = malloc(sizeof *s->context.vec);
    s->base = event_base_new();
    s->http = s->base ? evhttp_new(s->base) : NULL;
    if (!s->context.scratch || !s->context.vec || !s->http)
        return err_set(e, ERR_MEMORY, "no memory for the server");
    s->rebind = evtimer_new(s->base, on_rebind, s);
    if (o->tls && !mock_tls(s->http, o->tls, e))
        return false;
    return open_files(s, e);
}

bool mock_run(const struct mock_options *o, struct err *e)
{
    struct mock_server s = {0};
    bool ok = prepare(&s, o, e) && run(&s, e);

    if (s.http)
        evhttp_free(s.http);
    if (s.rebind)
        event_free(s.rebind);
    if (s.base)
        event_base_free(s.base);
    features_scratch_free(s.context.scratch);
    free(s.context.vec);
    mock_book_free(s.context.book);
    mock_script_free(s.script);
    mock_ledger_free(s.ledger);
    return ok;
}
