/* SPDX-License-Identifier: Apache-2.0 */
/* A logged decision made again, and where it differs. */
#ifndef WEIR_ROUTER_REPLAYED_H
#define WEIR_ROUTER_REPLAYED_H

#include "router/outlog/outlog_read.h"
#include "router/route/judge.h"

enum { REPLAY_DIFFERENCES = 256 };

struct difference {
    struct span what, then, now; /* (arena) "nano quality" */
};

struct replayed {
    struct logged logged; /* the row */
    const struct route *route;
    struct judged_then then;
    bool equal;            /* to the bit */
    bool settings_changed; /* since then */
    struct difference differences[REPLAY_DIFFERENCES];
    unsigned n;
};

/* Is there all that it takes?  r->logged is filled; e says what is not. */
MUST_USE bool replayed_possible(const struct replayed *r, struct err *e);
/* Makes the decision again: j holds it.  s has the row's classifier. */
MUST_USE bool replayed_run(struct replayed *r, const struct snapshot *s,
                           struct judge *j, struct arena *a, struct err *e);

#endif
