/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many tokens a text will be, by counting characters of each class; the
 * error against real tokenizers is in docs/tokens.md.
 */
#ifndef WEIR_FEATURES_TOKENS_H
#define WEIR_FEATURES_TOKENS_H

#include "features/request.h"

/* Reads the text's first `sample` bytes and takes the rest to be alike;
 * in 1/1024 tokens. */
uint64_t tokens_sample(struct text t, size_t sample);

/* The whole text, in tokens. */
uint32_t tokens_estimate(struct text t);

/* Everything that a request sends: texts, tools, the frame of each message,
 * images and documents by a flat figure each. */
uint32_t tokens_request(const struct request *r);

#endif
