/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy of a route of weir.yaml, as far as it can be played through on a
 * log: an arm for everything, or a classifier at the level of its card that
 * the route's quality asks for.  Rules, arms by task and budgets are the
 * router's: a route with them is refused rather than judged by half.
 */
#ifndef WEIR_TRAINER_ROUTE_POLICY_H
#define WEIR_TRAINER_ROUTE_POLICY_H

#include "base/err.h"

struct route_policy {
    char route[128];
    char classifier[1024]; /* "": the reference answers everything */
    char reference[128];   /* also where the card promises nothing */
    double quality;
};

/* Has it the name of a configuration? */
bool route_policy_is(const char *path);
/* route NULL: the only one. */
MUST_USE bool route_policy_read(const char *path, const char *route,
                                struct route_policy *out, struct err *e);

#endif
