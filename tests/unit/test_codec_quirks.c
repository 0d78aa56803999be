/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenAI-compatible providers refuse, by what they publish
 * (router/codec/quirks.c names where), for clients of their own dialect and of
 * another; and service tiers in every dialect. */
#include "tests/unit/codec_check.h"

#include "router/codec/openai_chat.h"
#include "router/codec/quirks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BODY(rest)                                                             \
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\","      \
    "\"content\":\"a\"}]" rest "}"

#define PICTURE(data)                                                          \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{"         \
    "\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image_url\","            \
    "\"image_url\":{\"url\":\"data:" data "\"}}]}]}"

/* without: what must not be there; lost: the header's words, "" for none. */
static const struct {
    const char *provider, *model, *body, *with, *without, *lost;
} cases[] = {
    {"groq", "llama", BODY(",\"n\":1"), "\"messages\"", "?", ""},
    {"groq", "llama", BODY(",\"n\":2"), "\"messages\"", "\"n\"", "n"},
    {"groq", "llama", BODY(",\"logprobs\":true,\"top_logprobs\":2"),
     "\"messages\"", "logprobs", "parameter=logprobs"},
    {"groq", "llama",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"name\":\"ann\","
     "\"content\":\"a\"}]}",
     "\"content\":\"a\"", "ann", "parameter=messages[0].name"},
    {"xai", "grok-4", BODY(",\"stop\":[\"x\"],\"presence_penalty\":0"),
     "\"messages\"", "\"stop\"", "stop"},
    {"xai", "grok-4", BODY(",\"presence_penalty\":1"), "\"messages\"",
     "presence_penalty", "parameter=presence_penalty"},
    {"xai", "grok-4-fast-non-reasoning", BODY(",\"stop\":[\"x\"]"), "\"stop\"",
     "?", ""},
    {"xai", "grok-4", BODY(",\"temperature\":0.5"), "\"temperature\"", "?", ""},
    {"together", "llama", BODY(",\"logprobs\":true"), "\"messages\"",
     "logprobs", "parameter=logprobs"},
    {"vllm", "qwen", BODY(",\"user\":\"u\",\"top_k\":3"), "\"top_k\":3",
     "\"user\":\"u\"", "parameter=user"},
    {"ollama", "qwen", BODY(",\"tool_choice\":\"auto\",\"seed\":1"),
     "\"seed\":1", "tool_choice", "parameter=tool_choice"},
    {"ollama", "llava", PICTURE("image/gif;base64,R0lG"), "\"look\"", "R0lG",
     "image=messages[0]"},
    {"ollama", "llava", PICTURE("image/webp;base64,UklG"), "UklG", "?", ""},
    {"openai", "gpt-4o", PICTURE("image/gif;base64,R0lG"), "R0lG", "?", ""},
    {"openai", "gpt-5", BODY(",\"temperature\":0.5"), "max_completion_tokens",
     "temperature", "parameter=temperature"},
    {"azure", "gpt-5", BODY(",\"temperature\":0.5"), "max_completion_tokens",
     "temperature", "parameter=temperature"},
    {"openai", "grok-4", BODY(",\"stop\":[\"x\"]"), "\"stop\"", "?", ""},
};

static struct err e;

static void what_a_provider_refuses_is_left_out_and_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct inbound in = {span_of(cases[i].body), SPAN(""), false};
        struct target t = {
            .model = span_of(cases[i].model),
            .quirks = quirks_find(span_of(cases[i].provider), SPAN("")),
            .same_dialect = true};
        struct losses lost = {0};
        struct request r;
        struct buf out, said;
        struct arena a;
        bool fits;

        arena_init(&a, 1 << 20);
        buf_init(&out, 1 << 16);
        buf_init(&said, 4096);
        assert_true(codec_openai.request_read(&in, &a, &r, &e));
        fits = chat_request_fits(&r, &t);
        assert_true(codec_openai.request_write(&r, &t, &lost, &out, &e));
        lossy_header(&lost, &said);
        check_that(strstr(buf_cstr(&out), cases[i].with) &&
                       !strstr(buf_cstr(&out), cases[i].without),
                   "%zu: %s", i, buf_cstr(&out));
        check_that(cases[i].lost[0]
                       ? strstr(buf_cstr(&said), cases[i].lost) != NULL
                       : !said.len,
                   "%zu: lost %s", i, buf_cstr(&said));
        check_that(!fits || !said.len, "%zu: passed on as it was", i);
        buf_free(&out);
        buf_free(&said);
        arena_free(&a);
    }
}

