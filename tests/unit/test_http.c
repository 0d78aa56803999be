/* SPDX-License-Identifier: Apache-2.0 */
#include "router/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/clock.h"

/* A server in this process, driven between the clients' steps. */
struct rig {
    struct event_base *base;
    struct http_server *server;
    struct http_exchange *x; /* the one that waits for its answer */
    unsigned port;
    int requests, gone, full, drained;
    struct buf got; /* what a client has read */
};

static void on_gone(void *ctx)
{
    struct rig *r = ctx;

    r->gone++;
    r->x = NULL;
}

static void on_full(void *ctx)
{
    ((struct rig *)ctx)->full++;
}

static void on_drain(void *ctx)
{
    ((struct rig *)ctx)->drained++;
}

static void echo(struct http_exchange *x)
{
    const struct http_request *q = http_request(x);
    struct buf b;

    buf_init(&b, 1 << 24);
    buf_printf(&b, "%.*s %.*s ? %.*s [%.*s] ", SPAN_ARGS(q->method),
               SPAN_ARGS(q->path), SPAN_ARGS(q->query),
               SPAN_ARGS(http_header(x, "x-say")));
    buf_span(&b, q->body);
    http_set(x, "x-echo", SPAN("yes\r\nset-cookie: no"));
    http_reply(x, 200, "text/plain", buf_view(&b));
    buf_free(&b);
}

/* /echo answers at once; everything else waits in r->x. */
static void on_request(void *ctx, struct http_exchange *x)
{
    struct rig *r = ctx;

    r->requests++;
    if (span_is(http_request(x)->path, "/echo")) {
        echo(x);
        return;
    }
    http_watch(x, (struct http_watch){r, on_gone, on_full, on_drain});
    r->x = x;
}

static const struct http_limits LIMITS = {
    .header_bytes = 4096,
    .body_bytes = 1 << 20,
    .header_ms = 120,
    .body_ms = 120,
    .idle_ms = 400,
    .write_ms = 200,
    .connections = 40,
    .write_mark = 100000,
};

static int set_up(void **state)
{
    static const struct http_handler handler = {on_request};
    struct rig *r = calloc(1, sizeof *r);
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    struct err e;
    int fd = http_listen("127.0.0.1:0", &e);

    assert_non_null(r);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    r->port = ntohs(a.sin_port);
    r->base = event_base_new();
    r->server = http_server_new(r->base, fd, &LIMITS, &handler, r, &e);
    assert_non_null(r->server);
    buf_init(&r->got, 1 << 26);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    http_server_free(r->server);
    event_base_free(r->base);
    buf_free(&r->got);
    free(r);
    return 0;
}

static void spin(struct rig *r)
{
    for (int i = 0; i < 4; i++)
        event_base_loop(r->base, EVLOOP_NONBLOCK);
}

static void spin_ms(struct rig *r, unsigned ms)
{
    uint64_t until = clock_ns() + (uint64_t)ms * 1000000;

    while (clock_ns() < until) {
        spin(r);
        usleep(2000);
    }
}

