/* SPDX-License-Identifier: Apache-2.0 */
/* What our own client promises beyond upstream.h: which requests are sent a
 * second time, who waits for a connection, where names come from. */
#include "tests/unit/upstream_rig.h"

static const char OK[] = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

static void say(int c, const char *bytes)
{
    assert_int_equal(send(c, bytes, strlen(bytes), MSG_NOSIGNAL),
                     (ssize_t)strlen(bytes));
}

/* One answered call; returns the connection, which the client keeps. */
static int keep_one(struct rig *r, int fd)
{
    struct heard h = {0};
    char url[128];
    struct upstream_request q = request_of(r, "/", url);
    int c;

    start(r, &h, &q);
    c = accept_raw(r, fd);
    read_raw(r, c);
    say(c, OK);
    run_until(r, &h.dones, 1);
    assert_int_equal(h.result.end, UPSTREAM_OK);
    buf_free(&h.body);
    return c;
}

static void a_request_that_nobody_saw_is_sent_again(void **state)
{
    struct rig *r = *state;
    int fd = listen_raw(&r->port);

    for (int i = 0; i < 2; i++) {
        struct heard h = {0};
        char url[128];
        struct upstream_request q = request_of(r, "/", url);
        int c = keep_one(r, fd);

        close(c); /* the loop has not heard of it when the call starts */
        start(r, &h, &q);
        c = accept_raw(r, fd);
        read_raw(r, c);
        say(c, OK);
        run_until(r, &h.dones, 1);
        assert_int_equal(h.result.end, UPSTREAM_OK);
        assert_false(h.result.reused);
        buf_free(&h.body);
        close(c);
        run_ms(r, 5);
    }
    close(fd);
}

static void a_request_that_was_seen_is_sent_again_only_if_harmless(void **state)
{
    static const struct {
        const char *method;
        enum upstream_end end;
    } cases[] = {{"POST", UPSTREAM_CUT}, {"GET", UPSTREAM_OK}};
    struct rig *r = *state;
    int fd = listen_raw(&r->port);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct heard h = {0};
        char url[128];
        struct upstream_request q = request_of(r, "/", url);
        int c = keep_one(r, fd);

        q.method = cases[i].method;
        start(r, &h, &q);
        read_raw(r, c);
        close(c);
        if (cases[i].end == UPSTREAM_OK) {
            c = accept_raw(r, fd);
            read_raw(r, c);
            say(c, OK);
        }
        run_until(r, &h.dones, 1);
        assert_int_equal(h.result.end, cases[i].end);
        buf_free(&h.body);
        if (cases[i].end == UPSTREAM_OK)
            close(c);
        run_ms(r, 5);
    }
    close(fd);
}

static void an_answer_with_bytes_behind_it_ends_its_connection(void **state)
{
    struct rig *r = *state;
    int fd = listen_raw(&r->port);
    struct heard h = {0};
    char url[128], byte;
    struct upstream_request q = request_of(r, "/", url);
    int c;

    start(r, &h, &q);
    c = accept_raw(r, fd);
    read_raw(r, c);
    say(c, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
           "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother");
    run_until(r, &h.dones, 1);
    assert_int_equal(h.result.end, UPSTREAM_OK);
    assert_string_equal(buf_cstr(&h.body), "ok");
    assert_int_equal(recv(c, &byte, 1, 0), 0);
    buf_free(&h.body);
    close(c);
    close(fd);
}

static void calls_wait_for_one_of_few_connections(void **state)
{
    enum { N = 20, MOST = 3 };
    struct rig *r = *state;
    struct heard h[N];
    char url[128];
    struct upstream_request q = request_of(r, "/echo", url);
    struct err e;

    upstream_free(r->u);
    r->u = upstream_new_of(rig_client, r->base, MOST, &e);
    assert_non_null(r->u);
    memset(h, 0, sizeof h);
    for (int i = 0; i < N; i++)
        start(r, &h[i], &q);
    cancel(&h[N / 2]); /* while it waits */
    for (int i = 0; i < N; i++) {
        if (i != N / 2) {
            run_until(r, &h[i].dones, 1);
            assert_int_equal(h[i].result.end, UPSTREAM_OK);
        }
        buf_free(&h[i].body);
    }
    assert_int_equal(r->requests, N - 1);
    assert_int_equal(http_server_open(r->server), MOST);
}

