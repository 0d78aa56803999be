/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters, gauges and histograms, one table row each, shown in Prometheus'
 * text format.  Every worker counts in its own shard without contention;
 * metrics_render() adds the shards up.  What belongs to the process as a
 * whole (log, connections) is set with metrics_set() at the scrape.
 */
#ifndef WEIR_ROUTER_METRICS_H
#define WEIR_ROUTER_METRICS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct metrics;
struct metrics_shard;

/* docs/metrics.md says what each is; labels in the order given here. */
enum metric {
    METRIC_REQUESTS,          /* route, arm, status ("2xx") */
    METRIC_SIGNALS,           /* kind */
    METRIC_CACHE,             /* route, result */
    METRIC_FETCHES,           /* result */
    METRIC_PLANS,             /* route, arm, verdict */
    METRIC_TOKENS,            /* arm, kind */
    METRIC_COST,              /* route, arm; counted in pico-USD */
    METRIC_UPSTREAM_CALLS,    /* provider, status ("2xx", "none") */
    METRIC_UPSTREAM_ERRORS,   /* provider, kind */
    METRIC_UPSTREAM_CONNECTS, /* provider */
    METRIC_REFUSED,
    METRIC_WAITING,
    METRIC_ATTEMPTS,         /* arm, error */
    METRIC_HEDGES,           /* route, won */
    METRIC_BREAKER_OPENED,   /* place; set */
    METRIC_PLACE_STATE,      /* place; set; enum breaker_state */
    METRIC_PLACE_CALLS,      /* place; set */
    METRIC_PLACE_LATENCY,    /* place; set, microseconds */
    METRIC_KEY_RESTS,        /* key; set, milliseconds */
    METRIC_BUDGET_SPENT,     /* kind, name; set, millionths of a USD */
    METRIC_SHADOWS,          /* route, result */
    METRIC_FEEDBACK,         /* result */
    METRIC_RELOADS,          /* result */
    METRIC_REQUEST_SECONDS,  /* route; observed in microseconds */
    METRIC_TTFT_SECONDS,     /* route; observed in microseconds */
    METRIC_DECISION_SECONDS, /* observed in nanoseconds */
    METRIC_LOG_ROWS,         /* state; set */
    METRIC_LOG_ERRORS,       /* set */
    METRIC_LOG_QUEUED,       /* set */
    METRIC_LOG_WAITING,      /* set */
    METRIC_LOG_HEALTHY,      /* set; 0 or 1 */
    METRIC_DRIFT,            /* route; set */
    METRIC_DRIFTED,          /* route; set */
    METRIC_PROMISE,          /* route; set */
    METRIC_PROMISES,         /* route, state */
    METRIC_UNSEEN,           /* route; set */
    METRIC_OUTCOMES,         /* route; set */
    METRIC_CONNECTIONS,      /* set */
    METRIC_IN_FLIGHT,        /* set */
    METRIC_WORKERS,          /* set */
    METRIC_START_TIME,       /* set; seconds since 1970 */
    METRIC_CLASSIFIER,       /* id, role; set, 1 */
    METRIC_CANARY_SHARE,     /* set */
    METRIC_BUILD,            /* version; set, 1 */
    METRIC_N,
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum { METRIC_LABELS_MAX = 3, METRIC_SERIES_MAX = 4096 };

struct metric_row {
    const char *name;
    enum metric_type type;
    double unit; /* one counted unit in the unit of the name */
    const char *labels[METRIC_LABELS_MAX + 1]; /* NULL-terminated */
    const char *help;                          /* one sentence */
    const double *bounds; /* histograms: upper bounds, 0 behind the last */
};

extern const struct metric_row METRICS[METRIC_N];

MUST_USE struct metrics *metrics_new(unsigned workers);
void metrics_free(struct metrics *m);
/* The shard of a worker; only that worker's thread may count in it. */
struct metrics_shard *metrics_shard(struct metrics *m, unsigned worker);

/* labels: as many as the metric's row names; NULL where it has none.  Values
 * are copied (cut at 64 bytes).  Beyond METRIC_SERIES_MAX series in a shard
 * new label values are counted under "other". */
void metrics_count(struct metrics_shard *s, enum metric id,
                   const struct span *labels, uint64_t n);
void metrics_observe(struct metrics_shard *s, enum metric id,
                     const struct span *labels, uint64_t value);
/* Process-wide; from any thread. */
void metrics_set(struct metrics *m, enum metric id, const struct span *labels,
                 uint64_t value);
/* "2xx" for 200; "none" below 100. */
struct span metrics_status_class(int status);

/* All in text format 0.0.4; from any thread. */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
void metrics_render(struct metrics *m, struct buf *out);

#endif
