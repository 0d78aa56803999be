/* SPDX-License-Identifier: Apache-2.0 */
/* One way to write each JSON value. */
#ifndef WEIR_BASE_JSON_CANON_H
#define WEIR_BASE_JSON_CANON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

/*
 * Appends checked JSON so that equal values give equal bytes: no white space,
 * members sorted by their keys' bytes, strings with the fewest escapes,
 * numbers as the shortest digits of their double (whole numbers beyond 2^53
 * keep their digits).  Of a key that stands twice the last one holds.  False
 * when the arena, in which members are sorted, or out is full.
 */
MUST_USE bool json_canon(const struct json *v, struct arena *work,
                         struct buf *out);

#endif
