/* SPDX-License-Identifier: Apache-2.0 */
#include "models/registry.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct catalogue *shipped;

static int open_shipped(void **state)
{
    (void)state;
    struct err e = {0};
    shipped = catalogue_shipped(&e);
    return shipped ? 0 : -1;
}

static int close_shipped(void **state)
{
    (void)state;
    catalogue_free(shipped);
    return 0;
}

static const struct model *find(const char *name)
{
    const struct model *m = catalogue_find(shipped, span_of(name));
    if (!m)
        fail_msg("%s is not in the catalogue", name);
    return m;
}

/* Each worked by hand from the provider's price page, USD per million. */

static const struct {
    const char *model;
    struct usage usage;
    int64_t pico;
} worked[] = {
    /* platform.openai.com/docs/pricing, GPT-4o: 2.50 in, 1.25 cached, 10
     * out: 1,000 x 2.5 + 2,000 x 1.25 + 500 x 10 = 10,000 */
    {"gpt-4o",
     {.input = 3000, .cached = 2000, .output = 500},
     INT64_C(10000) * 1000000},
    /* the same page, GPT-5: 1.25 / 0.125 / 10; reasoning is output:
     * 1,000 x 1.25 + 1,500 x 10 */
    {"gpt-5",
     {.input = 1000, .output = 1500, .reasoning = 1200},
     INT64_C(16250) * 1000000},
    /* the same page, GPT-5.4 above 272K input: all at 5 / 0.5 / 22.5:
     * 200,000 x 5 + 100,000 x 0.5 + 1,000 x 22.5 */
    {"gpt-5.4",
     {.input = 300000, .cached = 100000, .output = 1000},
     INT64_C(1072500) * 1000000},
    /* and at most 272K: 171,999 x 2.5 + 100,000 x 0.25 + 1,000 x 15 */
    {"gpt-5.4",
     {.input = 271999, .cached = 100000, .output = 1000},
     INT64_C(469997500000)},
    /* anthropic.com/pricing, Haiku 4.5: 1 in, 1.25 / 2 written for 5 min
     * / 1 h, 0.10 read, 5 out: 500 x 1 + 10,000 x .1 + 2,000 x 1.25 +
     * 1,000 x 2 + 100 x 5 = 6,500 */
    {"claude-haiku-4-5",
     {.input = 13500,
      .cached = 10000,
      .cache_write = 2000,
      .cache_write_1h = 1000,
      .output = 100},
     INT64_C(6500) * 1000000},
    /* the same page, Sonnet 4.5 above 200K: 6 in, 22.50 out */
    {"claude-sonnet-4-5",
     {.input = 200001, .output = 10},
     INT64_C(1200231) * 1000000},
    {"claude-sonnet-4-5",
     {.input = 200000, .output = 10},
     INT64_C(600150) * 1000000},
    /* ai.google.dev/gemini-api/docs/pricing, 2.5 Pro: 1.25 / 10, above
     * 200K 2.50 / 15, cached 0.25 */
    {"gemini-2.5-pro",
     {.input = 250000, .cached = 50000, .output = 100},
     INT64_C(514000) * 1000000},
    /* api-docs.deepseek.com/quick_start/pricing, V4 Pro: 0.022 read from
     * the cache, 0.66 in, 1.98 out */
    {"deepseek-v4-pro",
     {.input = 1001, .cached = 1000, .output = 1},
     INT64_C(22000000 + 660000 + 1980000)},
    /* nothing at all */
    {"gpt-4o", {.input = 0}, 0},
};

static void costs_are_exact_to_the_pico_usd(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof worked / sizeof *worked; i++) {
        int64_t cost = model_cost(find(worked[i].model), &worked[i].usage);
        if (cost != worked[i].pico)
            fail_msg("%zu, %s: %lld", i, worked[i].model, (long long)cost);
    }
}

