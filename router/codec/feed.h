/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reader of answers has in common with others: the order of chunk.h
 * kept whatever the provider sends.  A reader says what it found; opening one
 * block closes the one before, the finish is held until the end, and nothing
 * follows an error.
 *
 * The state is plain memory, zeroed by its owner; `sink` is set before each
 * event.  Functions give false when the sink did: stop reading.
 */
#ifndef WEIR_ROUTER_CODEC_FEED_H
#define WEIR_ROUTER_CODEC_FEED_H

#include "router/codec/chunk.h"

struct feed_choice {
    unsigned blocks; /* opened so far */
    unsigned calls;  /* of them, tool calls */
    bool used, open;
    enum part_kind part; /* of the open block */
    bool filled;         /* it had text */
    enum finish finish;  /* held */
    char finish_name[32];
};

struct feed {
    struct chunk_sink *sink; /* (borrowed) of this event */
    bool started, failed, ended;
    bool has_usage;
    struct usage usage;
    uint64_t seed; /* of made-up call ids */
    struct feed_choice at[GATHER_CHOICES_MAX];
};

/* Once; later ones are passed over. */
bool feed_start(struct feed *f, struct span id, struct span model,
                int64_t created);
/* Closes what is open in the choice and opens proto's part; proto gives
 * choice, part, id, name, media, redacted, raw.  A call without id gets one. */
bool feed_open(struct feed *f, struct chunk proto);
/* A delta of a block of this part: opened when it is not; empty: nothing. */
bool feed_text(struct feed *f, unsigned choice, enum part_kind part,
               struct text t);
/* Into the open block, whatever it is. */
bool feed_more(struct feed *f, unsigned choice, struct text t);
/* JSON of the open block: a citation, log-probabilities. */
bool feed_raw(struct feed *f, unsigned choice, struct span raw);
/* Closes the open block, if there is one. */
bool feed_close(struct feed *f, unsigned choice, struct span signature);
/* Held until feed_end(); the last one counts. */
void feed_finish(struct feed *f, unsigned choice, enum finish finish,
                 struct span name);
bool feed_error(struct feed *f, int status, struct span type,
                struct span message);
/* An error as providers write it: an object with message, type, code; a text
 * beside a code; "detail".  status: of HTTP, 200 in mid-stream. */
bool feed_error_body(struct feed *f, int status, const struct json *body,
                     struct arena *a);
/* USAGE, FINISH of each choice and END; an ERROR where a finish is missing. */
bool feed_end(struct feed *f);

#endif
