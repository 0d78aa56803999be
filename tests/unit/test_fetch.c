/* SPDX-License-Identifier: Apache-2.0 */
/* What clients' addresses may lead to, and what comes back from there. */
#include "tests/unit/upstream_rig.h"

#include "router/upstream/fetch.h"
#include "router/upstream/public_address.h"
#include "router/upstream/resolve.h"

static const struct {
    const char *host;
    bool open;
} hosts[] = {
    {"8.8.8.8", true},
    {"93.184.216.34", true},
    {"2606:4700::1111", true},
    {"2a00:1450:4001::1", true},
    {"::ffff:8.8.8.8", true},
    /* loopback, in all its spellings */
    {"127.0.0.1", false},
    {"127.255.1.2", false},
    {"127.1", false},
    {"2130706433", false},
    {"0x7f000001", false},
    {"0x7f.1", false},
    {"017700000001", false},
    {"0177.0.0.1", false},
    {"0", false},
    {"0.0.0.0", false},
    {"::1", false},
    {"::", false},
    {"::ffff:127.0.0.1", false},
    {"::ffff:7f00:1", false},
    {"::127.0.0.1", false},
    /* metadata of clouds */
    {"169.254.169.254", false},
    {"2852039166", false},
    {"0xa9.0xfe.0xa9.0xfe", false},
    {"::ffff:169.254.169.254", false},
    {"64:ff9b::a9fe:a9fe", false},
    {"fd00:ec2::254", false},
    {"100.100.100.200", false},
    {"192.0.0.192", false},
    {"168.63.129.16", false},
    /* private */
    {"10.1.2.3", false},
    {"172.16.0.1", false},
    {"172.31.255.255", false},
    {"172.32.0.1", true},
    {"192.168.0.1", false},
    {"100.64.0.1", false},
    {"100.128.0.1", true},
    {"fc00::1", false},
    {"fdff::1", false},
    {"fe80::1", false},
    {"fec0::1", false},
    {"2002:7f00:1::", false},
    {"2001:0:7f00:1::", false},
    {"2001:db8::1", false},
    {"3fff:1::1", false},
    {"224.0.0.1", false},
    {"255.255.255.255", false},
    {"ff02::1", false},
    {"198.18.0.1", false},
    {"192.0.2.1", false},
};

static void only_public_addresses_are_public(void **state)
{
    struct addresses found;

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        if (!resolve_numeric(hosts[i].host, "80", &found))
            fail_msg("%s is no address", hosts[i].host);
        if (address_is_public((const struct sockaddr *)&found.list[0].at) !=
            hosts[i].open)
            fail_msg("%s", hosts[i].host);
    }
    assert_false(address_is_public(&(struct sockaddr){.sa_family = AF_UNIX}));
}

/* ---- fetches ---- */

struct got {
    int dones;
    char why[200];
    struct buf bytes;
    size_t room;
};

static void on_fetched(void *ctx, struct span bytes, const char *why)
{
    struct got *g = ctx;

    g->dones++;
    span_copy(g->why, sizeof g->why, span_of(why ? why : ""));
    buf_span(&g->bytes, bytes);
}

/* 127.0.0.1 alone, so that 127.0.0.2 can be the forbidden neighbour. */
static bool may_one(const struct sockaddr *a)
{
    struct sockaddr_in in;

    memcpy(&in, a, sizeof in);
    return a->sa_family == AF_INET && in.sin_addr.s_addr == htonl(0x7f000001);
}

static struct fetch *begin(struct rig *r, struct got *g, const char *url,
                           bool (*may)(const struct sockaddr *), struct err *e)
{
    struct fetch_rules rules = {.upstream = r->u,
                                .base = r->base,
                                .may = may,
                                .redirects = 2,
                                .connect_ms = 1000,
                                .total_ms = 2000,
                                .room = &g->room};
    struct fetch_events ev = {g, on_fetched};

    *g = (struct got){.room = 1000};
    buf_init(&g->bytes, 1 << 20);
    return fetch_start(url, &rules, &ev, e);
}

