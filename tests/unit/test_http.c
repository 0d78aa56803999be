/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: parsing, framing, limits in size. */
#include "tests/unit/http_rig.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
