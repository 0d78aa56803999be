/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trainer/played.h"
#include "trainer/route_policy.h"

#define TWO                                                                    \
    "  auto: {arms: [a, b], reference: b}\n  other: {arms: [a], reference: a}\n"

static const struct {
    const char *yaml, *route;
    const char *found; /* NULL: it is refused */
    const char *error; /* a part of it, then */
} cases[] = {
    {"routes:\n  auto: {arms: [a, b], reference: b}\n", NULL, "auto", NULL},
    {"routes:\n" TWO, "other", "other", NULL},
    {"routes:\n" TWO, NULL, NULL, "found several routes"},
    {"routes:\n" TWO, "none", NULL, "wanted a route none"},
    {"models: {}\n", NULL, NULL, "wanted routes"},
    {"routes: [", NULL, NULL, ".yaml:"},
};

static void a_route_is_found_or_refused_by_name(void **state)
{
    char path[80];

    (void)state;
    snprintf(path, sizeof path, "/tmp/weir-route-%ld.yaml", (long)getpid());
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FILE *f = fopen(path, "w");
        char name[ROUTE_POLICY_NAME];
        struct err e = {0};
        bool ok;

        assert_non_null(f);
        fputs(cases[i].yaml, f);
        fclose(f);
        ok = route_policy_find(path, cases[i].route, name, &e);
        unlink(path);
        if (cases[i].found) {
            if (!ok)
                fail_msg("case %zu: %s", i, e.msg);
            assert_string_equal(name, cases[i].found);
            continue;
        }
        assert_false(ok);
        if (!strstr(e.msg, cases[i].error))
            fail_msg("case %zu said: %s", i, e.msg);
    }
}

/* ---- the child that plays it ---- */

static bool take(void *ctx, struct span line, struct err *e)
{
    unsigned *n = ctx;

    ++*n;
    return *n < 3 || err_set(e, ERR_INPUT, "no more than %.*s",
                             (int)line.len - 1, line.ptr);
}

/* A program that says this, whatever it is asked. */
static bool played(const char *script, unsigned *n, struct err *e)
{
    char path[80];
    struct played_ask ask = {.program = path,
                             .config = "c",
                             .log = "l",
                             .route = "r",
                             .quality = .5,
                             .since_ms = 7,
                             .take = take,
                             .ctx = n};
    FILE *f;
    bool ok;

    snprintf(path, sizeof path, "/tmp/weir-played-%ld.sh", (long)getpid());
    f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", script);
    fclose(f);
    chmod(path, 0700);
    *n = 0;
    *e = (struct err){0};
    ok = played_choices(&ask, e);
    unlink(path);
    return ok;
}

static void what_the_child_says_is_taken_and_what_it_lacks_is_told(void **state)
{
    struct err e;
    unsigned n;

    (void)state;
    assert_true(played("echo '{}'; echo '{}'", &n, &e));
    assert_int_equal(n, 2);
    assert_false(
        played("echo '{}'; echo 'weir replay: why' >&2; exit 1", &n, &e));
    assert_string_equal(e.msg, "why");
    assert_false(played("kill -9 $$", &n, &e));
    assert_string_equal(e.msg, "it said nothing");
    assert_false(played("yes '{}'", &n, &e)); /* it is not waited for */
    assert_string_equal(e.msg, "no more than {}");
    assert_false(played("echo \"$*\"; exit 1", &n, &e));
    assert_string_equal(e.msg, "replay --choices r --config c --log l "
                               "--quality 0.5 --since-ms 7");
    assert_int_equal(n, 0);
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
        cmocka_unit_test(a_route_is_found_or_refused_by_name),
        cmocka_unit_test(
            what_the_child_says_is_taken_and_what_it_lacks_is_told),
        cmocka_unit_test(a_configuration_is_known_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
