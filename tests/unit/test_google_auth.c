/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/json.h"
#include "router/upstream/google_auth.h"

#define ERR_STATE OPENSSL_ERR_STATE /* the library has one, too */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#undef ERR_STATE
#include <stdlib.h>
#include <string.h>

enum { CAP = 1 << 16 };
static const int64_t noon = 1760000000000;

static EVP_PKEY *key; /* of all tests, made by the run */

static int make_key(void **state)
{
    (void)state;
    key = EVP_RSA_gen(2048);
    return key ? 0 : -1;
}

static int free_key(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    return 0;
}

static struct google_auth *account(void)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct google_auth *g;
    struct err e = {ERR_NONE, ""};
    struct buf json;
    char *pem;
    long n;

    assert_int_equal(
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    n = BIO_get_mem_data(bio, &pem);
    buf_init(&json, CAP);
    buf_str(&json, "{\"type\":\"service_account\",\"project_id\":\"p-1\","
                   "\"private_key_id\":\"k1\",\"client_email\":"
                   "\"a@p-1.iam.gserviceaccount.com\",\"private_key\":");
    buf_json_str(&json, (struct span){pem, (size_t)n});
    buf_char(&json, '}');
    g = google_auth_new(buf_view(&json), &e);
    if (!g)
        fail_msg("%s", e.msg);
    buf_free(&json);
    BIO_free(bio);
    return g;
}

static struct span unbase64(struct span text, char *dst)
{
    char padded[4096];
    size_t n = text.len;

    memcpy(padded, text.ptr, n);
    for (size_t i = 0; i < n; i++) {
        assert_false(padded[i] == '+' || padded[i] == '/' || padded[i] == '=');
        padded[i] = padded[i] == '-' ? '+' : padded[i] == '_' ? '/' : padded[i];
    }
    while (n % 4)
        padded[n++] = '=';
    assert_true(base64_decode((struct span){padded, n}, dst, &n));
    return (struct span){dst, n};
}

static void assert_claims(struct span claims)
{
    struct json top, v;
    struct err e;
    int64_t n;

    assert_true(json_parse(claims, &top, &e));
    v = json_get(&top, "iss");
    assert_true(json_is(&v, "a@p-1.iam.gserviceaccount.com"));
    v = json_get(&top, "aud");
    assert_true(json_is(&v, "https://oauth2.googleapis.com/token"));
    v = json_get(&top, "scope");
    assert_true(json_is(&v, "https://www.googleapis.com/auth/cloud-platform"));
    v = json_get(&top, "iat");
    assert_true(json_i64(&v, &n) && n == noon / 1000);
    v = json_get(&top, "exp");
    assert_true(json_i64(&v, &n) && n == noon / 1000 + 3600);
}

static void the_claim_is_signed_and_says_who_asks(void **state)
{
    static const char grant[] = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3A"
                                "grant-type%3Ajwt-bearer&assertion=";
    struct google_auth *g = account();
    struct span rest, header, claims, sum;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    char bytes[4096];
    struct err e;
    struct buf body;

    (void)state;
    buf_init(&body, CAP);
    assert_true(google_auth_ask(g, noon, &body, &e));
    assert_true(span_starts(buf_view(&body), grant));
    rest = (struct span){body.ptr + sizeof grant - 1,
                         body.len - (sizeof grant - 1)};
    header = span_cut(&rest, '.');
    claims = span_cut(&rest, '.');
    assert_true(span_is(unbase64(header, bytes),
                        "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"));
    assert_claims(unbase64(claims, bytes));
    sum = unbase64(rest, bytes);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key),
                     1);
    assert_int_equal(EVP_DigestVerify(ctx, (const unsigned char *)sum.ptr,
                                      sum.len,
                                      (const unsigned char *)header.ptr,
                                      header.len + 1 + claims.len),
                     1);
    assert_true(span_is(google_auth_project(g), "p-1"));
    EVP_MD_CTX_free(ctx);
    buf_free(&body);
    google_auth_free(g);
}

