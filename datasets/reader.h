/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of files behind dataset_open(): a reader is a state and these
 * functions.  Spans of a row live until the next call of next().
 */
#ifndef WEIR_DATASETS_READER_H
#define WEIR_DATASETS_READER_H

#include "datasets/dataset.h"

enum reader_end {
    READER_ROW,
    READER_END,
    READER_BAD,  /* this row is malformed, the next may not be; e is filled */
    READER_FAIL, /* there is no going on; e is filled */
};

struct reader_ops {
    enum reader_end (*next)(void *r, struct dataset_row *row, struct err *e);
    void (*progress)(const void *r, uint64_t *read, uint64_t *size);
    uint64_t (*contradictory)(const void *r); /* or NULL: none are known */
    void (*close)(void *r);                   /* NULL: no-op */
};

/* JSON lines.  Takes the source over, also on failure. */
struct source;
MUST_USE void *jsonl_open(struct source *src, struct err *e);
extern const struct reader_ops jsonl_ops;

/* A server's log: schemas up to this one are read (OUTLOG_VERSION of
 * router/outlog/outlog_table.h, held together by a test). */
enum { WEIR_LOG_SCHEMA = 7 };
MUST_USE void *weir_log_open(const char *path, const struct dataset_options *o,
                             struct err *e);
extern const struct reader_ops weir_log_ops;

#endif