static int client(struct rig *r)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)r->port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    assert_true(fd >= 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void say_n(struct rig *r, int fd, const char *p, size_t n)
{
    if (n)
        assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
    spin(r);
}

static void say(struct rig *r, int fd, const char *text)
{
    say_n(r, fd, text, strlen(text));
}

/* Reads what is there; true when the other side has closed. */
static bool hear(struct rig *r, int fd)
{
    char chunk[65536];
    ssize_t n;

    spin(r);
    while ((n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT)) > 0) {
        buf_put(&r->got, chunk, (size_t)n);
        spin(r);
    }
    return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void has(struct rig *r, const char *text)
{
    if (!strstr(buf_cstr(&r->got), text))
        fail_msg("no \"%s\" in \"%s\"", text, buf_cstr(&r->got));
}

static int count(struct rig *r, const char *text)
{
    const char *p = buf_cstr(&r->got);
    int n = 0;

    while ((p = strstr(p, text))) {
        p += strlen(text);
        n++;
    }
    return n;
}

#define HOST "Host: a\r\n"

static const struct {
    const char *request, *want;
} GOOD[] = {
    {"GET /echo?a=b HTTP/1.1\r\n" HOST "\r\n", "GET /echo ? a=b [] "},
    {"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
     "X-Say:  hi \t\r\n\r\nhello",
     "POST /echo ?  [hi] hello"},
    {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
     "3;x=\"y\"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n",
     "abc0123456789"},
    {"\r\n\r\nPUT http://host/echo?x HTTP/1.1\r\n" HOST
     "Content-Length: 0\r\n\r\n",
     "PUT /echo ? x [] "},
    {"GET /echo HTTP/1.0\r\n\r\n", "GET /echo ?  [] "},
    {"OPTIONS /echo HTTP/1.1\r\n" HOST "\r\n", "OPTIONS /echo"},
};

static void a_request_is_the_same_however_it_is_cut(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        const char *p = GOOD[i].request;
        size_t n = strlen(p);

        for (size_t at = 0; at < n; at++) {
            int fd = client(r);

            buf_reset(&r->got);
            say_n(r, fd, p, at);
            say_n(r, fd, p + at, n - at);
            hear(r, fd);
            if (count(r, "HTTP/1.1 200 OK\r\n") != 1 ||
                !strstr(buf_cstr(&r->got), GOOD[i].want))
                fail_msg("%s cut at %zu: %s", p, at, buf_cstr(&r->got));
            assert_int_equal(count(r, "\r\nset-cookie"), 0);
            close(fd);
        }
    }
}

static void bytes_may_come_one_by_one(void **state)
{
    struct rig *r = *state;
    int fd = client(r);

    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD - 2; i++) {
        buf_reset(&r->got);
        for (const char *p = GOOD[i].request; *p; p++)
            say_n(r, fd, p, 1);
        hear(r, fd);
        has(r, GOOD[i].want);
    }
    close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct rig *r = *state;
    struct buf all;
    int fd = client(r);

    buf_init(&all, 1 << 20);
    for (int i = 0; i < 200; i++)
        buf_printf(&all,
                   "POST /echo?%d HTTP/1.1\r\n" HOST
                   "Content-Length: 3\r\n\r\nabc",
                   i);
    say_n(r, fd, all.ptr, all.len);
    for (int i = 0; i < 20; i++)
        hear(r, fd);
    assert_int_equal(r->requests, 200);
    assert_int_equal(count(r, "HTTP/1.1 200 OK\r\n"), 200);
    has(r, "? 199 [] abc");
    buf_free(&all);
    close(fd);
}

