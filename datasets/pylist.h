/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of strings as Python prints them, ['it', "isn't", 'a\nb'], which
 * tables written by pandas hold.  JSON's arrays of strings are read too.
 */
#ifndef WEIR_DATASETS_PYLIST_H
#define WEIR_DATASETS_PYLIST_H

#include "base/arena.h"
#include "base/span.h"

/* Decodes into the arena; *n strings.  False when text is no such list, has
 * more than max strings or the arena is full. */
bool pylist_parse(struct span text, struct arena *a, struct span *out,
                  size_t max, size_t *n);

#endif
