/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A challenger that keeps its promise only at a lower price than it was
 * trained for gets that price: its file again, with another card.
 */
#ifndef WEIR_TRAINER_CYCLE_PRICE_H
#define WEIR_TRAINER_CYCLE_PRICE_H

#include "base/buf.h"
#include "models/classifier.h"
#include "trainer/cycle_state.h"

/* Of every level of at least `quality`, the most. */
struct cycle_price {
    double quality, price;
};

/* Appends the classifier's file with its levels at no more than that, without
 * the figures that were measured at another price; id: the new file's. */
MUST_USE bool cycle_price_file(const struct classifier *c,
                               struct cycle_price most, struct buf *out,
                               char id[CYCLE_ID], struct err *e);

#endif
