/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A classifier on trial: beside the running one, F.weir, stand F.weir.canary
 * and F.weir.canary.json, {"share":0.05,"since":"..."}.  Part of a snapshot.
 * Files that are not there, or not right, never harm the running one.
 */
#ifndef WEIR_ROUTER_CANARY_H
#define WEIR_ROUTER_CANARY_H

#include "models/classifier.h"

struct canary {
    struct classifier *classifier; /* (owned) or NULL: there is none */
    double share;                  /* of the sessions */
    char problem[300]; /* why files that are there are not used; "" */
};

/* path: of the running classifier. */
void canary_load(struct canary *c, const char *path);
void canary_free(struct canary *c);
/* Whether a session, or a request without one, is the canary's. */
bool canary_takes(const struct canary *c, uint64_t key);

#endif
