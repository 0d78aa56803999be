/* SPDX-License-Identifier: Apache-2.0 */
/* Training from a server's log: shadows, plans, and what goes wrong. */
#include "tests/unit/log_rig.h"
#include "tests/unit/table_sample.h"
#include "trainer/plan_seen.h"
#include "trainer/train.h"
#include "trainer/wanted.h"

enum { ROWS = 900 };

/* One request: what it asks, and who would be right. */
struct asked {
    char features[2048];
    size_t n;
    bool hard, cheap_right, agree;
};

static void ask(struct rng *r, struct asked *q)
{
    static struct vec v;

    q->hard = rng_unit(r) < .4;
    sample_vec(r, (unsigned)rng_below(r, SAMPLE_TASKS), q->hard, &v);
    q->n = vec_pack(&v, q->features, sizeof q->features);
    q->cheap_right = rng_unit(r) < (q->hard ? .1 : .95);
    q->agree = q->cheap_right && rng_unit(r) < .95;
}

struct written {
    const char *id, *arm, *purpose, *parent;
    double cost, score; /* score: NAN none */
    const char *plan;
};

static void write_row(sqlite3 *db, const struct asked *q,
                      const struct written *w)
{
    static const char sql[] =
        "INSERT INTO requests(id,time_ms,arm,status,input_tokens,"
        "output_tokens,cost_pico,est_input,features,purpose,parent,plan)"
        " VALUES(?1,1,?2,200,100,50,?3,100,?4,?5,?6,?7)";
    sqlite3_stmt *st;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_text(st, 1, w->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, w->arm, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 3, (int64_t)(w->cost * 1e12));
    sqlite3_bind_blob(st, 4, q->features, (int)q->n, SQLITE_STATIC);
    sqlite3_bind_text(st, 5, w->purpose, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 6, w->parent, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 7, w->plan, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    if (isnan(w->score))
        return;
    char label[200];
    snprintf(label, sizeof label,
             "INSERT INTO labels VALUES('%s',2,'judge',%g,1,NULL)", w->id,
             w->score);
    log_run(db, label);
}

#define MEMBER(role, arm, usd)                                                 \
    "{\"role\":\"" role "\",\"arm\":\"" arm "\",\"status\":200,"               \
    "\"input_tokens\":100,\"output_tokens\":50,\"cost_usd\":" usd "}"
#define MEMBERS(draft, check)                                                  \
    MEMBER("draft", draft, "0.001") "," MEMBER("check", check, "0.001")
#define PLAN(verdict, members)                                                 \
    "{\"kind\":\"verify\",\"verdict\":\"" verdict "\",\"members\":[" members   \
    "]}"

static const char *const accepted = PLAN("accepted", MEMBERS("nano", "qwen"));
static const char *const escalated = PLAN(
    "escalated", MEMBERS("nano", "qwen") "," MEMBER("else", "opus", "0.1"));
static const char *const other_check =
    PLAN("accepted", MEMBERS("nano", "gemma"));

/* nano serves; opus and the plan are asked in its shadow. */
static void write_request(sqlite3 *db, unsigned i, const struct asked *q)
{
    char id[32], opus[32], checked[32];

    snprintf(id, sizeof id, "r%u", i);
    snprintf(opus, sizeof opus, "o%u", i);
    snprintf(checked, sizeof checked, "c%u", i);
    const struct written rows[] = {
        {id, "nano", NULL, NULL, .001, q->cheap_right, NULL},
        {opus, "opus", "shadow", id, .1, 1, NULL},
        {checked, "checked", "shadow", id, q->agree ? .002 : .102, 1,
         q->agree ? accepted : escalated},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        write_row(db, q, &rows[k]);
}

static sqlite3 *made_log(unsigned rows)
{
    sqlite3 *db = log_new();
    static struct asked q;
    struct rng r;

    rng_seed(&r, 7);
    log_run(db, "BEGIN");
    for (unsigned i = 0; i < rows; i++) {
        ask(&r, &q);
        write_request(db, i, &q);
    }
    log_run(db, "COMMIT");
    return db;
}

static struct table *load(const char *arms, struct err *e)
{
    const char *files[] = {log_path};
    struct table_options o = {.files = files, .n_files = 1};
    struct table *t = NULL;
    struct wanted w;

    if (wanted_parse(&w, arms, e)) {
        wanted_options(&w, &o);
        t = table_load(&o, e);
        if (t && !wanted_finish(&w, t, e)) {
            table_free(t);
            t = NULL;
        }
    }
    wanted_free(&w);
    return t;
}

static const struct train_options usual = {.reference = "opus",
                                           .quality = .9,
                                           .confidence = .9,
                                           .seed = 1,
                                           .threads = 2};

static void shadow_sampling_carries_promises_without_a_pilot(void **state)
{
    sqlite3 *db = made_log(ROWS);
    struct training r;
    struct err e = {0};
    struct table *t = load(NULL, &e);
    unsigned valid = 0;

    (void)state;
    if (!t || !train_run(&r, t, &usual, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(t->n_plans, 1);
    assert_string_equal(t->arms[t->plans[0].arm].name, "checked");
    assert_string_equal(t->arms[t->plans[0].member[1]].name, "qwen");
    assert_int_equal(r.n_judged, ROWS);
    for (uint32_t k = 0; k < r.n_levels; k++)
        valid += r.levels[k].valid && (r.among[k] >> t->plans[0].arm & 1);
    assert_true(valid > 0);
    assert_false(r.voided);
    training_free(&r);
    table_free(t);
    sqlite3_close(db);
}

static void the_plans_costs_and_escalations_are_the_logs(void **state)
{
    sqlite3 *db = made_log(200);
    struct err e = {0};
    struct table *t = load(NULL, &e);
    double cost = 0, score = 0;

    (void)state;
    assert_non_null(t);
    for (size_t i = 0; i < t->n; i++) {
        const struct table_plan *p = &t->plans[0];
        float up = t->arms[p->escalates].score[i];
        float usd = t->arms[p->arm].cost[i];
        assert_true(fabs((double)usd - (up > 0 ? .102 : .002)) < 1e-6);
        cost += (double)usd;
        score += (double)up;
        /* A check that never answers alone is no choice, and has no score. */
        assert_true(isnan(t->arms[p->member[1]].score[i]));
        assert_int_equal(t->arms[p->member[1]].role, TABLE_MEMBER);
        assert_true(t->arms[p->member[1]].output_tokens[i] == 50);
    }
    assert_true(score > 20 && score < 180 && cost > 0);
    table_free(t);
    sqlite3_close(db);
}

static void a_plan_of_other_members_is_another_plan(void **state)
{
    sqlite3 *db = made_log(200);
    struct err e = {0};
    struct table *t;
    size_t known = 0;

    (void)state;
    /* The first ten were checked by another model. */
    char sql[512];
    snprintf(sql, sizeof sql,
             "UPDATE requests SET plan = '%s', time_ms = 0 WHERE id IN ("
             "'c0','c1','c2','c3','c4','c5','c6','c7','c8','c9');"
             "UPDATE requests SET time_ms = 0 WHERE id IN ("
             "'r0','r1','r2','r3','r4','r5','r6','r7','r8','r9')",
             other_check);
    log_run(db, sql);
    t = load(NULL, &e);
    if (!t)
        fail_msg("%s", e.msg);
    assert_string_equal(t->arms[t->plans[0].member[1]].name, "qwen");
    for (size_t i = 0; i < t->n; i++)
        known += !isnan(t->arms[t->plans[0].arm].score[i]);
    assert_int_equal(known, 190);
    assert_int_equal(t->seen[0].others, 10);
    table_free(t);
    /* As the list has it: only the others. */
    t = load("nano,opus,checked=verify(nano,gemma,opus)", &e);
    if (!t)
        fail_msg("%s", e.msg);
    known = 0;
    for (size_t i = 0; i < t->n; i++)
        known += !isnan(t->arms[t->plans[0].arm].score[i]) &&
                 !isnan(t->arms[t->plans[0].escalates].score[i]);
    assert_int_equal(known, 10);
    assert_int_equal(t->arms[t->plans[0].escalates].n_scores, 10);
    table_free(t);
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shadow_sampling_carries_promises_without_a_pilot),
        cmocka_unit_test(the_plans_costs_and_escalations_are_the_logs),
        cmocka_unit_test(a_plan_of_other_members_is_another_plan),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    log_remove();
    return failed;
}
