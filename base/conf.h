/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML configuration as a tree in which every node knows where it stands,
 * over libyaml.  ${NAME} and ${NAME:-default} in scalars are replaced from
 * the environment (a missing one is an error that names it).  Anchors,
 * merges and tags are refused; keys must be unique in their mapping.
 * Limits: 1 MiB, depth 32.
 */
#ifndef WEIR_BASE_CONF_H
#define WEIR_BASE_CONF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "base/units.h"

enum conf_type { CONF_SCALAR, CONF_LIST, CONF_MAP };

struct conf {
    enum conf_type type;
    unsigned line, column; /* 1-based */
    const char *file;      /* (arena) for messages */
    struct span key;       /* in a map: this member's key */
    unsigned key_line, key_column;
    struct span value;       /* scalar, after replacement */
    bool quoted;             /* scalar written in quotes: always text */
    const struct conf *kids; /* (arena) first child, or NULL */
    const struct conf *next; /* next sibling */
    const struct conf *parent;
};

/* Everything lives in the arena.  NULL with e as "file:line:column: ...". */
MUST_USE const struct conf *conf_load(const char *path, struct arena *a,
                                      struct err *e);
MUST_USE const struct conf *conf_parse(struct span text, const char *file,
                                       struct arena *a, struct err *e);

const struct conf *conf_get(const struct conf *map, const char *key);

/* "file:line:column: a.b.c: wanted ..., found ..."; always false. */
bool conf_fail(const struct conf *at, struct err *e, const char *wanted);
bool conf_failf(const struct conf *at, struct err *e, const char *fmt, ...)
    PRINTF(3, 4);

/* Typed reading; each fails with conf_fail. */
MUST_USE bool conf_str(const struct conf *c, struct span *out, struct err *e);
MUST_USE bool conf_bool(const struct conf *c, bool *out, struct err *e);
MUST_USE bool conf_double(const struct conf *c, double min, double max,
                          double *out, struct err *e);
MUST_USE bool conf_u64(const struct conf *c, uint64_t min, uint64_t max,
                       uint64_t *out, struct err *e);
MUST_USE bool conf_amount(const struct conf *c, enum unit_kind kind,
                          uint64_t *out, struct err *e);
/* One of the NULL-terminated words; *out is its position. */
MUST_USE bool conf_word(const struct conf *c, const char *const *words,
                        unsigned *out, struct err *e);
/* Fails on the first key of the map that is not among the NULL-terminated
 * known ones, naming the nearest of them (edit distance <= 3). */
MUST_USE bool conf_known(const struct conf *map, const char *const *known,
                         struct err *e);

#endif
