/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels by an LLM judge: answers of the log with their texts are shown to
 * it, through a running weir, and what it says becomes labels of the source
 * `judge` in that log.
 *
 *   rows to be judged -> prompt -> judge -> verdict -> labels, one transaction
 *
 * Several calls may run at once, each in a thread of its own (a lane); the
 * server sets aside what each may cost before it is made, so a budget holds
 * however many there are.
 *
 * A row is done when its labels are written: killed at any point, the next
 * run goes on with those that are not.
 */
#ifndef WEIR_ROUTER_LABEL_LABEL_H
#define WEIR_ROUTER_LABEL_LABEL_H

#include "router/label/asking.h"
#include "router/label/rows.h"

enum { LABEL_LANES_MAX = 64 };

struct label_options {
    const char *log;
    struct asking_options server;
    struct label_wanted wanted;
    uint64_t limit;      /* rows at the most */
    unsigned parallel;   /* calls at once, 1 to LABEL_LANES_MAX */
    unsigned max_tokens; /* of the judge's answer */
    /* After each row, by one thread at a time: how many of how many; or NULL.
     */
    void (*progress)(void *ctx, double done);
    void *ctx;
};

struct label_counts {
    uint64_t rows;  /* that could be judged */
    uint64_t calls; /* of the judge */
    uint64_t judged, labels;
    uint64_t split;    /* pairs whose two verdicts differ: ties */
    uint64_t unparsed; /* rows whose judge said nothing that parses */
    uint64_t failed;   /* rows whose call failed */
    uint64_t long_rows;
    double usd;
    bool broke; /* ended because the day's money is used up */
};

/* False with e when it cannot go on; counts hold what was done. */
MUST_USE bool label_run(const struct label_options *o, struct label_counts *out,
                        struct err *e);

#endif
