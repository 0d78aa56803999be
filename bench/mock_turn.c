/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/mock_turn.h"

#include "base/clock.h"
#include "features/text.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ARENA_MAX = 64 << 20, FRAME_MAX = 1 << 26, STALL_MS = 1000 };

/* ---- sending ---- */

void mock_header(struct evhttp_request *req, const char *name,
                 const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(req), name, value);
}

static void number_header(struct evhttp_request *req, const char *name,
                          long long n)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", n);
    mock_header(req, name, text);
}

void mock_send(struct evhttp_request *req, int status, const char *type,
               struct span body)
{
    struct evbuffer *b = evbuffer_new();

    mock_header(req, "Content-Type", type);
    if (b && body.len)
        evbuffer_add(b, body.ptr, body.len);
    evhttp_send_reply(req, status, NULL, b);
    if (b)
        evbuffer_free(b);
}

static void amazon_header(struct evhttp_request *req,
                          const struct mock_dialect *d, int status)
{
    if (d == &mock_bedrock)
        mock_header(req, "x-amzn-ErrorType", mock_amazon_error(status));
}

void mock_send_error(struct evhttp_request *req, const struct mock_dialect *d,
                     const struct mock_error *p)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    d->error(p, &b);
    amazon_header(req, d, p->status);
    mock_send(req, p->status, "application/json", buf_view(&b));
    buf_free(&b);
}

/* ---- life ---- */

static void on_tick(evutil_socket_t fd, short what, void *ctx);
static void on_close(struct evhttp_connection *con, void *ctx);

