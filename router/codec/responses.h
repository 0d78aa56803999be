/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of codec_responses (OpenAI's /v1/responses), for its row in
 * responses.c. */
#ifndef WEIR_ROUTER_CODEC_RESPONSES_H
#define WEIR_ROUTER_CODEC_RESPONSES_H

#include "features/reader.h"
#include "router/codec/codec.h"
#include "router/codec/feed.h"

/* Thinking that only its provider can read has nothing but its content, as
 * some thinking without a summary: this in front tells them apart. */
#define RESPONSES_REDACTED "weir-redacted:"

struct responses_reader {
    struct feed feed;
    bool done;       /* its last event came */
    int64_t item;    /* output_index + 1 of the item that is open, or 0 */
    int64_t closed;  /* ... of the last one that ended */
    unsigned before; /* blocks there were when it opened */
    int64_t part;    /* content_index or summary_index of the open text */
    bool any_calls;
};

struct responses_writer {
    struct gathered g; /* the answer so far: the last event repeats it */
    struct chunk_sink sink;
    int64_t sequence;
    unsigned items;
    bool begun, over;
};

struct responses_input {
    struct json input, instructions;
    bool held; /* it may be the provider's: prompt, an earlier response */
};

/* The instructions become a system message, the items the others. */
bool responses_input_read(struct reader *rd, const struct responses_input *b,
                          struct request *r);

bool responses_request_read(const struct inbound *in, struct arena *a,
                            struct request *r, struct err *e);
bool responses_request_write(const struct request *r, const struct target *t,
                             struct losses *l, struct buf *out, struct err *e);

bool responses_answer_read(struct span body, int status, struct arena *a,
                           struct chunk_sink *sink, struct err *e);
bool responses_stream_read(void *state, const struct framed *got,
                           struct arena *a, struct chunk_sink *sink,
                           struct err *e);
/* Of a response object; false: it says nothing. */
bool responses_usage(const struct json *response, struct usage *out);
bool responses_stream_end(void *state, struct chunk_sink *sink, struct err *e);

void responses_writer_start(void *state, struct arena *a);
void responses_stream_write(void *state, const struct request *asked,
                            const struct chunk *c, struct losses *l,
                            struct buf *out);
void responses_answer_write(const struct gathered *g,
                            const struct request *asked, struct losses *l,
                            struct buf *out);

/* One block as an output item; i: its place; done: with its content. */
void responses_item_write(const struct gathered *g,
                          const struct gathered_block *b, unsigned i, bool done,
                          struct buf *out);
void responses_item_id(const struct gathered *g, const struct gathered_block *b,
                       unsigned i, struct buf *out);
/* "completed", "incomplete" */
const char *responses_status(const struct gathered *g, struct losses *l);
/* Whether the dialect has a place for the block; else it is counted as lost. */
bool responses_has_item(const struct gathered_block *b, struct losses *l);
/* The response object; status "in_progress": without output and usage. */
void responses_object_write(const struct gathered *g,
                            const struct request *asked, const char *status,
                            struct buf *out);
/* What stands beside a text: "annotations":[...],"logprobs":[...] */
void responses_beside_write(const struct gathered_block *b, struct losses *l,
                            struct buf *out);

#endif
