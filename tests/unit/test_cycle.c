/* SPDX-License-Identifier: Apache-2.0 */
/* The learning cycle over logs that are made up. */
#include "tests/unit/cycle_rig.h"

static void labels_become_a_classifier_in_place_in_steps(void **state)
{
    struct told t = {0};
    struct cycle_run r;
    char id[CYCLE_ID];

    (void)state;
    serve(ROWS, (struct serving){.classifier = "", .promised = NAN});
    r = run(&t);
    assert_string_equal(t.events, "train,shadow,promote,settle,(wait)");
    cycle_file_id(model, "", id);
    assert_true(*id != '\0');
    assert_string_equal(id, r.state.running);
    assert_int_equal(r.state.stage, CYCLE_IDLE);
    assert_false(is_there(".challenger"));
    assert_false(is_there(".canary.json"));
}

static void a_killed_run_is_taken_up_wherever_it_was(void **state)
{
    char id[CYCLE_ID];
    int status = 0, k = 1;

    (void)state;
    serve(ROWS, (struct serving){.classifier = "", .promised = NAN});
    for (; k < 40; k++) {
        struct told again = {0};
        struct cycle_run r;

        status = run_killed(k);
        if (WIFEXITED(status))
            break;
        r = run(&again);
        cycle_file_id(model, "", id);
        assert_string_equal(id, r.state.running);
        assert_true(*id != '\0');
        assert_int_equal(r.state.stage, CYCLE_IDLE);
        assert_int_equal(lines_of("settle"), 1);
        assert_true(lines_of("train") <= 1 + (k == 1));
        assert_false(is_there(".challenger"));
        assert_false(is_there(".1")); /* promoted once */
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(k > 12); /* as many points were tried */
}

/* No alarm of what serves tells of it: the reference does. */
static void what_is_learnt_of_an_arm_that_has_changed_is_forgotten(void **state)
{
    struct told t = {0};
    struct cycle_run r;
    int64_t before = clock_utc_ms(), change;

    (void)state;
    serve(ROWS,
          (struct serving){.classifier = "", .promised = NAN}); /* up to then */
    change = clock_utc_ms();
    serve(ROWS / 3,
          (struct serving){.classifier = "", .promised = NAN, .weak = true});
    r = run(&t);
    if (strncmp(t.events, "train,refuse,", 13) != 0)
        fail_msg("%s", t.why);
    if (r.state.n_arms != 1)
        fail_msg("%s", t.why);
    assert_string_equal(r.state.arms[0].arm, "cheap");
    assert_true(r.state.arms[0].ms > before - ROWS / 10);
    assert_true(r.state.arms[0].ms < change + ROWS / 10);
    assert_non_null(strstr(t.why, "cheap is worse than it predicted"));
    assert_false(is_there("")); /* nothing was put in place */
}

/* By hand, in place of the running one: learnt from turned labels. */
static void plant_another(void)
{
    struct cycle_state none;
    struct cycle_trained trained;
    char path[128];
    struct buf bytes;
    struct err e;

    cycle_state_begin(&none);
    unlink(log_path);
    serve(ROWS,
          (struct serving){.classifier = "", .promised = NAN, .turned = true});
    assert_true(cycle_train(&set, &none, 0, &trained, &e));
    assert_true(cycle_file_path(model, ".challenger", path, sizeof path));
    buf_init(&bytes, 1 << 26);
    assert_true(file_read(path, &bytes, &e));
    assert_true(deploy_write(model, buf_view(&bytes), &e));
    buf_free(&bytes);
}

static void a_classifier_worse_than_it_predicts_is_rolled_back(void **state)
{
    struct told t = {0};
    struct cycle_run r;
    char good[CYCLE_ID], bad[CYCLE_ID], now[CYCLE_ID];

    (void)state;
    serve(ROWS, (struct serving){.classifier = "", .promised = NAN});
    (void)run(&t);
    cycle_file_id(model, "", good);
    plant_another();
    set.min_new_labels = 1000000; /* no challenger now */
    set.watch = 100000;
    cycle_file_id(model, "", bad);
    assert_string_not_equal(good, bad);
    memset(&t, 0, sizeof t);
    (void)run(&t);
    assert_string_equal(t.events, "found,(wait)");
    usleep(3000);
    serve(400, (struct serving){.classifier = bad, .promised = .95});
    memset(&t, 0, sizeof t);
    r = run(&t);
    assert_non_null(strstr(t.events, "rollback,"));
    cycle_file_id(model, "", now);
    assert_string_equal(now, good);
    assert_string_equal(r.state.running, good);
    assert_true(is_there(".undone"));
}

static void a_dry_run_says_what_would_be_and_changes_nothing(void **state)
{
    struct told t = {0};
    struct cycle_run r = run_of(&t);
    struct err e;

    (void)state;
    serve(ROWS, (struct serving){.classifier = "", .promised = NAN});
    r.dry = true;
    assert_true(cycle_run(&r, &e));
    assert_string_equal(t.events, "(train)");
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        assert_false(is_there(suffixes[i]));
}

static void two_cycles_are_kept_apart(void **state)
{
    struct told t = {0};
    struct cycle_run r = run_of(&t);
    char path[128];
    struct err e;
    int fd;

    (void)state;
    serve(10, (struct serving){.classifier = "", .promised = NAN});
    assert_true(cycle_file_path(model, ".cycle.lock", path, sizeof path));
    fd = open(path, O_RDWR | O_CREAT, 0644);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_false(cycle_run(&r, &e));
    assert_non_null(strstr(e.msg, "another cycle is running"));
    close(fd);
    assert_true(cycle_run(&r, &e));
}

static void too_few_labels_are_waited_for_and_hopeless_ones_refused(void **st)
{
    struct told t = {0};
    sqlite3 *db;

    (void)st;
    serve(40, (struct serving){.classifier = "", .promised = NAN});
    set.min_new_labels = 10;
    (void)run(&t);
    assert_string_equal(t.events, "(wait)");
    assert_non_null(strstr(t.why, "only 40 labelled requests"));
    /* Every answer was wrong: a level would be a promise about nothing. */
    serve(260, (struct serving){.classifier = "", .promised = NAN});
    db = open_log();
    sqlite3_exec(db, "UPDATE labels SET score = 0; COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    memset(&t, 0, sizeof t);
    (void)run(&t);
    assert_false(is_there(""));
}

static void a_state_survives_its_writing(void **state)
{
    struct cycle_state a, b;
    struct buf text;
    struct err e;

    (void)state;
    cycle_state_begin(&a);
    a.seq = 7;
    a.stage = CYCLE_CANARY;
    a.cut_ms = 1234567890123;
    a.before_quality = .8125;
    snprintf(a.running, sizeof a.running, "0123456789abcdef");
    cycle_state_changed(&a, "an \"arm\"", 99);
    buf_init(&text, 4096);
    cycle_state_json(&a, &text);
    assert_true(cycle_state_parse(buf_view(&text), &b, &e));
    assert_memory_equal(&a, &b, sizeof a);
    for (size_t n = 0; n < text.len; n++)
        assert_false(cycle_state_parse((struct span){text.ptr, n}, &b, &e));
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            labels_become_a_classifier_in_place_in_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_killed_run_is_taken_up_wherever_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_classifier_worse_than_it_predicts_is_rolled_back, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            a_dry_run_says_what_would_be_and_changes_nothing, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            what_is_learnt_of_an_arm_that_has_changed_is_forgotten, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(two_cycles_are_kept_apart, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            too_few_labels_are_waited_for_and_hopeless_ones_refused, set_up,
            tear_down),
        cmocka_unit_test(a_state_survives_its_writing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
