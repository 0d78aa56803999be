/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a classifier says of itself: JSON for the file (docs/training.md lists
 * its keys) and a page for people.
 */
#ifndef WEIR_TRAINER_CARD_H
#define WEIR_TRAINER_CARD_H

#include "base/buf.h"
#include "trainer/train.h"

struct card_about {
    const char *created; /* time as text */
    const char *command; /* as typed */
    const struct train_options *options;
};

MUST_USE bool card_json(const struct training *r, const struct card_about *c,
                        struct buf *out, struct err *e);
void card_text(const struct training *r, const struct card_about *c,
               struct buf *out);

#endif
