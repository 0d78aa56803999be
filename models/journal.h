/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of a classifier file: F.weir.journal beside it, one JSON
 * object a line, only ever appended to.  A line is one write(), so several
 * processes may write; who reads passes over a line that is not whole.
 */
#ifndef WEIR_MODELS_JOURNAL_H
#define WEIR_MODELS_JOURNAL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* Of the tail that is looked through: lines are found within it. */
enum { JOURNAL_TAIL = 1 << 18 };

/* entry: a JSON object without a newline; on the disk when it returns. */
MUST_USE bool journal_append(const char *classifier, struct span entry,
                             struct err *e);

/* The newest line that is an object with this member (NULL: any), into out;
 * nothing where there is none.  Fails only where the file cannot be read. */
MUST_USE bool journal_last(const char *classifier, const char *member,
                           struct buf *out, struct err *e);

#endif
