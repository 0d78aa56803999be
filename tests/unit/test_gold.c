/* SPDX-License-Identifier: Apache-2.0 */
/* A judge that flatters: what promises rest on where feedback measures it, and
 * where it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "models/choose.h"
#include "tests/unit/table_sample.h"
#include "trainer/gold.h"
#include "trainer/train.h"

enum { ARMS = 2, WORLDS = 100, JUDGED = 1200, TRUTH = 8000 };

/* ---- bounds ---- */

static void a_bound_holds_as_often_as_it_says(void **state)
{
    enum { N = 150, RUNS = 400 };
    static const double p[] = {.02, .3, .5};
    struct rng r;

    (void)state;
    rng_seed(&r, 11);
    for (size_t c = 0; c < sizeof p / sizeof p[0]; c++) {
        unsigned broken = 0;
        double mean = 0;

        for (unsigned k = 0; k < RUNS; k++) {
            double x[N], b;

            /* -1, 0, 1: gold less judge. */
            for (size_t i = 0; i < N; i++)
                x[i] = rng_unit(&r) < p[c] ? (rng_unit(&r) < .7 ? -1 : 1) : 0;
            b = gold_bound(x, N, .05);
            broken += b < -.4 * p[c];
            mean += b / RUNS;
        }
        if (broken > 30 || mean > -.4 * p[c] + .3)
            fail_msg("p %g: %u of %u broken, mean bound %g", p[c], broken, RUNS,
                     mean);
    }
    assert_true(gold_bound(NULL, 0, .05) == 1);
}

/* ---- promises over judged rows ---- */

struct case_of {
    double flatters[ARMS]; /* P(judge says right | wrong) */
    double doubts[ARMS];   /* P(judge says wrong | right) */
};

struct one {
    double q[ARMS];
    bool right[ARMS], said[ARMS];
};

static void draw(struct rng *r, const struct case_of *c, struct one *o)
{
    static const double power[ARMS] = {.8, .15};
    double hard = rng_unit(r);

    for (int a = 0; a < ARMS; a++) {
        double u;

        o->q[a] = 1 - power[a] * hard;
        o->right[a] = rng_unit(r) < o->q[a];
        u = rng_unit(r);
        o->said[a] = o->right[a] ? u >= c->doubts[a] : u < c->flatters[a];
    }
}

struct rows {
    float quality[JUDGED * ARMS], score[JUDGED * ARMS];
    double cost[JUDGED * ARMS], spent[JUDGED * ARMS];
    uint64_t group[JUDGED];
    uint8_t second[JUDGED * ARMS];
};

static void fill(struct rows *w, struct rng *r, const struct case_of *c,
                 const double *bias)
{
    for (size_t i = 0; i < JUDGED; i++) {
        struct one o;

        draw(r, c, &o);
        w->group[i] = i;
        for (size_t a = 0; a < ARMS; a++) {
            w->quality[i * ARMS + a] = (float)o.q[a];
            w->score[i * ARMS + a] = (float)(o.said[a] + bias[a]);
            w->cost[i * ARMS + a] = w->spent[i * ARMS + a] = a ? .01 : .001;
            w->second[i * ARMS + a] = 1;
        }
    }
}

/* What gold says of so many answers of each arm. */
static void measure(struct rng *r, const struct case_of *c, size_t pairs,
                    struct gold *g)
{
    double *x = malloc(pairs * sizeof *x);

    assert_non_null(x);
    for (int a = 0; a < ARMS; a++) {
        double sum = 0;

        for (size_t i = 0; i < pairs; i++) {
            struct one o;

            draw(r, c, &o);
            x[i] = o.right[a] - o.said[a];
            sum += x[i];
        }
        g->bias[a] = (float)(sum / (double)pairs);
        g->high[a] = (float)gold_bound(x, pairs, .05 * GOLD_SHARE / 3);
        for (size_t i = 0; i < pairs; i++)
            x[i] = -x[i];
        g->low[a] = (float)-gold_bound(x, pairs, .05 * GOLD_SHARE / 3);
    }
    free(x);
}

/* By the reference's, of what the price takes. */
static double truth(double price)
{
    static const struct case_of honest;
    double got = 0, best = 0;
    struct rng r;

    rng_seed(&r, 99);
    for (size_t i = 0; i < TRUTH; i++) {
        struct candidate k[ARMS];
        struct one o;

        draw(&r, &honest, &o);
        for (int a = 0; a < ARMS; a++)
            k[a] = (struct candidate){(float)o.q[a], a ? .01 : .001, true};
        got += o.q[choose_by_price(k, ARMS, price)];
        best += o.q[1];
    }
    return got / best;
}

