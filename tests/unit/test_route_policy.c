/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "trainer/route_policy.h"

#define TWO                                                                    \
    "  auto: {arms: [a, b], reference: b}\n  other: {arms: [a], reference: a}\n"

static const struct {
    const char *yaml, *route;
    const char *classifier, *reference; /* what is read */
    double quality;
    const char *error; /* a part of it, where it is refused */
} cases[] = {
    {"classifier: x.weir\nroutes:\n  auto: {arms: [a, b], reference: b, "
     "quality: 0.9}\n",
     NULL, "x.weir", "b", .9, NULL},
    {"routes:\n  auto: {arms: [a, b], reference: b}\n", NULL, "", "b", .98,
     NULL},
    {"classifier: default\nroutes:\n  auto: {arms: [a], reference: a}\n", NULL,
     "", "a", .98, NULL},
    {"classifier: x.weir\nroutes:\n  auto: {arms: [a], policy: fixed, "
     "reference: a}\n",
     NULL, "", "a", .98, NULL},
    {"routes:\n" TWO, "other", "", "a", .98, NULL},
    {"routes:\n" TWO, NULL, "", "", 0, "found several routes"},
    {"routes:\n" TWO, "none", "", "", 0, "wanted a route none"},
    {"models: {}\n", NULL, "", "", 0, "wanted routes"},
    {"routes:\n  auto: {arms: [a]}\n", NULL, "", "", 0, "reference"},
    {"routes:\n  auto: {arms: [a], reference: a, policy: budget, budget: 1}\n",
     NULL, "", "", 0, "budget are not played through"},
    {"routes:\n  auto: {arms: [a], reference: a, policy: rules}\n", NULL, "",
     "", 0, "wanted cheapest_adequate or fixed"},
    {"routes:\n  auto: {arms: [a], reference: a, tasks: {x: a}}\n", NULL, "",
     "", 0, "tasks are not played through"},
    {"routes:\n  auto: {arms: [a], reference: a, unproven: floor}\n", NULL, "",
     "", 0, "floor"},
    {"routes: [", NULL, "", "", 0, ".yaml:"},
};

static void a_route_is_read_or_refused_by_place_and_name(void **state)
{
    char path[80];

    (void)state;
    snprintf(path, sizeof path, "/tmp/weir-route-%ld.yaml", (long)getpid());
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FILE *f = fopen(path, "w");
        struct route_policy p;
        struct err e = {0};
        bool ok;

        assert_non_null(f);
        fputs(cases[i].yaml, f);
        fclose(f);
        ok = route_policy_read(path, cases[i].route, &p, &e);
        unlink(path);
        if (cases[i].error) {
            assert_false(ok);
            if (!strstr(e.msg, cases[i].error))
                fail_msg("case %zu said: %s", i, e.msg);
            continue;
        }
        if (!ok)
            fail_msg("case %zu: %s", i, e.msg);
        assert_string_equal(p.classifier, cases[i].classifier);
        assert_string_equal(p.reference, cases[i].reference);
        assert_true(p.quality == cases[i].quality);
    }
}

static void a_configuration_is_known_by_its_name(void **state)
{
    (void)state;
    assert_true(route_policy_is("weir.yaml"));
    assert_true(route_policy_is("a/b.yml"));
    assert_false(route_policy_is("x.weir"));
    assert_false(route_policy_is("gpt-4.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_is_read_or_refused_by_place_and_name),
        cmocka_unit_test(a_configuration_is_known_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
