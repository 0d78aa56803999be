/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be seen to be wrong with an answer without knowing the right one.
 * Cascades escalate on it, the log keeps it as signals from which labels are
 * made without a judge.
 */
#ifndef WEIR_ROUTER_PLAN_FLAWS_H
#define WEIR_ROUTER_PLAN_FLAWS_H

#include "features/request.h"
#include "router/codec/chunk.h"

enum flaw {
    FLAW_ERROR = 1 << 0,         /* the provider's error instead of it */
    FLAW_EMPTY = 1 << 1,         /* neither text nor call */
    FLAW_TRUNCATED = 1 << 2,     /* the model's own limit, or no end */
    FLAW_LENGTH = 1 << 3,        /* the client's own max_tokens ended it */
    FLAW_FILTERED = 1 << 4,      /* safety filters */
    FLAW_REFUSED = 1 << 5,       /* said so, or in the words of refusals */
    FLAW_BAD_JSON = 1 << 6,      /* JSON was asked for */
    FLAW_BAD_SCHEMA = 1 << 7,    /* JSON, but not as asked */
    FLAW_UNKNOWN_TOOL = 1 << 8,  /* calls what was not offered */
    FLAW_BAD_ARGUMENTS = 1 << 9, /* no JSON, or not as the tool wants them */
    FLAW_NO_CALL = 1 << 10,      /* a call was required */
    FLAW_REPEATS = 1 << 11,      /* loops: one line or phrase over and over */
};
enum { FLAWS = 12 };

/* Bits of enum flaw for the first choice.  why, which may be NULL, gets the
 * first flaw in words.  work: what is decoded meanwhile. */
uint32_t answer_flaws(const struct request *asked, const struct gathered *g,
                      struct arena *work, struct err *why);

/* Words of refusals at a text's beginning. */
bool text_refuses(struct span text, struct arena *work);

const char *flaw_name(enum flaw f); /* "truncated", one bit */
/* Name to bit; 0: unknown. */
uint32_t flaw_find(struct span name);

#endif
