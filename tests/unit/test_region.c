/* SPDX-License-Identifier: Apache-2.0 */
/* Which providers the regions of a route and a key allow. */
#include "router/route/region.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_name_covers_a_region_or_all_that_begin_with_it(void **state)
{
    static const struct {
        const char *name, *region;
        bool in;
    } cases[] = {
        {"eu", "eu", true},         {"eu", "eu-west-1", true},
        {"eu", "europe", false},    {"eu", "us", false},
        {"eu-west-1", "eu", false}, {"eu", "", false},
        {"eu", NULL, false},        {"", "eu", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *names[] = {"mars", cases[i].name};
        const struct text_list list = {.at = names, .n = 2};
        const struct provider_settings p = {.region = cases[i].region};

        assert_int_equal(settings_in_region(&list, &p), cases[i].in);
    }
}

static void route_and_key_both_have_a_say(void **state)
{
    const char *eu[] = {"eu"}, *us[] = {"us"};
    struct provider_settings in_eu = {.region = "eu"}, in_us = {.region = "us"};
    struct model_settings places[] = {{.at = &in_us}, {.at = &in_eu}};
    struct model_settings model = {.places = places, .n_places = 2};
    struct route_settings r = {
        .n_arms = 1, .n_all = 1, .arms = {{.model = &model}}};
    struct key_settings k = {.regions = {.n = 0}};

    (void)state;
    assert_int_equal(region_mask(&r, NULL), 0);
    assert_true(region_allows(&r, &k, &places[0]));
    r.regions = (struct text_list){.at = eu, .n = 1};
    assert_false(region_allows(&r, &k, &places[0]));
    assert_true(region_allows(&r, NULL, &places[1]));
    assert_int_equal(region_mask(&r, &k), 0);
    k.regions = (struct text_list){.at = us, .n = 1};
    assert_false(region_allows(&r, &k, &places[1]));
    assert_int_equal(region_mask(&r, &k), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_covers_a_region_or_all_that_begin_with_it),
        cmocka_unit_test(route_and_key_both_have_a_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
