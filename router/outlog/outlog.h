/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcome log: one row for each request, labels behind it, in SQLite
 * (docs/log-format.md).  Workers hand rows over through a bounded queue and
 * never wait for the disk; one writer thread owns the database.
 *
 *   workers -> queue -> writer: one transaction per flush_ms or batch_rows
 *                 \           \
 *                  full        database locked, full, corrupt
 *                   \           \
 *                    +--> PATH.spill (bounded) --> taken up again later
 *
 * Nothing is dropped silently: what finds no room in the spill either is
 * counted as lost.  Everything here may be called from any thread, except
 * where a port is named: a port belongs to one worker's loop.
 */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_H

#include "base/err.h"
#include "base/span.h"

struct event_base;
struct outlog;
struct outlog_port;
struct outlog_ticket;

/*
 * The columns of `requests` in the order of docs/log-format.md.  Start from
 * outlog_row_init().  Empty spans, NaN and negative counts become NULL.
 * All spans are borrowed for the time of outlog_push() only.
 */
struct outlog_row {
    struct span id;  /* required */
    int64_t time_ms; /* UTC, when the request had arrived */
    struct span route, session, key_name, task;
    bool task_given;
    struct span dialect;
    bool stream;
    struct span classifier, policy;
    double quality_target, price;
    struct span arm, model, provider, reason;
    struct span arms; /* JSON */
    double propensity;
    int64_t status;
    struct span finish, error;
    int64_t attempts;
    struct span tries;   /* JSON, one of each attempt */
    struct span signals; /* flaws seen in the answer: "truncated,bad_json" */
    int64_t input_tokens, cached_tokens, cache_write_tokens;
    int64_t output_tokens, reasoning_tokens;
    bool usage_estimated;
    int64_t cost_pico; /* pico-USD */
    int64_t latency_us, ttft_us, decision_us;
    struct span features; /* packed struct vec */
    int64_t est_input;
    struct span messages, tools, params, answer;
    int64_t queue_us;   /* waited for its turn before it was served */
    struct span losses; /* "parameter=logit_bias, n=3" (codec/lossy.h) */
    struct span plan;   /* JSON: what a plan of several models did */
    struct span purpose, parent; /* why weir itself asked, for which row */
    struct span guarantee;       /* of the promise: "holds", "void: ..." */
    double unseen;               /* share of words that training never saw */
    struct span question;        /* JSON: what the decision rested on besides */
    struct span about;           /* JSON: what the client's headers said */
};

/* All columns NULL. */
void outlog_row_init(struct outlog_row *row);

struct outlog_label {
    struct span request_id; /* required */
    int64_t time_ms;        /* UTC */
    struct span source;     /* "feedback", "judge", ... */
    double score;           /* [0,1] */
    double confidence;      /* [0,1] */
    struct span comment;
    struct span owner; /* not stored: the request must have come with this
                          key; empty: with any or none */
};

/* Labels of the same source that the request had before. */
struct outlog_earlier {
    int64_t n;
    double score; /* of the newest; NAN: none */
};

struct outlog_options {
    size_t queue_rows;   /* 0: 8192 */
    size_t queue_bytes;  /* 0: 4 MiB; beyond it rows go to the spill */
    size_t spill_bytes;  /* 0: 256 MiB; beyond it rows are lost */
    unsigned flush_ms;   /* 0: 200; the age of the oldest unwritten row */
    unsigned batch_rows; /* 0: 256; written at once when so many wait */
    unsigned busy_ms;    /* 0: 500; wait for another's lock */
    unsigned retry_ms;   /* 0: 1000; between tries of a failed database */
    uint64_t max_age_ms; /* 0: rows are kept for ever */
    uint64_t max_bytes;  /* 0: no limit; beyond it the oldest rows go */
    unsigned prune_ms;   /* 0: 60000; between looks for such rows */
};

struct outlog_stats {
    uint64_t queued;    /* rows and labels waiting now */
    uint64_t written;   /* rows committed, also those taken up again */
    uint64_t labels;    /* labels committed */
    uint64_t spilled;   /* rows and labels put into the spill */
    uint64_t recovered; /* taken up again from it */
    uint64_t lost;      /* no room anywhere */
    uint64_t errors;    /* failed transactions and openings */
    uint64_t waiting;   /* rows and labels in the spill now */
    uint64_t pruned;    /* rows removed as too old or too many */
    uint64_t left;      /* rows and labels in the spill at the start */
    uint64_t torn;      /* bytes at the spill's end that a crash had torn */
    /* A process was killed before this one started: what of its rows is
     * there, and when the newest of them came (UTC ms).  Else 0. */
    uint64_t found;
    int64_t killed_ms, found_ms;
    bool healthy; /* the last transaction went through */
    char last_error[200];
};

/*
 * Opens or creates the database, starts the writer.  Fails on a path that
 * cannot be opened or created and on a schema newer than ours.  A database
 * that is locked, full or corrupt is no failure: rows spill until it can be
 * written (stats.healthy).  A spill left behind is taken up first.
 */
MUST_USE struct outlog *
outlog_open(const char *path, const struct outlog_options *o, struct err *e);
/* Writes what waits, stops the writer, closes.  Ports must be gone. */
void outlog_close(struct outlog *log);

/*
 * Copies the row and queues it; never waits for the database.  Push before
 * the last byte of the answer is sent: feedback for it may follow at once.
 * False when the row was lost (counted).
 */
bool outlog_push(struct outlog *log, const struct outlog_row *row);
/* Waits until all that was pushed before is written or spilled, at most
 * timeout_ms; false when it took longer.  For tests and the end. */
bool outlog_flush(struct outlog *log, unsigned timeout_ms);
void outlog_stats(struct outlog *log, struct outlog_stats *out);

enum outlog_label_end {
    OUTLOG_LABEL_WRITTEN,
    OUTLOG_LABEL_UNKNOWN, /* no such request, or another's; nothing was
                             written */
    OUTLOG_LABEL_LATER,   /* the database is away: kept in the spill */
    OUTLOG_LABEL_LOST,    /* and there was no room for it */
    OUTLOG_LABEL_AWAY,    /* whose request it is cannot be looked up now;
                             nothing was kept */
};
const char *outlog_label_end_name(enum outlog_label_end end);

/* Brings answers of the writer back to a worker's loop. */
MUST_USE struct outlog_port *
outlog_port_new(struct outlog *log, struct event_base *base, struct err *e);
void outlog_port_free(struct outlog_port *port); /* forgets open tickets */
/* Queues a label; done is called once on the port's loop, never from inside
 * this call.  NULL when the queue is full or memory is short: answer 503. */
MUST_USE struct outlog_ticket *
outlog_label(struct outlog_port *port, const struct outlog_label *label,
             void (*done)(void *ctx, enum outlog_label_end end,
                          const struct outlog_earlier *earlier),
             void *ctx);
/* done will not be called (the label is written nevertheless). */
void outlog_forget(struct outlog_ticket *t);
/* A label without an answer: from signals and checks. */
bool outlog_push_label(struct outlog *log, const struct outlog_label *label);

#endif
