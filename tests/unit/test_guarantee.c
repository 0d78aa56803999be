/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "models/choose.h"
#include "trainer/guarantee.h"

enum { ARMS = 3, WORLD = 40000, SAMPLE = 1200, RESAMPLES = 200 };

/* Requests with a hidden ease; predictions of it that are somewhat off. */
struct world {
    size_t n;
    float *quality, *score;
    double *cost, *spent;
    uint64_t *group;
};

static struct world world_new(size_t n)
{
    struct world w = {.n = n};

    w.quality = calloc(n * ARMS, sizeof *w.quality);
    w.score = calloc(n * ARMS, sizeof *w.score);
    w.cost = calloc(n * ARMS, sizeof *w.cost);
    w.spent = calloc(n * ARMS, sizeof *w.spent);
    w.group = calloc(n, sizeof *w.group);
    assert_true(w.quality && w.score && w.cost && w.spent && w.group);
    return w;
}

static void world_free(struct world *w)
{
    free(w->quality);
    free(w->score);
    free(w->cost);
    free(w->spent);
    free(w->group);
}

/* soft: scores in tenths instead of 0 and 1. */
static struct world world_make(uint64_t seed, bool soft)
{
    static const double power[ARMS] = {.8, .3, .15};
    static const double price[ARMS] = {1e-4, 1e-3, 6e-3};
    struct world w = world_new(WORLD);
    struct rng r;

    rng_seed(&r, seed);
    for (size_t i = 0; i < w.n; i++) {
        double hard = rng_unit(&r), length = .2 + 2 * rng_unit(&r);
        w.group[i] = i;
        for (size_t a = 0; a < ARMS; a++) {
            double q = 1 - power[a] * hard, guess = q + .3 * rng_unit(&r) - .1;
            size_t at = i * ARMS + a;
            w.quality[at] = (float)fmax(0, fmin(guess, 1));
            w.score[at] = rng_unit(&r) < q;
            if (soft)
                w.score[at] = (float)(round(10 * q * rng_unit(&r)) / 10);
            w.cost[at] = price[a] * length;
            w.spent[at] = price[a] * length * (.5 + rng_unit(&r));
        }
    }
    return w;
}

static void resample(const struct world *from, struct rng *r, struct world *to)
{
    for (size_t i = 0; i < to->n; i++) {
        size_t k = rng_below(r, from->n);
        size_t to_at = i * ARMS, at = k * ARMS;
        memcpy(to->quality + to_at, from->quality + at, ARMS * sizeof(float));
        memcpy(to->score + to_at, from->score + at, ARMS * sizeof(float));
        memcpy(to->cost + to_at, from->cost + at, ARMS * sizeof(double));
        memcpy(to->spent + to_at, from->spent + at, ARMS * sizeof(double));
        to->group[i] = i;
    }
}

static struct guarantee_rows rows_of(const struct world *w)
{
    return (struct guarantee_rows){w->n,     ARMS,     w->quality, w->cost,
                                   w->score, w->spent, w->group,   NULL,
                                   NULL,     NULL,     NULL,       0};
}

/* The quality that a price really gives, by the reference's. */
static double truth(const struct world *w, double price)
{
    double got = 0, best = 0;

    for (size_t i = 0; i < w->n; i++) {
        struct candidate c[ARMS];
        for (size_t a = 0; a < ARMS; a++)
            c[a] = (struct candidate){w->quality[i * ARMS + a],
                                      w->cost[i * ARMS + a], true};
        got += (double)
                   w->score[i * ARMS + (size_t)choose_by_price(c, ARMS, price)];
        best += (double)w->score[i * ARMS + ARMS - 1];
    }
    return got / best;
}

static unsigned violations(const struct world *w, double q, double delta,
                           double *saving)
{
    struct world sample = world_new(SAMPLE);
    struct guarantee_ask ask = {.arms = 7,
                                .reference = ARMS - 1,
                                .quality = q,
                                .confidence = 1 - delta};
    struct guarantee_rows r = rows_of(&sample);
    struct rng rng;
    unsigned bad = 0;

    rng_seed(&rng, (uint64_t)(delta * 1000));
    *saving = 0;
    for (unsigned k = 0; k < RESAMPLES; k++) {
        struct guarantee_level level;
        struct err e = {0};
        resample(w, &rng, &sample);
        ask.seed = k;
        assert_true(guarantee_find(&r, &ask, &level, &e));
        if (!level.valid)
            continue;
        bad += truth(w, level.price) < q;
        *saving += level.saving / RESAMPLES;
    }
    world_free(&sample);
    return bad;
}

static void promises_are_broken_no_more_often_than_allowed(void **state)
{
    static const struct {
        double q, delta;
        bool soft;
    } cases[] = {
        {.95, .02, false}, {.95, .05, false}, {.95, .10, false},
        {.95, .20, false}, {.90, .10, true},
    };

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct world w = world_make(5, cases[k].soft);
        double saving;
        unsigned bad = violations(&w, cases[k].q, cases[k].delta, &saving);
        print_message("quality %.2f, allowed %.2f: broken %u of %d, mean "
                      "saving %.3f\n",
                      cases[k].q, cases[k].delta, bad, RESAMPLES, saving);
        assert_true(bad <= cases[k].delta * RESAMPLES);
        assert_true(saving > .1);
        world_free(&w);
    }
}

static void few_rows_promise_nothing(void **state)
{
    struct world w = world_make(1, false);
    struct guarantee_rows r = rows_of(&w);
    struct guarantee_ask ask = {
        .arms = 7, .reference = 2, .quality = .8, .confidence = .95};
    struct guarantee_level level;
    struct err e = {0};

    (void)state;
    r.n = GUARANTEE_MIN - 1;
    assert_true(guarantee_find(&r, &ask, &level, &e));
    assert_false(level.valid);
    assert_true(level.saving == 0 && level.share[2] == 1);
    r.n = 0;
    assert_true(guarantee_find(&r, &ask, &level, &e));
    assert_false(level.valid);
    world_free(&w);
}

static void a_conversation_counts_once(void **state)
{
    struct world w = world_make(2, false);
    struct guarantee_rows r = rows_of(&w);
    struct guarantee_ask ask = {
        .arms = 7, .reference = 2, .quality = .8, .confidence = .95};
    struct guarantee_level level;
    struct err e = {0};

    (void)state;
    r.n = 2000;
    for (size_t i = 0; i < r.n; i++)
        w.group[i] = i / 10;
    assert_true(guarantee_find(&r, &ask, &level, &e));
    assert_int_equal(level.groups, 200);
    assert_false(level.valid);
    world_free(&w);
}

static void the_test_is_as_strong_as_it_must_be(void **state)
{
    static const struct {
        double mean;
        double most, least; /* p-value's bounds */
    } cases[] = {{-.2, .001, 0}, {-.05, .05, 0}, {.05, 1, .2}, {0, 1, .02}};

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        double x[2000], p;
        struct rng r;
        rng_seed(&r, 3);
        for (size_t i = 0; i < 2000; i++)
            x[i] = cases[k].mean + .4 * (rng_unit(&r) - .5);
        p = guarantee_p(x, 2000, .98, .05);
        assert_true(p <= cases[k].most && p >= cases[k].least);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promises_are_broken_no_more_often_than_allowed),
        cmocka_unit_test(few_rows_promise_nothing),
        cmocka_unit_test(a_conversation_counts_once),
        cmocka_unit_test(the_test_is_as_strong_as_it_must_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
