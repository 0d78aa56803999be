/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 on one of our own connections (nghttp2): many calls share it.  Each
 * stream may have H2_WINDOW bytes that its call has not taken; a call that is
 * paused keeps those it got and gives no leave for more, so that a slow
 * client holds up neither memory nor the others.  The connection as a whole
 * always may send.
 */
#include "router/upstream/plain_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "base/clock.h"

enum {
    H2_WINDOW = 32 << 10,
    H2_ALL = 16 << 20,   /* of the connection: more than all streams' */
    H2_TOGETHER = 16384, /* bytes of frames that are written as one */
    H2_STREAMS = 100,    /* at a time, until the server says how many */
    H2_HEADERS = 128,    /* of a request */
};

struct plain_h2 {
    nghttp2_session *session; /* (owned) */
    struct buf left;          /* (owned) frames that are being written */
    size_t sent;              /* of left */
    bool broken;
};

static struct plain_call *call_at(const struct plain_conn *conn, int32_t id)
{
    return nghttp2_session_get_stream_user_data(conn->h2->session, id);
}

/* ---- what nghttp2 tells ---- */

/* The head is read by the parser of HTTP/1.1, from a text that is put
 * together line by line. */
static int on_begin(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct plain_conn *conn = arg;
    struct plain_call *c = call_at(conn, f->hd.stream_id);

    (void)s;
    if (c && !c->has_head) /* else they are trailers */
        buf_reset(&c->rest);
    return 0;
}

/* callback: nghttp2_on_header_callback */
static int on_header(nghttp2_session *s, const nghttp2_frame *f,
                     const uint8_t *name, size_t n_name, const uint8_t *value,
                     size_t n_value, uint8_t flags, void *arg)
{
    struct plain_conn *conn = arg;
    struct plain_call *c = call_at(conn, f->hd.stream_id);

    (void)s;
    (void)flags;
    if (!c || c->has_head)
        return 0;
    if (n_name == 7 && memcmp(name, ":status", 7) == 0) {
        buf_str(&c->rest, "HTTP/1.1 ");
        buf_put(&c->rest, value, n_value);
        buf_str(&c->rest, " \r\n");
    } else if (name[0] != ':') {
        buf_put(&c->rest, name, n_name);
        buf_str(&c->rest, ": ");
        buf_put(&c->rest, value, n_value);
        buf_str(&c->rest, "\r\n");
    }
    return 0;
}

static void on_head(struct plain_call *c)
{
    struct buf text = c->rest;

    buf_init(&c->rest, PLAIN_READ_MAX);
    buf_str(&text, "\r\n");
    plain_head(c, buf_view(&text), text.failed);
    buf_free(&text);
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct plain_conn *conn = arg;
    struct plain_call *c = call_at(conn, f->hd.stream_id);
    bool last = f->hd.flags & NGHTTP2_FLAG_END_STREAM;

    (void)s;
    if (f->hd.type == NGHTTP2_SETTINGS && !(f->hd.flags & NGHTTP2_FLAG_ACK))
        plain_settled(conn);
    if (!c)
        return 0;
    if (f->hd.type == NGHTTP2_HEADERS && !c->has_head)
        on_head(c);
    c = call_at(conn, f->hd.stream_id); /* it may be gone by now */
    if (c && last &&
        (f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA))
        c->whole = true;
    return 0;
}

/* callback: nghttp2_on_data_chunk_recv_callback */
static int on_data(nghttp2_session *s, uint8_t flags, int32_t id,
                   const uint8_t *data, size_t len, void *arg)
{
    struct plain_conn *conn = arg;
    struct plain_call *c = call_at(conn, id);
    size_t used;

    (void)flags;
    nghttp2_session_consume_connection(s, len);
    if (c && plain_data(c, (struct span){(const char *)data, len}, &used))
        nghttp2_session_consume_stream(s, id, used);
    return 0;
}

