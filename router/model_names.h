/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client may write as `model`, in this order: a route's name, a model's
 * key, weir/ARM; a name that fits a route's `match`, where `*` stands for any
 * text and `?` for one character, the first such route of the file; a model's
 * name at its provider, with or without "provider/".
 */
#ifndef WEIR_ROUTER_MODEL_NAMES_H
#define WEIR_ROUTER_MODEL_NAMES_H

#include "router/route/decide.h"

struct model_names;

/* routes: (borrowed) [n]; texts live in the arena.  NULL: no memory. */
MUST_USE struct model_names *model_names_new(const struct route *routes,
                                             size_t n, struct arena *arena);
void model_names_free(struct model_names *names); /* NULL: no-op */

/* NULL: nothing is called so. */
const struct route *model_names_find(const struct model_names *names,
                                     struct span name);

#endif
