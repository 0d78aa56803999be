/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events (WHATWG HTML, "Parsing an event stream"): an incremental
 * parser for any chunking, and a writer.  Pure, no I/O.
 *
 * A line that lies whole in one piece is used in place; only what is cut by
 * the end of a piece is kept.  An event's data borrows from the piece or the
 * parser and dies when on_event returns.
 */
#ifndef WEIR_ROUTER_HTTP_SSE_H
#define WEIR_ROUTER_HTTP_SSE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct sse_event {
    struct span name; /* of the event: field, "" for the default */
    struct span data; /* several data: lines joined by LF */
    struct span id;   /* the last id: seen, also in earlier events */
};

struct sse {
    struct buf line; /* (owned) the start of a line cut by a piece's end */
    struct buf data; /* (owned) of an event with several data: lines */
    struct buf name, id;
    struct span only; /* the one data: line so far, in the piece */
    unsigned n_data;  /* data: lines of the event so far */
    unsigned bom;     /* bytes of a byte order mark seen; 3: past it */
    bool cr;          /* the last byte was a CR: an LF belongs to it */
    bool stopped;
    /* False stops the parser: sse_feed returns what it has used. */
    bool (*on_event)(void *ctx, const struct sse_event *ev);
    /* A comment line's text behind its colon; may be NULL. */
    void (*on_comment)(void *ctx, struct span text);
    void *ctx;
};

/* max: bytes of one event's data, and of one line. */
void sse_init(struct sse *s, size_t max,
              bool (*on_event)(void *ctx, const struct sse_event *ev),
              void *ctx);
void sse_free(struct sse *s);
void sse_reset(struct sse *s); /* for the next stream; memory stays */
/* Takes a piece.  False with e when a line or an event is too long; the
 * parser then takes nothing more. */
MUST_USE bool sse_feed(struct sse *s, struct span piece, struct err *e);
/* Whether an event was begun that no empty line has closed: such an event is
 * not delivered, and a stream that ends so was cut. */
bool sse_partial(const struct sse *s);

/* Appends one event: name may be empty; each line of data gets its field. */
void sse_write(struct buf *b, struct span name, struct span data);
/* Appends a comment and an empty line: what keeps a connection alive. */
void sse_comment(struct buf *b, struct span text);

#endif
