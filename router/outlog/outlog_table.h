/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcome log's tables as data: from one row per column follow the
 * schema, the statements, the form in which rows wait in the queue and lie
 * in the spill, and the binding.  docs/log-format.md says what columns mean.
 */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_TABLE_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_TABLE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum column_kind {
    COLUMN_TEXT, /* struct span; empty is NULL */
    COLUMN_BLOB, /* struct span; empty is NULL */
    COLUMN_INT,  /* int64_t; negative is NULL */
    COLUMN_BOOL, /* bool */
    COLUMN_REAL, /* double; NaN is NULL */
};

enum { OUTLOG_VERSION = 7 }; /* of the schema; PRAGMA user_version */

struct column {
    const char *name;
    enum column_kind kind;
    size_t offset;      /* in the row's struct */
    const char *clause; /* behind the type; "" or " NOT NULL" ...; a column
                           added later needs a DEFAULT with NOT NULL */
    int since;          /* the schema version it came in with; never falling:
                           new ones stand at the table's end */
};

struct table {
    const char *name;
    const struct column *columns; /* [n] */
    size_t n;
};

enum outlog_kind { OUTLOG_ROW, OUTLOG_LABEL, OUTLOG_KINDS };

extern const struct table OUTLOG_TABLES[OUTLOG_KINDS];

/* "CREATE TABLE name (...);" */
void table_create(const struct table *t, struct buf *sql);
/* "ALTER TABLE name ADD COLUMN ..." */
void table_add_column(const struct table *t, const struct column *c,
                      struct buf *sql);
/* All columns NULL; flags false. */
void table_init(const struct table *t, void *row);
/* Bytes that table_pack will write. */
size_t table_size(const struct table *t, const void *row);
/* The row as bytes: columns in order; text and blobs u32 length + bytes,
 * integers i64, reals f64, flags u8; the machine's byte order. */
void table_pack(const struct table *t, const void *row, char *dst);
/* Back, with spans into bytes; false when they are no such row.  A row of an
 * older program, which ends before a column that came later, is one: what it
 * lacks is NULL. */
MUST_USE bool table_unpack(const struct table *t, struct span bytes, void *row);

#endif
