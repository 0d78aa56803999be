/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs in child processes.  liblinear draws from libc's rand() and prints
 * through a global, so threads would make its results depend on timing; a
 * forked child has its own.  A job's result goes into shared memory; what it
 * allocates otherwise dies with its process.
 */
#ifndef WEIR_TRAINER_WORKERS_H
#define WEIR_TRAINER_WORKERS_H

#include "base/err.h"

#include <stddef.h>

struct workers_board; /* shared by the processes of one run */

struct workers {
    unsigned processes; /* at the same time; 0 and 1: all in this process */
    bool (*job)(void *ctx, unsigned i, struct workers_board *b, struct err *e);
    void *ctx;
    unsigned steps; /* of all jobs together, for the progress */
    void (*progress)(void *ctx, double done); /* may be NULL */
    void *progress_ctx;
};

/* Runs jobs 0 ... n - 1, started in this order; false with the message of
 * the first job that failed. */
MUST_USE bool workers_run(const struct workers *w, unsigned n, struct err *e);
/* One step of the running job is done. */
void workers_step(struct workers_board *b);

/* Zeroed memory that children share with their parent; NULL: none. */
MUST_USE void *workers_shared(size_t bytes);
void workers_unshare(void *at, size_t bytes); /* NULL: no-op */

#endif
