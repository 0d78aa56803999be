/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations: which arm answered last, what of the conversation its
 * provider still has in its prompt cache, and so what a change of the model
 * would throw away.  One object, shared by all workers and kept across
 * reloads; bounded, the conversations longest silent go first.
 */
#ifndef WEIR_ROUTER_ROUTE_SESSION_H
#define WEIR_ROUTER_ROUTE_SESSION_H

#include "router/request_id.h"
#include "router/route/decide.h"

struct sessions;

/* The last answer of a conversation. */
struct session_note {
    uint64_t arm;     /* session_arm() of the one that answered */
    int64_t time_ms;  /* UTC, at its end */
    uint32_t input;   /* tokens that were sent */
    uint32_t read;    /* of them from the provider's cache */
    uint32_t written; /* of them written to it, where the provider tells */
    uint32_t messages, turns;    /* of the request */
    uint64_t stem;               /* facts' stem_hash */
    uint64_t body;               /* of its bytes */
    struct sketch sketch;        /* facts' stem_sketch */
    char id[REQUEST_ID_LEN + 1]; /* its row; "": nothing is known */
};

/* most: conversations remembered at once (160 bytes each), at least 8. */
MUST_USE struct sessions *sessions_new(uint64_t most, struct err *e);
void sessions_free(struct sessions *s); /* NULL: no-op */

/* Which conversation a request belongs to: `given` (a header's value, or
 * empty), else what its body says (prompt_cache_key, or session_id,
 * conversation_id or thread_id in metadata), else its system prompt and first
 * message; and always whose key it came with, and the route.  0: none. */
uint64_t session_key(struct span given, const struct request *r,
                     const struct facts *f, const char *route);
uint64_t session_arm(const char *name);

/* The conversation's last answer; false: nothing is known of it. */
MUST_USE bool session_look(struct sessions *s, uint64_t key,
                           struct session_note *out);
/* What that means for a request of this route. */
struct stay session_stay(const struct sessions *s, const struct session_note *n,
                         const struct route *route, const struct request *r,
                         int64_t now_ms);
/* Its newest answer; also teaches how much of what an arm was sent before its
 * provider really reads from its cache. */
void session_note(struct sessions *s, uint64_t key,
                  const struct session_note *n);
/* Its newest request was left by its client: what it was is remembered, who
 * answered before and what its provider keeps stays as it was. */
void session_left(struct sessions *s, uint64_t key,
                  const struct session_note *n);

#endif
