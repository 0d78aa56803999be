/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tool-call ids where the target takes letters, digits, '_' and '-' only
 * (Anthropic, Bedrock): others are written as "weirid_" and the bytes, those
 * that are neither letters, digits nor '-' as _xHH_.  Reversible: what came
 * in one way is given back as it was.
 */
#ifndef WEIR_ROUTER_CODEC_IDS_H
#define WEIR_ROUTER_CODEC_IDS_H

#include "base/arena.h"
#include "base/buf.h"

/* The id as the target may have it, quoted as a JSON string. */
void id_write(struct buf *out, struct span id);
/* The id behind it; borrows where nothing was changed.  False: no memory. */
MUST_USE bool id_read(struct span written, struct arena *a, struct span *id);

#endif
