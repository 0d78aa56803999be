/* SPDX-License-Identifier: Apache-2.0 */
/* One call of the judge after another, by HTTP through a running weir. */
#ifndef WEIR_ROUTER_LABEL_ASKING_H
#define WEIR_ROUTER_LABEL_ASKING_H

#include "base/buf.h"
#include "base/err.h"

struct asking;

struct asking_options {
    const char *url; /* "http://127.0.0.1:8080" */
    const char *key; /* of the server; or NULL */
    double budget;   /* USD a day, which the server holds */
};

MUST_USE struct asking *asking_new(const struct asking_options *o,
                                   struct err *e);
void asking_free(struct asking *a); /* NULL: no-op */

enum asked {
    ASKED_OK,
    ASKED_FAILED, /* this time; why in e */
    ASKED_BROKE,  /* the day's money does not suffice for it */
    ASKED_NEVER,  /* nor will any other; why in e */
};

/* said: what the judge wrote, replaced. */
enum asked asking_ask(struct asking *a, struct span body, struct span parent,
                      struct buf *said, struct err *e);
double asking_usd(const struct asking *a); /* what all cost */

#endif
