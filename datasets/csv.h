/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading CSV as RFC 4180 has it, record by record: quoted fields with
 * commas, line ends and doubled quotes, LF or CRLF, a byte order mark.  What
 * the RFC does not allow (a quote inside a bare field, text behind a closing
 * quote, an open quote at the end, invalid UTF-8, NUL) is an error with its
 * line.  Memory depends on the longest record.
 */
#ifndef WEIR_DATASETS_CSV_H
#define WEIR_DATASETS_CSV_H

#include "base/err.h"
#include "base/span.h"

enum { CSV_FIELDS_MAX = 1024 };

struct csv_record {
    uint64_t line; /* 1-based, where it begins */
    size_t n;
    struct span fields[CSV_FIELDS_MAX]; /* without quotes */
};

struct csv;
struct source;

/* Takes the source over, also on failure. */
MUST_USE struct csv *csv_open(struct source *src, struct err *e);
/* 1: a record, valid until the next call; 0: the end; -1: e says file, line
 * and what was wanted, and there is no going on.  Blank lines are passed. */
MUST_USE int csv_next(struct csv *c, struct csv_record *r, struct err *e);
void csv_close(struct csv *c); /* NULL: no-op */

#endif
