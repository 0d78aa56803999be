/* SPDX-License-Identifier: Apache-2.0 */
/* The learning cycle where a promise is void, or holds at a lower price. */
#include "tests/unit/cycle_rig.h"

/* Its promise is void: whatever the route does then, it is time to train. */
static void drift_is_a_reason_to_train(void **state)
{
    struct told t = {0};
    char id[CYCLE_ID];

    (void)state;
    serve(ROWS, (struct serving){.classifier = "", .promised = NAN});
    (void)run(&t);
    set.min_new_labels = 1000000; /* not for their number */
    cycle_file_id(model, "", id);
    for (int drift = 0; drift < 2; drift++) {
        serve(300, (struct serving){.classifier = id,
                                    .promised = NAN,
                                    .guarantee = drift ? "void: drift in length"
                                                       : "holds"});
        memset(&t, 0, sizeof t);
        (void)run(&t);
        if ((strstr(t.why, "the traffic has drifted") != NULL) != drift)
            fail_msg("%s", t.why);
    }
}

/* What is void does not serve: the reference does, and to cost less than that
 * is enough. */
static void who_follows_a_void_promise_is_held_against_the_reference(void **st)
{
    struct serving s = {
        .classifier = "", .promised = NAN, .steps = true, .shadows = true};
    struct told t = {0};
    char id[CYCLE_ID], next[CYCLE_ID];

    (void)st;
    set.unproven = CYCLE_REFERENCE;
    serve(ROWS, s);
    (void)run(&t);
    cycle_file_id(model, "", id);
    s = (struct serving){id, NAN, .steps = true, .shadows = true};
    s.worse = .15;
    s.guarantee = "void: drift in outcomes";
    serve(ROWS, s);
    memset(&t, 0, sizeof t);
    (void)run(&t);
    cycle_file_id(model, "", next);
    if (!strstr(t.events, "promote,") || !*id || !strcmp(id, next))
        fail_msg("%s", t.why);
}

static bool is_priced(void)
{
    struct err e;
    struct classifier *c = classifier_open(model, FEATURES_VERSION, &e);
    bool is = span_has(classifier_card(c), SPAN("\"priced\":true"));

    classifier_close(c);
    return is;
}

/* The cheap arm is worse since the training: at its price the challenger
 * breaks the promise, for the easier topics it keeps it. */
static void a_challenger_may_pass_at_a_lower_price(void **state)
{
    struct serving s = {
        .classifier = "", .promised = NAN, .steps = true, .shadows = true};
    int status = 0, k = 0;
    char id[CYCLE_ID];

    (void)state;
    set.unproven = CYCLE_REFERENCE;
    serve(ROWS * 8 / 10, s);
    s.worse = .12;
    serve(ROWS * 2 / 10, s);
    usleep(ROWS * 2 / 10 * 1000); /* until the last of them has come */
    for (; k < 20; k++) {
        struct told again = {0};
        struct cycle_run r;

        status = run_killed(k);
        r = run(&again);
        cycle_file_id(model, "", id);
        assert_string_equal(id, r.state.running);
        if (!*id || !is_priced())
            fail_msg("%s", again.why);
        assert_true(lines_of("train") <= 1 + (k == 1));
        if (k && WIFEXITED(status))
            break;
    }
    assert_true(k > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(drift_is_a_reason_to_train, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            who_follows_a_void_promise_is_held_against_the_reference, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_challenger_may_pass_at_a_lower_price,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
