/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routing decision: constraints drop arms, predictions and prices make
 * candidates of the rest, the route's policy takes one, exploration may move
 * to a neighbour in cost.  Pure and without allocation: the same input gives
 * the same decision, so that it can be explained, tested and replayed.
 */
#ifndef WEIR_ROUTER_ROUTE_DECIDE_H
#define WEIR_ROUTER_ROUTE_DECIDE_H

#include "models/classifier.h"
#include "models/domain.h"
#include "models/mix.h"
#include "router/route/drift.h"
#include "router/route/drop.h"
#include "router/settings/settings.h"

enum { LEVELS_MAX = 16 };

/* A quality that the classifier's card guarantees for a route's arms. */
struct level {
    double quality;    /* share of the reference's */
    double price;      /* quality per USD, for choose_by_price */
    double confidence; /* of the promise */
};

/* A route with what the classifier knows about it; part of a snapshot. */
struct route {
    const struct route_settings *set;    /* (borrowed: settings) */
    const struct classifier *classifier; /* (borrowed: snapshot) or NULL */
    int head[ARMS_MAX];                  /* the classifier's arm, -1: none */
    int escalates[ARMS_MAX];             /* of a plan: the one whose quality is
                                            P(`else` is needed), -1: none */
    /* Of a plan, what its draft is judged by (borrowed: snapshot); or NULL. */
    const struct acceptance *accept[ARMS_MAX];
    struct level levels[LEVELS_MAX]; /* ascending quality */
    unsigned n_levels;
    /* Levels were found with the costs of training: what a request costs
     * now, times scale, plus base. */
    double scale[ARMS_MAX], base[ARMS_MAX];
    /* Said with a promise that rests on labels of judges; NULL: on gold. */
    const char *labels;
    struct mix mix;         /* that the levels rest on; n 0: not known */
    struct domain domain;   /* what is outside of it is abstained on */
    bool fall_to_reference; /* without a level: the reference, no floor */
    uint64_t mark;          /* of the settings that decide: route/record.h */
};

/* A request's own wishes: x-weir-* headers. */
struct wish {
    double quality, max_cost; /* NAN: not said */
    struct span arms;         /* names with commas between; empty: all */
    struct span task;         /* empty: not said */
};

/* What staying with the arm of the conversation's last answer is worth
 * (route/session.h). */
struct stay {
    int arm;        /* -1: nothing is known of the conversation */
    double read;    /* input tokens its provider should have in its cache */
    double written; /* tokens that another arm would write into its own */
    bool hold;      /* it must not change now: a tool loop, or the route's
                       will */
};

/* A header that rules or high_risk name, without its value. */
struct header_mark {
    struct span name;
    uint64_t value; /* hash; 0: not sent, or empty */
};

/* What a decision is made from.  All borrowed. */
struct question {
    const struct route *route;
    const struct request *request;
    const struct facts *facts;
    const struct classifier *classifier; /* names of tasks; or NULL */
    const struct prediction *prediction; /* NULL: no classifier */
    struct wish wish;
    double price;             /* budget policy: quality per USD */
    bool bounded;             /* likewise: an arm dearer than `room` may not be
                                 taken unless it is the cheapest */
    double room;              /* USD */
    enum drift_cause drifted; /* none of the levels holds any more */
    uint64_t seed;            /* hash of the request's id */
    const struct stay *stay;  /* or NULL */
    uint32_t down;            /* bit mask of arms that fail at present */
    uint32_t abroad;  /* likewise that are in no region that is allowed */
    uint32_t resting; /* likewise whose keys rest: only where no other is */
    struct span (*header)(const void *ctx, const char *lower_name);
    const void *header_ctx;
    const struct header_mark *marks; /* [n_marks] where header is NULL */
    unsigned n_marks;
    /* May exploring cost so many USD more than the choice?  Called at most
     * once; NULL: always. */
    bool (*afford)(void *ctx, double usd);
    void *afford_ctx;
    /* A decision on record: what rules and high_risk said then. */
    bool again, risky;
    int rule; /* that held, -1: none */
};

enum reason {
    REASON_NONE, /* every arm was dropped */
    REASON_PINNED,
    REASON_ONLY,
    REASON_FIXED,
    REASON_RULE,
    REASON_LEVEL,
    REASON_FLOOR,
    REASON_BEST,
    REASON_BUDGET,
    REASON_NO_CLASSIFIER,
    REASON_UNKNOWN_REFERENCE,
    REASON_NO_LEVEL,
    REASON_DRIFTED,
    REASON_SUBSTITUTE,
    REASON_EXPLORED,
    REASON_STAY,
    REASON_TASK,
    REASON_STATIC,
    REASON_OUT_OF_DOMAIN,
    REASON_KINDS,
};

struct verdict {
    float quality;    /* predicted P(adequate); NAN: not predicted */
    float tokens;     /* expected output tokens */
    double cost;      /* expected USD, the cache's part included */
    double cache_usd; /* the cache's part: below 0 saved, above 0 lost */
    float propensity;
    struct drop drop;
};

struct decision {
    unsigned n;
    int chosen; /* -1: none */
    enum reason reason;
    double quality_target;        /* share of the reference's; NAN: none */
    double floor, price;          /* the policy's knob as used; NAN: not used */
    const struct level *level;    /* that it was taken by and that stands
                                     behind it (borrowed: route); or NULL */
    enum drift_cause drifted;     /* as asked */
    double wanted;                /* budget policy: expected USD of the arm
                                     that would be taken without a bound */
    int rule;                     /* that held, -1: none */
    const char *answer;           /* of that rule: no arm is needed; or NULL */
    struct span task;             /* given or likeliest; empty: unknown */
    bool task_given, task_likely; /* likely: guessed with 50 % or more */
    double certain_tokens; /* the request takes no more; INFINITY: unknown */
    bool risky;            /* not explored: the route's high_risk names it */
    bool capped;         /* not explored: the route's money for it is used up */
    double explored_usd; /* explored: expected USD beyond the choice, 0 where
                            the arm is cheaper */
    struct verdict arms[ARMS_MAX]; /* [n] in the order of the route's arms,
                                      members of plans too; last, as a copy
                                      may end behind the n-th */
};

/* The lowest level that promises at least the target; NULL: none. */
const struct level *decide_level(const struct route *r, double target);

/* What keeps the model of arm i from serving the request, whoever it was asked
 * for by; DROP_NONE: nothing. */
struct drop decide_need(const struct question *q, unsigned i);

/* out->chosen is -1 when every arm was dropped. */
void decide(const struct question *q, struct decision *out);

/* a is the better stand-in: by predicted quality where both have one, else by
 * tier, then the dearer. */
bool decide_better(const struct route *r, const struct decision *d, unsigned a,
                   unsigned b);

enum fallback_kind {
    FALLBACK_ANY,
    FALLBACK_PROVIDER, /* an arm of another provider only */
    FALLBACK_LARGER,   /* one with a larger context window only */
};

struct fallback {
    enum fallback_kind kind;
    int from;       /* the arm that failed */
    uint32_t tried; /* bit mask of arms that are not wanted */
};

/* The allowed arm to try after others failed: of those at least as good as
 * the chosen one the cheapest, else the best; -1 when none is left.  One with
 * a smaller window than the arm that failed only where the request certainly
 * fits into it. */
int decide_next(const struct route *r, const struct decision *d,
                const struct fallback *f);

const char *reason_name(enum reason r); /* "level", for the log */
const char *reason_text(enum reason r); /* for people */

#endif
