/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "trainer/bootstrap.h"
#include "trainer/metrics.h"

enum { MANY = 20000 };

static void near(double got, double want, double within)
{
    if (!(fabs(got - want) <= within))
        fail_msg("got %.6f, wanted %.6f within %g", got, want, within);
}

/* Room for one ranking and its arrays. */
struct room {
    double score[MANY], weak[MANY], strong[MANY], weight[MANY];
    uint32_t order[MANY];
    struct ranking r;
};

static struct room *room_of(size_t n)
{
    struct room *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->r = (struct ranking){.n = n,
                            .order = m->order,
                            .score = m->score,
                            .weak = m->weak,
                            .strong = m->strong};
    return m;
}

static void pgr_is_the_share_of_the_gap(void **state)
{
    (void)state;
    near(metrics_pgr(.75, .5, 1), .5, 0);
    near(metrics_pgr(.5, .5, 1), 0, 0);
    assert_true(isnan(metrics_pgr(.7, .5, .5)));
}

/* 10 requests, one a decile.  The strong arm gains on four of them, which
 * stand at places 1, 2, 4 and 8: PGR after each call .25 .5 .5 .75 .75 .75
 * .75 1 1 1; trapezoids .1 * (sum - .5) = .1 * (7.25 - .5) = .675. */
static void a_curve_worked_by_hand(void **state)
{
    static const double gains[] = {1, 1, 0, 1, 0, 0, 0, 1, 0, 0};
    struct room *m = room_of(10);
    (void)state;
    for (int i = 0; i < 10; i++) {
        m->score[i] = 10 - i;
        m->strong[i] = gains[i];
    }
    metrics_order(m->score, 10, m->order);
    near(metrics_apgr(&m->r), .675, 1e-12);
    near(metrics_cpt(&m->r, .5), .2, 1e-12);
    near(metrics_cpt(&m->r, .75), .4, 1e-12);
    near(metrics_cpt(&m->r, .8), .72, 1e-12); /* .2 into the 8th call */
    free(m);
}

static void equal_scores_give_one_half(void **state)
{
    struct room *m = room_of(100);
    (void)state;
    for (int i = 0; i < 100; i++)
        m->strong[i] = i < 37;
    metrics_order(m->score, 100, m->order);
    near(metrics_apgr(&m->r), .5, 1e-12);
    near(metrics_cpt(&m->r, .8), .8, 1e-12);
    free(m);
}

/* Two runs of ties: the first half of the calls gains three quarters.
 * Vertices (0,0) (.5,.75) (1,1): .1875 + .4375. */
static void ties_move_together(void **state)
{
    struct room *m = room_of(8);
    (void)state;
    for (int i = 0; i < 8; i++) {
        m->score[i] = i < 4;
        m->strong[i] = i < 3 || i == 7;
    }
    metrics_order(m->score, 8, m->order);
    near(metrics_apgr(&m->r), .625, 1e-12);
    near(metrics_cpt(&m->r, .5), 1 / 3., 1e-12);
    free(m);
}

static void random_scores_give_one_half_nearly(void **state)
{
    struct room *m = room_of(MANY);
    struct rng rng;
    (void)state;
    rng_seed(&rng, 11);
    for (int i = 0; i < MANY; i++) {
        m->score[i] = rng_unit(&rng);
        m->strong[i] = rng_unit(&rng) < .8;
        m->weak[i] = rng_unit(&rng) < .6;
    }
    metrics_order(m->score, MANY, m->order);
    near(metrics_apgr(&m->r), .5, .03);
    near(metrics_cpt(&m->r, .5), .5, .05);
    free(m);
}

/* The gain itself as score.  Share g gains, share l loses, d = g - l: PGR
 * rises to g/d at share g, stays, and falls to 1 over the last l.  Area
 * (g/d)(1 - g/2 - l/2) + l/2 = with g .3, l .1, d .2: 1.2 + .05. */
static void a_perfect_router_has_the_closed_form(void **state)
{
    struct room *m = room_of(1000);
    (void)state;
    for (int i = 0; i < 1000; i++) {
        m->strong[i] = i < 300;
        m->weak[i] = i >= 900;
        m->score[i] = m->strong[i] - m->weak[i];
    }
    metrics_order(m->score, 1000, m->order);
    near(metrics_apgr(&m->r), 1.25, 1e-9);
    near(metrics_cpt(&m->r, .5), .1, 1e-9);
    near(metrics_cpt(&m->r, .8), .16, 1e-9);
    free(m);
}

static void no_gap_has_no_figure(void **state)
{
    struct room *m = room_of(4);
    (void)state;
    m->weak[0] = 1;
    metrics_order(m->score, 4, m->order);
    assert_true(isnan(metrics_apgr(&m->r)));
    assert_true(isnan(metrics_cpt(&m->r, .5)));
    free(m);
}

static void a_weight_of_two_is_the_row_twice(void **state)
{
    struct room *a = room_of(30), *b = room_of(60);
    struct rng rng;
    (void)state;
    rng_seed(&rng, 4);
    for (int i = 0; i < 30; i++) {
        a->score[i] = (double)rng_below(&rng, 12);
        a->strong[i] = (i % 3) != 0;
        a->weak[i] = (i % 5) == 0;
        a->weight[i] = 2;
        for (int k = 2 * i; k < 2 * i + 2; k++) {
            b->score[k] = a->score[i];
            b->strong[k] = a->strong[i];
            b->weak[k] = a->weak[i];
        }
    }
    a->r.weight = a->weight;
    metrics_order(a->score, 30, a->order);
    metrics_order(b->score, 60, b->order);
    near(metrics_apgr(&a->r), metrics_apgr(&b->r), 1e-12);
    near(metrics_cpt(&a->r, .8), metrics_cpt(&b->r, .8), 1e-12);
    free(a);
    free(b);
}

