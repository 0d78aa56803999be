/* SPDX-License-Identifier: Apache-2.0 */
#include "router/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GEMINI "/v1beta/models/"

struct row {
    const char *method, *path;
    enum path_found found;
    const struct dialect_ops *dialect; /* where it is found */
    bool stream;
    const char *name;
};

static const struct row rows[] = {
    {"POST", "/v1/chat/completions", PATH_FOUND, &dialect_openai, false, ""},
    {"POST", "/v1/responses", PATH_FOUND, &dialect_responses, false, ""},
    {"POST", "/v1/completions", PATH_FOUND, &dialect_completions, false, ""},
    {"POST", "/v1/embeddings", PATH_FOUND, &dialect_embeddings, false, ""},
    {"POST", "/v1/messages", PATH_FOUND, &dialect_anthropic, false, ""},
    {"POST", "/v1/messages/count_tokens", PATH_FOUND, &dialect_anthropic, false,
     ""},
    {"POST", GEMINI "m:generateContent", PATH_FOUND, &dialect_gemini, false,
     "m"},
    {"POST", GEMINI "m:streamGenerateContent", PATH_FOUND, &dialect_gemini,
     true, "m"},
    {"POST", GEMINI "m:countTokens", PATH_FOUND, &dialect_gemini, false, "m"},
    {"POST", "/v1/models/m:generateContent", PATH_FOUND, &dialect_gemini, false,
     "m"},
    /* names with slashes and colons of their own */
    {"POST", GEMINI "a/b%2Fc:generateContent", PATH_FOUND, &dialect_gemini,
     false, "a/b%2Fc"},
    {"POST", GEMINI "us.claude-v1:0:generateContent", PATH_FOUND,
     &dialect_gemini, false, "us.claude-v1:0"},
    {"GET", "/v1/models/openai/gpt-5", PATH_FOUND, &dialect_openai, false, ""},
    {"GET", GEMINI "us.claude-v1:0", PATH_FOUND, &dialect_gemini, false, ""},
    {"GET", "/v1/models", PATH_FOUND, &dialect_openai, false, ""},
    {"HEAD", "/v1/models", PATH_FOUND, &dialect_openai, false, ""},
    {"GET", "/v1beta/models", PATH_FOUND, &dialect_gemini, false, ""},
    {"GET", "/healthz", PATH_FOUND, &dialect_openai, false, ""},
    /* base URLs without /v1, and those of other gateways */
    {"POST", "/chat/completions", PATH_FOUND, &dialect_openai, false, ""},
    {"POST", "/responses", PATH_FOUND, &dialect_responses, false, ""},
    {"GET", "/models", PATH_FOUND, &dialect_openai, false, ""},
    {"GET", "/models/openai/gpt-5", PATH_FOUND, &dialect_openai, false, ""},
    {"POST", "/openai/v1/chat/completions", PATH_FOUND, &dialect_openai, false,
     ""},
    {"POST", "/openai/chat/completions", PATH_FOUND, &dialect_openai, false,
     ""},
    {"POST", "/api/v1/chat/completions", PATH_FOUND, &dialect_openai, false,
     ""},
    {"POST", "/anthropic/v1/messages", PATH_FOUND, &dialect_anthropic, false,
     ""},
    {"POST", "/genai/v1beta/models/m:generateContent", PATH_FOUND,
     &dialect_gemini, false, "m"},
    /* Azure's clients: the deployment is the model */
    {"POST", "/openai/deployments/gpt-5%20x/chat/completions", PATH_FOUND,
     &dialect_openai, false, "gpt-5%20x"},
    {"POST", "/openai/deployments/e/embeddings", PATH_FOUND,
     &dialect_embeddings, false, "e"},
    {"POST", "/openai/responses", PATH_FOUND, &dialect_responses, false, ""},
    /* 405: the path is known, the method is not */
    {"GET", "/v1/chat/completions", PATH_METHOD, NULL, false, ""},
    {"GET", "/v1/responses", PATH_METHOD, NULL, false, ""},
    {"DELETE", "/v1/messages", PATH_METHOD, NULL, false, ""},
    {"GET", GEMINI "m:generateContent", PATH_METHOD, NULL, false, ""},
    {"GET", GEMINI "m:streamGenerateContent", PATH_METHOD, NULL, false, ""},
    {"GET", "/v1/models/m:countTokens", PATH_METHOD, NULL, false, ""},
    {"POST", GEMINI "m", PATH_METHOD, NULL, false, ""},
    {"POST", GEMINI "m:embedContent", PATH_METHOD, NULL, false, ""},
    {"POST", "/v1/models", PATH_METHOD, NULL, false, ""},
    {"get", "/healthz", PATH_METHOD, NULL, false, ""},
    {"GET", "/chat/completions", PATH_METHOD, NULL, false, ""},
    {"GET", "/openai/deployments/m/chat/completions", PATH_METHOD, NULL, false,
     ""},
    /* 404 */
    {"POST", "/messages", PATH_NONE, NULL, false, ""},
    {"POST", "/anthropic/messages", PATH_NONE, NULL, false, ""},
    {"GET", "/openai/healthz2", PATH_NONE, NULL, false, ""},
    {"POST", "/weir/reload", PATH_NONE, NULL, false, ""},
    {"POST", "/openaix/v1/chat/completions", PATH_NONE, NULL, false, ""},
    {"POST", "/openai/openai/v1/chat/completions", PATH_NONE, NULL, false, ""},
    {"GET", "/", PATH_NONE, NULL, false, ""},
    {"GET", "", PATH_NONE, NULL, false, ""},
    {"POST", "/v1/chat/completions/", PATH_NONE, NULL, false, ""},
    {"POST", "/v1/Chat/completions", PATH_NONE, NULL, false, ""},
    {"GET", "/v1/responses/resp_1", PATH_NONE, NULL, false, ""},
    {"GET", "/v1/models/", PATH_NONE, NULL, false, ""},
    {"POST", GEMINI ":generateContent", PATH_METHOD, NULL, false, ""},
    {"POST", "/v2/chat", PATH_NONE, NULL, false, ""},
};

static void each_path_has_its_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct path_look l = paths_look(span_of(r->method), span_of(r->path));

        if (l.found != r->found || l.dialect != r->dialect ||
            l.stream != r->stream || !span_is(l.name, r->name))
            fail_msg("%s %s: found %d, name %.*s", r->method, r->path,
                     (int)l.found, (int)l.name.len, l.name.ptr);
    }
}

static void refusals_speak_the_dialect_of_the_path(void **state)
{
    (void)state;
    assert_ptr_equal(paths_dialect(SPAN("/v1/messages/x")), &dialect_anthropic);
    assert_ptr_equal(paths_dialect(SPAN("/v1beta/x")), &dialect_gemini);
    assert_ptr_equal(paths_dialect(SPAN("/anthropic/v1/messages/x")),
                     &dialect_anthropic);
    assert_ptr_equal(paths_dialect(SPAN("/x")), &dialect_openai);
}

static void names_are_decoded_and_what_is_no_escape_stays(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 4096);
    assert_true(span_is(paths_decode(SPAN("a%2Fb%3a0"), &a), "a/b:0"));
    assert_true(span_is(paths_decode(SPAN("50%"), &a), "50%"));
    assert_true(span_is(paths_decode(SPAN("%zz%4"), &a), "%zz%4"));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_has_its_answer),
        cmocka_unit_test(refusals_speak_the_dialect_of_the_path),
        cmocka_unit_test(names_are_decoded_and_what_is_no_escape_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