struct turn *turn_new(struct mock_server *s, struct evhttp_request *req,
                      const struct mock_dialect *d)
{
    struct turn *t = calloc(1, sizeof *t);
    struct evhttp_connection *con = evhttp_request_get_connection(req);

    if (!t)
        return NULL;
    t->s = s;
    t->req = req;
    t->dialect = d;
    arena_init(&t->arena, ARENA_MAX);
    t->cursor.arena = &t->arena;
    buf_init(&t->out, FRAME_MAX);
    mock_fault_init(&t->reply.fault);
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

void turn_free(struct turn *t)
{
    mock_frames_end(t->dialect, &t->cursor);
    event_free(t->timer);
    arena_free(&t->arena);
    buf_free(&t->out);
    free(t);
}

void turn_end(struct turn *t)
{
    struct evhttp_connection *con = evhttp_request_get_connection(t->req);

    if (con)
        evhttp_connection_set_closecb(con, NULL, NULL);
    turn_free(t);
}

static void on_close(struct evhttp_connection *con, void *ctx)
{
    (void)con;
    turn_count(ctx, MOCK_ABORTED);
    turn_free(ctx);
}

void turn_cut(struct turn *t, bool reset)
{
    struct evhttp_connection *con = evhttp_request_get_connection(t->req);
    struct bufferevent *bev = evhttp_connection_get_bufferevent(con);
    struct linger now = {1, 0};

    turn_count(t, MOCK_BROKEN);
    if (reset)
        setsockopt(bufferevent_getfd(bev), SOL_SOCKET, SO_LINGER, &now,
                   sizeof now);
    evhttp_connection_set_closecb(con, NULL, NULL);
    turn_free(t);
    evhttp_connection_free(con);
}

void turn_wait(struct turn *t, double ms)
{
    struct timeval tv = {(time_t)(ms / 1000),
                         (suseconds_t)(fmod(ms, 1000) * 1000)};

    event_add(t->timer, &tv);
}

/* The end of what the user said last, in dst. */
static struct span last_words(const struct request *r, char *dst, size_t size)
{
    size_t n = 0;

    for (size_t i = r->n_messages; i-- > 0 && n == 0;) {
        const struct message *m = &r->messages[i];

        if (m->role != ROLE_USER)
            continue;
        for (size_t k = m->n_parts; k-- > 0 && n == 0;) {
            if (m->parts[k].kind == PART_TEXT)
                n = text_tail(m->parts[k].text, dst, size);
        }
    }
    return (struct span){dst, n};
}

void turn_count(struct turn *t, enum mock_outcome outcome)
{
    const struct mock_reply *m = &t->reply;
    char words[64];
    struct mock_entry c = {
        .model = t->request.model,
        .outcome = outcome,
        .usage = {.input = m->input_tokens,
                  .cached = m->cached_tokens,
                  .output = m->output_tokens,
                  .reasoning = m->reasoning_tokens},
        .words = last_words(&t->request, words, sizeof words),
    };

    mock_ledger_add(t->s->ledger, &c);
}

void turn_refuse(struct turn *t, const struct mock_error *p)
{
    turn_count(t, MOCK_FAILED);
    mock_send_error(t->req, t->dialect, p);
    turn_end(t);
}

/* ---- headers ---- */

static void limit_header(struct turn *t, const char *what, const char *openai,
                         const char *value)
{
    char name[96];

    if (t->dialect == &mock_anthropic)
        snprintf(name, sizeof name, "%srequests-%s", t->dialect->limits, what);
    else
        snprintf(name, sizeof name, "%s%s-requests", t->dialect->limits,
                 openai);
    mock_header(t->req, name, value);
}

/* OpenAI says a duration, Anthropic a moment. */
static void limits(struct turn *t)
{
    const struct mock_fault *f = &t->reply.fault;
    char text[40];

    if (!t->dialect->limits)
        return;
    if (f->limit >= 0) {
        snprintf(text, sizeof text, "%lld", (long long)f->limit);
        limit_header(t, "limit", "limit", text);
    }
    if (f->remaining >= 0) {
        snprintf(text, sizeof text, "%lld", (long long)f->remaining);
        limit_header(t, "remaining", "remaining", text);
    }
    if (f->reset_ms < 0)
        return;
    if (t->dialect == &mock_anthropic)
        clock_format(clock_utc_ms() + f->reset_ms, text);
    else
        snprintf(text, sizeof text, "%lldms", (long long)f->reset_ms);
    limit_header(t, "reset", "reset", text);
}

static void headers(struct turn *t)
{
    const struct mock_fault *f = &t->reply.fault;

    if (f->retry_after >= 0)
        number_header(t->req, "retry-after", f->retry_after);
    if (f->retry_after_ms >= 0)
        number_header(t->req, "retry-after-ms", f->retry_after_ms);
    limits(t);
    if (t->dialect->request_id) {
        char id[40];

        snprintf(id, sizeof id, "req_%016llx",
                 (unsigned long long)t->reply.hash);
        mock_header(t->req, t->dialect->request_id, id);
    }
    if (f->status > 0)
        amazon_header(t->req, t->dialect, (int)f->status);
}

/* ---- whole ---- */

static void body(struct turn *t)
{
    const struct mock_fault *f = &t->reply.fault;
    struct mock_error p = {.status = (int)f->status,
                           .message = "The mock was told to fail."};

    if (f->empty > 0)
        return;
    if (f->html > 0)
        buf_printf(&t->out,
                   "<html><head><title>%d</title></head><body>upstream said "
                   "no</body></html>\n",
                   f->status > 0 ? (int)f->status : 200);
    else if (f->status > 0)
        t->dialect->error(&p, &t->out);
    else if (f->garbage > 0)
        buf_str(&t->out, "{\"choices\": [oops");
    else if (!t->stream)
        mock_whole(t->dialect, &t->request, &t->reply, &t->cursor, &t->out);
    else
        turn_frames(t, false, &t->out);
}

static void send_whole(struct turn *t)
{
    const struct mock_fault *f = &t->reply.fault;
    int status = f->status > 0 ? (int)f->status : 200;

    body(t);
    mock_send(t->req, t->out.failed ? 500 : status,
              f->html > 0 ? "text/html" : "application/json",
              buf_view(&t->out));
    turn_count(t, f->status > 0 || f->garbage > 0 || f->empty > 0 || f->html > 0
                      ? MOCK_FAILED
                      : MOCK_ANSWERED);
    turn_end(t);
}

/* ---- streams ---- */

/* Without alt=sse Gemini streams the elements of an array. */
static void as_list(struct turn *t, size_t from, struct buf *out)
{
    const char *before = t->cursor.frame <= 1 ? "[" : ",\r\n";
    struct buf one;

    buf_init(&one, FRAME_MAX);
    buf_put(&one, out->ptr + from, out->len - from);
    out->len = from;
    buf_str(out, before);
    if (span_starts(buf_view(&one), "data: "))
        buf_put(out, one.ptr + 6, one.len - 8);
    buf_free(&one);
}

static int64_t count_events(const struct buf *out, size_t from)
{
    int64_t n = 0;

    for (size_t i = from; i + 1 < out->len; i++)
        n += out->ptr[i] == '\n' && out->ptr[i + 1] == '\n';
    return n;
}

enum frame { FRAME_SENT, FRAME_LAST, FRAME_NONE };

/* The next frame, or what is to stand in its place. */
static enum frame frame(struct turn *t, struct buf *out)
{
    struct mock_fault *f = &t->reply.fault;
    struct mock_error p = {.status =
                               f->error_status > 0 ? (int)f->error_status : 529,
                           .message = "The mock was told to fail.",
                           .events = t->cursor.events};
    int64_t number = (int64_t)t->cursor.frame;
    size_t from = out->len;

    if (f->error_frame == number) {
        t->dialect->stream_error(&p, out);
        return FRAME_LAST;
    }
    if (f->garbage_frame == number)
        buf_str(out, t->dialect == &mock_bedrock ? "senseless bytes"
                                                 : "data: {\"oops\n\n");
    if (!mock_frame(t->dialect, &t->request, &t->reply, &t->cursor, out)) {
        if (t->list && t->cursor.frame)
            buf_str(out, "]");
        return t->list && out->len > from ? FRAME_LAST : FRAME_NONE;
    }
    mock_ledger_frame(t->s->ledger);
    if (t->dialect == &mock_responses)
        t->cursor.events += count_events(out, from);
    if (t->list)
        as_list(t, from, out);
    return FRAME_SENT;
}

void turn_frames(struct turn *t, bool chunked, struct buf *out)
{
    enum frame got = FRAME_SENT;
    struct buf one;

    buf_init(&one, FRAME_MAX);
    while (got == FRAME_SENT && !out->failed && !one.failed) {
        buf_reset(&one);
        if (t->reply.fault.cut >= 0 &&
            (int64_t)t->cursor.frame >= t->reply.fault.cut)
            break;
        got = frame(t, &one);
        if (chunked && one.len)
            buf_printf(out, "%zx\r\n", one.len);
        buf_span(out, buf_view(&one));
        if (chunked && one.len)
            buf_str(out, "\r\n");
    }
    if (chunked && got != FRAME_SENT)
        buf_str(out, "0\r\n\r\n");
    buf_free(&one);
}

static void send_chunk(struct turn *t)
{
    struct evbuffer *b = evbuffer_new();

    if (b && t->out.len) {
        evbuffer_add(b, t->out.ptr, t->out.len);
        evhttp_send_reply_chunk(t->req, b);
    }
    if (b)
        evbuffer_free(b);
}

static void finish_stream(struct turn *t)
{
    bool broken =
        t->reply.fault.error_frame >= 0 || t->reply.fault.no_finish > 0;

    turn_count(t, broken ? MOCK_BROKEN : MOCK_ANSWERED);
    evhttp_send_reply_end(t->req);
    turn_end(t);
}

static void begin_stream(struct turn *t)
{
    mock_header(t->req, "Content-Type",
                t->list ? "application/json" : t->dialect->codec->stream_type);
    mock_header(t->req, "Cache-Control", "no-cache");
    evhttp_send_reply_start(t->req, 200, "OK");
    t->begun = true;
}

/* Ends the connection when what was sent before has left. */
static void cut_stream(struct turn *t)
{
    struct evhttp_connection *con = evhttp_request_get_connection(t->req);
    struct bufferevent *bev = evhttp_connection_get_bufferevent(con);

    if (evbuffer_get_length(bufferevent_get_output(bev)))
        turn_wait(t, 1);
    else
        turn_cut(t, false);
}

/* False: the stream waits or is over. */
static bool step(struct turn *t)
{
    struct mock_fault *f = &t->reply.fault;
    int64_t number = (int64_t)t->cursor.frame;
    enum frame got;

    if (f->cut >= 0 && number >= f->cut) {
        cut_stream(t);
        return false;
    }
    if (f->stall_frame == number) {
        f->stall_frame = -1;
        turn_wait(t, (double)(f->stall_ms >= 0 ? f->stall_ms : STALL_MS));
        return false;
    }
    buf_reset(&t->out);
    got = frame(t, &t->out);
    send_chunk(t);
    if (got != FRAME_SENT) {
        finish_stream(t);
        return false;
    }
    return true;
}

static void step_stream(struct turn *t)
{
    double tps = t->s->options->tps;

    if (!t->begun)
        begin_stream(t);
    while (step(t)) {
        if (tps > 0) {
            turn_wait(t, 1000 / tps);
            return;
        }
    }
}

/* ---- when ---- */

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct turn *t = ctx;
    const struct mock_fault *f = &t->reply.fault;
    bool whole = !t->stream || f->status > 0 || f->garbage > 0 ||
                 f->empty > 0 || f->html > 0;

    (void)fd;
    (void)what;
    if (t->raw) {
        turn_raw_step(t);
        return;
    }
    if (f->down_ms > 0 || f->reset_at == 0 || f->cut_at == 0 ||
        (f->cut == 0 && f->status < 0)) {
        if (f->down_ms > 0)
            mock_down(t->s, (double)f->down_ms);
        turn_cut(t, f->cut != 0 && f->cut_at != 0);
        return;
    }
    if (!t->begun)
        headers(t);
    if (mock_fault_by_byte(f)) {
        if (whole || f->gzip > 0)
            body(t);
        turn_raw(t, f->status > 0 ? (int)f->status : 200);
    } else if (whole) {
        send_whole(t);
    } else {
        step_stream(t);
    }
}

/* Whole answers that took no time leave at once. */
void turn_start(struct turn *t)
{
    const struct mock_fault *f = &t->reply.fault;
    double ms = (double)t->s->options->latency_ms;

    if (f->latency_ms >= 0)
        ms = (double)f->latency_ms;
    if (!t->stream && t->s->options->tps > 0)
        ms += 1000 * (double)t->reply.output_tokens / t->s->options->tps;
    if (ms > 0)
        turn_wait(t, ms);
    else
        on_tick(-1, 0, t);
}
