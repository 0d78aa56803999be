/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file, or standard input, as a stream of bytes with a window on it:
 * what every parser of this folder reads from.  Gzip is known by its magic
 * and unpacked on the way (several members behind one another too).  The
 * window grows until a whole record fits, at most to SOURCE_WINDOW_MAX:
 * memory depends on the longest record, never on the file.
 *
 *   [ consumed | view ........ | room ]     source_more() moves the view to
 *              ^ source_view           ^    the front and fills the room
 */
#ifndef WEIR_DATASETS_SOURCE_H
#define WEIR_DATASETS_SOURCE_H

#include "base/err.h"
#include "base/span.h"

enum { SOURCE_WINDOW_MAX = 64 << 20, SOURCE_HEAD = 16 };

enum source_end {
    SOURCE_MORE,  /* the view has grown */
    SOURCE_END,   /* there is no more */
    SOURCE_LIMIT, /* the window is full; e is not filled */
    SOURCE_FAIL,  /* e is filled and names the file */
};

struct source;

/* "-" is standard input. */
MUST_USE struct source *source_open(const char *path, struct err *e);
void source_close(struct source *s); /* NULL: no-op */

/* The name for messages. */
const char *source_name(const struct source *s);
/* The first bytes of the file as they are on disk, at most SOURCE_HEAD. */
struct span source_head(const struct source *s);
/* Bytes read of the file as it is on disk, and its size (0: not known). */
void source_progress(const struct source *s, uint64_t *read, uint64_t *size);

/* What was read and not yet taken; valid until source_more(). */
struct span source_view(const struct source *s);
/* The first n bytes of the view are done with. */
void source_take(struct source *s, size_t n);
MUST_USE enum source_end source_more(struct source *s, struct err *e);

/*
 * The next line without its end (LF or CRLF); the last one needs no end.  A
 * byte order mark before the first is left out.  1: a line, valid until the
 * next call; 0: the end; -1: a line longer than SOURCE_WINDOW_MAX was passed
 * over (e is filled); -2: reading failed.
 */
MUST_USE int source_line(struct source *s, struct span *line, struct err *e);
uint64_t source_line_number(const struct source *s); /* of that line, 1.. */

#endif
