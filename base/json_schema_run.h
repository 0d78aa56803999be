/* SPDX-License-Identifier: Apache-2.0 */
/* Inside base/json_schema: one run, and the rules of single keywords. */
#ifndef WEIR_BASE_JSON_SCHEMA_RUN_H
#define WEIR_BASE_JSON_SCHEMA_RUN_H

#include "base/json_schema.h"

/* What an answer of an honest size can need; a schema that explodes (nested
 * anyOf, references to itself) ends here. */
enum { STEPS_MAX = 200000, DEPTH_MAX = 200, PATH_MAX_LEN = 160 };

struct run {
    struct json root;
    struct arena *work; /* (borrowed) */
    unsigned steps, depth;
    bool unknown;
    char path[PATH_MAX_LEN]; /* "$.a[2]", where the value stands */
    size_t path_len;
    struct err *e; /* of the first thing that does not fit; or NULL */
};

bool fits(struct run *r, const struct json *schema, const struct json *value);

/* One keyword: arg is its value in the schema `in`. */
struct asked {
    const struct json *in, *arg, *value;
};

/* "PATH: wanted ..., found ..." into r->e; always false. */
bool wrong(struct run *r, const char *wanted, struct span what,
           const struct asked *k);
/* The first bytes of a value, for a message. */
struct span part(const struct json *v);
bool fits_member(struct run *r, const struct json *schema, struct span key,
                 size_t index, const struct json *v);
/* A trial whose failure is no error of the whole. */
bool tries(struct run *r, const struct json *schema, const struct json *v);

struct keyword {
    const char *name;
    bool (*holds)(struct run *r, const struct asked *k);
};

/* json_schema_rules.c: keywords that look at the value itself. */
extern const struct keyword value_keywords[];
extern const size_t n_value_keywords;

#endif
