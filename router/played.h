/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A route as it is configured now, played through on a log: for each logged
 * request of that route, in the order of time, with what probability it would
 * take each arm.  For `weir eval --policy weir.yaml`, which runs this as a
 * process of its own, `weir replay --choices`.
 *
 * Of the request come the features, its own wishes, its key, the arms that
 * failed then, and, where the log keeps texts, tools, metadata and language;
 * of the configuration all else.  A budget is kept as it would be, answers
 * costing what is expected of them.  Conversations are not held to an arm:
 * which one it would have been is not known.  Headers are compared by the
 * hashes that the log has of those that the route's rules named then; requests
 * without them are left out and counted.  What else a rule looks at and the
 * log does not hold is an error that names it.
 */
#ifndef WEIR_ROUTER_PLAYED_H
#define WEIR_ROUTER_PLAYED_H

#include "base/buf.h"
#include "router/snapshot.h"

struct played {
    const char *log, *route;
    double quality;             /* instead of the route's; NAN: that */
    int64_t since_ms, until_ms; /* UTC, until excluded; 0: no limit */
    /* A line for each request: {"id":"req_...","arms":{"nano":0.98,...}}; last,
     * where there were such: {"left_out":12,"why":"..."} */
    bool (*say)(void *ctx, struct span line, struct err *e);
    void *ctx;
};

MUST_USE bool played_run(const struct played *p, const struct snapshot *s,
                         struct err *e);

#endif
