/* SPDX-License-Identifier: Apache-2.0 */
#include "router/http/http_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "base/decimal.h"
#include "base/err.h"

static const struct status {
    int status;
    const char *text;
} STATUSES[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {529, "Overloaded"},
};

static const char *status_text(int status)
{
    for (size_t i = 0; i < sizeof STATUSES / sizeof *STATUSES; i++)
        if (STATUSES[i].status == status)
            return STATUSES[i].text;
    return status < 400 ? "OK" : "Error";
}

const struct http_request *http_request(const struct http_exchange *x)
{
    return &x->request;
}

struct span http_header(const struct http_exchange *x, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; x && i < x->request.n_headers; i++) {
        const struct http_header *h = &x->request.headers[i];

        if (h->name.len == len && memcmp(h->name.ptr, name, len) == 0)
            return h->value;
    }
    return (struct span){0};
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | 0x20) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Percent signs and '+' resolved; what is no escape stays as it is. */
static struct span decode(struct arena *a, struct span s)
{
    char *to = arena_strdup(a, s);
    size_t n = 0;

    if (!to)
        return (struct span){0};
    for (size_t i = 0; i < s.len; i++) {
        bool pair = s.ptr[i] == '%' && i + 2 < s.len;
        int hi = pair ? hex(s.ptr[i + 1]) : -1;
        int lo = pair ? hex(s.ptr[i + 2]) : -1;

        to[n++] = s.ptr[i] == '+' ? ' ' : s.ptr[i];
        if (hi < 0 || lo < 0)
            continue;
        to[n - 1] = (char)(hi * 16 + lo);
        i += 2;
    }
    return (struct span){to, n};
}

struct span http_query(struct http_exchange *x, const char *name)
{
    struct span rest = x->request.query;

    while (rest.ptr) {
        struct span value = span_cut(&rest, '&');
        struct span key = span_cut(&value, '=');

        if (span_is(decode(&x->arena, key), name))
            return decode(&x->arena, value);
    }
    return (struct span){0};
}

struct arena *http_arena(struct http_exchange *x)
{
    return &x->arena;
}

void http_watch(struct http_exchange *x, struct http_watch w)
{
    x->watch = w;
}

void http_set(struct http_exchange *x, const char *name, struct span value)
{
    size_t from = 0;

    buf_str(&x->extra, name);
    buf_put(&x->extra, ": ", 2);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        if ((c >= ' ' && c != 0x7f) || c == '\t')
            continue;
        buf_put(&x->extra, value.ptr + from, i - from);
        from = i + 1;
    }
    if (from < value.len)
        buf_put(&x->extra, value.ptr + from, value.len - from);
    buf_put(&x->extra, "\r\n", 2);
}

void http_setf(struct http_exchange *x, const char *name, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof text)
        n = sizeof text - 1;
    http_set(x, name, (struct span){text, (size_t)n});
}

/* Status line and the headers that every answer has, into s->head. */
static void make_head(struct conn *c, int status, const char *type)
{
    struct http_server *s = c->server;
    struct buf *b = &s->head;

    buf_reset(b);
    buf_str(b, "HTTP/1.1 ");
    buf_decimal(b, (uint64_t)status);
    buf_char(b, ' ');
    buf_str(b, status_text(status));
    buf_str(b, "\r\ndate: ");
    buf_str(b, http_date(s));
    if (type) {
        buf_str(b, "\r\ncontent-type: ");
        buf_str(b, type);
    }
    if (!c->keep)
        buf_str(b, "\r\nconnection: close");
    else if (c->x && c->x->head.old)
        buf_str(b, "\r\nconnection: keep-alive");
    buf_put(b, "\r\n", 2);
}

static bool bodiless(int status)
{
    return status < 200 || status == 204 || status == 304;
}

static struct iovec iov_of(struct span s)
{
    /* sendmsg() does not write to it */
    return (struct iovec){(void *)(uintptr_t)s.ptr, s.len};
}

/* Puts the exchange aside; the connection goes on without it. */
static void leave(struct http_exchange *x)
{
    struct conn *c = x->conn;

    c->x = NULL;
    x->conn = NULL;
    x->next = c->server->ended;
    c->server->ended = x;
    http_turn(c);
}

void http_finish(struct http_exchange *x)
{
    struct conn *c = x->conn;

    leave(x);
    if (c->gathered || conn_unsent(c) > 0)
        conn_set(c, CONN_FLUSH);
    else if (c->keep && !c->server->draining)
        conn_set(c, CONN_IDLE);
    else
        conn_gone(c);
}

void http_reply(struct http_exchange *x, int status, const char *type,
                struct span body)
{
    struct conn *c = x->conn;
    struct buf *head = &c->server->head;
    struct iovec iov[4];

