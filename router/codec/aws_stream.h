/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amazon's event stream encoding (application/vnd.amazon.eventstream): an
 * incremental parser for any chunking, and a writer.  Pure, no I/O.
 *
 *   total length 4 | headers length 4 | CRC of these 8 | headers | payload
 *   | CRC of all before it              (numbers big-endian, CRC-32 of zlib)
 *
 * A message that lies whole in one piece is used in place; only one cut by
 * the end of a piece is kept, and memory for it grows with what has come, not
 * with what its length claims.  An event's spans borrow from the piece or the
 * parser and die when on_event returns.
 */
#ifndef WEIR_ROUTER_CODEC_AWS_STREAM_H
#define WEIR_ROUTER_CODEC_AWS_STREAM_H

#include "base/buf.h"

/* Amazon's own bound of one message. */
#define AWS_MESSAGE_MAX ((size_t)24 << 20)

struct aws_event {
    struct span kind; /* :message-type: "event", "exception", "error" */
    struct span name; /* :event-type, :exception-type or :error-code */
    struct span data; /* payload; of an error without one its message */
};

struct aws_stream {
    struct buf held; /* (owned) the start of a message cut by a piece's end */
    size_t max;
    bool stopped;
    /* False stops the parser: aws_stream_feed returns what it has used. */
    bool (*on_event)(void *ctx, const struct aws_event *ev);
    void *ctx;
};

/* max: bytes of one message with its frame. */
void aws_stream_init(struct aws_stream *s, size_t max,
                     bool (*on_event)(void *ctx, const struct aws_event *ev),
                     void *ctx);
void aws_stream_free(struct aws_stream *s);
void aws_stream_reset(struct aws_stream *s); /* for the next; memory stays */
/* Takes a piece.  False with e when a message is too long, its checksum or
 * its headers are wrong; the parser then takes nothing more. */
MUST_USE bool aws_stream_feed(struct aws_stream *s, struct span piece,
                              struct err *e);
/* Whether a message was begun and is not whole: the stream was cut. */
bool aws_stream_partial(const struct aws_stream *s);

/* Appends one message: kind "event" or "exception", data is JSON. */
void aws_stream_write(struct buf *b, const char *kind, struct span name,
                      struct span data);

#endif
