/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules of mock_rules.c are made of: looks at a request, each of
 * which refuses it in the words that it is given. */
#ifndef WEIR_BENCH_MOCK_CHECK_H
#define WEIR_BENCH_MOCK_CHECK_H

#include "base/json.h"
#include "bench/mock.h"

/* Always false. */
bool mock_refuse(struct mock_checked *c, const char *param, const char *fmt,
                 ...) PRINTF(3, 4);

/* The body's members are of this list, which ends with NULL; before and
 * after: what is said around the name of one that is not. */
bool mock_members(struct mock_checked *c, const char *const *names,
                  const char *before, const char *after);
/* A number of the body, if it is there, lies in [least, most]. */
bool mock_range(struct mock_checked *c, const char *name, double least,
                double most);
/* The body's list has `most` elements at the most. */
bool mock_at_most(struct mock_checked *c, const char *name, size_t most);
/* Each call is answered right behind it and each result answers one of
 * these; far: anywhere behind it. */
bool mock_pairs(struct mock_checked *c, bool far);
/* Model and user take turns, and the user begins. */
bool mock_turns(struct mock_checked *c);
/* Thinking and calls carry signatures of this provider; must: thinking has
 * to have one. */
bool mock_signatures(struct mock_checked *c, bool must);
/* Names of tools: letters, digits, _ and -, each once. */
bool mock_tool_names(struct mock_checked *c, size_t most);
bool mock_no_blank_text(struct mock_checked *c);
/* Whether there are calls or results. */
bool mock_has_tools_used(const struct request *r);

/* The body, parsed once. */
struct json mock_root(struct mock_checked *c);

#endif
