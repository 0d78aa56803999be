/* SPDX-License-Identifier: Apache-2.0 */
/* What both ways of writing schemas for Gemini share: gemini_schema.c has
 * JSON Schema, gemini_subset.c the OpenAPI subset. */
#ifndef WEIR_ROUTER_CODEC_GEMINI_SCHEMA_H
#define WEIR_ROUTER_CODEC_GEMINI_SCHEMA_H

#include "router/codec/gemini.h"

enum { SCHEMA_DEPTH_MAX = 32 }; /* of what is written */

struct schema_writer {
    const struct schema_target *t;
    struct buf *out;
    struct json root;
    struct span path[SCHEMA_DEPTH_MAX]; /* references being followed */
    int n_path, depth, nodes;
};

/* Counts a keyword that was left out. */
void schema_lose(struct schema_writer *w, const char *keyword);
void schema_lose_key(struct schema_writer *w, const struct json *key);
/* An open bound as a closed one: exact for whole numbers only. */
void schema_bound(struct schema_writer *w, const struct json *v,
                  const char *name, bool whole);
void schema_as_openapi(struct schema_writer *w, const struct json *v);

#endif