static void unknown_cache_prices_cost_what_input_does(void **state)
{
    (void)state;
    struct model m = {.priced = true, .prices = {1000, 2000, -1, -1, -1}};
    struct usage u = {
        .input = 100, .cached = 50, .cache_write = 20, .cache_write_1h = 10};
    assert_int_equal(model_cost(&m, &u), 100 * 1000);
    m.prices.cache_write = 1250;
    assert_int_equal(model_cost(&m, &u), 70 * 1000 + 30 * 1250);
    m.priced = false;
    assert_int_equal(model_cost(&m, &u), 0);
}

static void absurd_usage_is_never_below_zero_and_never_wraps(void **state)
{
    (void)state;
    struct model m = {.priced = true, .prices = {1000, 2000, 100, 1250, 2000}};
    struct usage more_cached = {.input = 10, .cached = 100};
    assert_int_equal(model_cost(&m, &more_cached), 100 * 100);
    struct usage negative = {.input = -5,
                             .cached = -5,
                             .cache_write = -5,
                             .cache_write_1h = -5,
                             .output = -5,
                             .reasoning = -5};
    assert_int_equal(model_cost(&m, &negative), 0);
    struct usage huge = {.input = INT64_MAX,
                         .cached = INT64_MAX,
                         .cache_write = INT64_MAX,
                         .cache_write_1h = INT64_MAX,
                         .output = INT64_MAX};
    assert_int_equal(model_cost(&m, &huge), INT64_MAX);
}

static void the_expected_cost_is_the_exact_one_in_usd(void **state)
{
    (void)state;
    const struct model *m = find("gpt-4o");
    assert_true(fabs(model_expected_usd(m, 1000, 100) - 0.0035) < 1e-12);
    m = find("gpt-5.4");
    assert_true(fabs(model_expected_usd(m, 300000, 0) - 1.5) < 1e-9);
    assert_true(model_expected_usd(m, NAN, 1) == 0);
}

static void prices_are_read_exactly_and_written_back(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t pico; /* -1: refused */
        const char *back;
    } cases[] = {
        {"0.075", 75000, "0.075"},
        {"0", 0, "0"},
        {"15", 15000000, "15"},
        {"2.50", 2500000, "2.5"},
        {"0.003625", 3625, "0.003625"},
        {"0.0000010", 1, "0.000001"},
        {"1e-1", 100000, "0.1"},
        {"7.5E-2", 75000, "0.075"},
        {"1.5e2", 150000000, "150"},
        {"1000000", INT64_C(1000000000000), "1000000"},
        {"0.0000001", -1, NULL},
        {"1000001", -1, NULL},
        {"1e300", -1, NULL},
        {"-1", -1, NULL},
        {"", -1, NULL},
        {".", -1, NULL},
        {"1.2.3", -1, NULL},
        {"nan", -1, NULL},
        {"1e", -1, NULL},
        {"99999999999999999999", -1, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t pico = -1;
        char back[32];
        bool ok = price_parse(span_of(cases[i].text), &pico);
        if (ok != (cases[i].pico >= 0) || (ok && pico != cases[i].pico))
            fail_msg("'%s': %d %lld", cases[i].text, ok, (long long)pico);
        if (ok)
            assert_string_equal(price_format(pico, back), cases[i].back);
    }
}

