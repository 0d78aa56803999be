/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer says about itself, from its chunks: what the row and the
 * cost are made from, whatever the dialect. */
#ifndef WEIR_ROUTER_CODEC_TAP_H
#define WEIR_ROUTER_CODEC_TAP_H

#include "router/codec/chunk.h"
#include "router/codec/dialect.h"

/* Takes one chunk into what is known.  done: END came.  Usage that START
 * tells is only a beginning: has_usage waits for the real one. */
void tap_chunk(struct answer *out, const struct chunk *c);

#endif
