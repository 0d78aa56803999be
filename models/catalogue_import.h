/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other programs' price lists as a catalogue file of ours: LiteLLM's
 * model_prices_and_context_window.json and models.dev's api.json, told apart
 * by what is in them.  Tiers and families come from the shipped catalogue
 * and from the names; a model that is not known there has no tier.
 */
#ifndef WEIR_MODELS_CATALOGUE_IMPORT_H
#define WEIR_MODELS_CATALOGUE_IMPORT_H

#include "base/buf.h"
#include "models/registry.h"

struct catalogue_import {
    const struct catalogue *known; /* (borrowed) for tiers; may be NULL */
    const char *const *providers;  /* [n_providers] only these; 0: all */
    unsigned n_providers;
    const char *origin; /* written as the source */
    /* out: */
    size_t taken;   /* models written */
    size_t skipped; /* not for chat, without prices, or odd */
};

MUST_USE bool catalogue_import(struct span text, struct catalogue_import *i,
                               struct buf *out, struct err *e);

#endif