static void models_are_found_by_any_of_their_names(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *name; /* NULL: unknown */
    } cases[] = {
        {"gpt-5.4-nano", "gpt-5.4-nano"},
        {"openai/gpt-5.4-nano", "gpt-5.4-nano"},
        {"gpt-5.4-nano-2026-03-05", "gpt-5.4-nano"},
        {"GPT-5-4-Nano", "gpt-5.4-nano"},
        {"claude-haiku-4-5-20251001", "claude-haiku-4-5"},
        {"claude-haiku-4-5@20251001", "claude-haiku-4-5"},
        {"anthropic/claude-haiku-4.5", "claude-haiku-4-5"},
        {"claude-3-5-sonnet-latest", "claude-3-5-sonnet"},
        {"gpt-4o-2024-05-13", "gpt-4o-2024-05-13"},
        {"gpt-4o-2024-11-20", "gpt-4o"},
        {"meta-llama/llama-4-scout", "llama-4-scout"},
        {"openrouter/meta-llama/llama-4-scout", "llama-4-scout"},
        {"gpt-5.6", "gpt-5.6-sol"},
        {"models/gemini-2.5-pro", "gemini-2.5-pro"},
        {"gpt", NULL},
        {"gpt-5.4-nan", NULL},
        {"", NULL},
        {"/", NULL},
        {"-2024-05-13", NULL},
        {"gpt-4o-dddd-dd-dd", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct model *m =
            catalogue_find(shipped, span_of(cases[i].asked));
        if (!m != !cases[i].name || (m && strcmp(m->name, cases[i].name)))
            fail_msg("%s: %s", cases[i].asked, m ? m->name : "unknown");
    }
    char longest[300];
    memset(longest, 'a', sizeof longest);
    assert_null(catalogue_find(shipped, (struct span){longest, 300}));
}

static void the_shipped_catalogue_is_whole(void **state)
{
    (void)state;
    size_t current = 0;
    for (size_t i = 0; i < catalogue_count(shipped); i++) {
        const struct model *m = catalogue_at(shipped, i);
        current += !m->legacy;
        if (catalogue_find(shipped, span_of(m->name)) != m)
            fail_msg("%s stands twice", m->name);
        assert_true(m->priced && m->tier != TIER_UNKNOWN);
        assert_true(m->family[0] && m->provider[0]);
        assert_true(m->prices.cached_input <= m->prices.input);
        if (m->caps & CAN_EMBEDDINGS) {
            assert_int_equal(m->caps, CAN_EMBEDDINGS);
            assert_int_equal(m->prices.output, 0);
            continue;
        }
        assert_true(m->prices.output >= m->prices.input);
        if (m->legacy)
            continue;
        assert_true(m->context >= m->max_output && m->max_output > 0);
        assert_true(m->caps_known && (m->caps & CAN_STREAM));
    }
    assert_true(current >= 60);
    assert_non_null(strstr(catalogue_source(shipped), "genai-prices"));
}

