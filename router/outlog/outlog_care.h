/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator does to a log's files: look, mend, thin out.  For
 * `weir log`; a server may run meanwhile except where it is said. */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_CARE_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_CARE_H

#include "base/err.h"
#include "base/span.h"
#include "router/outlog/outlog_prune.h"

struct care_report {
    int64_t version; /* of the schema */
    int64_t rows, labels;
    int64_t orphans;              /* labels whose request is not there */
    int64_t bytes, used;          /* of the file; of pages in use */
    int64_t oldest_ms, newest_ms; /* UTC; 0 without rows */
    uint64_t spilled;             /* rows and labels in spill files */
    bool sound;
    char fault[200]; /* the first thing that is wrong */
};

/* whole: every index entry too, which takes longer.  False when there is no
 * looking at all; what is wrong inside is in the report. */
MUST_USE bool care_check(const char *path, bool whole, struct care_report *out,
                         struct err *e);

struct care_mended {
    uint64_t rows, labels;           /* in the new file */
    uint64_t lost_rows, lost_labels; /* known of, but not to be read */
    char kept[300];                  /* where the old file is now */
};

/*
 * Writes what can still be read into a new database, puts the old one aside
 * as PATH.broken-TIME and the new one in its place.  Not while a server has
 * the database open; one that spills because it cannot open it goes on and
 * finds the new one.
 */
MUST_USE bool care_repair(const char *path, struct care_mended *out,
                          struct err *e);

/* All that is too old or too much; shrink: gives the room back to the disk
 * (needs as much again for a moment).  dry: counts only, by age. */
struct care_thin {
    struct retention keep;
    bool shrink, dry;
};
MUST_USE bool care_prune(const char *path, const struct care_thin *how,
                         uint64_t *rows, struct err *e);

/* One JSON object a request, oldest first: the columns that are not NULL,
 * features as base64, its labels as a list. */
struct care_range {
    int64_t since_ms, until_ms; /* [since, until) */
    uint64_t newest;            /* only so many, the newest; 0: all */
    const char *id;             /* only this request; NULL: any */
};
MUST_USE bool care_export(const char *path, const struct care_range *r,
                          bool (*line)(void *ctx, struct span json), void *ctx,
                          struct err *e);

#endif