static void a_pipelined_request_waits_for_the_one_before(void **state)
{
    struct rig *r = *state;
    int fd = client(r);

    say(r, fd,
        "GET /wait HTTP/1.1\r\n" HOST "\r\n"
        "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(r->requests, 1);
    assert_int_equal(http_server_busy(r->server), 1);
    assert_non_null(r->x);
    http_reply(r->x, 201, "text/plain", SPAN("first"));
    hear(r, fd);
    assert_int_equal(r->requests, 2);
    assert_int_equal(http_server_busy(r->server), 0);
    assert_true(strstr(r->got.ptr, "first") < strstr(r->got.ptr, "/echo"));
    close(fd);
}

static void reading_ahead_is_bounded(void **state)
{
    struct rig *r = *state;
    static char junk[1 << 16];
    size_t sent = 0;
    int fd = client(r), size = 65536;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    memset(junk, 'x', sizeof junk);
    for (int i = 0; i < 2000; i++) {
        ssize_t n = send(fd, junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        event_base_loop(r->base, EVLOOP_NONBLOCK);
    }
    /* What the kernel's buffers hold and 64 KiB, not 131 MB. */
    assert_true(sent < (size_t)16 << 20);
    http_reply(r->x, 200, "text/plain", SPAN("ok"));
    hear(r, fd);
    has(r, "HTTP/1.1 200 OK");
    close(fd);
}

static const struct {
    const char *name, *request;
    int status;
} BAD[] = {
    {"length and chunked",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400},
    {"chunked and length",
     "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
     "Content-Length: 5\r\n\r\n0\r\n\r\n",
     400},
    {"two lengths",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
     "Content-Length: 6\r\n\r\nhello!",
     400},
    {"a list of lengths",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\nhello", 400},
    {"a signed length",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello", 400},
    {"a hexadecimal length",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\nhello", 400},
    {"an empty length",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400},
    {"a length beyond 64 bits",
     "POST /echo HTTP/1.1\r\n" HOST
     "Content-Length: 18446744073709551621\r\n\r\nhello",
     400},
    {"gzip, chunked",
     "POST /echo HTTP/1.1\r\n" HOST
     "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     400},
    {"identity",
     "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 400},
    {"chunked twice",
     "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400},
    {"xchunked",
     "POST /echo HTTP/1.1\r\n" HOST
     "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
     400},
    {"vertical tab before chunked",
     "POST /echo HTTP/1.1\r\n" HOST
     "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n",
     400},
    {"chunked in 1.0",
     "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"space before the colon",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\nhello", 400},
    {"space before the name", "GET /echo HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    {"folded header", "GET /echo HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400},
    {"bare LF after a header", "GET /echo HTTP/1.1\r\nHost: a\n\r\n", 400},
    {"bare LF everywhere", "GET /echo HTTP/1.1\nHost: a\n\n", 400},
    {"bare LF in the request line", "GET /echo HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"CR CR LF", "GET /echo HTTP/1.1\r\r\n" HOST "\r\n", 400},
    {"bare CR in a value",
     "GET /echo HTTP/1.1\r\n" HOST "X: a\rTransfer-Encoding: chunked\r\n\r\n",
     400},
    {"no colon", "GET /echo HTTP/1.1\r\n" HOST "nothing\r\n\r\n", 400},
    {"no name", "GET /echo HTTP/1.1\r\n" HOST ": x\r\n\r\n", 400},
    {"no host", "GET /echo HTTP/1.1\r\n\r\n", 400},
    {"two hosts", "GET /echo HTTP/1.1\r\n" HOST HOST "\r\n", 400},
    {"no version", "GET /echo\r\n\r\n", 400},
    {"two spaces", "GET  /echo HTTP/1.1\r\n" HOST "\r\n", 400},
    {"space at the end", "GET /echo HTTP/1.1 \r\n" HOST "\r\n", 400},
    {"a tab between", "GET\t/echo HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a raw byte in the target", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"no path", "GET echo HTTP/1.1\r\n" HOST "\r\n", 400},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"HTTP/1.2", "GET /echo HTTP/1.2\r\n" HOST "\r\n", 505},
    {"lower-case version", "GET /echo http/1.1\r\n" HOST "\r\n", 400},
    {"a chunk size with space",
     "POST /echo HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
     400},
    {"a chunk with bare LF",
     "POST /echo HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
     400},
    {"a chunk longer than said",
     "POST /echo HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
     400},
    {"a chunk size beyond 60 bits",
     "POST /echo HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n",
     400},
    {"a signed chunk size",
     "POST /echo HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
     400},
    {"another expectation",
     "POST /echo HTTP/1.1\r\n" HOST "Expect: gold\r\n"
     "Content-Length: 5\r\n\r\n",
     417},
    {"too large",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n", 413},
    {"too large a chunk",
     "POST /echo HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\n\r\nffffff\r\n",
     0},
};

static void ambiguous_framing_is_refused_and_cut(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        char want[32];
        int fd = client(r);

        if (BAD[i].status == 0)
            continue;
        buf_reset(&r->got);
        say(r, fd, BAD[i].request);
        say(r, fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
        hear(r, fd);
        snprintf(want, sizeof want, "HTTP/1.1 %d ", BAD[i].status);
        if (!strstr(buf_cstr(&r->got), want) || r->requests ||
            count(r, "content-type:") != 1)
            fail_msg("%s: wanted %s, got %s", BAD[i].name, want,
                     buf_cstr(&r->got));
        has(r, "{\"error\":{\"message\":\"");
        has(r, "connection: close\r\n");
        assert_true(hear(r, fd)); /* our side is closed */
        close(fd);
    }
}

static void a_nul_in_a_header_is_refused(void **state)
{
    static const char text[] = "GET /echo HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n";
    struct rig *r = *state;
    int fd = client(r);

    say_n(r, fd, text, sizeof text - 1);
    hear(r, fd);
    has(r, "HTTP/1.1 400 ");
    assert_int_equal(r->requests, 0);
    close(fd);
}

static void headers_and_bodies_have_limits(void **state)
{
    struct rig *r = *state;
    static char big[8192];
    char chunk[4110];
    int fd = client(r);

    memset(big, 'x', sizeof big);
    say(r, fd, "GET /echo HTTP/1.1\r\nX: ");
    say_n(r, fd, big, sizeof big);
    hear(r, fd);
    has(r, "HTTP/1.1 431 ");
    close(fd);
    fd = client(r);
    buf_reset(&r->got);
    say(r, fd,
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    snprintf(chunk, sizeof chunk, "1000\r\n%.4096s\r\n", big);
    for (int i = 0; i < 300 && r->got.len == 0; i++) {
        send(fd, chunk, 4104, MSG_NOSIGNAL);
        hear(r, fd);
    }
    has(r, "HTTP/1.1 413 ");
    assert_int_equal(r->requests, 0);
    close(fd);
    fd = client(r);
    buf_reset(&r->got);
    say(r, fd, "GET /echo HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 120; i++)
        say(r, fd, "A: b\r\n");
    say(r, fd, "\r\n");
    hear(r, fd);
    has(r, "HTTP/1.1 431 ");
    close(fd);
}

static void a_large_body_arrives_whole(void **state)
{
    struct rig *r = *state;
    size_t n = 1 << 20;
    char *body = malloc(n);
    int fd = client(r);
    size_t at = 0;

    assert_non_null(body);
    for (size_t i = 0; i < n; i++)
        body[i] = (char)('a' + i % 23);
    say(r, fd,
        "POST /wait HTTP/1.1\r\n" HOST "Content-Length: 1048576\r\n\r\n");
    while (at < n) {
        ssize_t sent = send(fd, body + at, n - at, MSG_DONTWAIT);

        at += sent > 0 ? (size_t)sent : 0;
        spin(r);
    }
    assert_non_null(r->x);
    assert_int_equal(http_request(r->x)->body.len, n);
    assert_memory_equal(http_request(r->x)->body.ptr, body, n);
    http_reply(r->x, 200, "text/plain", http_request(r->x)->body);
    for (int i = 0; i < 200 && r->got.len < n; i++)
        hear(r, fd);
    assert_true(r->got.len > n);
    assert_memory_equal(r->got.ptr + r->got.len - n, body, n);
    free(body);
    close(fd);
}

static void expect_is_answered_before_the_body(void **state)
{
    struct rig *r = *state;
    int fd = client(r);

    say(r, fd,
        "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n"
        "Content-Length: 5\r\n\r\n");
    hear(r, fd);
    assert_string_equal(r->got.ptr, "HTTP/1.1 100 Continue\r\n\r\n");
    say(r, fd, "hello");
    hear(r, fd);
    has(r, "HTTP/1.1 200 OK");
    close(fd);
}

static void head_has_headers_only(void **state)
{
    struct rig *r = *state;
    int fd = client(r);

    say(r, fd, "HEAD /echo HTTP/1.1\r\n" HOST "\r\n");
    hear(r, fd);
    has(r, "content-length: 17\r\n");
    assert_string_equal(r->got.ptr + r->got.len - 4, "\r\n\r\n");
    buf_reset(&r->got);
    say(r, fd, "HEAD /wait HTTP/1.1\r\n" HOST "\r\n");
    http_begin(r->x, 200, "text/event-stream");
    http_write(r->x, SPAN("not sent"));
    http_end(r->x);
    hear(r, fd);
    assert_int_equal(count(r, "not sent"), 0);
    buf_reset(&r->got);
    say(r, fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    hear(r, fd);
    has(r, "HTTP/1.1 200 OK");
    close(fd);
}

static void connections_are_kept_or_closed_as_asked(void **state)
{
    static const struct {
        const char *request;
        bool closes;
    } cases[] = {
        {"GET /echo HTTP/1.1\r\n" HOST "\r\n", false},
        {"GET /echo HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", true},
        {"GET /echo HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n", true},
        {"GET /echo HTTP/1.0\r\n\r\n", true},
        {"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
    };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = client(r);

        buf_reset(&r->got);
        say(r, fd, cases[i].request);
        hear(r, fd);
        has(r, "HTTP/1.1 200 OK");
        assert_int_equal(hear(r, fd), cases[i].closes);
        assert_int_equal(count(r, "connection: close"), cases[i].closes);
        close(fd);
    }
}

static void a_stream_is_chunked_and_gathered(void **state)
{
    struct rig *r = *state;
    int fd = client(r);

    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    http_set(r->x, "x-weir-arm", SPAN("nano"));
    http_begin(r->x, 200, "text/event-stream");
    http_write(r->x, SPAN("hello"));
    http_write(r->x, SPAN(""));
    hear(r, fd);
    has(r, "transfer-encoding: chunked\r\n");
    has(r, "x-weir-arm: nano\r\n");
    has(r, "\r\n\r\n5\r\nhello\r\n");
    http_write(r->x, SPAN("0123456789abcdef"));
    http_end(r->x);
    hear(r, fd);
    has(r, "10\r\n0123456789abcdef\r\n0\r\n\r\n");
    say(r, fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    hear(r, fd);
    assert_int_equal(count(r, "HTTP/1.1 200 OK"), 2);
    close(fd);
}

static void a_stream_to_an_old_client_ends_with_the_connection(void **state)
{
    struct rig *r = *state;
    int fd = client(r);

    say(r, fd, "GET /wait HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    http_begin(r->x, 200, "text/plain");
    http_write(r->x, SPAN("hello"));
    http_end(r->x);
    hear(r, fd);
    has(r, "\r\n\r\nhello");
    assert_int_equal(count(r, "chunked"), 0);
    assert_true(hear(r, fd));
    close(fd);
}

static void a_client_that_leaves_is_noticed_at_once(void **state)
{
    struct rig *r = *state;
    int fd = client(r);

    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    close(fd);
    spin(r);
    assert_int_equal(r->gone, 1);
    fd = client(r);
    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    http_begin(r->x, 200, "text/event-stream");
    http_write(r->x, SPAN("hello"));
    hear(r, fd);
    close(fd);
    spin(r);
    assert_int_equal(r->gone, 2);
    fd = client(r);
    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    shutdown(fd, SHUT_WR);
    spin(r);
    assert_int_equal(r->gone, 3);
    close(fd);
    fd = client(r);
    say(r, fd, "POST /wait HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nab");
    close(fd);
    spin(r);
    assert_int_equal(r->gone, 3); /* there was no exchange yet */
    assert_int_equal(http_server_open(r->server), 0);
    assert_int_equal(http_server_busy(r->server), 0);
}

static void a_slow_reader_fills_and_drains(void **state)
{
    static char block[50000];
    struct rig *r = *state;
    size_t before;
    int size = 65536, fd = client(r);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    memset(block, 'x', sizeof block);
    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    http_begin(r->x, 200, "text/plain");
    for (int i = 0; i < 2000 && !r->full; i++) {
        http_write(r->x, (struct span){block, sizeof block});
        spin(r);
    }
    assert_int_equal(r->full, 1);
    assert_true(http_unsent(r->x) > LIMITS.write_mark);
    assert_int_equal(r->drained, 0);
    before = http_unsent(r->x);
    for (int i = 0; i < 3000 && !r->drained; i++) {
        hear(r, fd);
        usleep(1000);
    }
    assert_int_equal(r->drained, 1);
    assert_true(http_unsent(r->x) <= LIMITS.write_mark / 4);
    assert_true(before > LIMITS.write_mark);
    http_write(r->x, SPAN("the end"));
    http_end(r->x);
    hear(r, fd);
    has(r, "7\r\nthe end\r\n0\r\n\r\n");
    close(fd);
}

static void a_reader_that_takes_nothing_is_cut_off(void **state)
{
    static char block[1 << 20];
    struct rig *r = *state;
    int size = 4096, fd = client(r);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    memset(block, 'x', sizeof block);
    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    http_begin(r->x, 200, "text/plain");
    for (int i = 0; i < 12; i++)
        http_write(r->x, (struct span){block, sizeof block});
    spin_ms(r, 100);
    assert_int_equal(r->gone, 0);
    spin_ms(r, 300);
    assert_int_equal(r->gone, 1);
    assert_int_equal(http_server_open(r->server), 0);
    close(fd);
}

static void waiting_has_limits(void **state)
{
    struct rig *r = *state;
    int head = client(r), body = client(r), idle = client(r);

    say(r, head, "GET /echo HT");
    say(r, body, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nab");
    spin_ms(r, 60);
    say(r, body, "c"); /* a body's clock starts again with each piece */
    spin_ms(r, 150);
    assert_true(hear(r, head));
    has(r, "HTTP/1.1 408 ");
    has(r, "headers took too long");
    buf_reset(&r->got);
    spin_ms(r, 60);
    assert_true(hear(r, body));
    has(r, "HTTP/1.1 408 ");
    has(r, "body took too long");
    assert_false(hear(r, idle));
    spin_ms(r, 300);
    assert_true(hear(r, idle));
    close(head);
    close(body);
    close(idle);
}

static void connections_beyond_the_limit_are_turned_away(void **state)
{
    struct rig *r = *state;
    int fds[41];

    for (int i = 0; i < 41; i++) {
        fds[i] = client(r);
        spin(r);
    }
    assert_int_equal(http_server_open(r->server), 40);
    assert_true(hear(r, fds[40]));
    has(r, "HTTP/1.1 503 ");
    has(r, "retry-after: 1\r\n");
    for (int i = 0; i < 41; i++)
        close(fds[i]);
    spin(r);
    assert_int_equal(http_server_open(r->server), 0);
}

static void running_out_of_descriptors_is_survived(void **state)
{
    struct rig *r = *state;
    struct rlimit was, tight;
    int a = client(r), b, top;

    spin(r);
    b = client(r); /* waits in the backlog */
    top = dup(0);
    close(top);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    tight = was;
    tight.rlim_cur = (rlim_t)top;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    spin(r);
    spin_ms(r, 20);
    assert_int_equal(http_server_open(r->server), 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    spin_ms(r, 150);
    assert_int_equal(http_server_open(r->server), 2);
    say(r, b, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    hear(r, b);
    has(r, "HTTP/1.1 200 OK");
    close(a);
    close(b);
}

static void a_draining_server_finishes_what_runs(void **state)
{
    struct rig *r = *state;
    int idle = client(r), busy = client(r);

    say(r, busy, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    http_server_drain(r->server);
    spin(r);
    assert_true(hear(r, idle));
    assert_int_equal(http_server_open(r->server), 1);
    http_reply(r->x, 200, "text/plain", SPAN("done"));
    assert_true(hear(r, busy));
    has(r, "connection: close\r\n");
    has(r, "done");
    assert_int_equal(http_server_open(r->server), 0);
    close(idle);
    close(busy);
}

static void an_aborted_stream_does_not_look_whole(void **state)
{
    static const char *const lines[] = {"GET /wait HTTP/1.1\r\n" HOST "\r\n",
                                        "GET /wait HTTP/1.0\r\n\r\n"};
    struct rig *r = *state;

    for (int i = 0; i < 2; i++) {
        char c[4096];
        int fd = client(r);
        ssize_t n;

        say(r, fd, lines[i]);
        http_begin(r->x, 200, "text/plain");
        http_write(r->x, SPAN("half"));
        spin(r);
        http_abort(r->x);
        spin(r);
        while ((n = recv(fd, c, sizeof c - 1, MSG_DONTWAIT)) > 0) {
            c[n] = '\0';
            assert_null(strstr(c, "0\r\n\r\n"));
        }
        assert_int_equal(n, i == 0 ? 0 : -1);
        if (i == 1)
            assert_int_equal(errno, ECONNRESET);
        close(fd);
    }
    assert_int_equal(r->gone, 0);
}

static void queries_are_decoded(void **state)
{
    struct rig *r = *state;
    int fd = client(r);

    say(r, fd, "GET /wait?key=a%20b+c%zz%4&a%62c=&x HTTP/1.1\r\n" HOST "\r\n");
    assert_true(span_is(http_query(r->x, "key"), "a b c%zz%4"));
    assert_non_null(http_query(r->x, "abc").ptr);
    assert_int_equal(http_query(r->x, "abc").len, 0);
    assert_null(http_query(r->x, "nothing").ptr);
    assert_true(span_starts(http_request(r->x)->peer, "127.0.0.1:"));
    http_reply(r->x, 204, NULL, SPAN(""));
    hear(r, fd);
    assert_int_equal(count(r, "content-length"), 0);
    close(fd);
}

static void the_end_of_the_server_tells_the_owners(void **state)
{
    struct rig *r = *state;
    int fd = client(r);

    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    http_server_free(r->server);
    r->server = NULL;
    assert_int_equal(r->gone, 1);
    close(fd);
}

static void addresses_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"", "localhost",
                                      "127.0.0.1:http:", "127.0.0.1:999999",
                                      "no.such.host.:1"};
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(http_listen(bad[i], &e), -1);
        assert_true(e.msg[0] != '\0');
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_the_same_however_it_is_cut),
        TEST(bytes_may_come_one_by_one),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(a_pipelined_request_waits_for_the_one_before),
        TEST(reading_ahead_is_bounded),
        TEST(ambiguous_framing_is_refused_and_cut),
        TEST(a_nul_in_a_header_is_refused),
        TEST(headers_and_bodies_have_limits),
        TEST(a_large_body_arrives_whole),
        TEST(expect_is_answered_before_the_body),
        TEST(head_has_headers_only),
        TEST(connections_are_kept_or_closed_as_asked),
        TEST(a_stream_is_chunked_and_gathered),
        TEST(a_stream_to_an_old_client_ends_with_the_connection),
        TEST(a_client_that_leaves_is_noticed_at_once),
        TEST(a_slow_reader_fills_and_drains),
        TEST(a_reader_that_takes_nothing_is_cut_off),
        TEST(waiting_has_limits),
        TEST(connections_beyond_the_limit_are_turned_away),
        TEST(running_out_of_descriptors_is_survived),
        TEST(a_draining_server_finishes_what_runs),
        TEST(an_aborted_stream_does_not_look_whole),
        TEST(queries_are_decoded),
        TEST(the_end_of_the_server_tells_the_owners),
        TEST(addresses_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
