/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request starts and ends with: configuration, registry and
 * classifier, immutable and counted.  A reload makes a new one beside the
 * old; the old one goes when its last request has ended.
 */
#ifndef WEIR_ROUTER_SNAPSHOT_H
#define WEIR_ROUTER_SNAPSHOT_H

#include "router/canary.h"
#include "router/route/budget.h"
#include "router/route/decide.h"
#include "router/route/drift.h"

struct health_book;
struct snapshot;

/* What routes keep across snapshots; NULL where there is none (offline). */
struct books {
    struct budget_book *budgets;
    struct drift_book *drifts;
};

/* Loads and checks everything; NULL with e, and nothing is kept. */
MUST_USE struct snapshot *
snapshot_load(const char *path, const struct books *books, struct err *e);
/* Likewise with the classifier of this id, as it is now at `file` (NULL: where
 * the configuration says), or was: FILE.1 ... FILE.5, FILE.canary.  Empty id:
 * with none. */
MUST_USE struct snapshot *snapshot_load_then(const char *path, const char *file,
                                             struct span id, struct err *e);
/* The same from a text. */
MUST_USE struct snapshot *snapshot_parse(struct span text, const char *file,
                                         const struct books *books,
                                         struct err *e);
/* The health of its providers is kept in the book from now on; before any
 * worker sees it. */
MUST_USE bool snapshot_bind(struct snapshot *s, struct health_book *book,
                            struct err *e);
struct snapshot *snapshot_ref(struct snapshot *s); /* returns s */
void snapshot_unref(struct snapshot *s);           /* NULL: no-op */

const struct settings *snapshot_settings(const struct snapshot *s);
/* NULL: none is used. */
/* NULL: plain HTTP. */
const struct tls *snapshot_tls(const struct snapshot *s);
const struct classifier *snapshot_classifier(const struct snapshot *s);
/* Why no classifier is used, "" when one is. */
const char *snapshot_unclassified(const struct snapshot *s);
/* The one on trial: its classifier is NULL where there is none. */
const struct canary *snapshot_canary(const struct snapshot *s);
/* The route as bound to the classifier that serves this session (or request):
 * r itself, or its twin. */
const struct route *snapshot_pick(const struct snapshot *s,
                                  const struct route *r, uint64_t key);

/* By what a client may write as `model` (model_names.h); NULL when unknown. */
const struct route *snapshot_route(const struct snapshot *s, struct span name);
/* The configured routes, then the models as routes of their own. */
size_t snapshot_routes(const struct snapshot *s);
const struct route *snapshot_route_at(const struct snapshot *s, size_t i);
/* NULL unless the route's policy is budget and a book was given. */
struct budget *snapshot_budget(const struct snapshot *s, const struct route *r);
/* NULL unless the route has promises and books were given. */
struct drift *snapshot_drift(const struct snapshot *s, const struct route *r);

#endif
