/* SPDX-License-Identifier: Apache-2.0 */
/* A value that fits a JSON schema: what a well-behaved model would send. */
#ifndef WEIR_BENCH_MOCK_SCHEMA_H
#define WEIR_BENCH_MOCK_SCHEMA_H

#include "base/arena.h"
#include "base/span.h"

/* Knows type, properties, items, enum, const, anyOf, minItems, minimum and
 * $ref into $defs; "{}" where there is no schema.  Text in the arena, empty
 * when that is full. */
struct span mock_from_schema(struct span schema, struct arena *a);

#endif
