/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of a JSON string where it stands: long texts are kept as they are
 * written and decoded only as far as somebody reads them.
 */
#ifndef WEIR_FEATURES_TEXT_H
#define WEIR_FEATURES_TEXT_H

#include "base/span.h"

/* Text of a JSON string without its quotes; escapes still in it when
 * `escaped`.  Checked JSON: whole escapes, valid UTF-8. */
struct text {
    struct span raw; /* (borrowed) */
    bool escaped;
};

/* The most raw bytes that one decoded byte can stand for: \u0041. */
enum { TEXT_ESCAPE_MAX = 6 };

/* First `size` bytes of the decoded text, cut between code points; returns
 * the bytes written.  text_next: t becomes what is behind them; text_tail:
 * the last ones. */
size_t text_head(struct text t, char *dst, size_t size);
size_t text_next(struct text *t, char *dst, size_t size); /* and goes on */
size_t text_tail(struct text t, char *dst, size_t size);

#endif