/* Promises of 90 % that are broken; *saved: that save anything. */
static unsigned broken(const struct case_of *c, size_t pairs, unsigned *saved)
{
    static struct rows w;
    struct guarantee_rows r = {.n = JUDGED,
                               .n_arms = ARMS,
                               .quality = w.quality,
                               .cost = w.cost,
                               .score = w.score,
                               .spent = w.spent,
                               .group = w.group};
    const struct guarantee_ask ask = {
        .arms = 3, .reference = 1, .quality = .9, .confidence = .95, .seed = 3};
    unsigned bad = 0;
    struct rng rng;

    *saved = 0;
    rng_seed(&rng, pairs + 1);
    for (unsigned k = 0; k < WORLDS; k++) {
        static const double none[ARMS];
        double bias[ARMS];
        struct guarantee_level level;
        struct gold g = {.kind = GOLD_MEASURED};
        float low[ARMS], high[ARMS];
        struct err e;

        if (pairs)
            measure(&rng, c, pairs, &g);
        for (int a = 0; a < ARMS; a++) {
            bias[a] = (double)g.bias[a];
            low[a] = g.low[a] - g.bias[a];
            high[a] = g.high[a] - g.bias[a];
        }
        r.second = pairs ? w.second : NULL;
        r.low = low;
        r.high = high;
        r.reach = 1;
        fill(&w, &rng, c, pairs ? bias : none);
        assert_true(guarantee_find(&r, &ask, &level, &e));
        if (!level.valid)
            continue;
        *saved += level.saving > .01;
        bad += truth(level.price) < .9;
    }
    return bad;
}

static void a_flattering_judge_breaks_no_promise_once_it_is_measured(void **s)
{
    static const struct case_of cases[] = {
        {{.4, 0}, {0, 0}},    /* flatters the cheap one */
        {{.3, .3}, {.1, .1}}, /* both */
        {{.2, 0}, {0, .15}},  /* and doubts the reference */
    };
    unsigned saved;

    (void)s;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned naive = broken(&cases[i], 0, &saved), few, many, f, m;

        few = broken(&cases[i], 150, &f);
        many = broken(&cases[i], 4000, &m);
        printf("judge %zu: of %d promises of 90 %% broken %u as they stand, %u "
               "(%u save) by 150 pairs, %u (%u) by 4000\n",
               i, WORLDS, naive, few, f, many, m);
        assert_true(naive > WORLDS / 2);
        assert_true(few <= WORLDS / 20 && many <= WORLDS / 20);
    }
}

static void an_honest_judge_that_is_measured_well_still_saves(void **state)
{
    static const struct case_of honest;
    unsigned saved, bad = broken(&honest, 2000, &saved);

    (void)state;
    assert_true(bad <= WORLDS / 20 && saved > WORLDS * 9 / 10);
}

/* ---- in training ---- */

struct made {
    struct table *t;
    struct vec v;
    struct rng r;
};

enum who { GOLD, JUDGE, BOTH };

static bool right_of(struct made *m, bool hard, unsigned arm)
{
    return rng_unit(&m->r) < (arm ? .93 : hard ? .2 : .95);
}

/* arms: bit set of those that answered. */
static void add(struct made *m, unsigned arms, enum who who)
{
    struct table_outcome o[ARMS];
    struct table_new_row row = {.vec = &m->v,
                                .group = m->t->n + 1,
                                .time_ms = -1,
                                .est_input = 100,
                                .outcomes = o};
    bool hard = rng_unit(&m->r) < .4;
    struct err e;

    sample_vec(&m->r, 0, hard, &m->v);
    for (unsigned a = 0; a < ARMS; a++) {
        bool right = right_of(m, hard, a);
        bool said = right || (a == 0 && rng_unit(&m->r) < .8);

        if (!(arms >> a & 1))
            continue;
        o[row.n_outcomes++] =
            (struct table_outcome){.arm = a,
                                   .score = who == JUDGE ? said : right,
                                   .second = who == JUDGE,
                                   .has_beside = who == BOTH,
                                   .beside = said,
                                   .input_tokens = 100,
                                   .output_tokens = 50,
                                   .cost_usd = a ? .02 : .001,
                                   .propensity = NAN,
                                   .latency_ms = NAN};
    }
    if (!table_add(m->t, &row, &e))
        fail_msg("%s", e.msg);
}

