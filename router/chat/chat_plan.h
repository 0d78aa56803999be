/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan of several models at work, for the chat_*.c files only.
 *
 *   the client's chat, PLANNING            inner chats, one a member
 *   ---------------------------            -------------------------
 *   chat_plan() ------------------------>  draft (and check) are asked
 *   turn: somebody has ended <-----------  answer in member->sent, or failed
 *     not enough is known: wait
 *     the draft stands: its bytes go out, ENDED
 *     else: CALLING, `else` is asked as any arm is
 *   timer: the plan's deadline
 *
 * A member is a chat with a `member`: attempts, places, keys, breakers,
 * hedges and translation are its own, while row, budget, session and gate are
 * the client's chat's.  Decisions are made in `turn`, an event of its own,
 * never inside a member's callback.
 */
#ifndef WEIR_ROUTER_CHAT_CHAT_PLAN_H
#define WEIR_ROUTER_CHAT_CHAT_PLAN_H

#include "router/chat/chat_parts.h"
#include "router/plan/checks.h"

enum { PLAN_ASKED_MAX = 2, REVIEW_WHY_MAX = 200 };

enum plan_verdict {
    PLAN_PENDING,
    PLAN_ACCEPTED,  /* the draft is the answer */
    PLAN_ESCALATED, /* `else` is asked */
    PLAN_DEADLINE,  /* the draft is the answer because time was up */
    PLAN_FAILED,    /* the client left, or nobody answered */
};

enum review { REVIEW_NONE, REVIEW_PASS, REVIEW_FAIL, REVIEW_UNAVAILABLE };

struct plan_member {
    enum plan_role role;
    struct plan_run *plan;  /* (borrowed) */
    struct chat *chat;      /* (arena of the exchange) */
    struct buf sent;        /* (worker's spare) what the client would get */
    struct answered got;    /* (arena of the plan) */
    bool lost;              /* there was no room for all of `got` */
    bool marked;            /* the stream has its end mark */
    bool over;              /* its chat has ended */
    int status;             /* once over */
    struct problem problem; /* message NULL: none */
    bool looked;            /* `got` is filled */
    uint64_t end_ns;        /* monotonic, of its answer */
};

struct plan_run {
    struct chat *chat; /* (borrowed) the client's */
    const struct arm *arm;
    int at;                     /* index of it */
    struct arena arena;         /* (owned) answers that are compared */
    struct event *turn, *timer; /* (owned) */
    struct plan_member members[PLAN_ASKED_MAX];
    unsigned n;
    enum plan_verdict verdict;
    const char *why; /* words of this file's, never of an answer */
    char flaw[40];   /* room for one that names a flaw */
    bool late;       /* panel: the deadline has passed */
    bool compared;   /* checks are filled */
    double checks[CHECKS_MAX];
    double accepts; /* the acceptance head's probability; NAN: none */
    enum review review;
    char review_why[REVIEW_WHY_MAX]; /* fit for a header */
    uint64_t start_ns, end_ns;       /* until it was decided */
    int64_t cost_pico;               /* of members, once they have ended */
};

/* A member begins.  NULL: out of memory. */
struct plan_member *plan_ask(struct plan_run *p, enum plan_role role);
/* Likewise with a request that is not the client's. */
struct plan_member *plan_ask_own(struct plan_run *p, enum plan_role role,
                                 const struct ask *ask, const struct facts *f);
struct plan_member *plan_member_of(struct plan_run *p, enum plan_role role);
/* It has ended, well or not; its stream has its end mark. */
void chat_member_over(struct chat *c, int status);
void chat_member_marked(struct chat *c);
/* Its answer is there, whole; m->got is filled then. */
bool plan_is_whole(struct plan_member *m);
bool plan_has_failed(const struct plan_member *m);
void plan_cancel(struct plan_member *m, enum fault f);

/* chat_review.c: the review of the draft begins; false: it cannot. */
MUST_USE bool plan_review(struct plan_run *p, const struct plan_member *draft);
/* What the reviewer said. */
void plan_reviewed(struct plan_run *p, const struct plan_member *m);

/* chat_plan_said.c: a comment for a stream whose head went out before. */
void plan_comment(struct chat *c);

#endif
