/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/embeddings: looked at for routing and cost, else passed through; every
 * provider that has it speaks OpenAI's form.
 */
#ifndef WEIR_ROUTER_CODEC_EMBEDDINGS_H
#define WEIR_ROUTER_CODEC_EMBEDDINGS_H

#include "base/buf.h"
#include "features/request.h"
#include "models/registry.h"
#include "router/codec/dialect.h"

struct embeddings {
    struct span body;      /* (borrowed) */
    struct span model;     /* decoded */
    struct span model_raw; /* its value in the body, with quotes */
    size_t n_inputs;       /* texts, or lists of token ids */
    size_t input_bytes;    /* of texts, as written: for estimates */
    size_t input_tokens;   /* of token ids, exact */
    int64_t dimensions;    /* -1: not said */
};

MUST_USE bool embeddings_read(struct span body, struct arena *a,
                              struct embeddings *out, struct err *e);
/* The body with another model's name, else the same bytes. */
void embeddings_write(const struct embeddings *r, struct span model,
                      struct buf *out);
/* An answer's usage; false when it is no list of embeddings. */
MUST_USE bool embeddings_answer(struct span body, struct usage *out,
                                struct err *e);

/* For the dialect's row: the inputs as texts of one message, for estimates
 * and constraints; and what an answer says. */
MUST_USE bool embeddings_decode(struct span body, struct arena *a,
                                struct request *r, struct err *e);
MUST_USE bool embeddings_look(struct span body, struct answer *out,
                              struct err *e);

#endif
