/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bars/promise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "models/choose.h"
#include "trainer/guarantee.h"

#define DELTA .05

static const double alphas[] = {.02, .05, .10, .20};

/* One draw of calibration rows. */
struct sample {
    size_t n;
    float *quality, *score;
    double *cost, *spent;
    uint64_t *group;
};

static bool sample_init(struct sample *s, size_t n, uint32_t arms)
{
    *s = (struct sample){.n = n,
                         .quality = calloc(n * arms, sizeof(float)),
                         .score = calloc(n * arms, sizeof(float)),
                         .cost = calloc(n * arms, sizeof(double)),
                         .spent = calloc(n * arms, sizeof(double)),
                         .group = calloc(n, sizeof(uint64_t))};
    return s->quality && s->score && s->cost && s->spent && s->group;
}

static void sample_free(struct sample *s)
{
    free(s->quality);
    free(s->score);
    free(s->cost);
    free(s->spent);
    free(s->group);
}

static void sample_draw(struct sample *s, const struct trial *t, struct rng *r)
{
    uint32_t arms = t->c->n_arms;
    for (size_t i = 0; i < s->n; i++) {
        size_t row = rng_below(r, t->n);
        s->group[i] = i;
        for (uint32_t a = 0; a < arms; a++) {
            s->quality[i * arms + a] = (float)t->guess[row * arms + a];
            s->cost[i * arms + a] = t->expected[row * arms + a];
            s->score[i * arms + a] = (float)t->score[a * t->n + row];
            s->spent[i * arms + a] = t->cost[a * t->n + row];
        }
    }
}

/* Score and cost in the world, by the reference's. */
struct world_value {
    double quality, saving;
};

static struct world_value value_at(const struct trial *t, double price)
{
    double score = 0, cost = 0, reference = 0, dear = 0;
    uint32_t arms = t->c->n_arms;
    for (size_t i = 0; i < t->n; i++) {
        struct candidate c[CLASSIFIER_ARMS_MAX];
        for (uint32_t a = 0; a < arms; a++)
            c[a] = (struct candidate){.quality = (float)t->guess[i * arms + a],
                                      .cost = t->expected[i * arms + a],
                                      .allowed = true};
        size_t at = (size_t)choose_by_price(c, arms, price) * t->n + i;
        score += t->score[at];
        cost += t->cost[at];
        reference += t->score[t->reference * t->n + i];
        dear += t->cost[t->reference * t->n + i];
    }
    return (struct world_value){score / reference, 1 - cost / dear};
}

/* A threshold tuned on the rows without any margin: the largest price of a
 * fine grid that holds the quality there. */
static double tuned(const struct trial *t, const struct sample *s, double q)
{
    struct candidate c[CLASSIFIER_ARMS_MAX];
    uint32_t arms = t->c->n_arms;
    double best = 0;
    for (double price = .1; price < 1e5; price *= 1.15) {
        double margin = 0;
        for (size_t i = 0; i < s->n; i++) {
            for (uint32_t a = 0; a < arms; a++)
                c[a] = (struct candidate){s->quality[i * arms + a],
                                          s->cost[i * arms + a], true};
            int arm = choose_by_price(c, arms, price);
            margin += (double)s->score[i * arms + (uint32_t)arm] -
                      q * (double)s->score[i * arms + t->reference];
        }
        if (margin >= 0)
            best = price;
    }
    return best;
}

static bool one_alpha(const struct trial *t, struct sample *s, double alpha,
                      int *failed, struct err *e)
{
    unsigned broken = 0, made = 0, broken_tuned = 0;
    double saving = 0;
    struct rng rng;
    struct guarantee_rows rows = {.n = s->n,
                                  .n_arms = t->c->n_arms,
                                  .quality = s->quality,
                                  .cost = s->cost,
                                  .score = s->score,
                                  .spent = s->spent,
                                  .group = s->group};
    struct guarantee_ask ask = {.arms = (1u << t->c->n_arms) - 1,
                                .reference = t->reference,
                                .quality = 1 - alpha,
                                .confidence = 1 - DELTA};
    rng_seed(&rng, rng_mix(1, (uint64_t)(alpha * 100)));
    for (unsigned k = 0; k < PROMISE_RESAMPLES; k++) {
        struct guarantee_level level;
        struct world_value v;
        sample_draw(s, t, &rng);
        ask.seed = k;
        if (!guarantee_find(&rows, &ask, &level, e))
            return false;
        broken_tuned += value_at(t, tuned(t, s, 1 - alpha)).quality < 1 - alpha;
        if (!level.valid)
            continue; /* the reference is used: kept */
        v = value_at(t, level.price);
        made++;
        broken += v.quality < 1 - alpha;
        saving += v.saving;
    }
    bool pass = broken <= DELTA * PROMISE_RESAMPLES;
    *failed += !pass;
    printf("quality >= %.2f of the reference's, confidence %.2f: %3u of %d "
           "promises broken, %3u made, saving %.3f; "
           "tuned without a guarantee: %3u broken  %s\n",
           1 - alpha, 1 - DELTA, broken, PROMISE_RESAMPLES, made,
           made ? saving / made : 0, broken_tuned, pass ? "pass" : "FAIL");
    return true;
}

bool promise_bars(const struct trial *t, int *failed, struct err *e)
{
    struct sample s;
    bool ok = sample_init(&s, PROMISE_ROWS, t->c->n_arms) ||
              err_set(e, ERR_MEMORY, "no memory for the guarantee's bar");
    printf("\nguarantee: %d times %d rows drawn from %zu whose truth is "
           "known\n",
           PROMISE_RESAMPLES, PROMISE_ROWS, t->n);
    for (size_t i = 0; ok && i < sizeof alphas / sizeof alphas[0]; i++)
        ok = one_alpha(t, &s, alphas[i], failed, e);
    sample_free(&s);
    return ok;
}
