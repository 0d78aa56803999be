/* SPDX-License-Identifier: Apache-2.0 */
#include "models/catalogue_import.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

/* Forms as in LiteLLM's model_prices_and_context_window.json. */
static const char litellm[] =
    "{\"sample_spec\":{\"mode\":\"one of chat, embedding\","
    "\"input_cost_per_token\":0.0},"
    "\"fallback_generalizations\":{\"rules\":[]},"
    "\"gpt-5.4\":{\"litellm_provider\":\"openai\",\"mode\":\"chat\","
    "\"input_cost_per_token\":2.5e-06,\"output_cost_per_token\":1.5e-05,"
    "\"cache_read_input_token_cost\":2.5e-07,"
    "\"input_cost_per_token_above_272k_tokens\":5e-06,"
    "\"output_cost_per_token_above_272k_tokens\":2.25e-05,"
    "\"input_cost_per_token_above_272k_tokens_priority\":1e-05,"
    "\"max_input_tokens\":1050000,\"max_output_tokens\":128000,"
    "\"supports_function_calling\":true,\"supports_vision\":true},"
    "\"claude-haiku-4-5\":{\"litellm_provider\":\"anthropic\","
    "\"mode\":\"chat\",\"input_cost_per_token\":1e-06,"
    "\"output_cost_per_token\":5e-06,"
    "\"cache_creation_input_token_cost\":1.25e-06,"
    "\"cache_creation_input_token_cost_above_1hr\":2e-06},"
    "\"gemini/gemini-2.5-flash\":{\"litellm_provider\":\"gemini\","
    "\"mode\":\"chat\",\"input_cost_per_token\":3e-07,"
    "\"output_cost_per_token\":2.5e-06},"
    "\"azure/gpt-4o\":{\"litellm_provider\":\"azure\",\"mode\":\"chat\","
    "\"input_cost_per_token\":2.75e-06,\"output_cost_per_token\":1.1e-05},"
    "\"embed\":{\"litellm_provider\":\"openai\",\"mode\":\"embedding\","
    "\"input_cost_per_token\":2e-08,\"output_cost_per_token\":0},"
    "\"free\":{\"litellm_provider\":\"openai\",\"mode\":\"chat\"},"
    "\"odd\":{\"litellm_provider\":\"openai\",\"mode\":\"chat\","
    "\"input_cost_per_token\":\"1\",\"output_cost_per_token\":1e-6},"
    "\"negative\":{\"litellm_provider\":\"openai\",\"mode\":\"chat\","
    "\"input_cost_per_token\":-1e-6,\"output_cost_per_token\":1e-6}}";

/* Forms as in models.dev's api.json. */
static const char models_dev[] =
    "{\"openai\":{\"id\":\"openai\",\"npm\":\"x\",\"models\":{"
    "\"gpt-5.5\":{\"id\":\"gpt-5.5\",\"reasoning\":true,\"tool_call\":true,"
    "\"temperature\":false,\"modalities\":{\"input\":[\"text\",\"image\","
    "\"pdf\"],\"output\":[\"text\"]},\"cost\":{\"input\":5,\"output\":30,"
    "\"cache_read\":0.5,\"tiers\":[{\"input\":10,\"output\":45,"
    "\"cache_read\":1,\"tier\":{\"type\":\"context\",\"size\":272000}}],"
    "\"context_over_200k\":{\"input\":10,\"output\":45}},"
    "\"limit\":{\"context\":1000000,\"output\":128000}},"
    "\"image-1\":{\"modalities\":{\"output\":[\"image\"]},"
    "\"cost\":{\"input\":5,\"output\":30}}}},"
    "\"google\":{\"models\":{\"gemini-3-pro-preview\":{\"cost\":{\"input\":2,"
    "\"output\":12,\"context_over_200k\":{\"input\":4,\"output\":18}}}}},"
    "\"reseller\":{\"models\":{\"gpt-5.5\":{\"cost\":{\"input\":9,"
    "\"output\":90}},\"nothing\":{}}}}";

static struct catalogue *import(const char *text, struct catalogue_import *im)
{
    struct err e = {0};
    struct buf out;
    char path[] = "/tmp/weir-import-XXXXXX";
    buf_init(&out, 1 << 20);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    if (!catalogue_import(span_of(text), im, &out, &e) ||
        !file_write(path, buf_view(&out), &e))
        fail_msg("%s", e.msg);
    struct catalogue *c = catalogue_load(path, &e);
    if (!c)
        fail_msg("%s", e.msg);
    unlink(path);
    buf_free(&out);
    return c;
}

