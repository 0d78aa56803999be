/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable byte buffer with a mandatory maximum.  Failure is sticky: after
 * the first write that did not fit (or found no memory) `failed` is set,
 * further writes do nothing, and the caller looks once, at the end.
 * The bytes are followed by a NUL that does not count.
 */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include "base/err.h"
#include "base/span.h"

struct buf {
    char *ptr; /* (owned) NULL before the first write */
    size_t len, cap;
    size_t max; /* bytes at the most */
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);  /* releases; the buffer may be used again */
void buf_reset(struct buf *b); /* length 0, memory kept, failure forgotten */
void buf_put(struct buf *b, const void *bytes, size_t n);
void buf_str(struct buf *b, const char *str);
void buf_span(struct buf *b, struct span s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* Makes room for n more bytes and returns where they go, NULL on failure;
 * the caller writes and then adds what it wrote to len. */
MUST_USE char *buf_room(struct buf *b, size_t n);
/* Removes the first n bytes. */
void buf_drop(struct buf *b, size_t n);
struct span buf_view(const struct buf *b); /* valid until the next write */
/* The bytes as a C string; never NULL. */
const char *buf_cstr(const struct buf *b);

/* JSON pieces: a string with quotes and escapes (input should be UTF-8;
 * invalid bytes become U+FFFD), a number in the shortest form that reads
 * back as the same double (non-finite: null). */
void buf_json_str(struct buf *b, struct span s);
void buf_json_num(struct buf *b, double v);

#endif
