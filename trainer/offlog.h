/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log of `weir serve` as off-policy evaluation needs it: of each request
 * the arms there were, with what probability each was taken and what it was
 * expected to cost, and what came of the one that was.
 */
#ifndef WEIR_TRAINER_OFFLOG_H
#define WEIR_TRAINER_OFFLOG_H

#include "datasets/dataset.h"
#include "trainer/table.h"

struct offlog {
    struct table *t; /* (owned) features and outcomes, one row a request; its
                        arms are all that the log names */
    size_t n;        /* rows, as in t */
    uint64_t unused; /* requests without features or without choices */
    uint32_t n_arms;
    uint64_t *id;      /* (owned) [n] hash of the request's id, seed 0 */
    uint8_t *chosen;   /* (owned) [n] the arm that served */
    float *propensity; /* (owned) [n * n_arms] */
    double *expected;  /* (owned) [n * n_arms] USD; NAN: not to be had */
    double *score;     /* (owned) [n] NAN: no label */
    double *spent;     /* (owned) [n] USD, NAN: not known */
};

MUST_USE bool offlog_load(struct offlog *l, const char *path,
                          const struct dataset_options *o, struct err *e);
void offlog_free(struct offlog *l); /* zeroed: no-op */

#endif
