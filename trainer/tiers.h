/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tiers as arms: a YAML mapping from a tier's name to the models whose
 * outcomes make it up.
 *
 *   economy: [gpt-4o-mini, llama-3.1-8b-instruct]
 *   frontier: [gpt-4o-2024-05-13, claude-3-opus]
 *
 * The score of a tier is the mean over those of its models that have one,
 * likewise its cost and tokens.  Tiers stand from the cheapest to the
 * dearest: a later one is taken to be at least as good as those before
 * unless the data say otherwise.
 */
#ifndef WEIR_TRAINER_TIERS_H
#define WEIR_TRAINER_TIERS_H

#include "base/err.h"
#include "base/span.h"

struct tiers;

MUST_USE struct tiers *tiers_read(const char *path, struct err *e);
void tiers_free(struct tiers *t); /* NULL: no-op */
uint32_t tiers_count(const struct tiers *t);
const char *tiers_name(const struct tiers *t, uint32_t i);
/* The tier of a model, -1 when it is in none. */
int tiers_of(const struct tiers *t, struct span model);

#endif
