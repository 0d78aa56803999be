/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcome log's SQLite database: schema, version, prepared statements,
 * one transaction after another.  One thread at a time.
 */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_DB_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_DB_H

#include "base/err.h"
#include "base/span.h"
#include "router/outlog/outlog.h"
#include "router/outlog/outlog_prune.h"
#include "router/outlog/outlog_table.h"
#include "router/outlog/yielding_vfs.h"

struct outlog_db;

enum db_step {
    DB_OK,
    DB_NONE, /* the label's request is not there */
    DB_FAIL, /* e is filled; roll back and close */
};

/* *fatal: waiting will not help (no such directory, a newer schema).  With
 * y (borrowed; or NULL) pages are written as yielding_vfs.h says. */
MUST_USE struct outlog_db *outlog_db_open(const char *path, unsigned busy_ms,
                                          struct yielder *y, bool *fatal,
                                          struct err *e);
void outlog_db_close(struct outlog_db *db);

MUST_USE bool outlog_db_begin(struct outlog_db *db, struct err *e);
MUST_USE bool outlog_db_commit(struct outlog_db *db, struct err *e);
void outlog_db_rollback(struct outlog_db *db);
/* A packed row (outlog_table.h).  A row whose id is there already and a
 * label that is there already change nothing: what is taken up again after
 * a crash may have been written before it. */
MUST_USE enum db_step outlog_db_insert(struct outlog_db *db,
                                       enum outlog_kind kind,
                                       struct span packed, struct err *e);

/* As prune_rows(). */
/* Likewise a label, where its request came with this key (owner empty: with
 * any); what labels of its source there were before. */
MUST_USE enum db_step outlog_db_label(struct outlog_db *db, struct span packed,
                                      struct span owner,
                                      struct outlog_earlier *earlier,
                                      struct err *e);

MUST_USE bool outlog_db_prune(struct outlog_db *db, const struct retention *r,
                              int64_t now_ms, uint64_t *n, struct err *e);
/* Rows of this time and later, and the newest one's. */
MUST_USE bool outlog_db_since(struct outlog_db *db, int64_t time_ms,
                              uint64_t *n, int64_t *newest_ms, struct err *e);

#endif
