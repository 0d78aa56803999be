/* SPDX-License-Identifier: Apache-2.0 */
/* Logs that nothing can be learnt from: the cycle says why, and what runs
 * stays to the byte. */
#include "tests/unit/cycle_rig.h"

static const struct {
    const char *name, *sql;
    const char *says; /* in the journal's line, or as the run's error */
} cases[] = {
    {"one class", "UPDATE labels SET score = 1", "labels of two classes"},
    {"no label", "DELETE FROM labels", "0 labels since the last training"},
    {"one row", "DELETE FROM requests WHERE id <> 'r3'",
     "only 1 labelled requests in all"},
    {"all duplicates",
     "UPDATE requests SET features ="
     " (SELECT features FROM requests WHERE id = 'r3')",
     "two different requests"},
    {"scores that are no numbers", "UPDATE labels SET score = 'NaN'",
     "malformed rows were left out, the first: "},
    {"scores beyond 1", "UPDATE labels SET score = 7",
     "wanted a number in [0,1], found 7"},
    {"an arm that was never tried",
     "UPDATE requests SET arm = 'cheap' WHERE arm = 'dear'",
     "no row has an outcome of arm dear"},
    {"no features", "UPDATE requests SET features = NULL", "no row"},
    {"a newer log", "PRAGMA user_version = 99", "written by a newer weir"},
};

static void run_anyway(struct told *t)
{
    struct cycle_run r = run_of(t);
    struct err e = {0};

    if (!cycle_run(&r, &e))
        snprintf(t->why, sizeof t->why, "%s", e.msg);
}

static void what_runs_stays_whatever_the_log_is(void **state)
{
    struct buf before, after;
    struct told t = {0};
    struct err e;

    (void)state;
    serve(ROWS, (struct serving){.classifier = "", .promised = NAN});
    (void)run(&t);
    assert_true(is_there(""));
    buf_init(&before, 1 << 24);
    buf_init(&after, 1 << 24);
    assert_true(file_read(model, &before, &e));
    set.min_new_labels = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sqlite3 *db;

        unlink(log_path);
        written = 0;
        usleep(400000); /* its rows are of the last 300 ms */
        serve(300, (struct serving){.classifier = "", .promised = NAN});
        db = open_log();
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        assert_int_equal(sqlite3_exec(db, cases[i].sql, NULL, NULL, NULL),
                         SQLITE_OK);
        sqlite3_close(db);
        memset(&t, 0, sizeof t);
        run_anyway(&t);
        if (!strstr(t.why, cases[i].says))
            fail_msg("%s: wanted '%s', found '%s'", cases[i].name,
                     cases[i].says, t.why);
        buf_reset(&after);
        assert_true(file_read(model, &after, &e));
        if (after.len != before.len ||
            memcmp(buf_cstr(&after), buf_cstr(&before), after.len) != 0)
            fail_msg("%s: the running classifier was touched", cases[i].name);
        assert_false(is_there(".canary"));
    }
    buf_free(&before);
    buf_free(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_runs_stays_whatever_the_log_is,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
