/* SPDX-License-Identifier: Apache-2.0 */
/* Labels count by the confidence in them.  A log in which every third answer
 * was labelled by its user, who knows, and the others by a judge that tosses a
 * coin and says how sure it is of that. */
#include "tests/unit/log_rig.h"
#include "tests/unit/table_sample.h"
#include "trainer/fit.h"
#include "trainer/signals.h"

enum { ROWS = 1500, FRESH = 500 };

static double chance_of(bool hard)
{
    return hard ? .1 : .95;
}

static void write_row(sqlite3 *db, unsigned i, double sure, struct rng *r)
{
    static struct vec v;
    bool hard = rng_unit(r) < .4, right = rng_unit(r) < chance_of(hard);
    bool known = i % 3 == 0, coin = rng_unit(r) < .5;
    bool shows = rng_unit(r) < (right ? .02 : .7);
    char features[2048], sql[400];
    size_t n;

    sample_vec(r, (unsigned)rng_below(r, SAMPLE_TASKS), hard, &v);
    n = vec_pack(&v, features, sizeof features);
    snprintf(sql, sizeof sql,
             "INSERT INTO requests(id,time_ms,arm,status,input_tokens,"
             "output_tokens,cost_pico,signals,features) VALUES('r%u',%u,'nano',"
             "200,100,50,1000000,%s,?1)",
             i, i + 1, shows ? "'refused'" : "NULL");
    log_put(db, sql, features, n);
    snprintf(sql, sizeof sql,
             "INSERT INTO labels VALUES('r%u',9,'%s',%d,%g,NULL)", i,
             known ? "feedback" : "judge", known ? right : coin,
             known ? 1 : sure);
    log_run(db, sql);
}

static void made_log(double sure)
{
    sqlite3 *db = log_new();
    struct rng r;

    log_run(db, "PRAGMA user_version=6; BEGIN");
    rng_seed(&r, 3);
    for (unsigned i = 0; i < ROWS; i++)
        write_row(db, i, sure, &r);
    log_run(db, "COMMIT");
    sqlite3_close(db);
}

static struct table *load(void)
{
    const char *files[] = {log_path};
    struct table_options o = {.files = files, .n_files = 1};
    struct err e = {0};
    struct table *t = table_load(&o, &e);

    if (!t)
        fail_msg("%s", e.msg);
    return t;
}

/* Mean square of prediction less truth, on questions that are new. */
static double error_of(struct table *t)
{
    struct fit_options o = {.seed = 7, .threads = 1, .bits = 14};
    uint32_t *rows = sample_rows(t->n);
    struct table *fresh = sample_table(FRESH, 99, NULL);
    struct err e = {0};
    struct fitted *f = fit_train(t, rows, t->n, &o, &e);
    double sum = 0;

    if (!f)
        fail_msg("%s", e.msg);
    for (uint32_t i = 0; i < FRESH; i++) {
        struct prediction p;
        double off;

        fit_predict(f, fresh, i, &p);
        off = (double)p.quality[0] - chance_of(fresh->n_words[i] > 12);
        sum += off * off / FRESH;
    }
    fit_free(f);
    free(rows);
    table_free(fresh);
    table_free(t);
    return sum;
}

static void heads_learn_less_from_what_is_doubted(void **state)
{
    double sure, unsure, none;

    (void)state;
    made_log(1);
    sure = error_of(load());
    made_log(.25);
    unsure = error_of(load());
    made_log(0); /* not at all */
    none = error_of(load());
    if (!(unsure < .7 * sure && none < unsure))
        fail_msg("%g %g %g", sure, unsure, none);
}

static void confidence_is_in_the_table(void **state)
{
    struct table *t;

    (void)state;
    made_log(.6);
    t = load();
    for (size_t i = 0; i < t->n; i++)
        assert_float_equal(t->arms[0].trust[i], (i % 3 ? .6 : 1), 1e-6);
    assert_int_equal(t->arms[0].n_scores, ROWS);
    table_free(t);
}

/* Adequate by P(refused | adequate) = .02, P(refused | wrong) = .7. */
static void signals_are_weighed_by_what_is_trusted(void **state)
{
    const char *files[] = {log_path};
    struct outcome shown = {.arm = SPAN("nano"),
                            .score = NAN,
                            .signals = SPAN("refused"),
                            .signals_known = true};
    static struct signals s;
    struct err e = {0};
    double sure, none;

    (void)state;
    made_log(1);
    assert_true(signals_learn(&s, files, 1, 1, &e));
    s.good = true;
    sure = signals_score(&s, &shown);
    made_log(0);
    assert_true(signals_learn(&s, files, 1, 1, &e));
    assert_true(s.good);
    none = signals_score(&s, &shown);
    /* By the users alone .05, by all labels as they stand nearly .4 */
    if (!(none < .12 && sure > .2))
        fail_msg("%g %g", sure, none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(confidence_is_in_the_table),
        cmocka_unit_test(heads_learn_less_from_what_is_doubted),
        cmocka_unit_test(signals_are_weighed_by_what_is_trusted),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    log_remove();
    return failed;
}
