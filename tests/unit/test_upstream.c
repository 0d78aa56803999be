/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/clock.h"
#include "router/http.h"

/*
 * The provider is http.c in the same loop where its manners suffice, and a
 * raw listening socket where it has to misbehave.
 */
struct rig {
    struct event_base *base;
    struct http_server *server;
    struct upstream *u;
    unsigned port;
    struct http_exchange *x; /* waits for the test to answer it */
    int requests, gone;
    struct buf seen; /* what the provider got: headers and body */
};

/* One call and what was heard of it. */
struct heard {
    struct rig *rig;
    struct upstream_call *call;
    struct upstream_result result;
    struct buf body;
    char type[64];
    int heads, bodies, dones, status;
    int cancel_at;       /* 1: on_head, 2: on_body, 3: on_done */
    bool pause;          /* from on_body */
    struct heard *other; /* cancelled from this one's on_body */
};

static void on_gone(void *ctx)
{
    struct rig *r = ctx;

    r->gone++;
    r->x = NULL;
}

static void on_request(void *ctx, struct http_exchange *x)
{
    struct rig *r = ctx;
    const struct http_request *q = http_request(x);

    r->requests++;
    buf_reset(&r->seen);
    for (size_t i = 0; i < q->n_headers; i++)
        buf_printf(&r->seen, "%.*s=%.*s;", SPAN_ARGS(q->headers[i].name),
                   SPAN_ARGS(q->headers[i].value));
    buf_printf(&r->seen, "%.*s ", SPAN_ARGS(q->method));
    buf_span(&r->seen, q->body);
    if (span_is(q->path, "/echo")) {
        http_set(x, "x-request-id", SPAN("abc"));
        http_reply(x, 200, "text/plain", q->body);
        return;
    }
    http_watch(x, (struct http_watch){.ctx = r, .on_gone = on_gone});
    r->x = x;
}

static int set_up(void **state)
{
    static const struct http_limits limits = {.header_bytes = 65536,
                                              .body_bytes = 32 << 20,
                                              .header_ms = 5000,
                                              .body_ms = 5000,
                                              .idle_ms = 300,
                                              .write_ms = 5000,
                                              .connections = 1000,
                                              .write_mark = 262144};
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
    r->server = http_server_new(r->base, fd, &limits, &handler, r, &e);
    r->u = upstream_new(r->base, 0, &e);
    assert_non_null(r->server);
    assert_non_null(r->u);
    buf_init(&r->seen, 64 << 20);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    upstream_free(r->u);
    http_server_free(r->server);
    event_base_free(r->base);
    buf_free(&r->seen);
    free(r);
    return 0;
}

static void cancel(struct heard *h)
{
    struct upstream_call *c = h->call;

    h->call = NULL;
    upstream_cancel(c);
}

static void on_head(void *ctx, int status)
{
    struct heard *h = ctx;
    struct span type = upstream_header(h->call, "content-type");

    h->heads++;
    h->status = status;
    span_copy(h->type, sizeof h->type, type);
    if (h->cancel_at == 1)
        cancel(h);
}

static void on_body(void *ctx, struct span bytes)
{
    struct heard *h = ctx;

    h->bodies++;
    buf_span(&h->body, bytes);
    if (h->pause)
        upstream_pause(h->call);
    if (h->other)
        cancel(h->other);
    h->other = NULL;
    if (h->cancel_at == 2)
        cancel(h);
}

static void on_done(void *ctx, const struct upstream_result *r)
{
    struct heard *h = ctx;

    h->dones++;
    h->result = *r;
    if (h->cancel_at == 3)
        upstream_cancel(h->call);
    h->call = NULL;
}

static struct upstream_request request_of(struct rig *r, const char *path,
                                          char url[128])
{
    snprintf(url, 128, "http://127.0.0.1:%u%s", r->port, path);
    return (struct upstream_request){.method = "POST",
                                     .url = url,
                                     .body = SPAN("hello"),
                                     .connect_ms = 2000,
                                     .total_ms = 5000};
}

