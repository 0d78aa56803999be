/* SPDX-License-Identifier: Apache-2.0 */
/* The cycle's challenger where the route has a plan among its arms. */
#include "trainer/cycle_plans.h"

#include <sys/stat.h>

#include "base/file.h"
#include "features/features.h"
#include "tests/unit/plan_log.h"
#include "trainer/cycle_policy.h"
#include "trainer/cycle_train.h"

enum { ROWS = 900 };

static char dir[64], config_path[96];
static struct cycle_config set;

static const char config[] =
    "log: {path: %s}\n"
    "classifier: %s/f.weir\n"
    "models:\n"
    "  nano: {provider: p, price: {input: 10, output: 20}}\n"
    "  qwen: {provider: p, price: {input: 10, output: 20}}\n"
    "  opus: {provider: p, price: {input: 1000, output: 2000}}\n"
    "plans:\n"
    "  checked: {kind: verify, draft: nano, check: qwen, else: opus}\n"
    "  other: {kind: cascade, draft: qwen, else: opus}\n"
    "  watched: {kind: panel, model: opus, review: qwen}\n"
    "  alias: {model: nano}\n"
    "routes:\n"
    "  auto: {arms: [nano, checked, opus], reference: opus, quality: %s}\n"
    "  odd: {arms: [nano, other, opus], reference: opus}\n"
    "  panel: {arms: [alias, watched], reference: watched, quality: %s}\n"
    "  both: {arms: [nano, watched, opus], reference: watched, quality: %s}\n";

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/cycle-plans.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(config_path, sizeof config_path, "%s/weir.yaml", dir);
    return 0;
}

static void configure(const char *route, const char *quality)
{
    FILE *f = fopen(config_path, "w");
    struct err e = {0};

    assert_non_null(f);
    fprintf(f, config, log_path, dir, quality, quality, quality);
    fclose(f);
    cycle_config_free(&set);
    if (!cycle_config_load(&set, config_path, route, &e))
        fail_msg("%s", e.msg);
    set.threads = 2;
}

static int tear_down(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/f.weir.challenger", dir);
    unlink(path);
    unlink(config_path);
    log_remove();
    cycle_config_free(&set);
    return rmdir(dir);
}

static struct classifier *challenger(struct cycle_trained *out)
{
    static const struct cycle_state nothing;
    char path[128];
    struct classifier *c;
    struct err e = {0};

    if (!cycle_train(&set, &nothing, 0, out, &e))
        fail_msg("%s", e.msg);
    snprintf(path, sizeof path, "%s/f.weir.challenger", dir);
    c = classifier_open(path, FEATURES_VERSION, &e);
    if (!c)
        fail_msg("%s", e.msg);
    return c;
}

/* What the log says of the arms of each request. */
static void write_arms(sqlite3 *db, const char *arms)
{
    char sql[600];

    snprintf(sql, sizeof sql,
             "UPDATE requests SET route = 'auto', arms = '%s',"
             " propensity = 1 WHERE purpose IS NULL",
             arms);
    log_run(db, sql);
}

#define ARM(name, usd, p)                                                      \
    "{\"arm\":\"" name "\",\"cost_usd\":" usd ",\"propensity\":" p             \
    ",\"dropped\":null}"

static void a_configured_plan_stays_an_arm_of_the_challenger(void **state)
{
    sqlite3 *db = made_log(ROWS);
    struct cycle_trained t;
    struct classifier *c;
    struct json card, plans, plan;

    (void)state;
    sqlite3_close(db);
    configure("auto", "0.9");
    assert_string_equal(set.arms[1].plan, "verify(nano,qwen,opus)");
    c = challenger(&t);
    assert_string_equal(t.no_plans, "");
    assert_true(t.promises);
    assert_true(json_parse(classifier_card(c), &card, NULL));
    plans = json_get(&card, "plans");
    plan = json_get(&plans, "checked");
    assert_true(json_is(&plan, "verify(nano,qwen,opus)"));
    assert_true(classifier_find_arm(c, SPAN("escalates checked")) >= 0);
    assert_true(classifier_find_arm(c, SPAN("qwen")) >= 0);
    classifier_close(c);
}

