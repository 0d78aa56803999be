/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A piece of text that somebody else owns: pointer and length, no NUL behind
 * it.  A span is valid as long as the bytes it points into.
 */
#ifndef WEIR_BASE_SPAN_H
#define WEIR_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const char *ptr; /* (borrowed) may be NULL where len is 0 */
    size_t len;      /* bytes */
};

/* A span over a string literal, as an expression and as an initialiser. */
#define SPAN(lit) ((struct span){(lit), sizeof(lit) - 1})
#define SPAN_INIT(lit)                                                         \
    {                                                                          \
        (lit), sizeof(lit) - 1                                                 \
    }
/* Arguments for "%.*s". */
#define SPAN_ARGS(s) (int)(s).len, (s).ptr ? (s).ptr : ""

struct span span_of(const char *str); /* NULL gives the empty span */
bool span_eq(struct span a, struct span b);
bool span_is(struct span a, const char *str);
bool span_is_nocase(struct span a, const char *str); /* ASCII case only */
bool span_starts(struct span a, const char *prefix);
bool span_has(struct span hay, struct span needle);
struct span span_trim(struct span a); /* ASCII white space, both ends */
/* Cuts off and returns what stands before the first `sep`; without one the
 * whole.  *rest becomes what is behind it (ptr NULL when there is none). */
struct span span_cut(struct span *rest, char sep);

/* Copies into dst, always NUL-terminated; false when it had to be cut. */
bool span_copy(char *dst, size_t size, struct span a);

/* Whole span as a number: no sign games, no spaces, no trailing bytes. */
bool span_u64(struct span a, uint64_t *out);
bool span_double(struct span a, double *out); /* finite only */

/* 64-bit hash, the same on every machine. Mixer: finaliser of MurmurHash3.
 * Not for tables that hostile input could fill without a bound. */
uint64_t span_hash(struct span a, uint64_t seed);
/* Another one, several times faster for kilobytes, to know the same bytes
 * again within one process: it is stored nowhere. */
uint64_t span_print(struct span a, uint64_t seed);

#endif
