/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amazon Bedrock's Converse and ConverseStream: the parts of the dialect's
 * row (bedrock.c).  Only providers speak it.  The model and whether to
 * stream are in the path: /model/{name}/converse or /converse-stream.
 * Facts: the types of the official SDK @aws-sdk/client-bedrock-runtime.
 */
#ifndef WEIR_ROUTER_CODEC_BEDROCK_H
#define WEIR_ROUTER_CODEC_BEDROCK_H

#include "router/codec/codec.h"

/* The tool that stands in for a JSON schema where the model has no output
 * format of its own: its input is the answer's text. */
#define BEDROCK_ANSWER_TOOL "weir_structured_answer"

MUST_USE bool bedrock_request_read(const struct inbound *in, struct arena *a,
                                   struct request *r, struct err *e);
bool bedrock_wants_data(const struct part *p, const struct target *t);
bool bedrock_wants_data(const struct part *p, const struct target *t);
MUST_USE bool bedrock_request_write(const struct request *r,
                                    const struct target *t, struct losses *l,
                                    struct buf *out, struct err *e);
MUST_USE bool bedrock_answer_read(struct span body, int status, struct arena *a,
                                  struct chunk_sink *sink, struct err *e);
MUST_USE bool bedrock_stream_read(void *state, const struct framed *got,
                                  struct arena *a, struct chunk_sink *sink,
                                  struct err *e);
MUST_USE bool bedrock_stream_end(void *state, struct chunk_sink *sink,
                                 struct err *e);
/* A built-in tool's result (PART_OTHER) has its JSON in one TEXT. */
void bedrock_stream_write(void *state, const struct request *asked,
                          const struct chunk *c, struct losses *l,
                          struct buf *out);
void bedrock_answer_write(const struct gathered *g, const struct request *asked,
                          struct losses *l, struct buf *out);

/* Bytes of a stream's state, reading and writing; bedrock_answer.c and
 * bedrock_write.c hold them to it. */
enum { BEDROCK_READER_SIZE = 2048, BEDROCK_WRITER_SIZE = 256 };

/* ---- parts of the reader of requests ---- */

struct reader;
/* Tools and all that is no message. */
MUST_USE bool bedrock_read_params(struct reader *rd, const struct json *top,
                                  struct request *r);

/* ---- parts of the writer of requests ---- */

/* Whose the model is decides what it takes besides the common parameters. */
enum bedrock_maker { BEDROCK_OTHER, BEDROCK_CLAUDE, BEDROCK_NOVA, BEDROCK_GPT };
enum bedrock_maker bedrock_maker(const struct target *t);

/* What the request's thinking becomes. */
struct bedrock_thinking {
    enum bedrock_maker maker;
    bool adaptive;      /* the model decides how long */
    int64_t budget;     /* tokens; 0: none; below: no number */
    struct span effort; /* in words, or empty */
};
struct bedrock_thinking bedrock_thinking(const struct request *r,
                                         const struct target *t,
                                         struct losses *l);

/* Whether a schema is asked for that the model takes only as a tool. */
bool bedrock_answer_tool(const struct request *r, const struct target *t);
/* Members behind the messages. */
void bedrock_write_params(const struct request *r, const struct target *t,
                          struct losses *l, struct buf *out);
void bedrock_write_tools(const struct request *r, const struct target *t,
                         struct losses *l, struct buf *out);
void bedrock_write_cache(struct span cache, struct buf *out);

/* ---- tables ---- */

/* "pdf" <-> "application/pdf", "png" <-> "image/png"; empty: unknown. */
struct span bedrock_format(enum part_kind kind, struct span media);
struct span bedrock_media(enum part_kind kind, struct span format);
enum finish bedrock_finish(struct span stop_reason);
const char *bedrock_stop_reason(enum finish f);
int bedrock_error_status(struct span exception); /* 500 when unknown */
const char *bedrock_exception(int status);       /* "throttlingException" */

#endif