static struct made *made_new(void)
{
    struct made *m = calloc(1, sizeof *m);
    struct err e;

    assert_non_null(m);
    m->t = table_new(&e);
    assert_non_null(m->t);
    rng_seed(&m->r, 8);
    assert_int_equal(table_add_arm(m->t, SPAN("small"), &e), 0);
    assert_int_equal(table_add_arm(m->t, SPAN("large"), &e), 1);
    return m;
}

/* Trains, and what the level of 90 % comes to on new questions. */
static double train(struct made *m, struct training *r, bool *valid)
{
    enum { FRESH = 2000 };
    const struct train_options o = {.reference = "large",
                                    .quality = .9,
                                    .confidence = .95,
                                    .seed = 1,
                                    .threads = 2,
                                    .bits = 14};
    struct made *fresh = made_new();
    double price = NAN, got = 0, best = 0;
    struct err e;

    if (!train_run(r, m->t, &o, &e))
        fail_msg("%s", e.msg);
    for (uint32_t k = 0; k < r->n_levels; k++)
        if (fabs(r->qualities[k] - .9) < 1e-9) {
            *valid = r->levels[k].valid;
            price = r->levels[k].price;
        }
    rng_seed(&fresh->r, 77);
    for (uint32_t i = 0; i < FRESH; i++) {
        struct prediction p;
        bool cheap;

        add(fresh, 3, GOLD);
        fit_predict(r->fit, fresh->t, i, &p);
        cheap = (double)(p.quality[1] - p.quality[0]) < price * .019;
        got += (double)fresh->t->arms[cheap ? 0 : 1].score[i];
        best += (double)fresh->t->arms[1].score[i];
    }
    table_free(fresh->t);
    free(fresh);
    return *valid ? got / best : 1;
}

static void made_free(struct made *m, struct training *r)
{
    training_free(r);
    table_free(m->t);
    free(m);
}

static void without_gold_it_is_said_whose_labels_they_are(void **state)
{
    struct made *m = made_new();
    struct training r;
    bool valid, said = false;

    (void)state;
    for (int i = 0; i < 1200; i++)
        add(m, 3, JUDGE);
    assert_true(train(m, &r, &valid) < .85); /* that is what a judge may do */
    assert_true(valid);
    assert_int_equal(r.gold.kind, GOLD_NONE);
    for (uint32_t i = 0; i < r.n_notes; i++)
        said = said || strstr(r.notes[i], "as they stand in 1200 of 1200 rows");
    assert_true(said);
    assert_false(fit_arm(r.fit, 0)->by_gold);
    made_free(m, &r);
}

static void feedback_on_judged_answers_corrects_the_promise(void **state)
{
    struct made *m = made_new();
    struct training r;
    bool valid;

    (void)state;
    for (int i = 0; i < 1200; i++)
        add(m, 3, JUDGE);
    for (unsigned i = 0; i < 800; i++)
        add(m, 1 + i % 2, BOTH);
    assert_true(train(m, &r, &valid) >= .9);
    assert_int_equal(r.gold.kind, GOLD_MEASURED);
    assert_int_equal(r.gold.pairs[0], 400);
    /* .4 x .8 + .6 x .05 are wrong, of which .8 are flattered. */
    assert_float_equal(r.gold.bias[0], -.28, .06);
    assert_true(r.gold.low[0] < -.28 && r.gold.high[0] > -.28);
    assert_true(fit_arm(r.fit, 0)->by_gold);
    assert_int_equal(fit_arm(r.fit, 0)->gold, 400);
    made_free(m, &r);
}

static void enough_gold_is_looked_at_alone(void **state)
{
    struct made *m = made_new();
    struct training r;
    bool valid;

    (void)state;
    for (int i = 0; i < 1200; i++)
        add(m, 3, i % 2 ? JUDGE : GOLD);
    assert_true(train(m, &r, &valid) >= .9);
    assert_true(valid);
    assert_int_equal(r.gold.kind, GOLD_ALONE);
    assert_int_equal(r.n_judged, 600);
    made_free(m, &r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_holds_as_often_as_it_says),
        cmocka_unit_test(
            a_flattering_judge_breaks_no_promise_once_it_is_measured),
        cmocka_unit_test(an_honest_judge_that_is_measured_well_still_saves),
        cmocka_unit_test(without_gold_it_is_said_whose_labels_they_are),
        cmocka_unit_test(feedback_on_judged_answers_corrects_the_promise),
        cmocka_unit_test(enough_gold_is_looked_at_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
