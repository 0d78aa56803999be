/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where rows go that the database does not take now: an append-only file of
 * bounded size.  Records carry a checksum; what a crash tore is found at the
 * next start, counted and cut off.  The file is removed when all of it has
 * been taken up.  Any thread may append; one reads.  Records are gathered for
 * a tenth of a second or 64 kB before they are written.
 *
 *   "WEIRSPL1" then records: u32 bytes, u32 crc32 of kind and bytes,
 *   u32 kind, bytes (outlog_table.h); the machine's byte order
 */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_SPILL_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_SPILL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct outlog_spill;

/* No file is made before the first record.  Counts what an earlier process
 * left behind. */
MUST_USE struct outlog_spill *spill_open(const char *path, uint64_t max,
                                         struct err *e);
/* To count what is there: nothing is changed, NULL without a file. */
MUST_USE struct outlog_spill *spill_look(const char *path, struct err *e);
void spill_close(struct outlog_spill *s);
/* False when the file is full or cannot be written. */
MUST_USE bool spill_put(struct outlog_spill *s, unsigned kind,
                        struct span bytes);
/* Writes what was gathered; false: it stays where it is. */
MUST_USE bool spill_flush(struct outlog_spill *s);
/* The next record into out (replaced); false when there is none left. */
MUST_USE bool spill_next(struct outlog_spill *s, unsigned *kind,
                         struct buf *out);
void spill_accept(struct outlog_spill *s);      /* what was read is safe now */
void spill_rewind(struct outlog_spill *s);      /* it is not: read it again */
uint64_t spill_waiting(struct outlog_spill *s); /* records */
uint64_t spill_torn(struct outlog_spill *s);    /* bytes cut at the start */

#endif
