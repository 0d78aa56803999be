/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bars/off_policy_bars.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "models/choose.h"
#include "trainer/off_policy.h"

#define EXPLORE .2
#define COVERAGE_LEAST .93

/* Prices as quantiles of a day's choice: what served the log, and what is
 * asked about; FIXED_* take one arm for everything. */
enum { FIXED_DEAR = -1, FIXED_CHEAP = -2 };
static const double served = 60;
static const struct target {
    const char *what;
    double price;
} targets[] = {
    {"a dearer router", 10},
    {"a cheaper router", 400},
    {"the dearest arm alone", FIXED_DEAR},
    {"the cheapest arm alone", FIXED_CHEAP},
};
enum { TARGETS = sizeof targets / sizeof targets[0], REWARDS = 2 };
static const char *const rewards[REWARDS] = {"score", "USD"};

struct simulation {
    const struct trial *world;
    uint32_t arms, dear, cheap;
    struct logged log;       /* borrows what follows */
    uint8_t *chosen;         /* (owned) [ROWS] */
    double *reward[REWARDS]; /* (owned) [ROWS] */
    double *model[REWARDS];  /* (owned) [ROWS * arms] */
    float *propensity;       /* (owned) [ROWS * arms] */
    float *target;           /* (owned) [ROWS * arms] */
    uint64_t *group;         /* (owned) [ROWS] each a conversation */
    uint32_t *row;           /* (owned) [ROWS] of the world */
};

static void simulation_free(struct simulation *s)
{
    for (int k = 0; k < REWARDS; k++) {
        free(s->reward[k]);
        free(s->model[k]);
    }
    free(s->chosen);
    free(s->propensity);
    free(s->target);
    free(s->group);
    free(s->row);
}

/* The dearest or cheapest arm of the world. */
static uint32_t fixed_arm(const struct trial *t, bool dear)
{
    uint32_t best = 0;
    double most = 0;

    for (uint32_t a = 0; a < t->c->n_arms; a++) {
        double sum = 0;
        for (size_t i = 0; i < t->n; i++)
            sum += t->cost[a * t->n + i];
        sum = dear ? sum : -sum;
        if (a == 0 || sum > most) {
            most = sum;
            best = a;
        }
    }
    return best;
}

static bool simulation_init(struct simulation *s, const struct trial *t,
                            struct err *e)
{
    size_t cells = (size_t)OFF_POLICY_ROWS * t->c->n_arms;
    bool ok = true;

    *s = (struct simulation){.world = t,
                             .arms = t->c->n_arms,
                             .dear = fixed_arm(t, true),
                             .cheap = fixed_arm(t, false)};
    for (int k = 0; k < REWARDS; k++) {
        s->reward[k] = calloc(OFF_POLICY_ROWS, sizeof(double));
        s->model[k] = calloc(cells, sizeof(double));
        ok = ok && s->reward[k] && s->model[k];
    }
    s->chosen = calloc(OFF_POLICY_ROWS, 1);
    s->propensity = calloc(cells, sizeof(float));
    s->target = calloc(cells, sizeof(float));
    s->group = calloc(OFF_POLICY_ROWS, sizeof *s->group);
    s->row = calloc(OFF_POLICY_ROWS, sizeof *s->row);
    ok = ok && s->chosen && s->propensity && s->target && s->group && s->row;
    s->log = (struct logged){.n = OFF_POLICY_ROWS,
                             .n_arms = s->arms,
                             .chosen = s->chosen,
                             .propensity = s->propensity,
                             .group = s->group};
    return ok || err_set(e, ERR_MEMORY, "no memory for a simulated log");
}

static uint32_t takes(const struct simulation *s, size_t row, double price)
{
    const struct trial *t = s->world;
    struct candidate c[CLASSIFIER_ARMS_MAX];
    uint32_t arms = s->arms;

    if (price == FIXED_DEAR || price == FIXED_CHEAP)
        return price == FIXED_DEAR ? s->dear : s->cheap;
    for (uint32_t a = 0; a < arms; a++)
        c[a] = (struct candidate){.quality = (float)t->guess[row * arms + a],
                                  .cost = t->expected[row * arms + a],
                                  .allowed = true};
    return (uint32_t)choose_by_price(c, arms, price);
}

static const double *outcome(const struct trial *t, int reward)
{
    return reward ? t->cost : t->score;
}

