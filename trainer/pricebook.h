/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a token of a model costs: the operator's CSV files first, then the
 * registry's catalogue.  A CSV line is `model,input,output` in USD per
 * million tokens; a first line that names columns is skipped, as are empty
 * lines and those that begin with '#'.
 */
#ifndef WEIR_TRAINER_PRICEBOOK_H
#define WEIR_TRAINER_PRICEBOOK_H

#include "base/err.h"
#include "base/span.h"

struct pricebook;
struct catalogue;

/* catalogue (borrowed) may be NULL.  NULL: out of memory. */
MUST_USE struct pricebook *pricebook_new(const struct catalogue *catalogue);
void pricebook_free(struct pricebook *p); /* NULL: no-op */
/* Adds one: USD per million tokens of input and output. */
MUST_USE bool pricebook_add(struct pricebook *p, struct span model,
                            const double usd[2], struct err *e);
/* Adds a file's lines; a later line of the same model wins.  The message
 * names file and line. */
MUST_USE bool pricebook_read(struct pricebook *p, const char *path,
                             struct err *e);
/* USD a token; false when the model's price is not known. */
bool pricebook_find(const struct pricebook *p, struct span model,
                    double *usd_in, double *usd_out);

#endif
