/* SPDX-License-Identifier: Apache-2.0 */
/* A log in which nano served, and opus and the plan checked = verify(nano,
 * qwen, opus) answered in each request's shadow. */
#ifndef WEIR_TESTS_UNIT_PLAN_LOG_H
#define WEIR_TESTS_UNIT_PLAN_LOG_H

#include "tests/unit/log_rig.h"
#include "tests/unit/table_sample.h"

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

#endif
