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

/* Appends the classifier's file with every level of at least `quality` at no
 * more than `price`, without the figures that were measured at another one;
 * id: the new file's. */
MUST_USE bool cycle_price_file(const struct classifier *c, double quality,
                               double price, struct buf *out, char id[CYCLE_ID],
                               struct err *e);

#endif