static void start(struct rig *r, struct heard *h,
                  const struct upstream_request *q)
{
    struct upstream_events ev = {h, on_head, on_body, on_done};
    struct err e;

    h->rig = r;
    buf_init(&h->body, 64 << 20);
    h->call = upstream_start(r->u, q, &ev, &e);
    if (!h->call)
        fail_msg("%s", e.msg);
    assert_int_equal(h->heads + h->bodies + h->dones, 0);
}

/* Runs the loop until *what is at least n, or for a while. */
static void run_until(struct rig *r, const int *what, int n)
{
    uint64_t until = clock_ns() + 3000000000U;

    while (*what < n && clock_ns() < until) {
        event_base_loop(r->base, EVLOOP_NONBLOCK);
        usleep(500);
    }
    if (*what < n)
        fail_msg("waited in vain");
}

static void run_ms(struct rig *r, unsigned ms)
{
    uint64_t until = clock_ns() + (uint64_t)ms * 1000000;

    while (clock_ns() < until) {
        event_base_loop(r->base, EVLOOP_NONBLOCK);
        usleep(500);
    }
}

static void a_call_is_answered_and_its_connection_used_again(void **state)
{
    static const struct upstream_header headers[] = {
        {"authorization", SPAN_INIT("Bearer x")},
        {"content-type", SPAN_INIT("application/json")},
        {"x-empty", {NULL, 0}}};
    struct rig *r = *state;

    for (int i = 0; i < 3; i++) {
        struct heard h = {0};
        char url[128];
        struct upstream_request q = request_of(r, "/echo", url);

        q.headers = headers;
        q.n_headers = 3;
        start(r, &h, &q);
        run_until(r, &h.dones, 1);
        assert_int_equal(h.result.end, UPSTREAM_OK);
        assert_int_equal(h.result.status, 200);
        assert_int_equal(h.heads, 1);
        assert_string_equal(h.type, "text/plain");
        assert_string_equal(buf_cstr(&h.body), "hello");
        assert_int_equal(h.result.reused, i > 0);
        assert_int_equal(h.result.connect_us == 0, i > 0);
        assert_true(h.result.first_byte_us <= h.result.total_us);
        assert_non_null(strstr(r->seen.ptr, "authorization=Bearer x;"));
        assert_non_null(strstr(r->seen.ptr, "x-empty=;"));
        assert_non_null(strstr(r->seen.ptr, "POST hello"));
        assert_null(strstr(r->seen.ptr, "expect"));
        assert_null(strstr(r->seen.ptr, "user-agent"));
        buf_free(&h.body);
    }
    assert_int_equal(http_server_open(r->server), 1);
}

static void methods_change_from_call_to_call(void **state)
{
    static const char *const methods[] = {"POST",   "GET", "POST",
                                          "DELETE", "PUT", "GET"};
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct heard h = {0};
        char url[128], want[32];
        struct upstream_request q = request_of(r, "/echo", url);
        bool body = methods[i][0] == 'P';

        q.method = methods[i];
        q.body = body ? SPAN("data") : SPAN("");
        start(r, &h, &q);
        run_until(r, &h.dones, 1);
        assert_int_equal(h.result.end, UPSTREAM_OK);
        snprintf(want, sizeof want, ";%s %s", methods[i], body ? "data" : "");
        if (!strstr(r->seen.ptr, want))
            fail_msg("wanted %s, got %s", want, r->seen.ptr);
        buf_free(&h.body);
    }
}

static void a_large_body_goes_and_comes_whole(void **state)
{
    struct rig *r = *state;
    size_t n = (size_t)8 << 20;
    char *big = malloc(n), url[128];
    struct upstream_request q = request_of(r, "/echo", url);
    struct heard h = {0};

    assert_non_null(big);
    for (size_t i = 0; i < n; i++)
        big[i] = (char)('a' + i % 23);
    q.body = (struct span){big, n};
    start(r, &h, &q);
    run_until(r, &h.dones, 1);
    assert_int_equal(h.result.end, UPSTREAM_OK);
    assert_int_equal(h.body.len, n);
    assert_memory_equal(h.body.ptr, big, n);
    buf_free(&h.body);
    memset(&h, 0, sizeof h);
    q.max_body = 100000;
    start(r, &h, &q);
    run_until(r, &h.dones, 1);
    assert_int_equal(h.result.end, UPSTREAM_TOO_LARGE);
    assert_true(h.body.len <= 100000);
    assert_string_equal(h.result.reason,
                        "the answer is larger than 100000 bytes");
    buf_free(&h.body);
    free(big);
}

