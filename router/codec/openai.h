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
/* Of a whole answer or an event; false: it says none. */
bool openai_usage_in(const struct json *top, struct usage *out);
/* Of a usage object: the bill, where the provider sends it along. */
void openai_bill(const struct json *usage, struct usage *out);

#endif
