/* SPDX-License-Identifier: Apache-2.0 */
/* Reading OpenAI chat answers; for the dialect's row in openai.c. */
#ifndef WEIR_ROUTER_CODEC_OPENAI_H
#define WEIR_ROUTER_CODEC_OPENAI_H

#include "router/codec/dialect.h"

MUST_USE bool openai_read(struct span body, struct answer *out, struct err *e);
enum event_view openai_event(struct span data, bool stripped,
                             struct answer *out);
bool openai_is_error(struct span body);
void openai_write_error(const struct problem *p, struct buf *out);
void openai_write_stream_error(const struct problem *p, struct buf *out);
/* A chat answer's usage object, with the deviations that are known. */
void openai_usage(const struct json *v, struct usage *out);

#endif
