/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a routing benchmark as a table, JSON, a picture, a page. */
#ifndef WEIR_BENCH_REPORT_H
#define WEIR_BENCH_REPORT_H

#include "base/plot.h"
#include "bench/replay.h"

struct report {
    const struct pool *pool;
    const struct rows *rows;
    const struct replay_way *ways; /* [tally->n_ways] */
    const struct tally *tally;
    const char *url, *data; /* data: the files' names, for people */
    unsigned concurrency;
    uint64_t seed;
};

void report_text(const struct report *r, struct buf *out);
void report_json(const struct report *r, struct buf *out);
void report_svg(const struct report *r, struct buf *out);
void report_html(const struct report *r, struct buf *out);

/* One sentence on a way against the best fixed model, with what it does not
 * show where that is so. */
void report_verdict(const struct report *r, unsigned way, struct buf *out);

/* "45.9 % (41.0 to 50.6)" where money was saved, else "costs x 2.31 (2.10 to
 * 2.55)"; with `small` and `end` around the interval. */
void report_saving(const struct estimate *s, const char *small, const char *end,
                   struct buf *out);

/* Quantile of the values that are not NAN; NAN when there is none. */
double report_quantile(const double *values, size_t n, double q);

#endif
