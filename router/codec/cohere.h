/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cohere's chat, version 2: the parts of the dialect's row (cohere.c).  Only
 * providers speak it.  Facts: the types of the official SDK cohere-ai.
 *
 * A tool plan (what the model says before it calls) is text in front of the
 * calls, as it is in the other dialects, and so survives in all of them;
 * text of an assistant's message that calls is written as its plan.
 */
#ifndef WEIR_ROUTER_CODEC_COHERE_H
#define WEIR_ROUTER_CODEC_COHERE_H

#include "router/codec/codec.h"

enum { COHERE_READER_SIZE = 2048, COHERE_WRITER_SIZE = 256 };

MUST_USE bool cohere_request_read(const struct inbound *in, struct arena *a,
                                  struct request *r, struct err *e);
MUST_USE bool cohere_request_write(const struct request *r,
                                   const struct target *t, struct losses *l,
                                   struct buf *out, struct err *e);
MUST_USE bool cohere_answer_read(struct span body, int status, struct arena *a,
                                 struct chunk_sink *sink, struct err *e);
MUST_USE bool cohere_stream_read(void *state, const struct framed *got,
                                 struct arena *a, struct chunk_sink *sink,
                                 struct err *e);
MUST_USE bool cohere_stream_end(void *state, struct chunk_sink *sink,
                                struct err *e);
void cohere_stream_write(void *state, const struct request *asked,
                         const struct chunk *c, struct losses *l,
                         struct buf *out);
void cohere_answer_write(const struct gathered *g, const struct request *asked,
                         struct losses *l, struct buf *out);

/* Tools and parameters of a request. */
void cohere_write_params(const struct request *r, const struct target *t,
                         struct losses *l, struct buf *out);
/* A document that is text, or may be read as one. */
bool cohere_is_document(const struct part *p);

/* ---- tables ---- */

enum finish cohere_finish(struct span reason);
const char *cohere_finish_reason(enum finish f);
/* The HTTP status of a finish that is a failure; 0: it is none. */
int cohere_failure(struct span reason);

#endif
