/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: keeping, streaming, leaving, waiting. */
#include "tests/unit/http_rig.h"

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
    int idle = client(r), busy = client(r), fresh = client(r);

    say(r, idle, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    hear(r, idle);
    has(r, "HTTP/1.1 200 OK");
    say(r, busy, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    http_server_drain(r->server);
    spin(r);
    assert_true(hear(r, idle));
    assert_int_equal(http_server_open(r->server), 2);
    say(r, fresh, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    assert_true(hear(r, fresh));
    has(r, "HTTP/1.1 200 OK");
    http_reply(r->x, 200, "text/plain", SPAN("done"));
    assert_true(hear(r, busy));
    has(r, "connection: close\r\n");
    has(r, "done");
    assert_int_equal(http_server_open(r->server), 0);
    close(idle);
    close(busy);
    close(fresh);
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

static void nothing(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    (void)ctx;
}

static void answers_of_a_turn_leave_when_it_ends_long_ones_at_once(void **state)
{
    static char text[40000];
    struct rig *r = *state;
    struct event *other = evtimer_new(r->base, nothing, NULL);
    int fd = client(r);
    char c[16];

    memset(text, 'x', sizeof text);
    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    event_active(other, EV_TIMEOUT, 0); /* there is more in this turn */
    http_reply(r->x, 200, "text/plain", SPAN("short"));
    assert_int_equal(recv(fd, c, sizeof c, MSG_DONTWAIT), -1);
    hear(r, fd);
    has(r, "short");
    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    event_active(other, EV_TIMEOUT, 0);
    http_reply(r->x, 200, "text/plain", (struct span){text, sizeof text});
    assert_int_equal(recv(fd, c, sizeof c, MSG_DONTWAIT), sizeof c);
    event_free(other);
    close(fd);
}

static void the_only_answer_of_a_turn_leaves_at_once(void **state)
{
    struct rig *r = *state;
    int fd = client(r);
    char c[16];

    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    http_reply(r->x, 200, "text/plain", SPAN("short"));
    assert_int_equal(recv(fd, c, sizeof c, MSG_DONTWAIT), sizeof c);
    close(fd);
}

static void what_was_answered_is_sent_before_the_end(void **state)
{
    struct rig *r = *state;
    char c[4096] = {0};
    int fd = client(r);

    say(r, fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    http_reply(r->x, 200, "text/plain", SPAN("the last words"));
    http_server_free(r->server);
    r->server = NULL;
    assert_int_equal(r->gone, 0);
    assert_true(recv(fd, c, sizeof c - 1, 0) > 0);
    assert_non_null(strstr(c, "the last words"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        TEST(answers_of_a_turn_leave_when_it_ends_long_ones_at_once),
        TEST(the_only_answer_of_a_turn_leaves_at_once),
        TEST(what_was_answered_is_sent_before_the_end),
        TEST(the_end_of_the_server_tells_the_owners),
        TEST(addresses_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
