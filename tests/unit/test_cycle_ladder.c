/* SPDX-License-Identifier: Apache-2.0 */
/* A challenger's price, found on the rows that it has learnt from and on newer
 * ones together. */
#include "tests/unit/cycle_rig.h"

#include "trainer/cycle_gate.h"
#include "trainer/cycle_policy.h"
#include "trainer/evidence_choice.h"

enum { LEARNT = 1000, NEWER = 150, WORLD = 8000, RUNS = 150 };

#define USD_CHEAP 1.2e-5
#define USD_DEAR 6e-4

/* ---- a world ---- */

static unsigned topics = TOPICS; /* that are asked about */

static struct classifier *classifier_of(bool shadows)
{
    struct cycle_state none;
    struct cycle_trained trained;
    char path[128];
    struct classifier *c;
    struct err e;

    cycle_state_begin(&none);
    serve(ROWS, (struct serving){.classifier = "",
                                 .promised = NAN,
                                 .steps = true,
                                 .shadows = shadows});
    assert_true(cycle_train(&set, &none, 0, &trained, &e));
    assert_true(cycle_file_path(model, ".challenger", path, sizeof path));
    c = classifier_open(path, FEATURES_VERSION, &e);
    assert_non_null(c);
    return c;
}

static void log_new(struct offlog *l, size_t n)
{
    struct err e;

    *l = (struct offlog){.t = table_new(&e), .n = n, .n_arms = 2};
    assert_int_equal(table_add_arm(l->t, SPAN("cheap"), &e), 0);
    assert_int_equal(table_add_arm(l->t, SPAN("dear"), &e), 1);
    l->chosen = calloc(n, 1);
    l->score = calloc(n, sizeof *l->score);
    l->spent = calloc(n, sizeof *l->spent);
    l->propensity = calloc(n * 2, sizeof *l->propensity);
    l->expected = calloc(n * 2, sizeof *l->expected);
}

/* The dear arm answers all, the cheap one in the shadow; right[n]: with what
 * chance the cheap one is right. */
static void draw(struct offlog *l, size_t n, double worse, double *right)
{
    const struct serving s = {.steps = true, .worse = worse};

    log_new(l, n);
    for (size_t i = 0; i < n; i++) {
        unsigned topic = (unsigned)rng_below(&rng, topics);
        struct table_outcome x[2] = {{.arm = 1, .cost_usd = USD_DEAR},
                                     {.arm = 0, .cost_usd = USD_CHEAP}};
        struct table_new_row row = {
            .group = i, .est_input = 40, .outcomes = x, .n_outcomes = 2};
        static struct vec v;
        char packed[4096];
        struct err e;

        assert_true(vec_unpack(
            (struct span){packed, features_of(topic, packed, sizeof packed)},
            &v, &e));
        row.vec = &v;
        right[i] = fmax(0, right_of(&s, topic, false));
        x[0].score = rng_unit(&rng) < right_of(&s, topic, true);
        x[1].score = rng_unit(&rng) < right[i];
        assert_true(table_add(l->t, &row, &e));
        l->chosen[i] = 1;
        l->score[i] = x[0].score;
        l->spent[i] = USD_DEAR;
        l->propensity[2 * i + 1] = 1;
        l->expected[2 * i] = USD_CHEAP;
        l->expected[2 * i + 1] = USD_DEAR;
    }
}

/* Both arms' costs are those of the day. */
static struct evidence_policy policy_of(const struct classifier *c,
                                        const struct offlog *log)
{
    struct evidence_policy p;

    cycle_policy(&set, c, log, &p);
    for (int a = 0; a < 2; a++) {
        p.scale[a] = 1;
        p.base[a] = 0;
    }
    p.domain.known = false;
    return p;
}

/* What the classifier says of these rows, which it has not learnt from, is what
 * other folds' fits would say of its own. */
static void ladder_of(const struct offlog *log, const struct evidence_policy *p,
                      struct guarantee_ladder *out)
{
    const struct guarantee_ask ask = {3, 1, set.quality, .95, 1};
    struct guarantee_rows r = {.n = log->n,
                               .n_arms = 2,
                               .cost = log->expected,
                               .spent = log->expected,
                               .group = log->t->group};
    double *expect = calloc(2 * log->n, sizeof *expect);
    float *quality = calloc(2 * log->n, sizeof *quality);
    float *score = calloc(2 * log->n, sizeof *score);
    struct err e;