/* platform.claude.com/docs/en/models: pages of the models. */
static void the_catalogue_knows_what_claude_takes(void **state)
{
    static const struct {
        const char *name;
        bool sampling;
        int64_t max_output;
    } rows[] = {
        {"claude-opus-4-5", true, 64000},    {"claude-opus-4-6", true, 128000},
        {"claude-sonnet-4-6", true, 128000}, {"claude-opus-4-7", false, 128000},
        {"claude-opus-4-8", false, 128000},  {"claude-opus-5", false, 128000},
        {"claude-sonnet-5", false, 128000},  {"claude-opus-5-5", false, 128000},
        {"claude-haiku-4-5", true, 64000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct model *m = catalogue_find(shipped, span_of(rows[i].name));

        assert_non_null(m);
        assert_int_equal(!!(m->caps & CAN_SAMPLING), rows[i].sampling);
        assert_int_equal(m->max_output, rows[i].max_output);
        assert_true(m->caps & CAN_JSON && m->caps & CAN_SCHEMA);
    }
}

static void every_model_of_the_labelled_sets_has_its_price(void **state)
{
    (void)state;
    char line[256];
    FILE *f = fopen("../shared/data/prices.csv", "r");
    if (!f) {
        print_message("../shared/data/prices.csv is not there\n");
        skip();
    }
    assert_non_null(fgets(line, sizeof line, f));
    while (fgets(line, sizeof line, f)) {
        struct span rest = span_trim(span_of(line));
        struct span name = span_cut(&rest, ',');
        struct span input = span_cut(&rest, ',');
        int64_t in = 0, out = 0;
        const struct model *m = catalogue_find(shipped, name);
        if (!m)
            fail_msg("%s", line);
        assert_true(price_parse(input, &in) && price_parse(rest, &out));
        assert_int_equal(m->prices.input, in);
        assert_int_equal(m->prices.output, out);
    }
    fclose(f);
}

static void a_bad_catalogue_is_refused_with_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "not JSON"},
        {"{}", "format"},
        {"{\"format\":2,\"models\":[]}", "format"},
        {"{\"format\":1}", "models"},
        {"{\"format\":1,\"models\":[1]}", "models[0]: wanted an object"},
        {"{\"format\":1,\"models\":[{}]}", "models[0]: name"},
        {"{\"format\":1,\"models\":[{\"name\":\"a\\u0000b\"}]}", "name"},
        {"{\"format\":1,\"models\":[{\"name\":\"a\",\"price\":{}}]}",
         "models[0]: a: price: wanted input"},
        {"{\"format\":1,\"models\":[{\"name\":\"a\",\"price\":{\"input\":-1,"
         "\"output\":1}}]}",
         "input: wanted USD"},
        {"{\"format\":1,\"models\":[{\"name\":\"a\",\"tier\":\"best\"}]}",
         "tier"},
        {"{\"format\":1,\"models\":[{\"name\":\"a\",\"context\":\"x\"}]}",
         "context"},
        {"{\"format\":1,\"models\":[{\"name\":\"a\",\"capabilities\":"
         "[\"flying\"]}]}",
         "capabilities: unknown \"flying\""},
        {"{\"format\":1,\"models\":[{\"name\":\"a\",\"steps\":[{\"from\":5,"
         "\"input\":1,\"output\":1},{\"from\":5,\"input\":1,\"output\":1}]}]}",
         "steps[1]"},
        {"{\"format\":1,\"models\":[{\"name\":\"a\",\"aliases\":[1]}]}",
         "aliases"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        char path[] = "/tmp/weir-catalogue-XXXXXX";
        int fd = mkstemp(path);
        size_t n = strlen(cases[i].text);
        assert_true(fd >= 0 && write(fd, cases[i].text, n) == (ssize_t)n);
        close(fd);
        assert_null(catalogue_load(path, &e));
        unlink(path);
        if (i > 0 && !strstr(e.msg, cases[i].says))
            fail_msg("%zu: %s", i, e.msg);
    }
    struct err e = {0};
    assert_null(catalogue_load("/nowhere/at/all", &e));
    assert_non_null(strstr(e.msg, "/nowhere/at/all"));
}

static void tiers_and_capabilities_have_names(void **state)
{
    (void)state;
    enum tier t;
    uint32_t bit;
    assert_true(tier_parse(SPAN("workhorse"), &t) && t == TIER_WORKHORSE);
    assert_false(tier_parse(SPAN("unknown"), &t));
    for (unsigned i = 0; i < CAPABILITIES; i++) {
        const char *name = capability_name((enum capability)(1u << i));
        assert_true(capability_parse(span_of(name), &bit) && bit == 1u << i);
    }
    assert_string_equal(capability_name(CAN_SAMPLING), "sampling");
    assert_false(capability_parse(SPAN("x"), &bit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_are_exact_to_the_pico_usd),
        cmocka_unit_test(unknown_cache_prices_cost_what_input_does),
        cmocka_unit_test(absurd_usage_is_never_below_zero_and_never_wraps),
        cmocka_unit_test(the_expected_cost_is_the_exact_one_in_usd),
        cmocka_unit_test(prices_are_read_exactly_and_written_back),
        cmocka_unit_test(models_are_found_by_any_of_their_names),
        cmocka_unit_test(the_shipped_catalogue_is_whole),
        cmocka_unit_test(the_catalogue_knows_what_claude_takes),
        cmocka_unit_test(every_model_of_the_labelled_sets_has_its_price),
        cmocka_unit_test(a_bad_catalogue_is_refused_with_the_place),
        cmocka_unit_test(tiers_and_capabilities_have_names),
    };
    return cmocka_run_group_tests(tests, open_shipped, close_shipped);
}
