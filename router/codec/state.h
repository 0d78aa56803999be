/* SPDX-License-Identifier: Apache-2.0 */
/* What of a Responses request lives at its provider only, and what both of
 * OpenAI's dialects call by the same name. */
#ifndef WEIR_ROUTER_CODEC_STATE_H
#define WEIR_ROUTER_CODEC_STATE_H

#include "features/request.h"

/* False with e (ERR_INPUT) where the conversation is kept by a provider: by
 * previous_response_id, conversation, or a reference to one of its items. */
MUST_USE bool state_portable(const struct request *r, struct err *e);

/* Members that mean the same in chat completions and in Responses. */
bool extra_is_shared(struct span name);

#endif
