/* SPDX-License-Identifier: Apache-2.0 */
/* AWS's published test suite (aws-signing-test-suite/v4: names of cases as
 * there) and the example of the IAM user guide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "router/upstream/aws_sigv4.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { HEADERS = 4 };

static const char SUITE_HEADERS[] = "host;x-amz-date";
static const char TOKEN[] =
    "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
static const char UNRESERVED[] =
    "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz="
    "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static const struct vector {
    const char *name, *method, *path, *query, *body, *token;
    struct {
        const char *name, *value;
    } headers[HEADERS];
    const char *names, *signature;
} vectors[] = {
    {"get-vanilla",
     "GET",
     "/",
     "",
     "",
     "",
     {{NULL, NULL}},
     SUITE_HEADERS,
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"post-vanilla",
     "POST",
     "/",
     "",
     "",
     "",
     {{NULL, NULL}},
     SUITE_HEADERS,
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     "Param2=value2&Param1=value1",
     "",
     "",
     {{NULL, NULL}},
     SUITE_HEADERS,
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-query-order-encoded",
     "GET",
     "/",
     "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
     "",
     "",
     {{NULL, NULL}},
     SUITE_HEADERS,
     "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
    {"get-vanilla-query-unreserved",
     "GET",
     "/",
     UNRESERVED,
     "",
     "",
     {{NULL, NULL}},
     SUITE_HEADERS,
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {"get-utf8",
     "GET",
     "/\341\210\264",
     "",
     "",
     "",
     {{NULL, NULL}},
     SUITE_HEADERS,
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-space-unnormalized",
     "GET",
     "/example space/",
     "",
     "",
     "",
     {{NULL, NULL}},
     SUITE_HEADERS,
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {"get-header-value-trim",
     "GET",
     "/",
     "",
     "",
     "",
     {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
     "host;my-header1;my-header2;x-amz-date",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"get-header-key-duplicate",
     "GET",
     "/",
     "",
     "",
     "",
     {{"My-Header1", "value2"},
      {"My-Header1", "value2"},
      {"My-Header1", "value1"}},
     "host;my-header1;x-amz-date",
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {"get-vanilla-with-session-token",
     "GET",
     "/",
     "",
     "",
     TOKEN,
     {{NULL, NULL}},
     "host;x-amz-date;x-amz-security-token",
     "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     "",
     "Param1=value1",
     "",
     {{"Content-Type", "application/x-www-form-urlencoded"},
      {"Content-Length", "13"},
      {"x-amz-content-sha256",
       "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"}},
     "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
     "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
};

static int64_t suite_time(void)
{
    int64_t ms;

    assert_true(clock_parse(SPAN("2015-08-30T12:36:00Z"), &ms));
    return ms;
}

static void sign_vector(const struct vector *v, struct buf *out)
{
    struct aws_header headers[HEADERS];
    struct aws_keys keys = {SPAN("AKIDEXAMPLE"),
                            SPAN("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                            span_of(v->token)};
    struct aws_call call = {.method = span_of(v->method),
                            .host = SPAN("example.amazonaws.com"),
                            .path = span_of(v->path),
                            .query = span_of(v->query),
                            .headers = headers,
                            .body = span_of(v->body),
                            .region = SPAN("us-east-1"),
                            .service = SPAN("service"),
                            .utc_ms = suite_time()};
    struct aws_signed got = {"", out};
    struct err e;

    for (; v->headers[call.n_headers].name; call.n_headers++)
        headers[call.n_headers] =
            (struct aws_header){span_of(v->headers[call.n_headers].name),
                                span_of(v->headers[call.n_headers].value)};
    if (!aws_sign(&call, &keys, &got, &e))
        fail_msg("%s: %s", v->name, e.msg);
    assert_string_equal(got.date, "20150830T123600Z");
}

static void signatures_are_those_of_the_published_suite(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const struct vector *v = &vectors[i];
        char want[400];
        struct buf got;

        buf_init(&got, 1 << 16);
        sign_vector(v, &got);
        snprintf(want, sizeof want,
                 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/"
                 "service/aws4_request, SignedHeaders=%s, Signature=%s",
                 v->names, v->signature);
        if (strcmp(buf_cstr(&got), want) != 0)
            fail_msg("%s: got %s", v->name, buf_cstr(&got));
        buf_free(&got);
    }
}

static void the_guides_example_is_signed_as_there(void **state)
{
    struct aws_header type = {
        SPAN("Content-Type"),
        SPAN("application/x-www-form-urlencoded; charset=utf-8")};
    struct aws_keys keys = {SPAN("AKIDEXAMPLE"),
                            SPAN("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                            {NULL, 0}};
    struct aws_call call = {.method = SPAN("GET"),
                            .host = SPAN("iam.amazonaws.com"),
                            .path = SPAN("/"),
                            .query =
                                SPAN("Action=ListUsers&Version=2010-05-08"),
                            .headers = &type,
                            .n_headers = 1,
                            .region = SPAN("us-east-1"),
                            .service = SPAN("iam"),
                            .utc_ms = suite_time()};
    struct buf out;
    struct aws_signed got = {"", &out};
    struct err e;

    (void)state;
    buf_init(&out, 1 << 16);
    assert_true(aws_sign(&call, &keys, &got, &e));
    assert_non_null(strstr(buf_cstr(&out),
                           "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4"
                           "c82c400e06b5924a6f2b5d7"));
    buf_free(&out);
}

static void model_names_are_escaped_for_paths(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 10);
    aws_escape(&out, SPAN("us.amazon.nova-2-lite-v1:0"));
    assert_string_equal(buf_cstr(&out), "us.amazon.nova-2-lite-v1%3A0");
    buf_free(&out);
}

static void too_many_headers_are_refused(void **state)
{
    struct aws_header many[AWS_HEADERS_MAX] = {{{NULL, 0}, {NULL, 0}}};
    struct aws_keys keys = {SPAN("a"), SPAN("b"), {NULL, 0}};
    struct aws_call call = {.headers = many, .n_headers = AWS_HEADERS_MAX};
    struct buf out;
    struct aws_signed got = {"", &out};
    struct err e = {ERR_NONE, ""};

    (void)state;
    buf_init(&out, 1 << 10);
    assert_false(aws_sign(&call, &keys, &got, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_the_published_suite),
        cmocka_unit_test(the_guides_example_is_signed_as_there),
        cmocka_unit_test(model_names_are_escaped_for_paths),
        cmocka_unit_test(too_many_headers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
