/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read of a message's text: all of it, or its beginning and its end
 * where it is longer than the cap.  Decoded bytes; several text parts of one
 * message count as one text with a line break between them.
 */
#ifndef WEIR_FEATURES_WINDOW_H
#define WEIR_FEATURES_WINDOW_H

#include "features/request.h"

enum { WINDOW_MAX = 8192 };

struct window {
    size_t n;     /* bytes in text */
    size_t split; /* the tail begins here; n where nothing was left out */
    size_t whole; /* bytes of the whole text; where not all was decoded and
                     it has escapes, in proportion to what was */
    char text[WINDOW_MAX + 8];
};

/* Text of m's parts of this kind; m may be NULL.  head + tail <=
 * WINDOW_MAX. */
void window_fill(struct window *w, const struct message *m, enum part_kind kind,
                 size_t head, size_t tail);
/* One text alone. */
void window_fill_text(struct window *w, struct text t, size_t head,
                      size_t tail);
struct span window_head(const struct window *w);
struct span window_tail(const struct window *w); /* empty: nothing left out */

#endif