static int listen_raw(unsigned *port)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    struct err e;
    int fd = http_listen("127.0.0.1:0", &e);

    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static void nobody_listening_is_refused(void **state)
{
    struct rig *r = *state;
    struct heard h = {0};
    char url[128];
    unsigned port;
    struct upstream_request q;

    close(listen_raw(&port));
    r->port = port;
    q = request_of(r, "/echo", url);
    start(r, &h, &q);
    run_until(r, &h.dones, 1);
    assert_int_equal(h.result.end, UPSTREAM_REFUSED);
    assert_int_equal(h.result.status, 0);
    assert_true(h.result.reason[0] != '\0');
    buf_free(&h.body);
}

/* A provider that says these bytes and closes. */
static const struct {
    const char *name, *bytes;
    enum upstream_end end;
    int status;
} ANSWERS[] = {
    {"nothing", "", UPSTREAM_CUT, 0},
    {"half a head", "HTTP/1.1 200 OK\r\ncontent-le", UPSTREAM_CUT, 200},
    {"a short body", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
     UPSTREAM_CUT, 200},
    {"chunks without an end",
     "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
     UPSTREAM_CUT, 200},
    {"until close", "HTTP/1.1 200 OK\r\n\r\nabc", UPSTREAM_OK, 200},
    {"an early hint",
     "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
     "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
     UPSTREAM_OK, 404},
    {"a redirect",
     "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n"
     "content-length: 0\r\n\r\n",
     UPSTREAM_OK, 302},
    {"garbage", "SSH-2.0-OpenSSH_9.2\r\n", UPSTREAM_OTHER, 0},
    {"bad chunks",
     "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
     UPSTREAM_CUT, 200},
};

static void answer_raw(struct rig *r, int fd, const char *bytes)
{
    char in[4096];
    int c = -1;

    for (int i = 0; i < 1000 && c < 0; i++) {
        event_base_loop(r->base, EVLOOP_NONBLOCK);
        c = accept(fd, NULL, NULL);
        usleep(500);
    }
    assert_true(c >= 0);
    for (int i = 0; i < 1000 && recv(c, in, sizeof in, MSG_DONTWAIT) <= 0;
         i++) {
        event_base_loop(r->base, EVLOOP_NONBLOCK);
        usleep(500);
    }
    if (bytes[0])
        assert_true(send(c, bytes, strlen(bytes), MSG_NOSIGNAL) > 0);
    close(c);
}

static void a_provider_that_misbehaves_is_named(void **state)
{
    struct rig *r = *state;
    int fd = listen_raw(&r->port);

    for (size_t i = 0; i < sizeof ANSWERS / sizeof *ANSWERS; i++) {
        struct heard h = {0};
        char url[128];
        struct upstream_request q = request_of(r, "/", url);

        start(r, &h, &q);
        answer_raw(r, fd, ANSWERS[i].bytes);
        run_until(r, &h.dones, 1);
        if (h.result.end != ANSWERS[i].end ||
            h.result.status != ANSWERS[i].status)
            fail_msg("%s: %s, status %d, %s", ANSWERS[i].name,
                     upstream_end_name(h.result.end), h.result.status,
                     h.result.reason);
        buf_free(&h.body);
    }
    close(fd);
}

static void an_endless_head_is_cut(void **state)
{
    static char line[90000] = "HTTP/1.1 200 OK\r\n";
    struct rig *r = *state;
    int fd = listen_raw(&r->port);
    struct heard h = {0};
    char url[128];
    struct upstream_request q = request_of(r, "/", url);
    size_t n = strlen(line);

    while (n < sizeof line - 16) {
        memcpy(line + n, "x-a: bcdefghi\r\n", 15);
        n += 15;
    }
    start(r, &h, &q);
    answer_raw(r, fd, line);
    run_until(r, &h.dones, 1);
    assert_int_equal(h.result.end, UPSTREAM_TOO_LARGE);
    assert_int_equal(h.heads, 0);
    buf_free(&h.body);
    close(fd);
}

