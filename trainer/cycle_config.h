/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cycle has to know of weir.yaml: log, classifier, one route with
 * its arms and their prices, and how careful to be (`retrain`).  The file's
 * other parts are the server's business and are not looked at.
 */
#ifndef WEIR_TRAINER_CYCLE_CONFIG_H
#define WEIR_TRAINER_CYCLE_CONFIG_H

#include "base/arena.h"
#include "models/weights.h"
#include "trainer/pricebook.h"

enum { CYCLE_FILES_MAX = 16 };

enum cycle_unproven { CYCLE_REFERENCE, CYCLE_FLOOR };

struct cycle_arm {
    const char *name; /* (arena) key of the model or plan */
    /* (arena) of a cascade or verify plan "verify(a,b,c)"; NULL: a model */
    const char *plan;
    /* (arena) of a panel its model, by whose name it is learnt, and who
     * reviews; NULL: it is none. */
    const char *panel, *review;
    /* (arena) by what else a classifier may know it: the name at the
     * provider, and the tier; NULL: none. */
    const char *upstream, *tier;
};

struct cycle_config {
    struct arena arena;
    const char *log, *model; /* (arena) files */
    const char *route;       /* (arena) NULL: all requests of the log */
    struct cycle_arm arms[CLASSIFIER_ARMS_MAX];
    uint32_t n_arms; /* 0: all that the log names */
    const char *reference;
    double quality;
    unsigned unproven;                 /* enum cycle_unproven */
    const char *data[CYCLE_FILES_MAX]; /* (arena) more to learn from */
    uint32_t n_data;
    struct pricebook *prices;  /* (owned) */
    struct catalogue *shipped; /* (owned) */
    /* retrain */
    uint64_t every_ms, min_new_labels;
    uint64_t shadow, canary, watch; /* requests */
    double held, share, confidence, margin;
    uint32_t seed;
    unsigned threads;
};

/* All as initial; the caller fills log, model, reference. */
MUST_USE bool cycle_config_new(struct cycle_config *c, struct err *e);
/* route NULL: `retrain.route`, else the first that chooses by quality. */
MUST_USE bool cycle_config_load(struct cycle_config *c, const char *path,
                                const char *route, struct err *e);
void cycle_config_free(struct cycle_config *c);

#endif
