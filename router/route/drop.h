/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hard constraints: what an arm cannot do, it is not asked to do, whatever
 * the classifier thinks of it.  Pure.
 */
#ifndef WEIR_ROUTER_ROUTE_DROP_H
#define WEIR_ROUTER_ROUTE_DROP_H

#include "features/features.h"
#include "models/registry.h"

enum drop_kind {
    DROP_NONE,
    DROP_NOT_ASKED, /* not among the arms that x-weir-arm allows */
    DROP_TOOLS,
    DROP_PARALLEL,
    DROP_VISION,
    DROP_AUDIO,
    DROP_FILES,
    DROP_JSON,
    DROP_SCHEMA,
    DROP_LOGPROBS,
    DROP_STREAM,
    DROP_CONTEXT,    /* need, have: tokens */
    DROP_MAX_OUTPUT, /* need, have: tokens */
    DROP_COST,       /* need, have: USD */
    DROP_UNPRICED,
    DROP_UNHEALTHY,
    DROP_RESTING,
    DROP_CHAT,       /* it only makes embeddings */
    DROP_EMBEDDINGS, /* embeddings are wanted, it makes none */
    DROP_REGION,     /* its providers are in none that is allowed */
    DROP_VECTORS,    /* its embeddings are another model's: no stand-in */
    DROP_MEMBER,     /* stands there for plans alone */
    DROP_KINDS,
};

struct drop {
    enum drop_kind kind;
    double need, have;
};

/* The first constraint of capability or size that m does not meet. */
struct drop drop_by_model(const struct model *m, const struct request *r,
                          const struct facts *f);

/* Chat or embeddings: what no wish of the caller's can change. */
struct drop drop_by_task(const struct model *m, const struct request *r);

const char *drop_name(enum drop_kind kind); /* "context" */
/* "context: needs 140000 tokens, has 128000"; NUL-terminated. */
void drop_text(const struct drop *d, char *dst, size_t size);

#endif