static void time_runs_out_by_class(void **state)
{
    static const struct {
        unsigned first_ms, stall_ms, total_ms;
        bool begin;
        const char *reason;
    } cases[] = {
        {60, 0, 0, false, "no first byte in time"},
        {60, 80, 0, true, "the answer stalled"},
        {0, 0, 90, true, "the answer took longer than the total timeout"},
        {0, 0, 90, false, "the answer took longer than the total timeout"},
    };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct heard h = {0};
        char url[128];
        struct upstream_request q = request_of(r, "/wait", url);
        int before = r->gone;

        q.first_byte_ms = cases[i].first_ms;
        q.stall_ms = cases[i].stall_ms;
        q.total_ms = cases[i].total_ms;
        start(r, &h, &q);
        run_until(r, &r->requests, (int)i + 1);
        if (cases[i].begin) {
            http_begin(r->x, 200, "text/plain");
            http_write(r->x, SPAN("some"));
        }
        run_until(r, &h.dones, 1);
        assert_int_equal(h.result.end, UPSTREAM_TIMEOUT);
        assert_string_equal(h.result.reason, cases[i].reason);
        assert_true(h.result.total_us < 1000000);
        run_until(r, &r->gone, before + 1); /* the connection was closed */
        buf_free(&h.body);
    }
}

static void a_paused_call_takes_nothing_until_it_is_resumed(void **state)
{
    static char block[65536];
    struct rig *r = *state;
    struct heard h = {.pause = true};
    char url[128];
    struct upstream_request q = request_of(r, "/wait", url);
    size_t sent = 0;
    int bodies;

    q.stall_ms = 1000;
    memset(block, 'x', sizeof block);
    start(r, &h, &q);
    run_until(r, &r->requests, 1);
    http_begin(r->x, 200, "text/plain");
    for (int i = 0; i < 400; i++) {
        http_write(r->x, (struct span){block, sizeof block});
        sent += sizeof block;
    }
    run_until(r, &h.bodies, 1);
    run_ms(r, 1500); /* pausing is no stall */
    assert_int_equal(h.dones, 0);
    assert_int_equal(h.bodies, 1);
    for (int i = 0; i < 5; i++) {
        bodies = h.bodies;
        upstream_resume(h.call);
        run_until(r, &h.bodies, bodies + 1);
        run_ms(r, 5);
        assert_int_equal(h.bodies, bodies + 1);
    }
    h.pause = false;
    upstream_resume(h.call);
    http_end(r->x);
    run_until(r, &h.dones, 1);
    assert_int_equal(h.result.end, UPSTREAM_OK);
    assert_int_equal(h.body.len, sent);
    buf_free(&h.body);
}

static void a_call_may_be_cancelled_anywhere(void **state)
{
    struct rig *r = *state;

    for (int at = 0; at <= 4; at++) {
        struct heard h = {.cancel_at = at};
        char url[128];
        struct upstream_request q = request_of(r, "/wait", url);
        int before = r->gone, requests = r->requests;

        start(r, &h, &q);
        if (at == 0) {
            cancel(&h); /* before it began */
            run_ms(r, 20);
            assert_int_equal(r->requests, requests);
            buf_free(&h.body);
            continue;
        }
        run_until(r, &r->requests, requests + 1);
        if (at == 4) {
            cancel(&h); /* while it waits */
        } else {
            http_begin(r->x, 200, "text/plain");
            http_write(r->x, SPAN("piece"));
        }
        if (at == 3) {
            http_end(r->x);
            run_until(r, &h.dones, 1);
        } else {
            run_until(r, &r->gone, before + 1);
            assert_int_equal(h.dones, 0);
            assert_int_equal(h.heads, at < 4);
            assert_int_equal(h.bodies, at == 2);
        }
        buf_free(&h.body);
    }
}

