/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weir eval --log F --policy NEW`: quality and cost of a policy that never
 * ran.  NEW is a classifier file with the knob that it would be used with, a
 * configuration with a route (trainer/route_policy.h), or one arm of the log
 * for everything.
 *
 * The outcome model behind the doubly robust estimate is made of the log
 * itself, each request judged by heads that have not seen its conversation
 * (trainer/fit.h); costs are those that the router expected.  The estimates
 * are those of trainer/off_policy.h.
 */
#ifndef WEIR_TRAINER_OFFEVAL_H
#define WEIR_TRAINER_OFFEVAL_H

#include "base/buf.h"
#include "datasets/dataset.h"

struct offeval_options {
    const char *log, *policy;
    double quality; /* the card's level to take the price from; NAN: none */
    double price;   /* or the price itself, quality per USD; NAN: none */
    struct dataset_options rows;
    uint32_t seed;
    unsigned threads;
    bool json;
    void (*progress)(void *ctx, double done); /* may be NULL */
    void *ctx;
};

/* The report into out.  Fails with ERR_STATE where the log says too little. */
MUST_USE bool offeval_run(const struct offeval_options *o, struct buf *out,
                          struct err *e);

#endif
