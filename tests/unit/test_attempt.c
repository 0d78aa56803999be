/* SPDX-License-Identifier: Apache-2.0 */
/* What an error is, in any dialect, and how long to wait after it. */
#include "router/attempt/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "router/attempt/backoff.h"

static const struct {
    int status;
    const char *body;
    enum fault want;
} answers[] = {
    /* OpenAI and what is compatible */
    {400,
     "{\"error\":{\"message\":\"This model's maximum context length is 128000 "
     "tokens.\",\"type\":\"invalid_request_error\",\"param\":\"messages\","
     "\"code\":\"context_length_exceeded\"}}",
     FAULT_CONTEXT},
    {400,
     "{\"error\":{\"message\":\"rejected\",\"type\":\"invalid_request_error\","
     "\"code\":\"content_policy_violation\"}}",
     FAULT_POLICY},
    {400,
     "{\"error\":{\"code\":\"content_filter\",\"message\":\"The response was "
     "filtered\",\"status\":400}}",
     FAULT_POLICY},
    {400,
     "{\"error\":{\"message\":\"bad\",\"type\":\"invalid_request_error\"}}",
     FAULT_REQUEST},
    {401, "{\"error\":{\"code\":\"invalid_api_key\"}}", FAULT_AUTH},
    {404, "{\"error\":{\"code\":\"model_not_found\"}}", FAULT_MODEL},
    {429, "{\"error\":{\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}",
     FAULT_RATE},
    {429, "{\"error\":{\"code\":\"insufficient_quota\"}}", FAULT_QUOTA},
    {500, "{\"error\":{\"type\":\"server_error\"}}", FAULT_SERVER},
    {503, "{\"error\":{\"message\":\"The engine is currently overloaded\"}}",
     FAULT_OVERLOADED},
    {503, "<html>", FAULT_SERVER},
    {200, "{\"error\":{\"type\":\"server_error\",\"message\":\"x\"}}",
     FAULT_NONE},
    {408, "", FAULT_SERVER},
    /* Anthropic */
    {400,
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
     "\"message\":\"Prompt is too long: 210000 tokens > 200000\"}}",
     FAULT_CONTEXT},
    {400,
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
     "\"message\":\"Your credit balance is too low\"}}",
     FAULT_QUOTA},
    {400,
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
     "\"message\":\"Output blocked by content filtering policy\"}}",
     FAULT_POLICY},
    {529,
     "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
     "\"message\":\"Overloaded\"}}",
     FAULT_OVERLOADED},
    {200, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}",
     FAULT_OVERLOADED},
    {413, "{\"type\":\"error\",\"error\":{\"type\":\"request_too_large\"}}",
     FAULT_CONTEXT},
    {403, "{\"type\":\"error\",\"error\":{\"type\":\"permission_error\"}}",
     FAULT_AUTH},
    /* Gemini */
    {400,
     "{\"error\":{\"code\":400,\"message\":\"The input token count (1200000) "
     "exceeds the maximum number of tokens allowed (1048576).\","
     "\"status\":\"INVALID_ARGUMENT\"}}",
     FAULT_CONTEXT},
    {400,
     "{\"error\":{\"code\":400,\"message\":\"API key not valid. Please pass a "
     "valid API key.\",\"status\":\"INVALID_ARGUMENT\"}}",
     FAULT_AUTH},
    {429, "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\"}}",
     FAULT_RATE},
    {503,
     "{\"error\":{\"code\":503,\"message\":\"The model is overloaded.\","
     "\"status\":\"UNAVAILABLE\"}}",
     FAULT_OVERLOADED},
    /* Bedrock and Cohere: at the top */
    {400, "{\"message\":\"Input is too long for requested model.\"}",
     FAULT_CONTEXT},
    {400, "{\"message\":\"The provided request is not valid\"}", FAULT_REQUEST},
    {429, "{\"message\":\"Too many requests\"}", FAULT_RATE},
    /* nothing to read */
    {402, "", FAULT_QUOTA},
    {422, "nonsense", FAULT_REQUEST},
    {502, "", FAULT_SERVER},
    {200, "", FAULT_NONE},
    {400, "[1,2]", FAULT_REQUEST},
};

