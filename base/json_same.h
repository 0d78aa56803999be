/* SPDX-License-Identifier: Apache-2.0 */
/* Are two JSON values the same value, however they are written? */
#ifndef WEIR_BASE_JSON_SAME_H
#define WEIR_BASE_JSON_SAME_H

#include "base/arena.h"
#include "base/json.h"

/*
 * Equal as values (checked JSON): members of objects in any order, strings by
 * their text, numbers by their value (1.0 and 1e0 are 1; whole numbers
 * beyond 2^53 digit by digit).  An object with a key twice equals nothing
 * but its own bytes.  False also when the arena, where it works, is full.
 */
MUST_USE bool json_same(const struct json *a, const struct json *b,
                        struct arena *work);

#endif
