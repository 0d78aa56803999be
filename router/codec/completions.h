/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAI's older /v1/completions, for clients only: the prompt becomes a chat
 * request (body and all, so that it goes on like any other), the answer is
 * given back as text.  What a chat cannot do (several prompts, token ids,
 * suffix, echo, best_of) is a clear error.
 */
#ifndef WEIR_ROUTER_CODEC_COMPLETIONS_H
#define WEIR_ROUTER_CODEC_COMPLETIONS_H

#include "router/codec/codec.h"

struct completions_writer {
    int64_t created;
    char id[96], model[192];
    bool over, has_usage;
    struct usage usage;
    enum part_kind part[GATHER_CHOICES_MAX];
};

/* r->body is the chat request, in the arena. */
MUST_USE bool completions_request_read(struct span body, struct arena *a,
                                       struct request *r, struct err *e);
/* state: struct completions_writer, zeroed. */
void completions_stream_write(void *state, const struct request *asked,
                              const struct chunk *c, struct losses *l,
                              struct buf *out);
void completions_answer_write(const struct gathered *g,
                              const struct request *asked, struct losses *l,
                              struct buf *out);

#endif