/* A log: rows of the world, the router's choice with 80 %, else any other. */
static void draw(struct simulation *s, struct rng *rng)
{
    const struct trial *t = s->world;

    for (size_t i = 0; i < OFF_POLICY_ROWS; i++) {
        size_t row = (size_t)rng_below(rng, t->n), at = i * s->arms;
        uint32_t likely = takes(s, row, served), arm = likely;
        s->row[i] = (uint32_t)row;
        s->group[i] = i;
        if (rng_unit(rng) < EXPLORE)
            arm =
                (likely + 1 + (uint32_t)rng_below(rng, s->arms - 1)) % s->arms;
        s->chosen[i] = (uint8_t)arm;
        for (uint32_t a = 0; a < s->arms; a++) {
            s->propensity[at + a] = a == likely
                                        ? (float)(1 - EXPLORE)
                                        : (float)(EXPLORE / (s->arms - 1));
            s->model[0][at + a] = t->guess[row * s->arms + a];
            s->model[1][at + a] = t->expected[row * s->arms + a];
        }
        for (int k = 0; k < REWARDS; k++)
            s->reward[k][i] = outcome(t, k)[arm * t->n + row];
    }
}

/* What one target is worth in truth, and how its estimates went. */
struct tally {
    double truth, ips, ips_square, dr, dr_square;
    unsigned held;
};

static void truths(const struct simulation *s,
                   struct tally all[TARGETS][REWARDS])
{
    const struct trial *t = s->world;

    for (unsigned k = 0; k < TARGETS; k++)
        for (size_t i = 0; i < t->n; i++) {
            uint32_t arm = takes(s, i, targets[k].price);
            for (int r = 0; r < REWARDS; r++)
                all[k][r].truth += outcome(t, r)[arm * t->n + i] / (double)t->n;
        }
}

static void count(struct tally *y, const struct off_policy *o)
{
    double ips = o->ips.value - y->truth, dr = o->dr.value - y->truth;

    y->ips += ips;
    y->ips_square += ips * ips;
    y->dr += dr;
    y->dr_square += dr * dr;
    y->held += o->dr.lo <= y->truth && y->truth <= o->dr.hi;
}

static bool estimate(struct simulation *s, uint64_t seed,
                     struct tally all[TARGETS][REWARDS], struct err *e)
{
    struct off_policy o;

    for (unsigned k = 0; k < TARGETS; k++) {
        memset(s->target, 0,
               (size_t)OFF_POLICY_ROWS * s->arms * sizeof *s->target);
        for (size_t i = 0; i < OFF_POLICY_ROWS; i++)
            s->target[i * s->arms + takes(s, s->row[i], targets[k].price)] = 1;
        for (int r = 0; r < REWARDS; r++) {
            s->log.reward = s->reward[r];
            s->log.expected = s->model[r];
            s->log.heavy = r == 1;
            if (!off_policy_estimate(&s->log, s->target, seed, &o, e))
                return false;
            count(&all[k][r], &o);
        }
    }
    return true;
}

static double variance(double sum, double square)
{
    double n = OFF_POLICY_RUNS, mean = sum / n;

    return square / n - mean * mean;
}

static int print(struct tally all[TARGETS][REWARDS])
{
    int failed = 0;

    printf("\noff-policy, policy in question    reward       truth  in 95 %% "
           "interval  deviation of IPS, doubly robust\n");
    for (unsigned k = 0; k < TARGETS; k++)
        for (int r = 0; r < REWARDS; r++) {
            const struct tally *y = &all[k][r];
            double share = (double)y->held / OFF_POLICY_RUNS;
            double ips = variance(y->ips, y->ips_square);
            double dr = variance(y->dr, y->dr_square);
            bool pass = share >= COVERAGE_LEAST && dr < ips;
            failed += !pass;
            printf("%-33s %-8s %9.6f  %14.1f %%  %10.2e, %10.2e  %s\n",
                   targets[k].what, rewards[r], y->truth, 100 * share,
                   sqrt(ips), sqrt(dr), pass ? "pass" : "FAIL");
        }
    printf("(wanted: the truth inside in at least %.0f %% of %d logs of %d "
           "requests, %.0f %% explored; and\nthe doubly robust deviation "
           "smaller)\n",
           100 * COVERAGE_LEAST, OFF_POLICY_RUNS, OFF_POLICY_ROWS,
           100 * EXPLORE);
    return failed;
}

bool off_policy_bars(const struct trial *world, int *failed, struct err *e)
{
    struct tally all[TARGETS][REWARDS] = {{{0}}};
    struct simulation s;
    struct rng rng;
    bool ok = simulation_init(&s, world, e);

    rng_seed(&rng, 1);
    if (ok)
        truths(&s, all);
    for (unsigned k = 0; ok && k < OFF_POLICY_RUNS; k++) {
        draw(&s, &rng);
        ok = estimate(&s, k, all, e);
    }
    if (ok)
        *failed += print(all);
    simulation_free(&s);
    return ok;
}
