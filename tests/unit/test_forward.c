/* SPDX-License-Identifier: Apache-2.0 */
#include "router/forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "router/settings/settings.h"

static void an_address_is_the_paths_below_the_providers(void **state)
{
    static const struct {
        const char *base, *path, *query, *url;
    } rows[] = {
        {"https://api.openai.com/v1", "/v1/files", "",
         "https://api.openai.com/v1/files"},
        {"https://api.anthropic.com", "/v1/messages/batches", "limit=2",
         "https://api.anthropic.com/v1/messages/batches?limit=2"},
        {"https://x.y/openai/v1", "/v1/audio/speech", "",
         "https://x.y/openai/v1/audio/speech"},
        {"https://g.com/v1beta", "/v1beta/files/a", "key=mine&a=%26&&b",
         "https://g.com/v1beta/files/a?a=%26&b"},
        {"https://g.com/v1beta", "/upload/v1beta/files", "key=mine",
         "https://g.com/upload/v1beta/files"},
        {"https://api.cohere.com/v2", "/v2/rerank", "monkey=1",
         "https://api.cohere.com/v2/rerank?monkey=1"},
        {"http://127.0.0.1:1/vendor", "/v1/x", "",
         "http://127.0.0.1:1/vendor/v1/x"},
    };
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(forward_url(rows[i].base, span_of(rows[i].path),
                                        span_of(rows[i].query), &a),
                            rows[i].url);
    arena_free(&a);
}

static struct settings *three(void)
{
    static const char text[] =
        "providers:\n"
        "  a: {dialect: openai, base_url: \"http://h/v1\", api_key: k,\n"
        "      pass_through: [/v1/files/, /v1/moderations]}\n"
        "  b: {dialect: openai, base_url: \"http://h/v1\", api_key: k,\n"
        "      pass_through: [/v1/]}\n"
        "models: {m: {provider: a, price: {input: 1, output: 1}}}\n"
        "routes: {auto: {arms: [m]}}\n";
    struct err e = {0};
    struct settings *s = settings_parse(SPAN(text), "weir.yaml", &e);

    if (!s)
        fail_msg("%s", e.msg);
    return s;
}

static const char *taken(const struct settings *s, const char *path)
{
    const struct provider_settings *p = forward_to(s, span_of(path));

    return p ? p->item.name : "-";
}

static void the_first_list_that_has_a_path_takes_it(void **state)
{
    struct settings *s = three();

    (void)state;
    assert_string_equal(taken(s, "/v1/files/x"), "a");
    assert_string_equal(taken(s, "/v1/files"), "b");
    assert_string_equal(taken(s, "/v1/moderations"), "a");
    assert_string_equal(taken(s, "/v1/moderations/x"), "b");
    assert_string_equal(taken(s, "/v2/files"), "-");
    assert_string_equal(taken(s, "/v1"), "-");
    assert_string_equal(taken(s, ""), "-");
    settings_free(s);
}

static void a_path_that_could_mean_another_goes_nowhere(void **state)
{
    static const char *const paths[] = {
        "/v1/files/../keys",     "/v1/files/./x",    "/v1/files//x",
        "/v1/files/%2e%2e/keys", "/v1/files/.%2E/x", "/v1/files/a%2fb",
        "/v1/files/a%5Cb",       "/v1/files/a\\b",   "/v1/.."};
    struct settings *s = three();

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_string_equal(taken(s, paths[i]), "-");
    assert_string_equal(taken(s, "/v1/files/a.b"), "a");
    settings_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_the_paths_below_the_providers),
        cmocka_unit_test(the_first_list_that_has_a_path_takes_it),
        cmocka_unit_test(a_path_that_could_mean_another_goes_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
