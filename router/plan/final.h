/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer comes down to, in one way of writing: two answers agree
 * exactly when kind and form are equal.  Verify plans compare by it, and the
 * log keeps it as the answer of a dataset's row (docs/dataset-format.md).
 */
#ifndef WEIR_ROUTER_PLAN_FINAL_H
#define WEIR_ROUTER_PLAN_FINAL_H

#include "features/request.h"
#include "router/codec/chunk.h"

enum final_kind {
    FINAL_NONE,   /* it says nothing */
    FINAL_CALLS,  /* tool calls: names and canonical arguments, any order */
    FINAL_JSON,   /* a JSON value, canonical */
    FINAL_CHOICE, /* the letter of an option */
    FINAL_NUMBER, /* digits, without thousands' commas or currency */
    FINAL_SHORT,  /* some words: folded, without markup and punctuation */
    FINAL_LONG,   /* prose or code: nothing that can be compared by form */
};

struct final {
    enum final_kind kind;
    struct span form; /* (arena) empty for NONE and LONG */
};

/* Whether the last user message offers lettered options; the answer's
 * letters are choices only then. */
bool final_has_options(const struct request *asked);

/* The first choice of an answer.  options: final_has_options.  An answer for
 * which the arena has no room is LONG. */
struct final final_of(const struct gathered *g, bool options, struct arena *a);

/* Of a text alone. */
struct final final_of_text(struct span text, bool options, struct arena *a);

bool final_agree(const struct final *a, const struct final *b);
const char *final_kind_name(enum final_kind k); /* "calls", "json", ... */

#endif
