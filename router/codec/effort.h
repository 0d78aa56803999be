/* SPDX-License-Identifier: Apache-2.0 */
/* How much to think, in OpenAI's words: efforts and budgets are mapped to
 * each other where a dialect has only one of them. */
#ifndef WEIR_ROUTER_CODEC_EFFORT_H
#define WEIR_ROUTER_CODEC_EFFORT_H

#include "router/codec/codec.h"

/* The effort asked for: as written, or what the budget comes to; empty when
 * nothing was said.  *rounded: a budget became an effort. */
struct span effort_of(const struct params *p, bool *rounded);

/* Whether the target is known not to reason: then nothing is sent. */
bool effort_refused(const struct target *t);

/* The members of a chat request, as the provider names them. */
void effort_write(const struct params *p, const struct target *t,
                  struct losses *l, struct buf *out);

#endif
