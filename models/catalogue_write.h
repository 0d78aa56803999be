/* SPDX-License-Identifier: Apache-2.0 */
/* Models as JSON, in the form of a catalogue file's entries. */
#ifndef WEIR_MODELS_CATALOGUE_WRITE_H
#define WEIR_MODELS_CATALOGUE_WRITE_H

#include "base/buf.h"
#include "models/registry.h"

/* A model's names where they stand, instead of those in struct model. */
struct catalogue_words {
    struct span name, provider;
    struct span upstream; /* left out where it is the name or empty */
    struct span alias;    /* one other name, or empty */
};

/* One object.  Of the model, all but its names is taken; its family may be
 * NULL. */
void catalogue_put(struct buf *out, const struct catalogue_words *words,
                   const struct model *m);
struct catalogue_words catalogue_words_of(const struct model *m);

#endif
