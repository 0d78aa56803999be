/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: timeouts, pauses, cancelling, many at once. */
#include "tests/unit/upstream_rig.h"

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

/* A listening socket whose queue is full: nobody takes a connection. */
static int full_socket(unsigned *port, int held[4])
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    for (int i = 0; i < 4; i++) {
        held[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(held[i], (struct sockaddr *)&a, sizeof a);
    }
    return fd;
}

static void connect_in_vain(struct rig *r, unsigned port, struct heard *h)
{
    char url[128];
    struct upstream_request q = request_of(r, "/", url);

    snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    q.connect_ms = 10000;
    start(r, h, &q);
    run_ms(r, 30);
    assert_true(upstream_connecting(h->call));
}

/* What takes the number of a socket that never connected is heard of. */
static void a_connection_given_up_leaves_nothing_to_the_next(void **state)
{
    enum { CALLS = 4 };
    struct rig *r = *state;
    struct heard vain[CALLS] = {{0}}, h[CALLS] = {{0}};
    char url[128];
    struct upstream_request q = request_of(r, "/echo", url);
    unsigned port;
    int held[4], fd = full_socket(&port, held);

    q.connect_ms = 3000;
    for (int i = 0; i < CALLS; i++)
        connect_in_vain(r, port, &vain[i]);
    for (int i = 0; i < CALLS; i++) {
        upstream_cancel(vain[i].call);
        start(r, &h[i], &q);
    }
    for (int i = 0; i < CALLS; i++) {
        run_until(r, &h[i].dones, 1);
        assert_int_equal(h[i].result.end, UPSTREAM_OK);
        assert_true(h[i].result.total_us < 2000000);
        assert_int_equal(vain[i].dones, 0);
        buf_free(&h[i].body);
        close(held[i]);
    }
    close(fd);
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
        {"content-length", SPAN_INIT("1")},
        {"Transfer-Encoding", SPAN_INIT("chunked")},
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
        if (!rig_client->takes(&q)) {
            struct upstream_events ev = {0};
            struct err e;

            assert_null(upstream_start(r->u, &q, &ev, &e));
            assert_int_equal(e.kind, ERR_INPUT);
            continue;
        }
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
    r->u = upstream_new_of(rig_client, r->base, 0, &e);
    assert_non_null(r->u);
    run_until(r, &r->gone, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(h[i].dones, 0);
        buf_free(&h[i].body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(time_runs_out_by_class),
        TEST(a_paused_call_takes_nothing_until_it_is_resumed),
        TEST(a_call_may_be_cancelled_anywhere),
        TEST(one_call_may_cancel_another),
        TEST(a_connection_given_up_leaves_nothing_to_the_next),
        TEST(many_calls_run_side_by_side),
        TEST(a_kept_connection_that_died_is_replaced),
        TEST(headers_that_would_split_are_refused),
        TEST(only_http_is_spoken),
        TEST(what_still_runs_ends_with_its_owner),
    };

    return rig_run(tests, sizeof tests / sizeof *tests);
}
