/* SPDX-License-Identifier: Apache-2.0 */
#include "router/health/pick.h"

static bool may_use(const struct pick_question *q,
                    const struct model_settings *place, unsigned k)
{
    const struct provider_key *key = &place->at->keys[k];

    if (q->skip && q->skip(q->ctx, place, key))
        return false;
    if (q->resting_too)
        return true;
    return !health_resting(key->health, q->now_ms) &&
           !health_resting(place->lanes[k], q->now_ms) &&
           !health_short_of(place->lanes[k], q->now_ms, q->tokens);
}

static bool has_key(const struct pick_question *q,
                    const struct model_settings *place)
{
    for (unsigned k = 0; k < place->at->n_keys; k++) {
        if (may_use(q, place, k))
            return true;
    }
    return false;
}

static bool is_open(const struct model_settings *place, uint64_t now_ms)
{
    return place->health &&
           breaker_look(&place->health->breaker, now_ms) == BREAKER_OPEN;
}

/* By weight; one of weight 0 where no other may be used. */
static unsigned pick_key(const struct pick_question *q,
                         const struct model_settings *place)
{
    double weights[PROVIDER_KEYS_MAX];
    unsigned n = place->at->n_keys, last = 0;
    int at;

    for (unsigned k = 0; k < n; k++) {
        bool may = may_use(q, place, k);

        weights[k] = may ? place->at->keys[k].weight : 0;
        if (may)
            last = k;
    }
    at = load_weighted(weights, n, rng_next(q->rng));
    return at >= 0 ? (unsigned)at : last;
}

static bool take(const struct pick_question *q,
                 const struct model_settings *place, struct pick *out)
{
    enum breaker_state was = BREAKER_CLOSED;
    unsigned k;

    if (place->health)
        was = breaker_ask(&place->health->breaker, q->rules, q->now_ms);
    if (was == BREAKER_OPEN)
        return false;
    k = pick_key(q, place);
    *out = (struct pick){place, &place->at->keys[k], place->lanes[k], was};
    return true;
}

static double cost_of(const struct model_settings *place, uint64_t now_ms)
{
    return place->health ? load_cost(&place->health->load, now_ms) : 1;
}

static bool try_pick(const struct pick_question *q, struct pick *out)
{
    const struct model_settings *places[DEPLOYMENTS_MAX];
    double costs[DEPLOYMENTS_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < q->model->n_places; i++) {
        const struct model_settings *place = &q->model->places[i];

        if (is_open(place, q->now_ms) || !has_key(q, place))
            continue;
        costs[n] = cost_of(place, q->now_ms);
        places[n++] = place;
    }
    if (!q->rng)
        return n > 0;
    while (n > 0) {
        unsigned i = load_pick(costs, n, rng_next(q->rng));

        if (take(q, places[i], out))
            return true;
        n--; /* its probes are out already */
        places[i] = places[n];
        costs[i] = costs[n];
    }
    return false;
}

bool pick_place(const struct pick_question *q, struct pick *out)
{
    struct pick_question again = *q;

    again.resting_too = false;
    if (try_pick(&again, out))
        return true;
    again.resting_too = true;
    return q->resting_too && try_pick(&again, out);
}

uint64_t pick_wait(const struct model_settings *model, uint64_t now_ms)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < model->n_places; i++) {
        const struct health *h = model->places[i].health;
        uint64_t ms = h ? breaker_wait(&h->breaker, now_ms) : 0;

        least = ms < least ? ms : least;
    }
    return least;
}

/* 1 where one of the models that a plan cannot do without is in the mask; a
 * review can be missed. */
static uint32_t of_members(const struct arm *arm, uint32_t mask)
{
    uint32_t found = 0;

    for (unsigned k = 0; arm->plan && k < PLAN_REVIEW; k++) {
        if (arm->member[k] >= 0)
            found |= mask >> arm->member[k] & 1;
    }
    return found;
}

void pick_masks(const struct route_settings *r, uint64_t now_ms, uint32_t *down,
                uint32_t *resting)
{
    struct pick_question q = {.now_ms = now_ms};

    *down = *resting = 0;
    for (unsigned i = 0; i < r->n_all; i++) {
        q.model = r->arms[i].model;
        if (try_pick(&q, NULL))
            continue;
        q.resting_too = true;
        *(try_pick(&q, NULL) ? resting : down) |= (uint32_t)1 << i;
        q.resting_too = false;
    }
    for (unsigned i = 0; i < r->n_arms; i++) {
        *down |= of_members(&r->arms[i], *down) << i;
        *resting |= of_members(&r->arms[i], *resting) << i;
    }
}