/* The one that served did not know it and expected all of its members' costs,
 * more than opus'. */
static void the_gate_weighs_a_plan_at_what_it_will_cost(void **state)
{
    sqlite3 *db = made_log(ROWS);
    struct cycle_trained t;
    struct classifier *c;
    struct evidence_policy p;
    struct offlog log;
    struct err e = {0};
    double sum = 0;
    int at;

    (void)state;
    write_arms(db,
               "[" ARM("nano", "0.002", "1") "," ARM(
                   "checked", "0.204", "0") "," ARM("opus", "0.2", "0") "]");
    sqlite3_close(db);
    configure("auto", "0.9");
    c = challenger(&t);
    if (!offlog_load(&log, log_path, &(struct dataset_options){.route = "auto"},
                     &e))
        fail_msg("%s", e.msg);
    at = table_find_arm(log.t, SPAN("checked"));
    assert_true(at >= 0);
    cycle_plans_expect(&set, c, &log);
    for (size_t i = 0; i < log.n; i++)
        sum += log.expected[i * log.n_arms + (uint32_t)at] / (double)log.n;
    /* Half of the requests escalate, to 0.2 USD, after 0.004. */
    if (!(sum > .06 && sum < .15))
        fail_msg("%g USD", sum);
    cycle_policy(&set, c, &log, &p);
    assert_false(isnan(p.price));
    assert_true(p.head[at] >= 0);
    /* At the prices of the day of its training a plan costs what it did. */
    if (!(p.scale[at] > .4 && p.scale[at] < 2.5))
        fail_msg("scale %g", p.scale[at]);
    offlog_free(&log);
    classifier_close(c);
}

static void a_plan_that_nothing_is_known_of_keeps_no_model_back(void **state)
{
    sqlite3 *db = made_log(ROWS);
    struct evidence_policy p;
    struct cycle_trained t;
    struct classifier *c;
    struct offlog log;
    struct err e = {0};

    (void)state;
    log_run(db, "DELETE FROM requests WHERE arm = 'checked'");
    write_arms(db,
               "[" ARM("nano", "0.002", "1") "," ARM(
                   "checked", "0.204", "0") "," ARM("opus", "0.2", "0") "]");
    sqlite3_close(db);
    configure("auto", "0.6");
    c = challenger(&t);
    assert_non_null(strstr(t.no_plans, "qwen"));
    assert_true(t.promises);
    assert_true(classifier_find_arm(c, SPAN("checked")) < 0);
    if (!offlog_load(&log, log_path, &(struct dataset_options){.route = "auto"},
                     &e))
        fail_msg("%s", e.msg);
    cycle_policy(&set, c, &log, &p);
    assert_false(isnan(p.price)); /* of the models alone */
    offlog_free(&log);
    classifier_close(c);
}

#define PANEL                                                                  \
    "{\"kind\":\"panel\",\"verdict\":\"accepted\",\"members\":[" MEMBER(       \
        "draft", "opus", "0.2") "," MEMBER("review", "qwen", "0.0047") "]}"

/* opus answered under its own name for no request, always behind a panel; nano
 * under another name. */
static void make_panels(bool models_too)
{
    sqlite3 *db = made_log(ROWS);

    log_run(db, "DELETE FROM requests WHERE arm = 'checked'");
    log_run(db, "UPDATE requests SET arm = 'watched', cost_pico = 204700000000,"
                " plan = '" PANEL "' WHERE arm = 'opus'");
    if (!models_too)
        log_run(db, "UPDATE requests SET arm = 'alias' WHERE arm = 'nano'");
    write_arms(db, models_too ? "[" ARM("nano", "0.002", "1") "," ARM(
                                    "watched", "0.2047",
                                    "0") "," ARM("opus", "0.2", "0") "]"
                              : "[" ARM("alias", "0.002", "1") "," ARM(
                                    "watched", "0.2047", "0") "]");
    sqlite3_close(db);
}

