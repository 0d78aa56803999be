/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer played from memory byte by byte, for faults that count bytes:
 * head and body are put together once, then go out as far as the script lets
 * them.  The connection is taken from evhttp and always closed at the end.
 */
#include "bench/mock_turn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/keyvalq_struct.h>
#include <string.h>
#include <sys/queue.h>
#include <zlib.h>

enum { RAW_MAX = 1 << 27, STALL_MS = 1000, TRICKLE_MS = 10 };

static void compress_body(struct buf *body)
{
    z_stream z = {0};
    struct buf out;
    char *room;
    size_t most;

    buf_init(&out, RAW_MAX);
    /* 16: with gzip's own head and tail */
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        body->failed = true;
        return;
    }
    most = deflateBound(&z, body->len) + 32;
    room = buf_room(&out, most);
    z.next_in = (Bytef *)body->ptr;
    z.avail_in = (uInt)body->len;
    z.next_out = (Bytef *)room;
    z.avail_out = (uInt)most;
    if (!room || deflate(&z, Z_FINISH) != Z_STREAM_END)
        body->failed = true;
    out.len += z.total_out;
    deflateEnd(&z);
    buf_reset(body);
    buf_span(body, buf_view(&out));
    buf_free(&out);
}

static void put_head(struct turn *t, int status, bool chunked, size_t length,
                     struct buf *out)
{
    const struct mock_fault *f = &t->reply.fault;
    struct evkeyval *kv;

    buf_printf(out, "HTTP/1.1 %d Mocked\r\nContent-Type: %s\r\n", status,
               f->html > 0                  ? "text/html"
               : t->stream && f->status < 1 ? t->dialect->codec->stream_type
                                            : "application/json");
    kv = TAILQ_FIRST(evhttp_request_get_output_headers(t->req));
    for (; kv; kv = TAILQ_NEXT(kv, next))
        buf_printf(out, "%s: %s\r\n", kv->key, kv->value);
    if (f->gzip > 0)
        buf_str(out, "Content-Encoding: gzip\r\n");
    if (chunked)
        buf_str(out, "Transfer-Encoding: chunked\r\n");
    else
        buf_printf(out, "Content-Length: %lld\r\n",
                   f->length >= 0 ? (long long)f->length : (long long)length);
    buf_str(out, "Connection: close\r\n\r\n");
}

/* Bytes to be sent in all, and whether that is all there is. */
static size_t bytes(const struct turn *t, bool *cut)
{
    const struct mock_fault *f = &t->reply.fault;
    size_t n = t->out.len;

    *cut = (f->cut >= 0 && t->stream) || f->length >= 0;
    if (f->cut_at >= 0 && (size_t)f->cut_at < n) {
        n = (size_t)f->cut_at;
        *cut = true;
    }
    if (f->reset_at >= 0 && (size_t)f->reset_at < n) {
        n = (size_t)f->reset_at;
        *cut = true;
    }
    return n;
}

/* What it was, once all is sent. */
static enum mock_outcome outcome(const struct turn *t, bool cut)
{
    const struct mock_fault *f = &t->reply.fault;

    if (cut || (t->stream && (f->error_frame >= 0 || f->no_finish > 0)))
        return MOCK_BROKEN;
    return f->status > 0 || f->garbage > 0 || f->empty > 0 || f->html > 0
               ? MOCK_FAILED
               : MOCK_ANSWERED;
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
    struct turn *t = ctx;
    struct evhttp_connection *con = evhttp_request_get_connection(t->req);
    bool cut, all = t->sent >= bytes(t, &cut) &&
                    evbuffer_get_length(bufferevent_get_output(bev)) == 0;

    if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
        return;
    turn_count(t, all ? outcome(t, cut) : MOCK_ABORTED);
    turn_free(t);
    evhttp_connection_free(con);
}

void turn_raw(struct turn *t, int status)
{
    struct evhttp_connection *con = evhttp_request_get_connection(t->req);
    struct bufferevent *bev = evhttp_connection_get_bufferevent(con);
    const struct mock_fault *f = &t->reply.fault;
    bool chunked = t->stream && t->out.len == 0 && f->empty < 1;
    struct buf body = t->out;

    t->raw = true;
    buf_init(&t->out, RAW_MAX);
    if (chunked && f->length >= 0) { /* a length needs a body without chunks */
        turn_frames(t, false, &body);
        chunked = false;
    }
    if (f->gzip > 0)
        compress_body(&body);
    put_head(t, status, chunked, body.len, &t->out);
    if (chunked)
        turn_frames(t, true, &t->out);
    else
        buf_span(&t->out, buf_view(&body));
    buf_free(&body);
    evhttp_connection_set_closecb(con, NULL, NULL);
    bufferevent_setcb(bev, NULL, NULL, on_event, t);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
    turn_raw_step(t);
}

static void end_raw(struct turn *t, bool cut)
{
    const struct mock_fault *f = &t->reply.fault;
    struct evhttp_connection *con = evhttp_request_get_connection(t->req);
    struct bufferevent *bev = evhttp_connection_get_bufferevent(con);

    if (evbuffer_get_length(bufferevent_get_output(bev))) {
        turn_wait(t, 1);
        return;
    }
    if (cut) {
        turn_cut(t, f->reset_at >= 0);
        return;
    }
    turn_count(t, outcome(t, false));
    turn_free(t);
    evhttp_connection_free(con);
}

void turn_raw_step(struct turn *t)
{
    struct mock_fault *f = &t->reply.fault;
    struct evhttp_connection *con = evhttp_request_get_connection(t->req);
    struct bufferevent *bev = evhttp_connection_get_bufferevent(con);
    bool cut;
    size_t to = bytes(t, &cut), n;

    if (t->sent >= to) {
        end_raw(t, cut);
        return;
    }
    n = to - t->sent;
    if (f->trickle > 0 && n > (size_t)f->trickle)
        n = (size_t)f->trickle;
    if (f->stall_at >= 0 && t->sent + n > (size_t)f->stall_at) {
        n = (size_t)f->stall_at > t->sent ? (size_t)f->stall_at - t->sent : 0;
        f->stall_at = -1;
    }
    bufferevent_write(bev, t->out.ptr + t->sent, n);
    t->sent += n;
    if (t->sent == to && f->stall_at < 0 && f->trickle <= 0)
        end_raw(t, cut);
    else
        turn_wait(t, f->trickle > 0     ? TRICKLE_MS
                     : f->stall_ms >= 0 ? (double)f->stall_ms
                                        : STALL_MS);
}
