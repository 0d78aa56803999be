/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request's way from text to decision: features, prediction, decision,
 * each made once.  A judge is working memory, one per thread; what it holds
 * is valid until its next judge_decide().
 */
#ifndef WEIR_ROUTER_ROUTE_JUDGE_H
#define WEIR_ROUTER_ROUTE_JUDGE_H

#include "router/route/record.h"
#include "router/route/session.h"
#include "router/snapshot.h"

struct judge {
    struct features_scratch *scratch; /* (owned) */
    struct vec vec;
    struct facts facts;
    struct prediction prediction; /* nothing of it where there is no
                                     classifier, or for embeddings */
    struct decision decision;
    struct record record;     /* of it */
    uint64_t session;         /* session_key(), 0: none */
    struct session_note last; /* of it */
    struct stay stay;
    const struct route *route; /* that was decided on: the asked one, or the
                                  canary's twin of it */
};

/* What belongs to one request besides its text. */
struct brief {
    struct wish wish;
    double price; /* budget policy's; 0 elsewhere */
    bool bounded; /* likewise: `room` holds */
    double room;
    enum drift_cause drifted; /* route/drift.h's alarm */
    uint64_t seed;
    struct sessions *sessions;      /* (borrowed) or NULL */
    int64_t now_ms;                 /* UTC, for them */
    uint32_t down, resting, abroad; /* as in struct question */
    struct span (*header)(const void *ctx, const char *lower_name);
    const void *header_ctx;
    bool (*afford)(void *ctx, double usd); /* as in struct question */
    void *afford_ctx;
};

MUST_USE struct judge *judge_new(void); /* NULL: no memory */
void judge_free(struct judge *j);       /* NULL: no-op */

void judge_decide(struct judge *j, const struct snapshot *s,
                  const struct route *r, const struct request *request,
                  const struct brief *b);

/* A decision on record once more, with the snapshot's classifier: packed
 * features (empty without a classifier), the task that the client had given.
 * Fails on features that are none. */
struct judged_then {
    struct record record;
    struct span features, task;
    struct recorded made; /* filled: what the decision was made from */
};
MUST_USE bool judge_again(struct judge *j, const struct snapshot *s,
                          const struct route *r, struct judged_then *then,
                          struct err *e);

/* No wishes. */
struct wish wish_none(void);
/* Reads x-weir-quality, -max-cost, -arm and -task; e names the header. */
MUST_USE bool wish_read(struct wish *w,
                        struct span (*header)(const void *ctx,
                                              const char *lower_name),
                        const void *ctx, struct err *e);

#endif
