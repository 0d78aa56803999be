/* SPDX-License-Identifier: Apache-2.0 */
/* Answers from bytes, whole and cut everywhere. */
#include "router/upstream/http_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum end { OPEN, WHOLE, BAD, LARGE };

struct heard {
    enum end end;
    int status;
    bool keep;
    size_t left; /* bytes behind the answer */
    struct buf body;
    char type[32];
};

static bool step(struct http_answer *a, struct span *in, struct heard *h)
{
    struct span data;
    enum http_answer_step s = http_answer_next(a, in, &data);

    if (s == HTTP_ANSWER_HEAD)
        span_copy(h->type, sizeof h->type,
                  http_answer_header(a, "content-type"));
    buf_span(&h->body, data);
    h->end = s == HTTP_ANSWER_DONE    ? WHOLE
             : s == HTTP_ANSWER_BAD   ? BAD
             : s == HTTP_ANSWER_LARGE ? LARGE
                                      : OPEN;
    return s == HTTP_ANSWER_HEAD || s == HTTP_ANSWER_DATA;
}

/* Each piece against the end of memory of its own. */
static void hear(const char *bytes, size_t n, size_t by, bool bodiless,
                 struct heard *h)
{
    static struct http_answer a;
    size_t at = 0;

    memset(h, 0, sizeof *h);
    http_answer_init(&a);
    http_answer_begin(&a, bodiless);
    buf_init(&h->body, 1 << 20);
    while (at < n && h->end == OPEN) {
        size_t len = n - at < by ? n - at : by;
        char *piece = malloc(len);
        struct span in = {piece, len};

        assert_non_null(piece);
        memcpy(piece, bytes + at, len);
        while (step(&a, &in, h))
            continue;
        at += len - in.len;
        free(piece);
    }
    h->left = n - at;
    if (h->end == OPEN && http_answer_close(&a) == HTTP_ANSWER_DONE)
        h->end = WHOLE;
    h->status = a.status;
    h->keep = h->end == WHOLE && a.keep;
    if (h->end == BAD)
        assert_non_null(a.wrong);
    http_answer_free(&a);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define TEN "content-length: 10\r\n"
#define CHUNKED "transfer-encoding: chunked\r\n"

static const struct {
    const char *name, *bytes;
    enum end end;
    int status;
    bool keep;
    size_t left;
    const char *body;
} CASES[] = {
    {"a length", OK TEN "\r\n0123456789", WHOLE, 200, true, 0, "0123456789"},
    {"a length of nothing", OK "content-length: 0\r\n\r\n", WHOLE, 200, true, 0,
     ""},
    {"bytes behind", OK "content-length: 1\r\n\r\nabc", WHOLE, 200, true, 2,
     "a"},
    {"a short body", OK TEN "\r\n012", OPEN, 200, false, 0, "012"},
    {"chunks", OK CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n", WHOLE, 200, true, 0,
     "abc"},
    {"extensions and trailers",
     OK CHUNKED "\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nx-a: b\r\n\r\n", WHOLE,
     200, true, 0, "abcde"},
    {"chunks cut", OK CHUNKED "\r\n3\r\nabc\r\n0\r\n", OPEN, 200, false, 0,
     "abc"},
    {"a chunk of no size", OK CHUNKED "\r\nxyz\r\n", BAD, 200, false, 0, NULL},
    {"a chunk longer than said", OK CHUNKED "\r\n3\r\nabcd\r\n", BAD, 200,
     false, 0, NULL},
    {"a trailer without a name", OK CHUNKED "\r\n0\r\nabc\r\n\r\n", BAD, 200,
     false, 0, NULL},
    {"until close", OK "\r\nabc", WHOLE, 200, false, 0, "abc"},
    {"close asked", OK "connection: close\r\n" TEN "\r\n0123456789", WHOLE, 200,
     false, 0, "0123456789"},
    {"close among others", OK "Connection: foo, Close\r\n" TEN "\r\n0123456789",
     WHOLE, 200, false, 0, "0123456789"},
    {"an old server", "HTTP/1.0 200 OK\r\n" TEN "\r\n0123456789", WHOLE, 200,
     false, 0, "0123456789"},
    {"an old server that keeps",
     "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n" TEN "\r\n0123456789",
     WHOLE, 200, true, 0, "0123456789"},
    {"no content", "HTTP/1.1 204 No Content\r\n\r\n", WHOLE, 204, true, 0, ""},
    {"not modified, with a length", "HTTP/1.1 304 Not Modified\r\n" TEN "\r\n",
     WHOLE, 304, true, 0, ""},
    {"no content, in chunks", "HTTP/1.1 204 No\r\n" CHUNKED "\r\n0\r\n\r\n",
     BAD, 204, false, 0, NULL},
    {"no content, of a length", "HTTP/1.1 204 No\r\n" TEN "\r\n0123456789", BAD,
     204, false, 0, NULL},
    {"interim answers",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
     "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno",
     WHOLE, 404, true, 0, "no"},
    {"an interim answer alone", "HTTP/1.1 100 Continue\r\n\r\n", OPEN, 0, false,
     0, ""},
    {"no reason", "HTTP/1.1 200\r\n" TEN "\r\n0123456789", WHOLE, 200, true, 0,
     "0123456789"},
    {"half a head", OK "content-le", OPEN, 200, false, 0, ""},
    {"half a status", "HTTP/1.1 20", OPEN, 0, false, 0, ""},
    {"the same length twice", OK TEN TEN "\r\n0123456789", WHOLE, 200, true, 0,
     "0123456789"},
    {"two lengths", OK TEN "content-length: 11\r\n\r\n0123456789", BAD, 200,
     false, 0, NULL},
    {"a list of lengths", OK "content-length: 10, 10\r\n\r\n0123456789", BAD,
     200, false, 0, NULL},
    {"a length with a sign", OK "content-length: +1\r\n\r\na", BAD, 200, false,
     0, NULL},
    {"a length too large", OK "content-length: 99999999999999999999\r\n\r\n",
     BAD, 200, false, 0, NULL},
    {"a length and chunks", OK TEN CHUNKED "\r\n0\r\n\r\n", BAD, 200, false, 0,
     NULL},
    {"two codings", OK "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", BAD,
     200, false, 0, NULL},
    {"chunked twice", OK CHUNKED CHUNKED "\r\n0\r\n\r\n", BAD, 200, false, 0,
     NULL},
    {"chunks of an old server", "HTTP/1.0 200 OK\r\n" CHUNKED "\r\n0\r\n\r\n",
     BAD, 200, false, 0, NULL},
    {"a folded header", OK "x: a\r\n b\r\n\r\n", BAD, 200, false, 0, NULL},
    {"a space before the colon", OK "content-length : 1\r\n\r\na", BAD, 200,
     false, 0, NULL},
    {"a control byte in a value", OK "x: a\001b\r\n\r\n", BAD, 200, false, 0,
     NULL},
    {"a bare LF", "HTTP/1.1 200 OK\ncontent-length: 0\n\n", BAD, 0, false, 0,
     NULL},
    {"another protocol", "SSH-2.0-OpenSSH_9.2\r\n", BAD, 0, false, 0, NULL},
    {"HTTP/2 in text", "HTTP/2 200\r\n\r\n", BAD, 0, false, 0, NULL},
    {"a status of two digits", "HTTP/1.1 99 x\r\n\r\n", BAD, 0, false, 0, NULL},
    {"a status of four digits", "HTTP/1.1 2000 x\r\n\r\n", BAD, 0, false, 0,
     NULL},
    {"another protocol from here on",
     "HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", BAD, 101, false, 0, NULL},
};

static void answers_mean_the_same_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t n = strlen(CASES[i].bytes);

