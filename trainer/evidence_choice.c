/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/evidence_choice.h"

#include <math.h>
#include <stdlib.h>

#include "models/choose.h"

bool evidence_can(const struct offlog *log, size_t i, int arm)
{
    return arm >= 0 && !isnan(log->expected[i * log->n_arms + (size_t)arm]);
}

static int task_of(const struct classifier *c, const struct table *t, size_t i)
{
    uint32_t task = t->task[i];

    return task == TABLE_NO_TASK
               ? -1
               : classifier_find_task(c, span_of(t->tasks[task]));
}

void said_free(struct said *s)
{
    free(s->quality);
    free(s->cost);
    free(s->outside);
}

bool said_new(struct said *s, const struct offlog *log,
              const struct evidence_policy *p, struct err *e)
{
    struct prediction out;

    s->quality = calloc(log->n * log->n_arms + 1, sizeof *s->quality);
    s->cost = calloc(log->n * log->n_arms + 1, sizeof *s->cost);
    s->outside = calloc(log->n + 1, sizeof *s->outside);
    if (!s->quality || !s->cost || !s->outside)
        return err_set(e, ERR_MEMORY, "no memory for %zu rows", log->n);
    for (size_t i = 0; i < log->n; i++) {
        struct weights_input in = table_row(log->t, i);

        if (p->classifier) {
            weights_predict(classifier_weights(p->classifier), &in,
                            task_of(p->classifier, log->t, i), &out, NULL);
            s->outside[i] = domain_outside(&p->domain, &out);
        }
        for (uint32_t a = 0; a < log->n_arms; a++) {
            size_t at = i * log->n_arms + a;
            bool known = p->classifier && p->head[a] >= 0;

            s->quality[at] = known ? out.quality[p->head[a]] : NAN;
            s->cost[at] =
                known && !isnan(p->price_in[a])
                    ? (double)log->t->est_input[i] * p->price_in[a] +
                          (double)out.tokens[p->head[a]] * p->price_out[a]
                    : log->expected[at];
        }
    }
    return true;
}

/* What the router's by_quality() does (router/route/decide.c). */
static int by_prediction(const struct offlog *log,
                         const struct evidence_policy *p, const struct said *s,
                         size_t i)
{
    struct candidate c[CLASSIFIER_ARMS_MAX];
    int reference = table_find_arm(log->t, span_of(p->reference));

    if (s->outside[i])
        return reference;
    for (uint32_t a = 0; a < log->n_arms; a++) {
        double cost = s->cost[i * log->n_arms + a];
        float quality = s->quality[i * log->n_arms + a];
        bool known = !isnan(quality) && evidence_can(log, i, (int)a);

        if (!isnan(p->price))
            cost = cost * p->scale[a] + p->base[a];
        c[a] = (struct candidate){known ? quality : 0, cost, known};
    }
    if (!isnan(p->price))
        return choose_by_price(c, log->n_arms, p->price);
    return choose_by_floor(c, log->n_arms,
                           p->quality * (double)c[reference].quality);
}

bool said_choose(const struct said *s, const struct offlog *log,
                 const struct evidence_policy *p, uint8_t *choice,
                 struct err *e)
{
    int reference = table_find_arm(log->t, span_of(p->reference));
    bool predicts = p->classifier && (p->floor || !isnan(p->price));

    if (reference < 0)
        return err_set(e, ERR_INPUT,
                       "wanted requests that could have had the reference arm "
                       "%s, found none",
                       p->reference);
    predicts = predicts && p->head[reference] >= 0;
    for (size_t i = 0; i < log->n; i++) {
        int take = predicts ? by_prediction(log, p, s, i) : reference;

        choice[i] = evidence_can(log, i, take) ? (uint8_t)take : log->chosen[i];
    }
    return true;
}