    if (c->server->draining)
        c->keep = false;
    make_head(c, status, type);
    if (!bodiless(status)) {
        buf_str(head, "content-length: ");
        buf_decimal(head, body.len);
        buf_put(head, "\r\n", 2);
    }
    if (bodiless(status) || x->no_body)
        body.len = 0;
    iov[0] = iov_of(buf_view(head));
    iov[1] = iov_of(buf_view(&x->extra));
    iov[2] = iov_of(SPAN("\r\n"));
    iov[3] = iov_of(body);
    conn_gather(c, iov, body.len ? 4 : 3);
    http_finish(x);
}

void http_begin(struct http_exchange *x, int status, const char *type)
{
    struct conn *c = x->conn;
    struct buf *head = &c->server->head;

    if (c->server->draining || (x->head.old && !x->no_body))
        c->keep = false;
    make_head(c, status, type);
    if (!x->head.old && !bodiless(status))
        buf_str(head, "transfer-encoding: chunked\r\n");
    if (bodiless(status))
        x->no_body = true;
    buf_span(head, buf_view(&x->extra));
    buf_put(head, "\r\n", 2);
    evbuffer_add(x->out, head->ptr, head->len);
    buf_free(&x->extra); /* the answer may last long */
    conn_set(c, CONN_STREAM);
    http_turn(c);
}

/* Hands what was gathered to the socket, what it does not take to the
 * bufferevent; says so when that has become too much. */
void http_flush(struct http_exchange *x)
{
    struct conn *c = x->conn;
    struct evbuffer *out = bufferevent_get_output(c->bev);
    bool was_empty = evbuffer_get_length(out) == 0;
    size_t left;

    if (!c->tls && was_empty && evbuffer_get_length(x->out))
        evbuffer_write(x->out, bufferevent_getfd(c->bev));
    if (evbuffer_get_length(x->out) == 0)
        return;
    c->queued += evbuffer_get_length(x->out);
    evbuffer_add_buffer(out, x->out);
    if (was_empty && c->state == CONN_STREAM)
        http_wait(c, WAIT_WRITE);
    left = evbuffer_get_length(out);
    if (left <= c->server->limits.write_mark || x->full)
        return;
    x->full = true;
    if (x->watch.on_full)
        x->watch.on_full(x->watch.ctx);
}

void http_write(struct http_exchange *x, struct span bytes)
{
    char size[24];
    int n;

    if (bytes.len == 0 || x->no_body)
        return;
    if (!x->head.old) {
        n = snprintf(size, sizeof size, "%zx\r\n", bytes.len);
        evbuffer_add(x->out, size, (size_t)n);
    }
    evbuffer_add(x->out, bytes.ptr, bytes.len);
    if (!x->head.old)
        evbuffer_add(x->out, "\r\n", 2);
    if (evbuffer_get_length(x->out) > HTTP_STREAM_AT)
        http_flush(x);
    else
        http_turn(x->conn);
}

void http_end(struct http_exchange *x)
{
    if (!x->head.old && !x->no_body)
        evbuffer_add(x->out, "0\r\n\r\n", 5);
    x->watch.on_full = NULL;
    http_flush(x);
    http_finish(x);
}

void http_abort(struct http_exchange *x)
{
    static const struct linger hard = {1, 0};
    struct conn *c = x->conn;

    x->watch = (struct http_watch){0};
    http_flush(x);
    if (x->head.old || c->state == CONN_BUSY) /* a plain end looks whole */
        setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER, &hard,
                   sizeof hard);
    conn_gone(c);
}

size_t http_unsent(const struct http_exchange *x)
{
    return conn_unsent(x->conn) + evbuffer_get_length(x->out);
}

static void refusal(const struct http_handler *h, struct span path, int status,
                    const char *why, struct buf *out)
{
    const char *type = status >= 500 ? "server_error" : "invalid_request_error";

    if (h->error_body) {
        h->error_body(h->ctx, path, status, why, out);
        return;
    }
    buf_printf(out,
               "{\"error\":{\"message\":\"%s\",\"type\":\"%s\","
               "\"param\":null,\"code\":null}}\n",
               why, type);
}

void http_refuse(struct conn *c, int status, const char *why)
{
    const struct http_handler *h = &c->server->handler;
    struct span path = c->x ? c->x->head.path : (struct span){NULL, 0};
    struct buf *head = &c->server->head, body;
    struct iovec iov;

    buf_init(&body, 4096);
    refusal(h, path, status, why, &body);
    c->keep = false;
    make_head(c, status, "application/json");
    buf_printf(head, "content-length: %zu\r\n\r\n", body.len);
    if (!c->x || !c->x->no_body)
        buf_span(head, buf_view(&body));
    buf_free(&body);
    iov = iov_of(buf_view(head));
    conn_send(c, &iov, 1);
    if (h->refused)
        h->refused(h->ctx, path, status, why);
    if (c->x)
        leave(c->x);
    conn_set(c, CONN_LINGER);
    if (conn_unsent(c) == 0)
        shutdown(bufferevent_getfd(c->bev), SHUT_WR);
}