/* The same, from a client of another dialect. */
static void rules_of_models_hold_for_other_dialects_too(void **state)
{
    static const char body[] =
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"a\"}]}],"
        "\"generationConfig\":{\"candidateCount\":2,\"stopSequences\":[\"x\"],"
        "\"presencePenalty\":0.5,\"temperature\":0.5}}";
    static const struct {
        const char *provider, *model, *without, *lost;
    } rows[] = {
        {"xai", "grok-4", "\"stop\"", "stop=stop"},
        {"xai", "grok-4", "presence_penalty", "parameter=presence_penalty"},
        {"groq", "llama", "\"n\"", "n=2"},
        {"openai", "o3", "temperature", "parameter=temperature"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct inbound in = {SPAN(body), SPAN("m"), false};
        struct target t = {
            .model = span_of(rows[i].model),
            .quirks = quirks_find(span_of(rows[i].provider), SPAN(""))};
        struct losses lost = {0};
        struct request r;
        struct buf out, said;
        struct arena a;

        arena_init(&a, 1 << 20);
        buf_init(&out, 1 << 16);
        buf_init(&said, 4096);
        assert_true(codec_gemini.request_read(&in, &a, &r, &e));
        assert_true(codec_openai.request_write(&r, &t, &lost, &out, &e));
        lossy_header(&lost, &said);
        check_that(!strstr(buf_cstr(&out), rows[i].without), "%zu: %s", i,
                   buf_cstr(&out));
        check_that(strstr(buf_cstr(&said), rows[i].lost) != NULL, "%zu: %s", i,
                   buf_cstr(&said));
        buf_free(&out);
        buf_free(&said);
        arena_free(&a);
    }
}

/* from, its tier -> to, what is written; NULL: lost. */
static void service_tiers_go_where_they_mean_something(void **state)
{
    static const struct {
        const char *from, *tier, *to, *written;
    } rows[] = {
        {"openai", "flex", "openai", "\"service_tier\":\"flex\""},
        {"openai", "priority", "responses", "\"service_tier\":\"priority\""},
        {"openai", "default", "anthropic",
         "\"service_tier\":\"standard_only\""},
        {"openai", "auto", "anthropic", "\"service_tier\":\"auto\""},
        {"openai", "flex", "anthropic", NULL},
        {"openai", "flex", "gemini", NULL},
        {"openai", "flex", "cohere", NULL},
        {"anthropic", "auto", "openai", "\"service_tier\":\"auto\""},
        {"anthropic", "standard_only", "responses",
         "\"service_tier\":\"default\""},
        {"anthropic", "standard_only", "openai",
         "\"service_tier\":\"default\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct target t = {.model = SPAN("claude-opus-4-5"),
                           .quirks = quirks_find(SPAN("openai"), SPAN(""))};
        struct losses lost = {0};
        struct request r;
        struct buf out, said, body;
        struct arena a;
        struct inbound in = {.model = SPAN("m")};

        arena_init(&a, 1 << 20);
        buf_init(&out, 1 << 16);
        buf_init(&said, 4096);
        buf_init(&body, 4096);
        buf_printf(&body,
                   "{\"model\":\"m\",\"max_tokens\":99,\"service_tier\":\"%s\","
                   "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
                   rows[i].tier);
        in.body = buf_view(&body);
        assert_true(codec_find(rows[i].from)->request_read(&in, &a, &r, &e));
        assert_true(
            codec_find(rows[i].to)->request_write(&r, &t, &lost, &out, &e));
        lossy_header(&lost, &said);
        check_that(rows[i].written
                       ? strstr(buf_cstr(&out), rows[i].written) != NULL
                       : strstr(buf_cstr(&said), "service_tier") != NULL,
                   "%zu: %s, lost %s", i, buf_cstr(&out), buf_cstr(&said));
        buf_free(&out);
        buf_free(&said);
        buf_free(&body);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_provider_refuses_is_left_out_and_named),
        cmocka_unit_test(rules_of_models_hold_for_other_dialects_too),
        cmocka_unit_test(service_tiers_go_where_they_mean_something),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