    assert_true(evidence_expect(log, p, expect, &e));
    for (size_t i = 0; i < 2 * log->n; i++) {
        quality[i] = (float)expect[i];
        score[i] = log->t->arms[i % 2].score[i / 2];
    }
    r.quality = quality;
    r.score = score;
    assert_true(guarantee_ladder_make(&r, &ask, out, &e));
    free(expect);
    free(quality);
    free(score);
}

/* What a price is worth above the promise, in the whole world. */
static double truth(const struct offlog *world, const double *right,
                    const struct evidence_policy *p, double price)
{
    struct evidence_policy at = *p;
    uint8_t *choice = calloc(world->n, 1);
    struct said said = {0};
    double sum = 0;
    struct err e;

    at.price = price;
    assert_true(said_new(&said, world, &at, &e));
    assert_true(said_choose(&said, world, &at, choice, &e));
    for (size_t i = 0; i < world->n; i++)
        sum += (choice[i] == 1 ? .97 : right[i]) - set.quality * .97;
    said_free(&said);
    free(choice);
    return sum / (double)world->n;
}

/* ---- what is found ---- */

/* The newer rows: `worse` than those learnt from, about so many topics. */
struct newer {
    double worse;
    unsigned topics;
};

/* The price that is found; NAN: none. */
static struct evidence find(const struct classifier *c, struct newer newer,
                            bool pooled)
{
    double right[LEARNT];
    struct offlog before, after;
    struct guarantee_ladder ladder;
    struct evidence_policy p, old = {.reference = "dear", .price = NAN};
    struct evidence_ask ask = {.log = &after,
                               .old = &old,
                               .fresh = &p,
                               .confidence = .95,
                               .cost_confidence = .95,
                               .climb = true,
                               .ladder = pooled ? &ladder : NULL,
                               .most = INFINITY};
    struct evidence found;
    struct err e;

    draw(&before, LEARNT, 0, right);
    topics = newer.topics;
    draw(&after, NEWER, newer.worse, right);
    topics = TOPICS;
    p = policy_of(c, &after);
    ladder_of(&before, &p, &ladder);
    assert_true(evidence_compare(&ask, &found, &e));
    offlog_free(&before);
    offlog_free(&after);
    return found;
}

/* 5 % and three standard errors of 150. */
static void a_price_found_on_both_parts_breaks_the_promise_seldom(void **state)
{
    static double right[WORLD];
    struct classifier *c;
    struct offlog world;
    struct evidence_policy p;
    unsigned broken = 0, pooled = 0;
    double gain = 0;

    (void)state;
    c = classifier_of(true);
    draw(&world, WORLD, 0, right);
    p = policy_of(c, &world);
    for (int i = 0; i < RUNS; i++) {
        struct evidence both = find(c, (struct newer){0, TOPICS}, true);
        struct evidence alone = find(c, (struct newer){0, TOPICS}, false);

        pooled += both.pooled;
        broken += truth(&world, right, &p, both.price) < 0;
        gain += (isnan(both.price) ? 0 : both.price / RUNS) -
                (isnan(alone.price) ? 0 : alone.price / RUNS);
    }
    print_message("broken %u of %d, together %u, price %+.1f beside the newer "
                  "rows' alone\n",
                  broken, RUNS, pooled, gain);
    assert_true(broken <= .105 * RUNS);
    assert_true(pooled >= .88 * RUNS);
    assert_true(gain > 0);
    offlog_free(&world);
    classifier_close(c);
}

/* They decide alone then: what was learnt from is past. */
static void newer_rows_that_are_worse_are_not_added_to_older_ones(void **state)
{
    struct classifier *c = classifier_of(true);
    unsigned past = 0;

    (void)state;
    for (int i = 0; i < RUNS / 5; i++) {
        struct evidence found = find(c, (struct newer){.5, TOPICS}, true);

        past += found.past && !found.pooled;
        assert_false(found.past && found.promise.learnt);
    }
    print_message("past in %u of %d\n", past, RUNS / 5);
    assert_true(past >= .9 * RUNS / 5);
    classifier_close(c);
}

/* As good as those learnt from, but more of them would be taken from the
 * reference: it is another mix. */
static void newer_rows_of_another_mix_are_not_added_to_older_ones(void **state)
{
    struct classifier *c = classifier_of(true);
    unsigned past = 0;

    (void)state;
    for (int i = 0; i < RUNS / 5; i++)
        past += find(c, (struct newer){0, 2}, true).past;
    print_message("past in %u of %d\n", past, RUNS / 5);
    assert_true(past >= .9 * RUNS / 5);
    classifier_close(c);
}

