/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which models a gateway chooses among, what they cost and where the gateway
 * listens: from weir.yaml (only what is needed here is looked at; `weir
 * check` judges the rest), or from a list of names for other gateways.
 */
#ifndef WEIR_BENCH_POOL_H
#define WEIR_BENCH_POOL_H

#include "base/arena.h"
#include "bench/tally.h"

struct pool_model {
    const char *key;        /* as the gateway calls it */
    const char *name;       /* as the provider and the dataset call it */
    double usd_in, usd_out; /* a token; NAN: not known */
};

struct pool {
    struct arena arena;
    const char *url; /* "http://127.0.0.1:8080/v1", NULL: not known */
    unsigned n;
    struct pool_model model[TALLY_MODELS_MAX];
};

struct pricebook;

/* The arms of the route (NULL: every model of the file). */
MUST_USE bool pool_from_config(struct pool *p, const char *path,
                               const char *route, const struct pricebook *book,
                               struct err *e);
/* Names with commas between. */
MUST_USE bool pool_from_names(struct pool *p, const char *names,
                              const struct pricebook *book, struct err *e);
void pool_free(struct pool *p);

/* By key or name; with or without something and a '/' before; -1. */
int pool_find(const struct pool *p, struct span name);

#endif
