/* SPDX-License-Identifier: Apache-2.0 */
/* What outlog.c (queue, writer) and outlog_port.c (answers to workers)
 * share.  For nobody else. */
#ifndef WEIR_ROUTER_OUTLOG_OUTLOG_QUEUE_H
#define WEIR_ROUTER_OUTLOG_OUTLOG_QUEUE_H

#include "base/buf.h"
#include "router/outlog/outlog.h"
#include "router/outlog/outlog_db.h"
#include "router/outlog/outlog_guard.h"
#include "router/outlog/outlog_spill.h"

#include <pthread.h>
#include <stdatomic.h>

/* A row or label on its way, packed as in outlog_table.h. */
struct outlog_item {
    struct outlog_item *next;
    struct outlog_ticket *ticket; /* (borrowed) who waits for the answer */
    enum outlog_label_end end;    /* what became of it */
    struct outlog_earlier earlier;
    enum outlog_kind kind;
    size_t owner; /* bytes of a label's owner, behind the others */
    size_t size;  /* bytes */
    char bytes[]; /* [size + owner] */
};

struct outlog {
    struct outlog_options o;
    char *path; /* (owned) */
    pthread_t thread;
    struct outlog_spill *spill; /* (owned) has its own lock */
    struct outlog_guard guard;

    pthread_mutex_t lock; /* the queue, the counts, the wishes */
    pthread_cond_t work;  /* the writer has something to do */
    pthread_cond_t done;  /* handled has grown */
    struct outlog_item *first, *last;
    size_t n, bytes;          /* in the queue */
    size_t peak;              /* of bytes, since memory was given back */
    uint64_t pushed, handled; /* ever */
    uint64_t since;           /* ns, monotonic: first of the queue came */
    bool urgent, stop;
    struct outlog_stats stats;

    /* The writer's own. */
    struct yielder yielder; /* hurries when the next batch waits */
    struct outlog_db *db;   /* (owned) NULL while it is away */
    uint64_t retry_at;      /* ns, monotonic */
    uint64_t prune_at;      /* ns, monotonic */
    struct buf scratch;
};

/* outlog_item.c: *out is the caller's, freed by free(); false: no memory. */
MUST_USE bool outlog_item_make(enum outlog_kind kind, const void *row,
                               struct outlog_item **out);
MUST_USE bool outlog_item_label(const struct outlog_label *label,
                                struct outlog_item **out);
/* outlog.c: queues a label whose answer goes to the ticket. */
MUST_USE bool outlog_submit(struct outlog *log,
                            const struct outlog_label *label,
                            struct outlog_ticket *t);
/* outlog_port.c: the writer's answer, from its thread. */
void outlog_answer(struct outlog_ticket *t, enum outlog_label_end end,
                   const struct outlog_earlier *earlier);

#endif