/* What the server never looked at may be sent again. */
static void refused(struct plain_call *c)
{
    if (c->first || c->fresh)
        plain_finish(c, UPSTREAM_CUT, "the provider refused the stream");
    else
        plain_again(c);
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t error, void *arg)
{
    struct plain_conn *conn = arg;
    struct plain_call *c = call_at(conn, id);

    (void)s;
    if (!c)
        return 0;
    h2_forget(c);
    if (c->whole)
        plain_whole(c);
    else if (error == NGHTTP2_REFUSED_STREAM)
        refused(c);
    else
        plain_finish(c, UPSTREAM_CUT,
                     error ? "the provider reset the stream"
                           : "the answer ended early");
    host_pump(conn->host);
    return 0;
}

/* callback: nghttp2_data_source_read_callback */
static ssize_t read_body(nghttp2_session *s, int32_t id, uint8_t *dst,
                         size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    struct plain_call *c = nghttp2_session_get_stream_user_data(s, id);
    size_t n;

    (void)source;
    (void)arg;
    if (!c)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    n = c->body.len - c->sent < size ? c->body.len - c->sent : size;
    memcpy(dst, c->body.ptr + c->sent, n);
    c->sent += n;
    if (c->sent == c->body.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

/* ---- its beginning and end ---- */

static nghttp2_session *session_new(struct plain_conn *conn)
{
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_option *option = NULL;
    nghttp2_session *s = NULL;

    if (nghttp2_session_callbacks_new(&cb) == 0 &&
        nghttp2_option_new(&option) == 0) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
        nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_peer_max_concurrent_streams(option, H2_STREAMS);
        if (nghttp2_session_client_new2(&s, cb, conn, option) != 0)
            s = NULL;
    }
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(option);
    return s;
}

bool h2_open(struct plain_conn *conn)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_ANSWER_HEAD_MAX},
    };
    struct plain_h2 *h = calloc(1, sizeof *h);

    conn->h2 = h;
    if (!h)
        return false;
    buf_init(&h->left, 4 * H2_TOGETHER);
    h->session = session_new(conn);
    return h->session &&
           nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof *settings) == 0 &&
           nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE,
                                                 0, H2_ALL) == 0;
}

void h2_free(struct plain_conn *conn)
{
    struct plain_h2 *h = conn->h2;

    if (!h)
        return;
    conn->h2 = NULL;
    nghttp2_session_del(h->session);
    buf_free(&h->left);
    free(h);
}