static const struct model *find(const struct catalogue *c, const char *name)
{
    const struct model *m = catalogue_find(c, span_of(name));
    if (!m)
        fail_msg("no %s", name);
    return m;
}

static void a_litellm_price_map_becomes_a_catalogue(void **state)
{
    (void)state;
    struct err e = {0};
    struct catalogue *known = catalogue_shipped(&e);
    struct catalogue_import im = {.known = known, .origin = "a test"};
    struct catalogue *c = import(litellm, &im);
    assert_int_equal(im.taken, 4);
    assert_int_equal(im.skipped, 5);
    assert_string_equal(catalogue_source(c), "a test");
    const struct model *m = find(c, "gpt-5.4");
    assert_int_equal(m->prices.input, 2500000);
    assert_int_equal(m->prices.cached_input, 250000);
    assert_int_equal(m->prices.cache_write, -1);
    assert_int_equal(m->n_steps, 1);
    assert_int_equal(m->steps[0].from_tokens, 272001);
    assert_int_equal(m->steps[0].prices.output, 22500000);
    assert_int_equal(m->context, 1050000);
    assert_true(m->caps & CAN_TOOLS && m->caps & CAN_VISION);
    assert_int_equal(m->tier, TIER_FRONTIER);
    assert_string_equal(m->family, "gpt");
    m = find(c, "claude-haiku-4-5-20251001");
    assert_int_equal(m->prices.cache_write_1h, 2000000);
    /* the maker's own price answers to the bare name, a reseller's not */
    m = find(c, "gemini-2.5-flash");
    assert_string_equal(m->upstream, "gemini-2.5-flash");
    assert_null(catalogue_find(c, SPAN("gpt-4o")));
    assert_non_null(catalogue_find(c, SPAN("azure/gpt-4o")));
    catalogue_free(c);
    catalogue_free(known);
}

static void a_models_dev_list_becomes_a_catalogue(void **state)
{
    (void)state;
    struct catalogue_import im = {.origin = "a test"};
    struct catalogue *c = import(models_dev, &im);
    assert_int_equal(im.taken, 3);
    assert_int_equal(im.skipped, 2);
    const struct model *m = find(c, "gpt-5.5");
    assert_string_equal(m->provider, "openai");
    assert_string_equal(m->upstream, "gpt-5.5");
    assert_int_equal(m->prices.input, 5000000);
    assert_int_equal(m->n_steps, 1);
    assert_int_equal(m->steps[0].from_tokens, 272001);
    assert_true(m->caps & CAN_VISION && m->caps & CAN_FILES);
    assert_false(m->caps & CAN_SAMPLING);
    assert_int_equal(find(c, "reseller/gpt-5.5")->prices.input, 9000000);
    m = find(c, "gemini-3-pro-preview");
    assert_int_equal(m->steps[0].from_tokens, 200001);
    catalogue_free(c);
}

static void only_the_named_providers_are_taken(void **state)
{
    (void)state;
    const char *const names[] = {"google", "anthropic"};
    struct catalogue_import im = {
        .origin = "a test", .providers = names, .n_providers = 2};
    struct catalogue *c = import(models_dev, &im);
    assert_int_equal(im.taken, 1);
    assert_int_equal(catalogue_count(c), 1);
    catalogue_free(c);
}

static void what_is_no_price_list_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "[]",
        "{}",
        "{\"a\":1}",
        "{\"a\":{}}",
        "{\"a\":{\"models\":{}}}",
        "{\"a\":{\"models\":{\"b\":{\"cost\":1}}}}"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct catalogue_import im = {.origin = "a test"};
        struct err e = {0};
        struct buf out;
        buf_init(&out, 1 << 20);
        assert_false(catalogue_import(span_of(cases[i]), &im, &out, &e));
        assert_true(e.msg[0] != '\0');
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_litellm_price_map_becomes_a_catalogue),
        cmocka_unit_test(a_models_dev_list_becomes_a_catalogue),
        cmocka_unit_test(only_the_named_providers_are_taken),
        cmocka_unit_test(what_is_no_price_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
