/* SPDX-License-Identifier: Apache-2.0 */
/* What signals are worth, against logs whose truth is known. */
#include "tests/unit/log_rig.h"
#include "tests/unit/table_sample.h"
#include "trainer/fit.h"
#include "trainer/signals.h"
#include "trainer/solve.h"

/* How often an answer shows a signal, adequate and not. */
struct world {
    unsigned rows, gold;    /* the first `gold` have a label */
    double adequate, wrong; /* chance of a signal */
};

static const struct world telling = {1500, 300, .02, .7};
static const struct world many = {2400, 400, .02, .7};
static const struct world idle = {1500, 600, .3, .3};
static const struct world little = {1500, 150, .02, .7};

static double chance_of(bool hard, unsigned arm)
{
    return hard ? .1 + .3 * arm : .9;
}

static void write_row(sqlite3 *db, const struct world *w, unsigned i,
                      struct rng *r)
{
    static struct vec v;
    char features[2048], sql[600];
    bool hard = rng_unit(r) < .4;
    unsigned arm = (unsigned)rng_below(r, 2);
    bool right = rng_unit(r) < chance_of(hard, arm);
    double chance = right ? w->adequate : w->wrong;
    size_t n;

    sample_vec(r, (unsigned)rng_below(r, SAMPLE_TASKS), hard, &v);
    n = vec_pack(&v, features, sizeof features);
    snprintf(sql, sizeof sql,
             "INSERT INTO requests(id,time_ms,arm,status,input_tokens,"
             "output_tokens,cost_pico,signals,features) VALUES('r%u',%u,'%s',"
             "200,100,50,1000000,%s,?1)",
             i, i + 1, arm ? "opus" : "nano",
             rng_unit(r) < chance ? "'refused'" : "NULL");
    log_put(db, sql, features, n);
    snprintf(sql, sizeof sql,
             "INSERT INTO labels SELECT 'r%u',9,'judge',%d,1,NULL WHERE %d;"
             "INSERT INTO labels SELECT 'r%u',8,'signal',0,.5,'regenerated'"
             " WHERE %d",
             i, right, i < w->gold, i, rng_unit(r) < chance);
    log_run(db, sql);
}

static void made_log(const struct world *w)
{
    sqlite3 *db = log_new();
    struct rng r;

    rng_seed(&r, 3);
    log_run(db, "BEGIN");
    for (unsigned i = 0; i < w->rows; i++)
        write_row(db, w, i, &r);
    log_run(db, "COMMIT");
    sqlite3_close(db);
}

static void learn(const struct world *w, struct signals *s)
{
    const char *files[] = {log_path};
    struct err e;

    made_log(w);
    if (!signals_learn(s, files, 1, 1, &e))
        fail_msg("%s", e.msg);
}

static struct outcome shows(const char *arm, const char *signals)
{
    return (struct outcome){.arm = span_of(arm),
                            .score = NAN,
                            .signals = span_of(signals),
                            .signals_known = true};
}

static void presence_and_absence_of_signals_are_weighed(void **state)
{
    struct signals s;
    struct outcome o;
    double none, one, two;

    (void)state;
    learn(&telling, &s);
    assert_int_equal(s.gold, telling.gold);
    assert_true(s.good);
    assert_int_equal(s.n_names, 2);
    o = shows("nano", "");
    none = signals_score(&s, &o);
    o = shows("nano", "refused");
    one = signals_score(&s, &o);
    o = shows("nano", "refused,regenerated");
    two = signals_score(&s, &o);
    assert_true(none > .75 && one < .4 && two < one && two > 0);
    o = shows("nano", "refused,never-heard-of");
    assert_true(signals_score(&s, &o) == one);
}

static void
what_has_a_label_or_was_not_looked_at_gets_no_soft_score(void **state)
{
    struct signals s;
    struct outcome o;

    (void)state;
    learn(&telling, &s);
    o = shows("nano", "refused");
    o.score = 1;
    assert_true(isnan(signals_score(&s, &o)));
    o = shows("nano", "refused");
    o.signals_known = false;
    assert_true(isnan(signals_score(&s, &o)));
}

