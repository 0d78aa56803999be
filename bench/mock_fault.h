/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong when, on purpose: faults as "key=value" pairs, and a script
 * of rules that says which requests they befall.  The keys are one table
 * (mock_fault.c), so that a directive in a prompt, a header, the model's name
 * and the script all say the same: see weir-mock(1).
 *
 *   # conditions : faults; the first rule that holds is done
 *   seed 7
 *   model=small-* share=0.2 from=1 until=3 : status=429 retry-after-ms=200
 *   every=5 : reset-at=300
 */
#ifndef WEIR_BENCH_MOCK_FAULT_H
#define WEIR_BENCH_MOCK_FAULT_H

#include "base/err.h"
#include "base/span.h"

/* -1 everywhere: not said. */
struct mock_fault {
    int64_t status;         /* answer with this error */
    int64_t retry_after;    /* seconds in the header */
    int64_t retry_after_ms; /* milliseconds in retry-after-ms */
    int64_t limit;          /* in the headers of rate limits */
    int64_t remaining;
    int64_t reset_ms;
    int64_t latency_ms;    /* before the first byte */
    int64_t cut;           /* frames sent before the connection is closed */
    int64_t cut_at;        /* bytes sent before it is closed */
    int64_t reset_at;      /* bytes sent before it is reset */
    int64_t stall_frame;   /* frame before which to wait stall_ms */
    int64_t stall_at;      /* byte before which to wait stall_ms */
    int64_t stall_ms;      /* 1000 where not said */
    int64_t trickle;       /* bytes every 10 ms */
    int64_t length;        /* what content-length says */
    int64_t error_frame;   /* frame in whose place an error event ends it */
    int64_t error_status;  /* which error that is: 529 where not said */
    int64_t garbage_frame; /* frame before which something senseless stands */
    int64_t down_ms;       /* nobody listens for that long */
    int64_t garbage;       /* flags from here on: 1 */
    int64_t empty;         /* no body at all */
    int64_t html;          /* an error page of some proxy on the way */
    int64_t gzip;
    int64_t no_usage;
    int64_t no_finish; /* the stream ends well without its finish */
    int64_t no_done;   /* ... with it and without its end mark */
};

void mock_fault_init(struct mock_fault *f);
/* Sets one key; value empty: a flag.  False: no such key, or no number. */
bool mock_fault_set(struct mock_fault *f, struct span key, struct span value);
/* Pairs as a header has them: "status=503, retry-after=1"; what is no fault
 * is passed over.  Between pairs stand blanks, commas or exclamation marks. */
void mock_fault_read(struct mock_fault *f, struct span pairs);
/* What `from` says, said in `f`. */
void mock_fault_merge(struct mock_fault *f, const struct mock_fault *from);
/* Whether bytes are counted: the answer is then played from memory. */
bool mock_fault_by_byte(const struct mock_fault *f);

/* ---- scripts ---- */

struct mock_script;

/* One request, as rules see it. */
struct mock_moment {
    struct span model, dialect;
    uint64_t number; /* of the request, from 1 on */
    uint64_t hash;   /* of what it asks */
    double seconds;  /* since the script began */
    bool stream;
};

/* NULL with e, which names the line. */
MUST_USE struct mock_script *mock_script_read(struct span text, struct err *e);
MUST_USE struct mock_script *mock_script_open(const char *path, struct err *e);
void mock_script_free(struct mock_script *s); /* NULL: no-op */
/* Merges the faults of the first rule that holds; s may be NULL. */
void mock_script_apply(struct mock_script *s, const struct mock_moment *m,
                       struct mock_fault *f);

#endif