/* What another classifier expected when they were served is in the log. */
static void a_policy_goes_by_its_own_expected_costs(void **state)
{
    static double right[WORLD];
    static uint8_t before[WORLD], after[WORLD];
    struct classifier *c = classifier_of(true);
    struct evidence_policy p;
    struct said said = {0};
    struct offlog log;
    unsigned cheap = 0;
    struct err e;

    (void)state;
    draw(&log, WORLD, 0, right);
    for (int wrong = 0; wrong < 2; wrong++) {
        p = policy_of(c, &log);
        p.price = 500;
        for (size_t i = 0; wrong && i < WORLD; i++)
            log.expected[2 * i + 1] = USD_CHEAP;
        assert_true(said_new(&said, &log, &p, &e));
        assert_true(said_choose(&said, &log, &p, wrong ? after : before, &e));
        said_free(&said);
    }
    for (size_t i = 0; i < WORLD; i++)
        cheap += before[i] == 0;
    assert_true(cheap > WORLD / 10 && cheap < WORLD * 9 / 10);
    assert_memory_equal(before, after, WORLD);
    offlog_free(&log);
    classifier_close(c);
}

/* ---- the verdict ---- */

/* Neither cheaper nor of higher quality, by what can be told. */
static void who_keeps_the_promise_replaces_who_does_not(void **state)
{
    struct gate g = {.found = {.promise = {.lo = .001, .hi = .02},
                               .quality = {.lo = -.01, .hi = .03},
                               .cost = {.lo = 1e-4, .hi = 2e-4, .differ = 9},
                               .kept = {.hi = -.001, .solid = true}}};

    (void)state;
    g.found.promise.solid = g.found.quality.solid = g.found.cost.solid = true;
    gate_judge(&g);
    assert_int_equal(g.end, GATE_KEEPS);
    assert_true(gate_passes(&g));
    g.found.kept.hi = .001;
    gate_judge(&g);
    assert_false(gate_passes(&g));
    g.found.kept.hi = -.001;
    g.found.promise.lo = -.001;
    gate_judge(&g);
    assert_false(gate_passes(&g));
}

/* ---- the card ---- */

static void the_card_keeps_a_ladder_for_its_route_alone(void **state)
{
    struct classifier *c = classifier_of(true);
    struct guarantee_ladder l;
    double before = set.quality;

    (void)state;
    assert_true(cycle_ladder(&set, c, &l));
    assert_true(l.n > ROWS / 2 && l.groups == l.n && l.n_rungs > 5);
    for (uint32_t k = 1; k < l.n_rungs; k++)
        assert_true(l.rung[k].price > l.rung[k - 1].price);
    for (uint32_t k = 0; k < l.n_rungs; k++)
        assert_true(l.rung[k].error > 0 && fabs(l.rung[k].mean) < 1);
    set.quality = .9;
    assert_false(cycle_ladder(&set, c, &l));
    set.quality = before;
    set.reference = "cheap";
    assert_false(cycle_ladder(&set, c, &l));
    set.reference = "dear";
    classifier_close(c);
}

/* Only questions that were asked twice have the outcomes of both arms then. */
static void a_log_without_shadows_has_next_to_no_ladder(void **state)
{
    struct classifier *c = classifier_of(false);
    struct guarantee_ladder l;

    (void)state;
    assert_true(!cycle_ladder(&set, c, &l) || l.groups < ROWS / 10);
    classifier_close(c);
}

static void all_looks_together_have_one_chance_to_err(void **state)
{
    double sum = 0;

    (void)state;
    for (unsigned look = 1; look < 60; look++)
        sum += 1 - gate_confidence(.95, look);
    assert_true(sum <= .05 + 1e-12 && sum > .0499);
    assert_true(fabs(gate_confidence(.95, 0) - .95) < 1e-12);
    assert_true(gate_confidence(.95, 1) < gate_confidence(.95, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_price_found_on_both_parts_breaks_the_promise_seldom, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            newer_rows_that_are_worse_are_not_added_to_older_ones, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            newer_rows_of_another_mix_are_not_added_to_older_ones, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_policy_goes_by_its_own_expected_costs,
                                        set_up, tear_down),
        cmocka_unit_test(who_keeps_the_promise_replaces_who_does_not),
        cmocka_unit_test_setup_teardown(
            the_card_keeps_a_ladder_for_its_route_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_log_without_shadows_has_next_to_no_ladder, set_up, tear_down),
        cmocka_unit_test(all_looks_together_have_one_chance_to_err),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
