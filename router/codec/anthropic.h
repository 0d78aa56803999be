/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anthropic messages: the parts of the dialect's row (anthropic.c), and what
 * the router needs of its shapes besides: errors, token counts, models.
 * Facts: https://docs.anthropic.com/en/api and the types of the official SDK
 * @anthropic-ai/sdk.
 */
#ifndef WEIR_ROUTER_CODEC_ANTHROPIC_H
#define WEIR_ROUTER_CODEC_ANTHROPIC_H

#include "router/codec/codec.h"

/* The tool that stands in for a JSON schema where the model has no output
 * format of its own: its input is the answer's text. */
#define ANTHROPIC_ANSWER_TOOL "weir_structured_answer"

/* Marks the block that carries the signature of the call before it to
 * clients and back: of a provider that signs calls (Gemini). */
#define ANTHROPIC_CALL_SIGNATURE "weirsig:"

/* ---- the row ---- */

/* Bytes of a stream's states, reading and writing. */
enum { ANTHROPIC_READER_SIZE = 192, ANTHROPIC_WRITER_SIZE = 192 };

MUST_USE bool anthropic_request_read(const struct inbound *in, struct arena *a,
                                     struct request *r, struct err *e);
bool anthropic_wants_data(const struct part *p, const struct target *t);
MUST_USE bool anthropic_request_write(const struct request *r,
                                      const struct target *t, struct losses *l,
                                      struct buf *out, struct err *e);
MUST_USE bool anthropic_answer_read(struct span body, int status,
                                    struct arena *a, struct chunk_sink *sink,
                                    struct err *e);
MUST_USE bool anthropic_stream_read(void *state, const struct framed *got,
                                    struct arena *a, struct chunk_sink *sink,
                                    struct err *e);
MUST_USE bool anthropic_stream_end(void *state, struct chunk_sink *sink,
                                   struct err *e);
void anthropic_stream_write(void *state, const struct request *asked,
                            const struct chunk *c, struct losses *l,
                            struct buf *out);
void anthropic_answer_write(const struct gathered *g,
                            const struct request *asked, struct losses *l,
                            struct buf *out);

/* ---- other shapes ---- */

/* The same conversation for /v1/messages/count_tokens. */
MUST_USE bool anthropic_count_write(const struct request *r,
                                    const struct target *t, struct losses *l,
                                    struct buf *out, struct err *e);
void anthropic_write_count(int64_t input_tokens, struct buf *out);
MUST_USE bool anthropic_read_count(struct span body, int64_t *input_tokens,
                                   struct err *e);

/* {"type":"error",...}; type empty: by the status.  request_id may be empty. */
struct anthropic_error {
    int status;
    struct span type, message, request_id;
};
void anthropic_write_error(const struct anthropic_error *p, struct buf *out);
/* The same as the last frame of a stream. */
void anthropic_write_stream_error(const struct anthropic_error *p,
                                  struct buf *out);

/* One model as /v1/models has it; created: seconds since 1970. */
struct anthropic_model {
    struct span id, display_name; /* empty: the id */
    int64_t created;
    int64_t max_input, max_output; /* tokens; 0: not known */
};
void anthropic_write_model(const struct anthropic_model *m, struct buf *out);
void anthropic_write_models(const struct anthropic_model *m, size_t n,
                            struct buf *out);

/* Whether a conversation in this dialect holds what no Anthropic model made
 * (unsigned thinking, carried signatures): its bytes must not go to one as
 * they are, but by request_write. */
bool anthropic_has_foreign(const struct request *r);
/* A part that only goes back to where it came from. */
bool anthropic_is_thinking(const struct part *p);

/* ---- tables ---- */

enum finish anthropic_finish(struct span stop_reason);
const char *anthropic_stop_reason(enum finish f); /* NULL: it has none */
const char *anthropic_error_type(int status);
int anthropic_error_status(struct span type); /* 500 when unknown */

/* Whether JSON is a content block of a built-in tool (server_tool_use,
 * web_search_tool_result, ...); a delta of a block ("citations_delta"). */
bool anthropic_is_block(struct span json);
bool anthropic_is_delta(struct span json);

/* A schema that the model's structured outputs accept: objects closed,
 * keywords that they refuse left out (each is LOSSY_SCHEMA, at `what`). */
void anthropic_write_schema(struct span schema, const char *what,
                            struct losses *l, struct buf *out);

#endif