static void the_hull_keeps_only_what_mixing_cannot_reach(void **state)
{
    struct point p[] = {{3, .9}, {1, .5}, {2, .6}, {4, .8}, {2, .8}, {1, .2}};
    (void)state;
    size_t n = metrics_hull(p, 6);
    assert_int_equal(n, 3); /* (1,.5) (2,.8) (3,.9) */
    near(p[1].cost, 2, 0);
    near(p[1].quality, .8, 0);
    near(metrics_hull_at(p, n, 1.5), .65, 1e-12);
    near(metrics_hull_at(p, n, 9), .9, 1e-12);
    near(metrics_hull_at(p, n, .5), 0, 0);
}

/* Hull (1,.5) (2,.8) (3,.9), range 1..5: .65 + .85 + 2 * .9 = 3.3; by 4. */
static void aiq_worked_by_hand(void **state)
{
    struct point p[] = {{1, .5}, {2, .8}, {3, .9}, {2.5, .6}};
    struct point one[] = {{2, .7}};
    (void)state;
    near(metrics_aiq(p, 4, 1, 5), 3.3 / 4, 1e-12);
    near(metrics_aiq(one, 1, 2, 2), .7, 1e-12);
}

static void ece_worked_by_hand(void **state)
{
    /* Two bins: |.2+.4 - 1| = .4 and |.6+1 - 1| = .6 over 4 rows. */
    static const double p[] = {.2, .4, .6, 1, .5};
    static const double y[] = {0, 1, 0, 1, NAN};
    (void)state;
    near(metrics_ece(p, y, 5, 2), .25, 1e-12);
    assert_true(isnan(metrics_ece(p, y, 0, 2)));
}

static void a_calibrated_predictor_has_little_ece(void **state)
{
    double *p = calloc(MANY, sizeof *p), *y = calloc(MANY, sizeof *y);
    struct rng rng;
    (void)state;
    rng_seed(&rng, 2);
    for (int i = 0; i < MANY; i++) {
        p[i] = rng_unit(&rng);
        y[i] = rng_unit(&rng) < p[i];
    }
    assert_true(metrics_ece(p, y, MANY, 10) < .02);
    free(p);
    free(y);
}

static void quantiles_are_linear_between_neighbours(void **state)
{
    double v[] = {5, NAN, 1, 2, 4, 3};
    (void)state;
    struct interval i = metrics_interval(v, 6, .5);
    near(i.lo, 2, 1e-12);
    near(i.hi, 4, 1e-12);
    near(metrics_quantile(v, 5, .1), 1.4, 1e-12);
}

/* The mean of 400 coins: the 95 % interval is .5 -+ 1.96 * .5 / 20. */
static void bootstrap_intervals_have_the_known_width(void **state)
{
    enum { N = 400, DRAWS = 2000 };
    double x[N], weight[N], *means = calloc(DRAWS, sizeof *means);
    uint64_t group[N];
    struct bootstrap b;
    struct err e;
    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = i % 2;
        group[i] = (uint64_t)i * 977;
    }
    assert_true(bootstrap_init(&b, group, N, 1, &e));
    assert_int_equal(b.n_groups, N);
    for (int i = 0; i < DRAWS; i++) {
        bootstrap_draw(&b, weight);
        means[i] = metrics_mean(x, weight, N);
    }
    struct interval ci = metrics_interval(means, DRAWS, .95);
    near(ci.lo, .5 - .049, .006);
    near(ci.hi, .5 + .049, .006);
    bootstrap_free(&b);
    free(means);
}

static void groups_are_drawn_whole(void **state)
{
    static const uint64_t group[] = {9, 4, 9, 4, 9};
    double weight[5];
    struct bootstrap b;
    struct err e;
    (void)state;
    assert_true(bootstrap_init(&b, group, 5, 3, &e));
    assert_int_equal(b.n_groups, 2);
    for (int i = 0; i < 20; i++) {
        bootstrap_draw(&b, weight);
        assert_true(weight[0] == weight[2] && weight[2] == weight[4]);
        assert_true(weight[1] == weight[3]);
        assert_true(weight[0] + weight[1] == 2);
    }
    bootstrap_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pgr_is_the_share_of_the_gap),
        cmocka_unit_test(a_curve_worked_by_hand),
        cmocka_unit_test(equal_scores_give_one_half),
        cmocka_unit_test(ties_move_together),
        cmocka_unit_test(random_scores_give_one_half_nearly),
        cmocka_unit_test(a_perfect_router_has_the_closed_form),
        cmocka_unit_test(no_gap_has_no_figure),
        cmocka_unit_test(a_weight_of_two_is_the_row_twice),
        cmocka_unit_test(the_hull_keeps_only_what_mixing_cannot_reach),
        cmocka_unit_test(aiq_worked_by_hand),
        cmocka_unit_test(ece_worked_by_hand),
        cmocka_unit_test(a_calibrated_predictor_has_little_ece),
        cmocka_unit_test(quantiles_are_linear_between_neighbours),
        cmocka_unit_test(bootstrap_intervals_have_the_known_width),
        cmocka_unit_test(groups_are_drawn_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
