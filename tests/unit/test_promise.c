/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a promise, for every way in which an arm may be taken. */
#include "router/route/promise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "router/snapshot.h"

static const char config[] =
    "classifier: none\n"
    "providers: {p: {dialect: openai, base_url: http://127.0.0.1:1/v1}}\n"
    "models:\n"
    "  small: {provider: p, price: {input: 1, output: 1}}\n"
    "  large: {provider: p, price: {input: 9, output: 9}}\n"
    "routes:\n"
    "  auto: {arms: [small, large], reference: large, quality: 0.97}\n"
    "  odd: {arms: [small, \"l\\u00e4r\\n\"], reference: \"l\\u00e4r\\n\"}\n"
    "  fixed: {arms: [small], policy: fixed}\n"
    "plans: {\"l\\u00e4r\\n\": {kind: single, model: large}}\n";

static struct snapshot *s;
static struct route route;

static int load(void **state)
{
    struct err e = {0};

    (void)state;
    s = snapshot_parse(SPAN(config), "t.yaml", NULL, &e);
    if (!s)
        fail_msg("%s", e.msg);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    snapshot_unref(s);
    return 0;
}

static void bind(const char *name, bool level)
{
    route = *snapshot_route(s, span_of(name));
    route.n_levels = level;
    route.levels[0] = (struct level){.97, 100, .95};
}

static void it_is_said_where_a_promise_rests_on_a_judge(void **state)
{
    struct decision d = {.reason = REASON_LEVEL, .level = route.levels};
    char text[PROMISE_MAX];

    (void)state;
    bind("auto", true);
    route.labels = "second-hand";
    assert_int_equal(promise_text(&route, &d, text), PROMISE_HOLDS);
    assert_string_equal(text, "holds; quality>=0.97 of large; confidence=0.95; "
                              "labels=second-hand");
}

static void each_way_to_an_arm_has_its_words(void **state)
{
    static const struct {
        struct decision d;
        bool level;
        const char *text;
        enum promise_state is;
    } cases[] = {
        {{.reason = REASON_LEVEL, .level = route.levels},
         true,
         "holds; quality>=0.97 of large; confidence=0.95",
         PROMISE_HOLDS},
        {{.reason = REASON_LEVEL},
         true,
         "none: the wanted arm was dropped",
         PROMISE_NONE},
        {{.reason = REASON_DRIFTED, .drifted = DRIFT_OUTCOMES},
         true,
         "void: drift in outcomes",
         PROMISE_VOID},
        {{.reason = REASON_PINNED, .drifted = DRIFT_UNSEEN},
         true,
         "void: drift in unseen",
         PROMISE_VOID},
        {{.reason = REASON_OUT_OF_DOMAIN},
         true,
         "void: out of domain",
         PROMISE_VOID},
        {{.reason = REASON_NO_LEVEL}, false, "none: not proven", PROMISE_NONE},
        {{.reason = REASON_PINNED},
         true,
         "none: asked for by name",
         PROMISE_NONE},
        {{.reason = REASON_EXPLORED}, true, "none: explored", PROMISE_NONE},
    };
    char text[PROMISE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bind("auto", cases[i].level);
        assert_int_equal(promise_text(&route, &cases[i].d, text), cases[i].is);
        assert_string_equal(text, cases[i].text);
    }
}

static void whatever_is_said_fits_into_a_header(void **state)
{
    char text[PROMISE_MAX];

    (void)state;
    bind("odd", true);
    for (int reason = 0; reason < REASON_KINDS; reason++) {
        for (int cause = 0; cause < DRIFT_CAUSES; cause++) {
            struct decision d = {.reason = (enum reason)reason,
                                 .level = route.levels,
                                 .drifted = (enum drift_cause)cause};
            enum promise_state is = promise_text(&route, &d, text);
            size_t n = strlen(promise_state_name(is));

            assert_memory_equal(text, promise_state_name(is), n);
            assert_true(text[n] == ':' || text[n] == ';');
            assert_true(strlen(text) > n + 2);
            for (const char *p = text; *p; p++)
                assert_true(*p >= ' ' && *p <= '~');
            assert_int_equal(is == PROMISE_VOID,
                             cause || reason == REASON_OUT_OF_DOMAIN);
        }
    }
}

static void a_route_says_what_its_own_wish_gets(void **state)
{
    char text[PROMISE_MAX];

    (void)state;
    bind("auto", true);
    assert_int_equal(promise_route_text(&route, DRIFT_NONE, text),
                     PROMISE_HOLDS);
    assert_int_equal(promise_route_text(&route, DRIFT_TASK, text),
                     PROMISE_VOID);
    assert_string_equal(text, "void: drift in task");
    route.levels[0].quality = .9; /* less than the route wants */
    assert_int_equal(promise_route_text(&route, DRIFT_NONE, text),
                     PROMISE_NONE);
    bind("auto", false);
    assert_int_equal(promise_route_text(&route, DRIFT_NONE, text),
                     PROMISE_NONE);
    assert_true(promise_of(&route));
    bind("fixed", false);
    assert_false(promise_of(&route));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_said_where_a_promise_rests_on_a_judge),
        cmocka_unit_test(each_way_to_an_arm_has_its_words),
        cmocka_unit_test(whatever_is_said_fits_into_a_header),
        cmocka_unit_test(a_route_says_what_its_own_wish_gets),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
