/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/mock_serve.h"

#include "base/clock.h"
#include "features/features.h"

#include <event2/buffer.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the key ---- */

static struct span header(const struct turn *t, const char *name)
{
    return span_of(
        evhttp_find_header(evhttp_request_get_input_headers(t->req), name));
}

static struct span query(const struct turn *t)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(t->req);

    return span_of(uri ? evhttp_uri_get_query(uri) : NULL);
}

/* The value of a member of the query, as written. */
static struct span query_value(const struct turn *t, const char *name)
{
    struct span rest = query(t);

    while (rest.len) {
        struct span value = span_cut(&rest, '&'), key = span_cut(&value, '=');

        if (span_is(key, name))
            return value;
    }
    return (struct span){NULL, 0};
}

static struct span bearer(const struct turn *t)
{
    struct span got = header(t, "authorization");

    if (span_starts(got, "Bearer "))
        return (struct span){got.ptr + 7, got.len - 7};
    return (struct span){NULL, 0};
}

/* Of "AWS4-HMAC-SHA256 Credential=KEY/date/..., ..." the key. */
static struct span credential(const struct turn *t)
{
    static const char head[] = "AWS4-HMAC-SHA256 Credential=";
    struct span got = header(t, "authorization");

    if (!span_starts(got, head))
        return (struct span){NULL, 0};
    got.ptr += sizeof head - 1;
    got.len -= sizeof head - 1;
    return span_cut(&got, '/');
}

/* Where each dialect's clients put it. */
static struct span key_of(const struct turn *t)
{
    static const struct {
        const struct mock_dialect *dialect;
        const char *header;
    } headers[] = {
        {&mock_openai, "api-key"}, /* Azure */
        {&mock_responses, "api-key"},
        {&mock_anthropic, "x-api-key"},
        {&mock_gemini, "x-goog-api-key"},
    };
    struct span key = bearer(t);

    if (t->dialect == &mock_bedrock && !key.len)
        key = credential(t);
    for (size_t i = 0; i < sizeof headers / sizeof *headers && !key.len; i++) {
        if (headers[i].dialect == t->dialect)
            key = header(t, headers[i].header);
    }
    if (!key.len && t->dialect == &mock_gemini)
        key = query_value(t, "key");
    return key;
}

/* Each API refuses a key in its own way. */
static bool key_taken(struct turn *t)
{
    struct mock_error p = {.status = 401, .message = "invalid x-api-key"};
    const char *wanted = t->s->options->key;

    if (!wanted || span_is(key_of(t), wanted))
        return true;
    if (t->dialect == &mock_gemini) {
        p.status = 400;
        p.message = "API key not valid. Please pass a valid API key.";
    } else if (t->dialect == &mock_bedrock) {
        p.status = 403;
        p.message = "The security token included in the request is invalid.";
    } else if (t->dialect == &mock_cohere) {
        p.message = "invalid api token";
    } else if (t->dialect != &mock_anthropic) {
        p.message = "Incorrect API key provided.";
    }
    turn_refuse(t, &p);
    return false;
}

/* ---- limits ---- */

static void limit(struct turn *t)
{
    struct mock_server *s = t->s;
    double now = (double)clock_ns() * 1e-9;
    struct mock_fault *f = &t->reply.fault;
    uint64_t most = s->options->rps;

    if (most == 0)
        return;
    if (floor(now) > s->window) {
        s->window = floor(now);
        s->in_window = 0;
    }
    s->in_window++;
    f->limit = (int64_t)most;
    f->remaining =
        (int64_t)(most - (s->in_window < most ? s->in_window : most));
    f->reset_ms = (int64_t)ceil((s->window + 1 - now) * 1000);
    if (s->in_window <= most)
        return;
    f->status = 429;
    f->retry_after = 1;
    f->retry_after_ms = f->reset_ms;
}

/* ---- the request ---- */

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

/* "small-1!status=503!retry-after=1": faults behind the model's name. */
static void cut_model(struct turn *t, struct mock_fault *f)
{
    struct span rest = t->request.model, name = span_cut(&rest, '!');

    if (!rest.ptr)
        return;
    mock_fault_read(f, rest);
    t->request.model = name;
}

static bool refused(struct turn *t, int status, const char *message)
{
    struct mock_error p = {.status = status, .message = message};

    turn_refuse(t, &p);
    return false;
}

static bool read_body(struct turn *t, const struct mock_place *at)
{
    struct inbound in = {body_of(t), arena_copy(&t->arena, at->model),
                         at->stream};
    struct err e;

    if (t->dialect == &mock_anthropic && !at->model.len &&
        !t->s->options->lenient && !header(t, "anthropic-version").len)
        return refused(t, 400, "anthropic-version: header is required");
    if (!t->dialect->codec->request_read(&in, &t->arena, &t->request, &e))
        return refused(t, 400, e.msg);
    t->stream = t->request.params.stream || at->stream;
    t->request.params.stream = t->stream;
    t->list = t->stream && t->dialect == &mock_gemini &&
              !span_is(query_value(t, "alt"), "sse");
    return true;
}

static bool checked(struct turn *t)
{
    struct mock_checked c = {.request = &t->request,
                             .body = t->request.body,
                             .seed = t->s->options->seed};

    if (t->s->options->lenient || mock_check(t->dialect, &c))
        return true;
    turn_refuse(t, &c.error);
    return false;
}

/* Later ones say over earlier: the script, limits, the model's name, the
 * header, and what the prompt asks for (which the reply has). */
static void befall(struct turn *t, struct mock_fault *f)
{
    struct mock_server *s = t->s;
    struct mock_moment m = {
        .model = t->request.model,
        .dialect = span_of(t->dialect->name),
        .number = s->number,
        .hash = t->reply.hash,
        .seconds = (double)clock_ns() * 1e-9 - s->script_began,
        .stream = t->stream,
    };
    struct mock_fault asked = t->reply.fault;

    mock_fault_init(&t->reply.fault);
    mock_script_apply(s->script, &m, &t->reply.fault);
    limit(t);
    mock_fault_merge(&t->reply.fault, f);
    mock_fault_read(&t->reply.fault, header(t, "x-mock-fault"));
    mock_fault_merge(&t->reply.fault, &asked);
    if (s->down)
        t->reply.fault.reset_at = 0;
}

static void count_tokens(struct turn *t)
{
    struct facts facts;
    struct buf b;

    features_extract(&t->request, t->s->context.scratch, t->s->context.vec,
                     &facts);
    buf_init(&b, 1024);
    mock_count(t->dialect, (int64_t)facts.input_tokens, &b);
    mock_send(t->req, 200, "application/json", buf_view(&b));
    buf_free(&b);
    turn_end(t);
}

void mock_serve(struct mock_server *s, struct evhttp_request *req,
                const struct mock_place *at)
{
    struct turn *t = turn_new(s, req, at->dialect);
    struct mock_error none = {.status = 500, .message = "no memory"};
    struct mock_fault named;
    struct err e;

    if (!t) {
        mock_send_error(req, at->dialect, &none);
        return;
    }
    s->number++;
    s->context.dialect = at->dialect;
    if (!key_taken(t) || !read_body(t, at))
        return;
    mock_fault_init(&named);
    cut_model(t, &named);
    if (at->op == MOCK_COUNT) {
        count_tokens(t);
        return;
    }
    if (!checked(t))
        return;
    if (!mock_reply(&s->context, &t->request, &t->arena, &t->reply, &e)) {
        refused(t, 500, e.msg);
        return;
    }
    befall(t, &named);
    turn_start(t);
}
