/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and what providers make of them. */
#include "tests/unit/upstream_rig.h"

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
    int c = accept_raw(r, fd);

    read_raw(r, c);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_answered_and_its_connection_used_again),
        TEST(methods_change_from_call_to_call),
        TEST(a_large_body_goes_and_comes_whole),
        TEST(nobody_listening_is_refused),
        TEST(a_provider_that_misbehaves_is_named),
        TEST(an_endless_head_is_cut),
    };

    return rig_run(tests, sizeof tests / sizeof *tests);
}