static double usd_of(const struct classifier *c, const char *arm)
{
    struct json card, basis, arms, of, usd;
    double value;

    assert_true(json_parse(classifier_card(c), &card, NULL));
    basis = json_get(&card, "basis");
    arms = json_get(&basis, "arms");
    of = json_get(&arms, arm);
    usd = json_get(&of, "usd");
    return json_double(&usd, &value) ? value : NAN;
}

/* How the router would serve with it. */
static struct evidence_policy policy_of(const struct classifier *c,
                                        const char *arm, int *at)
{
    struct evidence_policy p;
    struct offlog log;
    struct err e = {0};

    if (!offlog_load(&log, log_path, &(struct dataset_options){.route = "auto"},
                     &e))
        fail_msg("%s", e.msg);
    *at = table_find_arm(log.t, span_of(arm));
    assert_true(*at >= 0);
    assert_int_equal(log.n_arms, set.n_arms); /* members are none */
    cycle_policy(&set, c, &log, &p);
    offlog_free(&log);
    return p;
}

static void a_panel_is_learnt_as_its_model_and_costs_its_review(void **state)
{
    struct evidence_policy p;
    struct cycle_trained t;
    struct classifier *c;
    int at;

    (void)state;
    make_panels(false);
    configure("panel", "0.6");
    c = challenger(&t);
    assert_true(t.promises);
    assert_true(classifier_find_arm(c, SPAN("opus")) >= 0);
    assert_int_equal(classifier_find_arm(c, SPAN("watched")), -1);
    assert_true(classifier_find_arm(c, SPAN("alias")) >= 0);
    /* 100 tokens at 1000 USD a million, 50 at 2000; the review is asked with
     * 350 at 10 and says 60 at 20. */
    if (!(fabs(usd_of(c, "opus") - .2047) < .004))
        fail_msg("%g USD", usd_of(c, "opus"));
    p = policy_of(c, "watched", &at);
    assert_false(isnan(p.price));
    assert_int_equal(p.head[at], classifier_find_arm(c, SPAN("opus")));
    assert_float_equal(p.scale[at], 1, .02);
    classifier_close(c);
}

static void a_panel_beside_its_model_is_no_arm_of_its_own(void **state)
{
    struct evidence_policy p;
    struct cycle_trained t;
    struct classifier *c;
    int at;

    (void)state;
    make_panels(true);
    configure("both", "0.6");
    c = challenger(&t);
    assert_true(t.promises); /* its answers taught what opus is worth */
    assert_int_equal(classifier_find_arm(c, SPAN("watched")), -1);
    if (!(fabs(usd_of(c, "opus") - .2) < .004)) /* without a review */
        fail_msg("%g USD", usd_of(c, "opus"));
    p = policy_of(c, "watched", &at);
    assert_false(isnan(p.price));
    assert_float_equal(p.scale[at], 1, .02);
    classifier_close(c);
}

static void what_is_no_whole_plan_is_an_arm_like_a_model(void **state)
{
    static const struct {
        const char *yaml, *text;
    } cases[] = {
        {"{kind: verify, draft: a, check: b, else: c}", "verify(a,b,c)"},
        {"{kind: cascade, draft: a, check: b, else: c}", "cascade(a,c)"},
        {"{kind: verify, draft: a, else: c}", ""},
        {"{kind: panel, model: a, review: b}", ""},
        {"{kind: single, model: a}", ""},
        {"{draft: a, else: c}", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena a;
        struct err e = {0};
        const struct conf *plan;
        char text[64];

        arena_init(&a, 1 << 20);
        plan = conf_parse(span_of(cases[i].yaml), "x", &a, &e);
        if (!plan)
            fail_msg("%s", e.msg);
        cycle_plan_text(plan, text, sizeof text);
        assert_string_equal(text, cases[i].text);
        arena_free(&a);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_configured_plan_stays_an_arm_of_the_challenger),
        TEST(the_gate_weighs_a_plan_at_what_it_will_cost),
        TEST(a_plan_that_nothing_is_known_of_keeps_no_model_back),
        TEST(a_panel_is_learnt_as_its_model_and_costs_its_review),
        TEST(a_panel_beside_its_model_is_no_arm_of_its_own),
        cmocka_unit_test(what_is_no_whole_plan_is_an_arm_like_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