bool h2_has_room(const struct plain_conn *conn)
{
    nghttp2_session *s = conn->h2->session;

    return !conn->h2->broken && !conn->settling &&
           nghttp2_session_check_request_allowed(s) &&
           conn->n_calls < nghttp2_session_get_remote_settings(
                               s, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

/* ---- a call on it ---- */

static nghttp2_nv pair(struct span name, struct span value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr,
                        (uint8_t *)(uintptr_t)value.ptr, name.len, value.len,
                        NGHTTP2_NV_FLAG_NONE};
}

/* The head that was written for HTTP/1.1 as HTTP/2 has it.  Names become
 * lower case where they stand. */
static size_t fields(struct plain_call *c, nghttp2_nv nv[H2_HEADERS])
{
    struct span rest = buf_view(&c->out), line, name, host = {NULL, 0};
    size_t n = 4;

    line = span_cut(&rest, '\n');
    nv[0] = pair(SPAN(":method"), span_cut(&line, ' '));
    nv[1] = pair(SPAN(":path"), span_cut(&line, ' '));
    nv[2] = pair(SPAN(":scheme"), SPAN("https"));
    while ((line = span_trim(span_cut(&rest, '\n'))).len && n < H2_HEADERS) {
        char *at = c->out.ptr + (line.ptr - c->out.ptr);

        name = span_cut(&line, ':');
        for (size_t i = 0; i < name.len; i++)
            at[i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 32 : at[i]);
        if (span_is(name, "host"))
            host = span_trim(line);
        else
            nv[n++] = pair(name, span_trim(line));
    }
    nv[3] = pair(SPAN(":authority"), host);
    return n;
}

bool h2_send(struct plain_conn *conn, struct plain_call *c)
{
    nghttp2_data_provider body = {.read_callback = read_body};
    nghttp2_nv nv[H2_HEADERS];
    size_t n = fields(c, nv);
    int32_t id = nghttp2_submit_request(conn->h2->session, NULL, nv, n,
                                        c->body.len ? &body : NULL, c);

    if (id < 0)
        return false;
    c->stream = id;
    c->conn = conn;
    c->state = PLAIN_BOUND;
    c->sent = 0;
    c->queue_prev = NULL;
    c->queue_next = conn->calls;
    if (conn->calls)
        conn->calls->queue_prev = c;
    conn->calls = c;
    conn->n_calls++;
    plain_later(conn);
    return true;
}

void h2_forget(struct plain_call *c)
{
    struct plain_conn *conn = c->conn;

    nghttp2_session_set_stream_user_data(conn->h2->session, c->stream, NULL);
    *(c->queue_prev ? &c->queue_prev->queue_next : &conn->calls) =
        c->queue_next;
    if (c->queue_next)
        c->queue_next->queue_prev = c->queue_prev;
    c->queue_prev = c->queue_next = NULL;
    c->conn = NULL;
    conn->since = clock_ns();
    conn->n_calls--;
}

void h2_drop(struct plain_call *c)
{
    struct plain_conn *conn = c->conn;

    nghttp2_submit_rst_stream(conn->h2->session, NGHTTP2_FLAG_NONE, c->stream,
                              NGHTTP2_CANCEL);
    h2_forget(c);
    plain_later(conn);
}

void h2_credit(struct plain_call *c, size_t n)
{
    nghttp2_session_consume_stream(c->conn->h2->session, c->stream, n);
    plain_later(c->conn);
}

/* ---- bytes ---- */

bool h2_take(struct plain_conn *conn, struct span in)
{
    struct plain_h2 *h = conn->h2;
    ssize_t n;

    n = nghttp2_session_mem_recv(h->session, (const uint8_t *)in.ptr, in.len);
    h->broken |= n < 0 || (size_t)n != in.len;
    plain_later(conn);
    return !h->broken;
}

/* The next bytes to be written, some frames together; empty: none. */
static struct span next_bytes(struct plain_h2 *h)
{
    const uint8_t *bytes;
    ssize_t n = 1;

    if (h->sent < h->left.len)
        return (struct span){h->left.ptr + h->sent, h->left.len - h->sent};
    buf_reset(&h->left);
    h->sent = 0;
    while (n > 0 && h->left.len < H2_TOGETHER) {
        n = nghttp2_session_mem_send(h->session, &bytes);
        if (n > 0)
            buf_put(&h->left, bytes, (size_t)n);
    }
    h->broken |= n < 0 || h->left.failed;
    if (h->left.len == 0)
        buf_free(&h->left);
    return buf_view(&h->left);
}

enum tls_io h2_flush(struct plain_conn *conn)
{
    struct plain_h2 *h = conn->h2;
    enum tls_io io = TLS_DONE;
    struct span out;
    size_t n;

    while (io == TLS_DONE && (out = next_bytes(h)).len && !h->broken) {
        io = tls_link_write(conn->tls, out.ptr, out.len, &n);
        if (io == TLS_DONE)
            h->sent += n;
    }
    return h->broken ? TLS_FAIL : io;
}

bool h2_is_over(const struct plain_conn *conn)
{
    nghttp2_session *s = conn->h2->session;

    return conn->h2->broken ||
           (!nghttp2_session_want_read(s) && !nghttp2_session_want_write(s)) ||
           (conn->n_calls == 0 && !nghttp2_session_check_request_allowed(s));
}
