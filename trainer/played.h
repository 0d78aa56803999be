/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a route of a configuration would take for each request of a log, as
 * the router itself decides: `weir replay --choices` as a child process, since
 * rules, plans, budgets and fallbacks are the router's and shall be written
 * once.
 */
#ifndef WEIR_TRAINER_PLAYED_H
#define WEIR_TRAINER_PLAYED_H

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

struct played_ask {
    const char *program; /* NULL: the one that runs */
    const char *config, *log, *route;
    double quality;             /* instead of the route's; NAN: that */
    int64_t since_ms, until_ms; /* 0: no limit */
    /* Each line, an object {"id", "arms": {NAME: probability}}; perhaps a last
     * one, {"left_out": requests, "why"}. */
    bool (*take)(void *ctx, struct span line, struct err *e);
    void *ctx;
};

/* Fails with what the child said where it fails. */
MUST_USE bool played_choices(const struct played_ask *a, struct err *e);

#endif
