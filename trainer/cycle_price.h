/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A challenger gets the price at which the gate found it to keep its promise:
 * its file again, with another card.
 */
#ifndef WEIR_TRAINER_CYCLE_PRICE_H
#define WEIR_TRAINER_CYCLE_PRICE_H

#include "base/buf.h"
#include "models/classifier.h"
#include "trainer/cycle_state.h"

struct cycle_price {
    double quality, price;
};

/* Appends the classifier's file: the level that its ladder is of holds at that
 * price, others of at least that quality at no more than that; without the
 * figures that were measured at another price.  id: the new file's. */
MUST_USE bool cycle_price_file(const struct classifier *c,
                               struct cycle_price at, struct buf *out,
                               char id[CYCLE_ID], struct err *e);

#endif