static void a_token_is_kept_and_renewed_before_its_end(void **state)
{
    struct google_auth *g = account();
    struct span first = SPAN("{\"access_token\":\"t1\",\"expires_in\":3599,"
                             "\"token_type\":\"Bearer\"}");
    int64_t late = noon + 3599 * 1000;
    struct err e;
    struct buf body;

    (void)state;
    buf_init(&body, CAP);
    assert_true(google_auth_due(g, noon));
    assert_int_equal(google_auth_token(g, noon).len, 0);
    assert_true(google_auth_ask(g, noon, &body, &e));
    assert_false(google_auth_due(g, noon + 1000)); /* one at a time */
    assert_true(google_auth_due(g, noon + 30000)); /* it was lost */
    assert_true(google_auth_answer(g, 200, first, noon, &e));
    assert_true(span_is(google_auth_token(g, noon + 1), "t1"));
    assert_false(google_auth_due(g, noon + 1));
    assert_false(google_auth_due(g, late - 300001));
    assert_true(google_auth_due(g, late - 300000));
    assert_true(span_is(google_auth_token(g, late - 1), "t1"));
    assert_int_equal(google_auth_token(g, late).len, 0);
    buf_free(&body);
    google_auth_free(g);
}

static void a_refusal_keeps_the_token_and_waits_a_little(void **state)
{
    static const struct {
        int status;
        const char *body;
    } cases[] = {
        {400, "{\"error\":\"invalid_grant\"}"},
        {200, "no json"},
        {200, "{\"access_token\":\"t2\"}"},
        {200, "{\"access_token\":\"\",\"expires_in\":3}"},
        {200, "{\"access_token\":\"t2\",\"expires_in\":-3}"},
        {0, ""},
    };
    struct google_auth *g = account();
    struct err e = {ERR_NONE, ""};

    (void)state;
    assert_true(google_auth_answer(
        g, 200, SPAN("{\"access_token\":\"t1\",\"expires_in\":100}"), noon,
        &e));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(google_auth_answer(g, cases[i].status,
                                        span_of(cases[i].body), noon, &e));
        assert_null(strstr(e.msg, "t2"));
        assert_true(span_is(google_auth_token(g, noon), "t1"));
        assert_false(google_auth_due(g, noon + 4999));
        assert_true(google_auth_due(g, noon + 5000));
    }
    google_auth_free(g);
}

static void a_key_file_that_is_none_is_refused_without_its_words(void **state)
{
    static const char *const files[] = {
        "",
        "secret",
        "{\"client_email\":\"a\"}",
        "{\"client_email\":\"a\",\"private_key\":\"secret\"}",
        "{\"private_key\":\"secret\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct err e = {ERR_NONE, ""};

        assert_null(google_auth_new(span_of(files[i]), &e));
        assert_int_equal(e.kind, ERR_INPUT);
        assert_null(strstr(e.msg, "secret"));
    }
    google_auth_free(NULL);
}

static void paths_name_the_model_and_lead_nowhere_else(void **state)
{
    struct vertex_place p = {SPAN_INIT("p-1"), SPAN_INIT("europe-west4"),
                             SPAN_INIT("google"), SPAN_INIT("gemini-2.5-pro")};
    struct err e = {ERR_NONE, ""};
    struct buf b;

    (void)state;
    buf_init(&b, CAP);
    assert_true(vertex_base(&p, &b, &e) && vertex_path(&p, true, &b, &e));
    assert_string_equal(
        buf_cstr(&b),
        "https://europe-west4-aiplatform.googleapis.com/v1/projects/p-1/"
        "locations/europe-west4/publishers/google/models/gemini-2.5-pro"
        ":streamGenerateContent?alt=sse");
    buf_reset(&b);
    p.location = SPAN("global");
    p.publisher = SPAN("anthropic");
    p.model = SPAN("claude-sonnet-4-5@20250929");
    assert_true(vertex_base(&p, &b, &e) && vertex_path(&p, false, &b, &e));
    assert_string_equal(
        buf_cstr(&b),
        "https://aiplatform.googleapis.com/v1/projects/p-1/locations/global/"
        "publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict");
    buf_reset(&b);
    assert_true(gemini_path(SPAN("gemini-3-flash"), false, &b, &e));
    assert_string_equal(buf_cstr(&b),
                        "/v1beta/models/gemini-3-flash:generateContent");
    assert_false(gemini_path(SPAN("../x"), false, &b, &e));
    assert_false(gemini_path(SPAN("a?b"), false, &b, &e));
    assert_false(gemini_path(SPAN(""), false, &b, &e));
    p.project = SPAN("a/b");
    assert_false(vertex_path(&p, false, &b, &e));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_claim_is_signed_and_says_who_asks),
        cmocka_unit_test(a_token_is_kept_and_renewed_before_its_end),
        cmocka_unit_test(a_refusal_keeps_the_token_and_waits_a_little),
        cmocka_unit_test(a_key_file_that_is_none_is_refused_without_its_words),
        cmocka_unit_test(paths_name_the_model_and_lead_nowhere_else),
    };

    return cmocka_run_group_tests(tests, make_key, free_key);
}