/* The whole fetch of a path of the rig's; answers are given by hand. */
static void fetch(struct rig *r, int fd, struct got *g, const char *answer)
{
    struct err e = {0};
    char url[128];
    int c;

    snprintf(url, sizeof url, "http://127.0.0.1:%u/a", r->port);
    if (!begin(r, g, url, may_one, &e))
        fail_msg("%s", e.msg);
    c = accept_raw(r, fd);
    read_raw(r, c);
    assert_true(send(c, answer, strlen(answer), MSG_NOSIGNAL) > 0);
    close(c);
}

static void an_address_that_is_not_public_is_refused(void **state)
{
    static const char *const urls[] = {
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/a.png",
        "http://017700000001:8080/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/latest/meta-data/",
        "https://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://127.0.0.1%2f@8.8.8.8:x/",
        "http://user@8.8.8.8/",
        "http://user:secret@8.8.8.8/",
        "ftp://8.8.8.8/",
        "file:///etc/passwd",
        "gopher://8.8.8.8/",
        "//8.8.8.8/",
        "",
        "http://",
        "http://8.8.8.8:99999/",
    };
    struct rig *r = *state;
    struct got g;

    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct err e = {0};

        if (begin(r, &g, urls[i], address_is_public, &e))
            fail_msg("%s", urls[i]);
        assert_true(e.msg[0]);
    }
}

static void a_name_for_an_address_that_is_not_public_is_refused(void **state)
{
    struct rig *r = *state;
    struct got g;
    struct err e = {0};
    char url[64];

    snprintf(url, sizeof url, "http://localhost:%u/echo", r->port);
    assert_non_null(begin(r, &g, url, address_is_public, &e));
    run_until(r, &g.dones, 1);
    assert_string_equal(g.why, "its host is not on the public Internet");
    assert_int_equal(r->requests, 0);
    buf_free(&g.bytes);
}

/* The name has no address at all any more when the connection is made. */
static void the_address_that_was_looked_at_is_connected_to(void **state)
{
    struct rig *r = *state;
    struct heard h = {0};
    char url[128], place[64];
    struct upstream_request q = request_of(r, "/echo", url);

    snprintf(place, sizeof place, "127.0.0.1:%u", r->port);
    q.url = "http://name.invalid:1/echo";
    q.connect_to = place;
    start(r, &h, &q);
    run_until(r, &h.dones, 1);
    assert_int_equal(h.result.end, UPSTREAM_OK);
    assert_true(span_has(buf_view(&r->seen), SPAN("host=name.invalid:1;")));
    buf_free(&h.body);
    h = (struct heard){0};
    q.connect_to = NULL; /* and the handle forgets it */
    start(r, &h, &q);
    run_until(r, &h.dones, 1);
    assert_int_equal(h.result.end, UPSTREAM_REFUSED);
    buf_free(&h.body);
}

static void what_comes_back_is_the_bytes_or_a_reason(void **state)
{
    static char large[1200] = "HTTP/1.1 200 OK\r\n\r\n";
    static const struct {
        const char *answer, *bytes, *why;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", "abc", ""},
        {"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nabc", "",
         "status 404"},
        {"HTTP/1.1 204 None\r\n\r\n", "", "status 204"},
        {"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", "", "status 302"},
        {large, "", "it is too large"},
        {"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "",
         "no answer (cut)"},
        {"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.2/x\r\n"
         "content-length: 0\r\n\r\n",
         "", "its host is not on the public Internet"},
        {"HTTP/1.1 302 Found\r\nlocation: http://2130706434/x\r\n"
         "content-length: 0\r\n\r\n",
         "", "its host is not on the public Internet"},
        {"HTTP/1.1 307 Temporary\r\nlocation: file:///etc/passwd\r\n"
         "content-length: 0\r\n\r\n",
         "", NULL},
    };
    struct rig *r = *state;
    int fd = listen_raw(&r->port);

    memset(large + strlen(large), 'x', sizeof large - strlen(large) - 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct got g;

        fetch(r, fd, &g, cases[i].answer);
        run_until(r, &g.dones, 1);
        assert_string_equal(buf_cstr(&g.bytes), cases[i].bytes);
        if (cases[i].why)
            assert_string_equal(g.why, cases[i].why);
        else
            assert_true(g.why[0]);
        assert_true(g.room == 1000 - g.bytes.len || g.why[0]);
        buf_free(&g.bytes);
    }
    close(fd);
}