static void an_error_has_its_class_in_every_dialect(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        enum fault got =
            fault_of_answer(answers[i].status, span_of(answers[i].body));

        if (got != answers[i].want)
            print_message("%d %s: %s\n", answers[i].status, answers[i].body,
                          fault_name(got));
        assert_int_equal(got, answers[i].want);
    }
}

static void an_error_event_has_its_class_by_its_words(void **state)
{
    (void)state;
    assert_int_equal(
        fault_of_words(200, SPAN("overloaded_error"), SPAN("Overloaded")),
        FAULT_OVERLOADED);
    assert_int_equal(fault_of_words(429, SPAN("x"), SPAN("")), FAULT_RATE);
    assert_int_equal(fault_of_words(200, SPAN("x_error"), SPAN("?")),
                     FAULT_NONE);
    assert_int_equal(fault_of_words(500, SPAN("api_error"), SPAN("?")),
                     FAULT_SERVER);
}

static void every_class_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < FAULT_KINDS; a++) {
        assert_non_null(fault_name((enum fault)a));
        for (int b = 0; b < a; b++)
            assert_string_not_equal(fault_name((enum fault)a),
                                    fault_name((enum fault)b));
    }
}

static void a_key_is_blamed_for_its_own_faults_only(void **state)
{
    (void)state;
    assert_int_equal(fault_blame(FAULT_RATE), BLAME_KEY);
    assert_int_equal(fault_blame(FAULT_AUTH), BLAME_KEY);
    assert_int_equal(fault_blame(FAULT_SERVER), BLAME_ILL);
    assert_int_equal(fault_blame(FAULT_DEAD), BLAME_DEAD);
    assert_int_equal(fault_blame(FAULT_CONTEXT), BLAME_WELL);
    assert_int_equal(fault_blame(FAULT_GONE), BLAME_NONE);
}

static void waits_double_within_their_bound_and_are_spread_out(void **state)
{
    static const uint64_t most[] = {100, 200, 400, 800, 1000, 1000};
    struct rng r;

    (void)state;
    rng_seed(&r, 7);
    for (unsigned n = 0; n < 6; n++) {
        uint64_t low = UINT64_MAX, high = 0;

        for (int i = 0; i < 5000; i++) {
            uint64_t w = backoff_ms(100, 1000, n, rng_next(&r));

            low = w < low ? w : low;
            high = w > high ? w : high;
            assert_true(w <= most[n]);
        }
        assert_true(low < most[n] / 20);
        assert_true(high > most[n] - most[n] / 20);
    }
    assert_int_equal(backoff_ms(0, 0, 3, UINT64_MAX), 0);
}

/* Fri, 20 Nov 2026 14:00:00 GMT */
#define NOW INT64_C(1795183200000)

static const struct {
    const char *after, *after_ms;
    bool ok;
    uint64_t want;
} tolds[] = {
    {"7", "", true, 7000},
    {" 0.5 ", "", true, 500},
    {"7", "250", true, 250},
    {"7", "12.5", true, 13},
    {"7", "soon", true, 7000},
    {"Fri, 20 Nov 2026 14:00:30 GMT", "", true, 30000},
    {"Fri, 20 Nov 2026 13:00:00 GMT", "", true, 0},
    {"Fri, 20 Nov 2026 14:00:30 GMT x", "", false, 0},
    {"999999999999", "", true, 86400000},
    {"-1", "", false, 0},
    {"", "", false, 0},
    {"nan", "inf", false, 0},
    {"a very long text that is no date and no number at all", "", false, 0},
};

static void retry_after_is_read_in_all_its_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tolds / sizeof tolds[0]; i++) {
        uint64_t got = 0;
        bool ok = backoff_told(span_of(tolds[i].after),
                               span_of(tolds[i].after_ms), NOW, &got);

        if (ok != tolds[i].ok || got != tolds[i].want)
            print_message("%s / %s: %llu\n", tolds[i].after, tolds[i].after_ms,
                          (unsigned long long)got);
        assert_int_equal(ok, tolds[i].ok);
        assert_int_equal(got, tolds[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_has_its_class_in_every_dialect),
        cmocka_unit_test(an_error_event_has_its_class_by_its_words),
        cmocka_unit_test(every_class_has_a_name_of_its_own),
        cmocka_unit_test(a_key_is_blamed_for_its_own_faults_only),
        cmocka_unit_test(waits_double_within_their_bound_and_are_spread_out),
        cmocka_unit_test(retry_after_is_read_in_all_its_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