        for (size_t by = n; by > 0; by = by > 8 ? by / 2 : by - 1) {
            struct heard h;

            hear(CASES[i].bytes, n, by, false, &h);
            if (h.end != CASES[i].end || h.keep != CASES[i].keep ||
                (CASES[i].end != BAD && h.status != CASES[i].status) ||
                (h.end == WHOLE && h.left != CASES[i].left) ||
                (CASES[i].body && !span_is(buf_view(&h.body), CASES[i].body)))
                fail_msg("%s, by %zu: end %d, status %d, keep %d, left %zu, "
                         "body %s",
                         CASES[i].name, by, h.end, h.status, h.keep, h.left,
                         buf_cstr(&h.body));
            buf_free(&h.body);
        }
    }
}

static void an_answer_to_head_has_no_body(void **state)
{
    struct heard h;
    const char *text = OK TEN "\r\n";

    (void)state;
    hear(text, strlen(text), 7, true, &h);
    assert_int_equal(h.end, WHOLE);
    assert_true(h.keep);
    buf_free(&h.body);
}

static void headers_are_found_by_name(void **state)
{
    struct heard h;
    const char *text =
        OK "X-Content-Type: no\r\nContent-Type:  a/b \r\n" TEN "\r\n0123456789";

    (void)state;
    hear(text, strlen(text), 5, false, &h);
    assert_string_equal(h.type, "a/b");
    buf_free(&h.body);
}

static void a_head_has_a_limit(void **state)
{
    static char text[HTTP_ANSWER_HEAD_MAX + 200] = OK "x: ";
    struct heard h;
    size_t n = strlen(text);

    (void)state;
    memset(text + n, 'a', sizeof text - n);
    for (size_t by = 1000; by < 200000; by *= 10) {
        hear(text, sizeof text, by, false, &h);
        assert_int_equal(h.end, LARGE);
        buf_free(&h.body);
    }
    n = sizeof OK - 1;
    for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
        n += (size_t)snprintf(text + n, 16, "x: y\r\n");
    n += (size_t)snprintf(text + n, 16, "\r\n");
    hear(text, n, n, false, &h);
    assert_int_equal(h.end, BAD);
    buf_free(&h.body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_mean_the_same_however_they_are_cut),
        cmocka_unit_test(an_answer_to_head_has_no_body),
        cmocka_unit_test(headers_are_found_by_name),
        cmocka_unit_test(a_head_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