static void who_waits_too_long_for_a_connection_is_told(void **state)
{
    struct rig *r = *state;
    struct heard a = {0}, b = {0};
    char url[128];
    struct upstream_request q = request_of(r, "/wait", url);
    struct err e;

    upstream_free(r->u);
    r->u = upstream_new_of(rig_client, r->base, 1, &e);
    assert_non_null(r->u);
    start(r, &a, &q);
    run_until(r, &r->requests, 1);
    q.first_byte_ms = 60;
    start(r, &b, &q);
    run_until(r, &b.dones, 1);
    assert_int_equal(b.result.end, UPSTREAM_TIMEOUT);
    assert_string_equal(b.result.reason, "no free connection in time");
    cancel(&a);
    buf_free(&a.body);
    buf_free(&b.body);
}

static void names_are_resolved_or_refused(void **state)
{
    struct rig *r = *state;
    struct heard h[3];
    char url[128], bad[] = "http://a..b/";
    struct upstream_request q = request_of(r, "/echo", url);

    memset(h, 0, sizeof h);
    snprintf(url, sizeof url, "http://localhost:%u/echo", r->port);
    start(r, &h[0], &q);
    start(r, &h[1], &q);
    q.url = bad;
    start(r, &h[2], &q);
    for (int i = 0; i < 3; i++)
        run_until(r, &h[i].dones, 1);
    assert_int_equal(h[0].result.end, UPSTREAM_OK);
    assert_int_equal(h[1].result.end, UPSTREAM_OK);
    assert_int_equal(h[2].result.end, UPSTREAM_REFUSED);
    assert_string_equal(h[2].result.reason, "the host's name does not resolve");
    assert_non_null(strstr(r->seen.ptr, "host=localhost:"));
    h[2] = (struct heard){0};
    start(r, &h[2], &q);
    cancel(&h[2]); /* while it is being looked up */
    for (int i = 0; i < 3; i++)
        buf_free(&h[i].body);
}

static void only_plain_addresses_are_taken(void **state)
{
    static const struct {
        const char *url;
        bool takes;
    } cases[] = {
        {"http://a/", true},
        {"http://a", true},
        {"http://a:80", true},
        {"http://a:80?x=y", true},
        {"http://[::1]:8080/v1", true},
        {"http://a/v1#part", true},
        {"https://a/", false},
        {"http://user:secret@a/", false},
        {"http://", false},
        {"http:///v1", false},
        {"http://a:0/", false},
        {"http://a:65536/", false},
        {"http://a:x/", false},
        {"http://[::1/", false},
        {"http://a b/", false},
        {"http://a/b c", false},
        {"http://a\\b/", false},
        {"http://a%41/", false},
        {"HTTP://a/", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct upstream_request q = {.url = cases[i].url};

        if (upstream_plain.takes(&q) != cases[i].takes)
            fail_msg("%s", cases[i].url);
    }
}

static void an_answer_before_the_body_is_sent_counts(void **state)
{
    struct rig *r = *state;
    int fd = listen_raw(&r->port);
    size_t n = (size_t)16 << 20;
    char *big = calloc(1, n), url[128];
    struct upstream_request q = request_of(r, "/", url);
    struct heard h = {0};
    int c;

    assert_non_null(big);
    q.body = (struct span){big, n};
    start(r, &h, &q);
    c = accept_raw(r, fd);
    read_raw(r, c);
    say(c, "HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
    run_until(r, &h.dones, 1);
    assert_int_equal(h.result.end, UPSTREAM_OK);
    assert_int_equal(h.result.status, 413);
    buf_free(&h.body);
    close(c);
    close(fd);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_that_nobody_saw_is_sent_again),
        TEST(a_request_that_was_seen_is_sent_again_only_if_harmless),
        TEST(an_answer_with_bytes_behind_it_ends_its_connection),
        TEST(calls_wait_for_one_of_few_connections),
        TEST(who_waits_too_long_for_a_connection_is_told),
        TEST(names_are_resolved_or_refused),
        TEST(only_plain_addresses_are_taken),
        TEST(an_answer_before_the_body_is_sent_counts),
    };

    rig_client = &upstream_plain;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