static void idle_or_rare_signals_stay_evidence(void **state)
{
    static const struct {
        const struct world *world;
        const char *says;
    } cases[] = {{&idle, "no better, they are evidence only"},
                 {&little, "weights take 200"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct outcome o = shows("nano", "refused");
        struct signals s;
        struct buf text;

        learn(cases[i].world, &s);
        assert_false(s.good);
        assert_true(isnan(signals_score(&s, &o)));
        buf_init(&text, 1024);
        signals_text(&s, &text);
        if (!strstr(buf_cstr(&text), cases[i].says))
            fail_msg("said: %s", buf_cstr(&text));
        buf_free(&text);
    }
}

static void a_log_without_the_column_shows_nothing(void **state)
{
    const char *files[] = {log_path};
    struct signals s;
    struct err e;
    sqlite3 *db;

    (void)state;
    made_log(&telling);
    assert_int_equal(sqlite3_open(log_path, &db), SQLITE_OK);
    log_run(db, "ALTER TABLE requests DROP COLUMN signals");
    sqlite3_close(db);
    assert_true(signals_learn(&s, files, 1, 1, &e));
    assert_int_equal(s.gold, 0);
    assert_false(s.good);
}

static struct table *load(const struct signals *s)
{
    const char *files[] = {log_path};
    const struct table_options o = {.files = files, .n_files = 1, .signals = s};
    struct err e;
    struct table *t = table_load(&o, &e);

    if (!t || (s && !signals_join(t, 1, 2, &e)))
        fail_msg("%s", e.msg);
    return t;
}

/* Mean squared distance from the truth on new requests. */
static double error_of(const struct table *t)
{
    uint32_t *rows = sample_rows(t->n);
    struct table *fresh = sample_table(600, 99, NULL);
    const struct fit_options how = {.seed = 1, .threads = 2};
    struct err e;
    struct fitted *f = fit_train(t, rows, t->n, &how, &e);
    int nano = table_find_arm(t, SPAN("nano"));
    double sum = 0;

    assert_non_null(f);
    for (uint32_t i = 0; i < fresh->n; i++) {
        struct prediction p;
        /* Hard questions are those with a thirteenth word. */
        bool hard = fresh->n_words[i] > 12;
        double off;
        fit_predict(f, fresh, i, &p);
        off = (double)p.quality[nano] - chance_of(hard, 0);
        sum += off * off / (double)fresh->n;
    }
    fit_free(f);
    free(rows);
    table_free(fresh);
    return sum;
}

static void soft_scores_teach_heads_and_touch_nothing_else(void **state)
{
    struct signals s;
    struct table *with, *without;

    (void)state;
    learn(&many, &s);
    with = load(&s);
    without = load(NULL);
    assert_int_equal(with->soft, many.rows - many.gold);
    assert_int_equal(without->soft, 0);
    for (uint32_t a = 0; a < with->n_arms; a++) {
        assert_int_equal(with->arms[a].n_scores, without->arms[a].n_scores);
        for (size_t i = 0; i < with->n; i++)
            assert_false(!isnan(with->arms[a].score[i]) &&
                         !isnan(with->arms[a].soft[i]));
    }
    assert_true(error_of(with) < .97 * error_of(without));
    table_free(with);
    table_free(without);
}

/* Ten rows are 1; forty weak ones are 0: even. */
static void a_weak_row_counts_a_quarter(void **state)
{
    struct err e;
    struct solve_data *d = solve_data_new(50, 50, 1, &e);
    float y[50];
    uint8_t weight[50];
    bool degenerate;
    double w[2];
    struct solve_task task = {.kind = SOLVE_LOGISTIC,
                              .y = y,
                              .weight = weight,
                              .C = 10,
                              .eps = 1e-4,
                              .seed = 1};

    (void)state;
    assert_non_null(d);
    for (unsigned i = 0; i < 50; i++) {
        const struct solve_value v = {0, 1};
        solve_data_add(d, &v, 1);
        weight[i] = i >= 10 ? 1 : SOLVE_WHOLE;
        y[i] = i < 10;
    }
    assert_true(solve_run(d, &task, w, &degenerate, &e));
    assert_false(degenerate);
    assert_true(fabs(w[0] + w[1]) < .05);
    solve_data_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presence_and_absence_of_signals_are_weighed),
        cmocka_unit_test(
            what_has_a_label_or_was_not_looked_at_gets_no_soft_score),
        cmocka_unit_test(idle_or_rare_signals_stay_evidence),
        cmocka_unit_test(a_log_without_the_column_shows_nothing),
        cmocka_unit_test(soft_scores_teach_heads_and_touch_nothing_else),
        cmocka_unit_test(a_weak_row_counts_a_quarter),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    log_remove();
    return failed;
}