static void one_call_may_cancel_another(void **state)
{
    struct rig *r = *state;
    struct heard a = {0}, b = {0};
    char url[128];
    struct upstream_request q = request_of(r, "/wait", url);

    start(r, &b, &q);
    run_until(r, &r->requests, 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/echo", r->port);
    a.other = &b;
    start(r, &a, &q);
    run_until(r, &a.dones, 1);
    run_until(r, &r->gone, 1);
    assert_int_equal(b.dones + b.heads, 0);
    assert_int_equal(a.result.end, UPSTREAM_OK);
    buf_free(&a.body);
    buf_free(&b.body);
}

static void many_calls_run_side_by_side(void **state)
{
    enum { N = 256 };
    struct rig *r = *state;
    struct heard *h = calloc(N, sizeof *h);
    char url[128];
    struct upstream_request q = request_of(r, "/echo", url);

    assert_non_null(h);
    for (int round = 0; round < 3; round++) {
        memset(h, 0, N * sizeof *h);
        for (int i = 0; i < N; i++)
            start(r, &h[i], &q);
        for (int i = 0; i < N; i++) {
            run_until(r, &h[i].dones, 1);
            assert_int_equal(h[i].result.end, UPSTREAM_OK);
            assert_int_equal(h[i].body.len, 5);
            assert_int_equal(h[i].result.reused, round > 0);
            buf_free(&h[i].body);
        }
        assert_int_equal(http_server_open(r->server), N);
    }
    free(h);
}

static void a_kept_connection_that_died_is_replaced(void **state)
{
    struct rig *r = *state;

    for (int i = 0; i < 3; i++) {
        struct heard h = {0};
        char url[128];
        struct upstream_request q = request_of(r, "/wait", url);

        start(r, &h, &q);
        run_until(r, &r->requests, i + 1);
        http_begin(r->x, 200, "text/plain");
        http_end(r->x);
        run_until(r, &h.dones, 1);
        assert_int_equal(h.result.end, UPSTREAM_OK);
        buf_free(&h.body);
        run_ms(r, 20);
        if (i == 1) /* the provider restarts */
            run_ms(r, 500);
    }
}

static void headers_that_would_split_are_refused(void **state)
{
    static const struct upstream_header bad[] = {
        {"x", SPAN_INIT("a\r\nauthorization: b")},
        {"x", SPAN_INIT("a\nb")},
        {"x: y", SPAN_INIT("a")},
    };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char url[128];
        struct upstream_request q = request_of(r, "/echo", url);
        struct upstream_events ev = {0};
        struct err e;

        q.headers = &bad[i];
        q.n_headers = 1;
        assert_null(upstream_start(r->u, &q, &ev, &e));
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

static void only_http_is_spoken(void **state)
{
    static const char *const urls[] = {"file:///etc/passwd",
                                       "ftp://127.0.0.1/x", "gopher://a/"};
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct heard h = {0};
        char url[128];
        struct upstream_request q = request_of(r, "/", url);

        q.url = urls[i];
        start(r, &h, &q);
        run_until(r, &h.dones, 1);
        assert_int_equal(h.result.end, UPSTREAM_OTHER);
        assert_int_equal(h.body.len, 0);
        buf_free(&h.body);
    }
}

static void what_still_runs_ends_with_its_owner(void **state)
{
    struct rig *r = *state;
    struct heard h[3] = {{0}, {0}, {0}};
    char url[128];
    struct upstream_request q = request_of(r, "/wait", url);
    struct err e;

    for (int i = 0; i < 3; i++) {
        start(r, &h[i], &q);
        if (i < 2)
            run_until(r, &r->requests, i + 1);
    }
    upstream_free(r->u);
    r->u = upstream_new(r->base, 0, &e);
    assert_non_null(r->u);
    run_until(r, &r->gone, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(h[i].dones, 0);
        buf_free(&h[i].body);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_answered_and_its_connection_used_again),
        TEST(methods_change_from_call_to_call),
        TEST(a_large_body_goes_and_comes_whole),
        TEST(nobody_listening_is_refused),
        TEST(a_provider_that_misbehaves_is_named),
        TEST(an_endless_head_is_cut),
        TEST(time_runs_out_by_class),
        TEST(a_paused_call_takes_nothing_until_it_is_resumed),
        TEST(a_call_may_be_cancelled_anywhere),
        TEST(one_call_may_cancel_another),
        TEST(many_calls_run_side_by_side),
        TEST(a_kept_connection_that_died_is_replaced),
        TEST(headers_that_would_split_are_refused),
        TEST(only_http_is_spoken),
        TEST(what_still_runs_ends_with_its_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
