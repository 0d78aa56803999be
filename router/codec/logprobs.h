/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-probabilities of an answer's tokens.  They are a text's raw JSON
 * (chunk.h) in the form of whoever wrote them, and are rewritten for a
 * client of another dialect:
 *
 *   chat       {"logprobs": {"content": [TOKEN...]}}
 *   Responses  {"logprobs": [TOKEN...]}
 *   Gemini     {"logprobsResult": {"chosenCandidates": [{"token": ...,
 *              "logProbability": ...}...], "topCandidates":
 *              [{"candidates": [...]}...]}}
 *   Cohere     {"text": ..., "token_ids": [...], "logprobs": [...]}
 *
 * with TOKEN = {"token", "logprob", "bytes", "top_logprobs"}.  Sources:
 * developers.openai.com/api/reference (chat, responses),
 * ai.google.dev/api/generate-content (LogprobsResult),
 * docs.cohere.com/reference/chat.
 */
#ifndef WEIR_ROUTER_CODEC_LOGPROBS_H
#define WEIR_ROUTER_CODEC_LOGPROBS_H

#include "router/codec/codec.h"
#include "router/codec/feed.h"

/* Whether a text's raw JSON is one of these. */
bool logprobs_in(struct span raw);

/* The model gives them, as far as the registry knows. */
bool logprobs_known(const struct model *of);

/* {"logprobs": value} into the choice's open text; nothing where value says
 * none or no text is open.  False: no memory, or the sink wants no more. */
bool logprobs_feed(struct feed *f, unsigned choice, const struct json *value,
                   struct arena *a);

/* The tokens of one raw as TOKENs into the list that is being written.
 * False: it names no token (Cohere's pieces of several), nothing written. */
bool logprobs_put(struct span raw, struct buf *out);
/* Those of a block, and of all texts of a choice; what cannot be written
 * goes into l.  False: there were none. */
bool logprobs_put_block(const struct gathered_block *b, struct losses *l,
                        struct buf *out);
bool logprobs_put_choice(const struct gathered_choice *ch, struct losses *l,
                         struct buf *out);
/* The raw that holds all of a choice's; empty where several or none do. */
struct span logprobs_only(const struct gathered_choice *ch);

/* A list of TOKENs as Gemini's object. */
void logprobs_put_gemini(struct span tokens, struct buf *out);

#endif
