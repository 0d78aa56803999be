/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translation: one `const struct codec` of pure functions a dialect, one
 * file or folder (codec/NAME*.c) and one row in codec.c.  No I/O; the state
 * of a stream is memory that the caller gives.  Between any two dialects a
 * request goes  bytes -> read -> struct request -> write -> bytes,  and an
 * answer        bytes -> chunks -> bytes.
 *
 * Readers are held to any bytes at any boundary; writers to the target
 * dialect's official SDK.
 */
#ifndef WEIR_ROUTER_CODEC_CODEC_H
#define WEIR_ROUTER_CODEC_CODEC_H

#include "router/codec/chunk.h"
#include "router/codec/lossy.h"

/* Whom a request is written for. */
struct target {
    struct span model;           /* upstream name */
    const struct model *of;      /* registry entry: limits, capabilities */
    const struct quirks *quirks; /* of the provider, or NULL */
    bool same_dialect; /* extras, signatures and raw parts may go along */
    bool same_model;   /* thinking may go back */
    bool stream, ask_usage;
    bool data_only; /* refuses addresses that its dialect has a place for */
};

/* Deviations of an OpenAI-compatible provider from OpenAI, as bits of one
 * table row (codec/quirks.c): which names it uses, what it refuses. */
struct quirks;

/* A request as it came in.  model: from the path where the dialect has it
 * there (Gemini, Bedrock), else empty; stream: likewise. */
struct inbound {
    struct span body, model;
    bool stream;
};

/* What the framing made of the bytes: one event of a stream. */
struct framed {
    struct span name, data;
};

enum framing { FRAMING_SSE, FRAMING_AWS, FRAMING_NONE };

struct codec {
    const char *name;
    enum framing framing; /* of its streams */

    /* A client's (or a recorded) request. */
    bool (*request_read)(const struct inbound *in, struct arena *a,
                         struct request *r, struct err *e);
    /* The body for the target.  What cannot be carried goes into l. */
    bool (*request_write)(const struct request *r, const struct target *t,
                          struct losses *l, struct buf *out, struct err *e);

    /* The target would take the part's data, but not the web address that the
     * part has; NULL: it takes all that it can take by address. */
    bool (*wants_data)(const struct part *p, const struct target *t);

    /* A whole answer (or error body) -> chunks. */
    bool (*answer_read)(struct span body, int status, struct arena *a,
                        struct chunk_sink *sink, struct err *e);
    /* Streams: state is reader_size bytes, zeroed; scratch strings live in
     * the arena, bounded: the caller empties it after each event, so nothing
     * in the state may point into it.  An event is what the framing made of
     * the bytes. */
    size_t reader_size;
    bool (*stream_read)(void *state, const struct framed *got, struct arena *a,
                        struct chunk_sink *sink, struct err *e);
    /* The bytes have ended: gives END, or ERROR when it was cut. */
    bool (*stream_end)(void *state, struct chunk_sink *sink, struct err *e);

    /* Chunks -> the client's bytes, frames included.  asked: the client's
     * request (wanted usage, n, its model's name). */
    size_t writer_size;
    /* Before the first chunk, for a writer that must keep what it wrote (a
     * dialect whose last event repeats the answer): the arena lives as long
     * as the state.  NULL: needs none. */
    void (*writer_start)(void *state, struct arena *a);
    void (*stream_write)(void *state, const struct request *asked,
                         const struct chunk *c, struct losses *l,
                         struct buf *out);
    void (*answer_write)(const struct gathered *g, const struct request *asked,
                         struct losses *l, struct buf *out);
    /* Releases what a writer's state holds (calls that its dialect writes
     * whole); NULL: nothing. */
    void (*stream_free)(void *state);
    const char *stream_type; /* content type of its streams */
};

const struct codec *codec_find(const char *name); /* NULL: unknown */

extern const struct codec codec_openai, codec_responses, codec_anthropic,
    codec_gemini, codec_bedrock, codec_cohere;
/* OpenAI's older completions: what clients need of it, no provider's side. */
extern const struct codec codec_completions;

#endif
