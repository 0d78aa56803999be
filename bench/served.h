/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A routing decision as a server makes it, without a server: a route of six
 * models and two plans with rules, a promise, an out-of-domain bound,
 * conversations and exploration under a budget; then what is written of it.
 * One that is asked is one thread's.
 */
#ifndef WEIR_BENCH_SERVED_H
#define WEIR_BENCH_SERVED_H

#include "bench/made_classifier.h"
#include "features/request.h"

struct served;

/* like: tasks, dense, bits, filled and seed of the made-up classifier. */
MUST_USE struct served *served_new(const struct made_size *like, struct err *e);
void served_free(struct served *s); /* NULL: no-op */

struct served_moments {
    uint64_t begin, decided, written, end; /* ns */
};

/* A request: decided; the promise, the arms, the record and the
 * features written as for its row; the conversation noted. */
void served_ask(struct served *s, const struct request *r,
                struct served_moments *at);

/* What came of all that were asked. */
struct served_counts {
    uint64_t asked, explored, plans, by_level, by_rule, held, known;
    size_t bytes; /* of the last one's row */
};
struct served_counts served_counts(const struct served *s);

#endif
