/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A progress bar on standard error, where that is a terminal; elsewhere
 * silent.  Draws at most ten times a second.
 */
#ifndef WEIR_BASE_PROGRESS_H
#define WEIR_BASE_PROGRESS_H

#include "base/span.h"

struct progress {
    const char *what; /* (borrowed) "training" */
    bool shown;       /* standard error is a terminal */
    uint64_t began_ns, drawn_ns;
};

void progress_start(struct progress *p, const char *what);
void progress_at(struct progress *p, double done); /* 0..1 */
void progress_end(struct progress *p);             /* clears the line */

#endif
