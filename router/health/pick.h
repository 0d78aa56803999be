/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a model's places (its deployments) is called, with which key. */
#ifndef WEIR_ROUTER_HEALTH_PICK_H
#define WEIR_ROUTER_HEALTH_PICK_H

#include "base/rng.h"
#include "router/health/health.h"
#include "router/settings/settings.h"

struct pick {
    const struct model_settings *place;
    const struct provider_key *key;
    struct health *lane;    /* of both; NULL: none is kept */
    enum breaker_state was; /* for breaker_tell: it was asked */
};

struct pick_question {
    const struct model_settings *model;
    const struct breaker_rules *rules;
    uint64_t now_ms;
    int64_t tokens;   /* that the request takes */
    bool resting_too; /* keys that rest, where no other is left */
    struct rng *rng;  /* (borrowed) NULL: only whether there is one */
    /* True: not this place with this key; NULL: any. */
    bool (*skip)(const void *ctx, const struct model_settings *place,
                 const struct provider_key *key);
    const void *ctx;
};

/* False: none may be called.  Asks the breaker of the place it takes; without
 * rng nothing is asked and *out stays as it is. */
MUST_USE bool pick_place(const struct pick_question *q, struct pick *out);

/* Milliseconds until a place of the model may be called; 0: now. */
uint64_t pick_wait(const struct model_settings *model, uint64_t now_ms);

/* The arms of a route that have no place that may be called, and those of
 * which all keys rest. */
void pick_masks(const struct route_settings *r, uint64_t now_ms, uint32_t *down,
                uint32_t *resting);

#endif