static void redirects_are_followed_a_few_times(void **state)
{
    struct rig *r = *state;
    int fd = listen_raw(&r->port);
    char to[200], in[4096];
    struct got g;

    snprintf(to, sizeof to,
             "HTTP/1.1 302 Found\r\nlocation: b?c=1#d\r\n"
             "content-length: 0\r\nconnection: close\r\n\r\n");
    fetch(r, fd, &g, to);
    for (int i = 0; i < 2; i++) {
        int c = accept_raw(r, fd);
        ssize_t n = -1;

        for (int k = 0; k < 1000 && n <= 0; k++) {
            event_base_loop(r->base, EVLOOP_NONBLOCK);
            n = recv(c, in, sizeof in - 1, MSG_DONTWAIT);
            usleep(500);
        }
        assert_true(n > 0);
        in[n] = '\0';
        assert_non_null(strstr(in, "GET /b?c=1 HTTP"));
        assert_true(send(c, to, strlen(to), MSG_NOSIGNAL) > 0);
        close(c);
    }
    run_until(r, &g.dones, 1);
    assert_string_equal(g.why, "more than 2 redirects");
    buf_free(&g.bytes);
    close(fd);
}

static void a_fetch_that_takes_too_long_or_is_cancelled_ends(void **state)
{
    struct rig *r = *state;
    int fd = listen_raw(&r->port);
    struct err e = {0};
    char url[64];
    struct fetch *f;
    struct got g;

    snprintf(url, sizeof url, "http://127.0.0.1:%u/", r->port);
    f = begin(r, &g, url, NULL, &e);
    assert_non_null(f);
    run_ms(r, 20);
    fetch_cancel(f);
    run_ms(r, 20);
    assert_int_equal(g.dones, 0);
    assert_non_null(begin(r, &g, url, NULL, &e));
    run_until(r, &g.dones, 1);
    assert_string_equal(g.why, "no answer in time");
    buf_free(&g.bytes);
    snprintf(url, sizeof url, "http://localhost:%u/", r->port);
    f = begin(r, &g, url, NULL, &e);
    fetch_cancel(f); /* amid the lookup of the name */
    run_ms(r, 20);
    assert_int_equal(g.dones, 0);
    close(fd);
}

static void the_bytes_show_what_they_are(void **state)
{
    static const struct {
        struct span bytes;
        const char *kind;
    } cases[] = {
        {SPAN_INIT("\x89PNG\r\n\x1a\n...."), "image/png"},
        {SPAN_INIT("\xff\xd8\xff\xe0"), "image/jpeg"},
        {SPAN_INIT("GIF89a.."), "image/gif"},
        {SPAN_INIT("RIFF....WEBPVP8 "), "image/webp"},
        {SPAN_INIT("%PDF-1.7"), "application/pdf"},
        {SPAN_INIT("RIFF....WAVE"), NULL},
        {SPAN_INIT("<svg"), NULL},
        {SPAN_INIT("\x89PNG"), NULL},
        {SPAN_INIT(""), NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *kind = fetch_kind(cases[i].bytes);

        if (!cases[i].kind)
            assert_null(kind);
        else
            assert_string_equal(kind, cases[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_public_addresses_are_public),
        TEST(an_address_that_is_not_public_is_refused),
        TEST(a_name_for_an_address_that_is_not_public_is_refused),
        TEST(the_address_that_was_looked_at_is_connected_to),
        TEST(what_comes_back_is_the_bytes_or_a_reason),
        TEST(redirects_are_followed_a_few_times),
        TEST(a_fetch_that_takes_too_long_or_is_cancelled_ends),
        cmocka_unit_test(the_bytes_show_what_they_are),
    };

    rig_client = &upstream_curl; /* the one that fetches go by */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
