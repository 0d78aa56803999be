/* SPDX-License-Identifier: Apache-2.0 */
/* A classifier file of any size with weights drawn from a seed: its
 * predictions mean nothing, its arithmetic and memory are a real one's. */
#ifndef WEIR_BENCH_MADE_CLASSIFIER_H
#define WEIR_BENCH_MADE_CLASSIFIER_H

#include "base/buf.h"

struct made_size {
    uint32_t arms, tasks, dense;
    uint32_t bits; /* hash space of words */
    double filled; /* share of its buckets that have a row */
    uint64_t seed;
    const char *const *names; /* [arms]; NULL: arm0, arm1, ... */
    struct span card;         /* JSON; empty: a note of where it is from */
};

MUST_USE bool made_classifier(const struct made_size *size,
                              uint32_t features_version, struct buf *out,
                              struct err *e);

#endif
