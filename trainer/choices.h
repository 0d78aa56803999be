/* SPDX-License-Identifier: Apache-2.0 */
/* The column `arms` of a log's row: what the request could have had, and what
 * was expected of it (docs/log-format.md). */
#ifndef WEIR_TRAINER_CHOICES_H
#define WEIR_TRAINER_CHOICES_H

#include "base/err.h"
#include "base/span.h"

enum { CHOICES_MAX = 64 };

struct choice {
    struct span arm;
    double quality, cost; /* expected; NAN: not known; cost in USD */
    double propensity;    /* NAN: not said */
    bool able;            /* it was not dropped by a constraint */
};

struct choices {
    struct choice at[CHOICES_MAX]; /* (borrowed: the text) */
    unsigned n;
};

MUST_USE bool choices_parse(struct span text, struct choices *out,
                            struct err *e);

#endif
