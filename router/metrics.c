/* SPDX-License-Identifier: Apache-2.0 */
#include "router/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hist.h"
#include "base/utf8.h"

enum {
    SLOTS = 2 * METRIC_SERIES_MAX, /* a power of two */
    LABEL_MAX = 64,
    KEY_MAX = 1 + METRIC_LABELS_MAX * (1 + LABEL_MAX),
};

/* Seconds.  An answer of a model takes from tenths to minutes, a decision
 * microseconds. */
static const double ANSWER_BOUNDS[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                       0.5,   1,    2.5,   5,    10,  25,
                                       60,    120,  300,   0};
static const double DECISION_BOUNDS[] = {5e-6,   10e-6, 25e-6, 50e-6, 100e-6,
                                         250e-6, 1e-3,  10e-3, 0};

const struct metric_row METRICS[METRIC_N] = {
    [METRIC_REQUESTS] = {"weir_requests_total",
                         METRIC_COUNTER,
                         1,
                         {"route", "arm", "status"},
                         "Requests that have ended, by class of status.",
                         NULL},
    [METRIC_TOKENS] = {"weir_tokens_total",
                       METRIC_COUNTER,
                       1,
                       {"arm", "kind"},
                       "Tokens that providers reported or that were "
                       "estimated where they did not.",
                       NULL},
    [METRIC_SIGNALS] = {"weir_signals_total",
                        METRIC_COUNTER,
                        1,
                        {"kind"},
                        "Answers that the next request of their conversation "
                        "speaks against.",
                        NULL},
    [METRIC_CACHE] = {"weir_cache_total",
                      METRIC_COUNTER,
                      1,
                      {"route", "result"},
                      "Requests of routes with a cache, by what it did.",
                      NULL},
    [METRIC_COST] = {"weir_cost_usd_total",
                     METRIC_COUNTER,
                     1e-12,
                     {"route", "arm"},
                     "Cost of the served requests in USD.",
                     NULL},
    [METRIC_UPSTREAM_CALLS] = {"weir_upstream_calls_total",
                               METRIC_COUNTER,
                               1,
                               {"provider", "status"},
                               "Calls to providers, by class of status.",
                               NULL},
    [METRIC_UPSTREAM_ERRORS] = {"weir_upstream_errors_total",
                                METRIC_COUNTER,
                                1,
                                {"provider", "kind"},
                                "Calls to providers that did not end well.",
                                NULL},
    [METRIC_UPSTREAM_CONNECTS] = {"weir_upstream_connects_total",
                                  METRIC_COUNTER,
                                  1,
                                  {"provider"},
                                  "Connections opened to providers.",
                                  NULL},
    [METRIC_REFUSED] = {"weir_refused_total",
                        METRIC_COUNTER,
                        1,
                        {"reason"},
                        "Requests refused before they were served: no key, "
                        "its rate, too many at once.",
                        NULL},
    [METRIC_WAITING] = {"weir_requests_waiting",
                        METRIC_GAUGE,
                        1,
                        {NULL},
                        "Requests that wait for their turn.",
                        NULL},
    [METRIC_ATTEMPTS] = {"weir_attempts_total",
                         METRIC_COUNTER,
                         1,
                         {"arm", "error"},
                         "Calls tried for requests, by what they came to.",
                         NULL},
    [METRIC_HEDGES] = {"weir_hedges_total",
                       METRIC_COUNTER,
                       1,
                       {"route", "won"},
                       "Requests that were asked for twice, by which call "
                       "began its answer first.",
                       NULL},
    [METRIC_BREAKER_OPENED] = {"weir_breaker_opened_total",
                               METRIC_COUNTER,
                               1,
                               {"place"},
                               "Times that a model at its provider began to "
                               "be left alone.",
                               NULL},
    [METRIC_PLACE_STATE] = {"weir_breaker_state",
                            METRIC_GAUGE,
                            1,
                            {"place"},
                            "0: closed, calls go there; 1: open, it is left "
                            "alone; 2: half open, it is tried again.",
                            NULL},
    [METRIC_PLACE_CALLS] = {"weir_place_in_flight",
                            METRIC_GAUGE,
                            1,
                            {"place"},
                            "Calls that run at a model's provider.",
                            NULL},
    [METRIC_PLACE_LATENCY] = {"weir_place_latency_seconds",
                              METRIC_GAUGE,
                              1e-6,
                              {"place"},
                              "Peak-sensitive moving average of the time to "
                              "an answer's head.",
                              NULL},
    [METRIC_KEY_RESTS] = {"weir_key_rest_seconds",
                          METRIC_GAUGE,
                          1e-3,
                          {"key"},
                          "How long a key still rests, by its name.",
                          NULL},
    [METRIC_FEEDBACK] = {"weir_feedback_total",
                         METRIC_COUNTER,
                         1,
                         {"result"},
                         "Feedback received, by what became of it.",
                         NULL},
    [METRIC_RELOADS] = {"weir_reloads_total",
                        METRIC_COUNTER,
                        1,
                        {"result"},
                        "Reloads of configuration and classifier.",
                        NULL},
    [METRIC_REQUEST_SECONDS] = {"weir_request_seconds",
                                METRIC_HISTOGRAM,
                                1e-6,
                                {"route"},
                                "Time from a request's arrival to the end of "
                                "its answer.",
                                ANSWER_BOUNDS},
    [METRIC_TTFT_SECONDS] = {"weir_ttft_seconds",
                             METRIC_HISTOGRAM,
                             1e-6,
                             {"route"},
                             "Time from a request's arrival to the first "
                             "byte of its streamed answer.",
                             ANSWER_BOUNDS},
    [METRIC_DECISION_SECONDS] = {"weir_decision_seconds",
                                 METRIC_HISTOGRAM,
                                 1e-9,
                                 {NULL},
                                 "Time to extract features, predict and "
                                 "choose.",
                                 DECISION_BOUNDS},
    [METRIC_LOG_ROWS] = {"weir_log_rows_total",
                         METRIC_COUNTER,
                         1,
                         {"state"},
                         "Rows of the outcome log written, spilled, "
                         "recovered from the spill, lost, or pruned.",
                         NULL},
    [METRIC_LOG_ERRORS] = {"weir_log_errors_total",
                           METRIC_COUNTER,
                           1,
                           {NULL},
                           "Transactions and openings of the outcome log "
                           "that failed.",
                           NULL},
    [METRIC_LOG_QUEUED] = {"weir_log_queued_rows",
                           METRIC_GAUGE,
                           1,
                           {NULL},
                           "Rows that wait for the log's writer.",
                           NULL},
    [METRIC_LOG_WAITING] = {"weir_log_spill_rows",
                            METRIC_GAUGE,
                            1,
                            {NULL},
                            "Rows in the spill that wait for the database.",
                            NULL},
    [METRIC_LOG_HEALTHY] = {"weir_log_healthy",
                            METRIC_GAUGE,
                            1,
                            {NULL},
                            "1 when the last transaction of the outcome log "
                            "went through.",
                            NULL},
    [METRIC_DRIFT] = {"weir_drift_psi",
                      METRIC_GAUGE,
                      1e-6,
                      {"route"},
                      "How far the last window of a route's requests is from "
                      "the mix that its promises were made on.",
                      NULL},
    [METRIC_DRIFTED] = {"weir_drift_alarm",
                        METRIC_GAUGE,
                        1,
                        {"route"},
                        "1 while a route's promises are void because its "
                        "traffic has left that mix.",
                        NULL},
    [METRIC_CONNECTIONS] = {"weir_connections",
                            METRIC_GAUGE,
                            1,
                            {NULL},
                            "Open connections of clients.",
                            NULL},
    [METRIC_IN_FLIGHT] = {"weir_requests_in_flight",
                          METRIC_GAUGE,
                          1,
                          {NULL},
                          "Requests being served.",
                          NULL},
    [METRIC_WORKERS] =
        {"weir_workers", METRIC_GAUGE, 1, {NULL}, "Worker threads.", NULL},
    [METRIC_START_TIME] = {"weir_start_time_seconds",
                           METRIC_GAUGE,
                           1,
                           {NULL},
                           "When the process started, in seconds since 1970.",
                           NULL},
    [METRIC_BUILD] = {"weir_build_info",
                      METRIC_GAUGE,
                      1,
                      {"version"},
                      "1, with the version as its label.",
                      NULL},
};

struct series {
    enum metric id;
    size_t key_len;
    _Atomic uint64_t value;
    struct hist *hist; /* (owned) NULL where it is none */
    char key[KEY_MAX]; /* id, then per label a length and bytes */
};

/* Series are only ever added, by one thread; others read behind the slots'
 * release stores. */
struct metrics_shard {
    struct series *_Atomic slots[SLOTS];
    unsigned n;
};

struct metrics {
    unsigned workers;
    struct metrics_shard **shards; /* (owned) [workers + 1], last: process */
    pthread_mutex_t lock;          /* of the process' shard */
};

struct metrics *metrics_new(unsigned workers)
{
    struct metrics *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->workers = workers;
    m->shards = calloc(workers + 1, sizeof(struct metrics_shard *));
    pthread_mutex_init(&m->lock, NULL);
    for (unsigned i = 0; m->shards && i <= workers; i++) {
        m->shards[i] = calloc(1, sizeof(struct metrics_shard));
        if (!m->shards[i])
            break;
    }
    if (m->shards && m->shards[workers])
        return m;
    metrics_free(m);
    return NULL;
}

static void shard_free(struct metrics_shard *s)
{
    for (unsigned i = 0; s && i < SLOTS; i++) {
        struct series *one = s->slots[i];

        if (one)
            free(one->hist);
        free(one);
    }
    free(s);
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    for (unsigned i = 0; m->shards && i <= m->workers; i++)
        shard_free(m->shards[i]);
    free(m->shards);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

struct metrics_shard *metrics_shard(struct metrics *m, unsigned worker)
{
    return m->shards[worker];
}

static size_t make_key(enum metric id, const struct span *labels,
                       char key[KEY_MAX])
{
    size_t n = 1;

    key[0] = (char)id;
    for (unsigned i = 0; METRICS[id].labels[i]; i++) {
        size_t len = utf8_cut(labels[i], LABEL_MAX);

        if (len > LABEL_MAX)
            len = LABEL_MAX;
        key[n++] = (char)len;
        if (len)
            memcpy(key + n, labels[i].ptr, len);
        n += len;
    }
    return n;
}

static struct series *series_new(enum metric id, const char *key, size_t len)
{
    struct series *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->id = id;
    s->key_len = len;
    memcpy(s->key, key, len);
    if (METRICS[id].type != METRIC_HISTOGRAM)
        return s;
    s->hist = calloc(1, sizeof *s->hist);
    if (s->hist)
        return s;
    free(s);
    return NULL;
}

/* NULL when memory is short or the shard is full. */
static struct series *lookup(struct metrics_shard *sh, enum metric id,
                             const struct span *labels)
{
    char key[KEY_MAX];
    size_t len = make_key(id, labels, key);
    uint64_t at = span_hash((struct span){key, len}, 0);
    struct series *s;

    for (;; at++) {
        s = atomic_load_explicit(&sh->slots[at % SLOTS], memory_order_acquire);
        if (!s)
            break;
        if (s->key_len == len && memcmp(s->key, key, len) == 0)
            return s;
    }
    if (sh->n >= METRIC_SERIES_MAX)
        return NULL;
    s = series_new(id, key, len);
    if (!s)
        return NULL;
    sh->n++;
    atomic_store_explicit(&sh->slots[at % SLOTS], s, memory_order_release);
    return s;
}

static struct series *find(struct metrics_shard *sh, enum metric id,
                           const struct span *labels)
{
    static const struct span other[METRIC_LABELS_MAX] = {
        SPAN_INIT("other"), SPAN_INIT("other"), SPAN_INIT("other")};
    struct series *s;

    /* The last few places are for the "other" series of each metric. */
    if (sh->n >= METRIC_SERIES_MAX - METRIC_N && METRICS[id].labels[0])
        labels = other;
    s = lookup(sh, id, labels);
    return s;
}

void metrics_count(struct metrics_shard *sh, enum metric id,
                   const struct span *labels, uint64_t n)
{
    struct series *s = find(sh, id, labels);

    if (s) /* one writer: no lock prefix needed */
        atomic_store_explicit(
            &s->value,
            atomic_load_explicit(&s->value, memory_order_relaxed) + n,
            memory_order_relaxed);
}

void metrics_observe(struct metrics_shard *sh, enum metric id,
                     const struct span *labels, uint64_t value)
{
    struct series *s = find(sh, id, labels);

    if (s && s->hist)
        hist_add(s->hist, value);
}

void metrics_set(struct metrics *m, enum metric id, const struct span *labels,
                 uint64_t value)
{
    struct series *s;

    pthread_mutex_lock(&m->lock);
    s = find(m->shards[m->workers], id, labels);
    if (s)
        atomic_store_explicit(&s->value, value, memory_order_relaxed);
    pthread_mutex_unlock(&m->lock);
}

struct span metrics_status_class(int status)
{
    static const struct span classes[] = {
        SPAN_INIT("none"), SPAN_INIT("1xx"), SPAN_INIT("2xx"),
        SPAN_INIT("3xx"),  SPAN_INIT("4xx"), SPAN_INIT("5xx"),
    };

    return classes[status < 100 || status > 599 ? 0 : status / 100];
}

/* The scrape. */

struct gathered {
    const struct series **list; /* (owned) [n] in order of key */
    size_t n, cap;
};

static bool gather(struct gathered *g, const struct metrics_shard *sh)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct series *s =
            atomic_load_explicit(&sh->slots[i], memory_order_acquire);

        if (!s)
            continue;
        if (g->n == g->cap) {
            size_t cap = g->cap ? g->cap * 2 : 256;
            const struct series **list =
                realloc(g->list, cap * sizeof(struct series *));

            if (!list)
                return false;
            g->list = list;
            g->cap = cap;
        }
        g->list[g->n++] = s;
    }
    return true;
}

static int by_key(const void *pa, const void *pb)
{
    const struct series *a = *(const struct series *const *)pa;
    const struct series *b = *(const struct series *const *)pb;
    size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
    int d = memcmp(a->key, b->key, n);

    if (d)
        return d;
    return (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static bool same(const struct series *a, const struct series *b)
{
    return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0;
}

static void put_escaped(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.len;) {
        size_t n = utf8_len(s.ptr + i, s.len - i);

        if (n == 0)
            buf_char(b, '?');
        else if (s.ptr[i] == '\n')
            buf_put(b, "\\n", 2);
        else if (s.ptr[i] == '"' || s.ptr[i] == '\\')
            buf_printf(b, "\\%c", s.ptr[i]);
        else
            buf_put(b, s.ptr + i, n);
        i += n ? n : 1;
    }
}

/* name{label="value",...,le="..."} */
static void put_name(struct buf *b, const struct series *s, const char *part,
                     const char *le)
{
    const struct metric_row *row = &METRICS[s->id];
    const char *at = s->key + 1;
    bool open = false;

    buf_printf(b, "%s%s", row->name, part);
    for (unsigned i = 0; row->labels[i]; i++) {
        size_t len = (unsigned char)*at++;

        buf_printf(b, "%s%s=\"", open ? "," : "{", row->labels[i]);
        put_escaped(b, (struct span){at, len});
        buf_char(b, '"');
        at += len;
        open = true;
    }
    if (le)
        buf_printf(b, "%sle=\"%s\"", open ? "," : "{", le);
    buf_str(b, open || le ? "} " : " ");
}

static void put_value(struct buf *b, const struct metric_row *row, uint64_t v)
{
    if (row->unit == 1)
        buf_printf(b, "%llu\n", (unsigned long long)v);
    else
        buf_printf(b, "%.15g\n", (double)v * row->unit);
}

static void put_hist(struct buf *b, const struct series *s,
                     const struct hist *h)
{
    const struct metric_row *row = &METRICS[s->id];
    unsigned long long sum = 0;
    unsigned i = 0;
    char le[32];

    for (const double *bound = row->bounds; *bound != 0; bound++) {
        for (; i < HIST_BUCKETS; i++) {
            if ((double)hist_upper(i) * row->unit > *bound)
                break;
            sum += h->count[i];
        }
        snprintf(le, sizeof le, "%g", *bound);
        put_name(b, s, "_bucket", le);
        buf_printf(b, "%llu\n", sum);
    }
    for (; i < HIST_BUCKETS; i++)
        sum += h->count[i];
    put_name(b, s, "_bucket", "+Inf");
    buf_printf(b, "%llu\n", sum);
    put_name(b, s, "_sum", NULL);
    buf_printf(b, "%.15g\n", (double)h->sum * row->unit);
    put_name(b, s, "_count", NULL);
    buf_printf(b, "%llu\n", sum);
}

/* The equal series from list on, added up; returns how many they were. */
static size_t put_series(struct buf *b, const struct series **list, size_t n,
                         struct hist *scratch)
{
    const struct series *first = list[0];
    uint64_t value = 0;
    size_t i;

    if (first->hist)
        memset(scratch, 0, sizeof *scratch);
    for (i = 0; i < n && same(first, list[i]); i++) {
        value += list[i]->value;
        if (first->hist)
            hist_merge(scratch, list[i]->hist);
    }
    if (first->hist) {
        put_hist(b, first, scratch);
        return i;
    }
    put_name(b, first, "", NULL);
    put_value(b, &METRICS[first->id], value);
    return i;
}

static void put_all(struct buf *b, const struct gathered *g,
                    struct hist *scratch)
{
    static const char *const types[] = {
        [METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",
        [METRIC_HISTOGRAM] = "histogram",
    };
    size_t at = 0;

    for (unsigned id = 0; id < METRIC_N; id++) {
        const struct metric_row *row = &METRICS[id];
        size_t before = at;

        buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help,
                   row->name, types[row->type]);
        while (at < g->n && g->list[at]->id == id)
            at += put_series(b, g->list + at, g->n - at, scratch);
        if (at == before && !row->labels[0] && !row->bounds)
            buf_printf(b, "%s 0\n", row->name);
    }
}

void metrics_render(struct metrics *m, struct buf *out)
{
    struct gathered g = {0};
    struct hist *scratch = malloc(sizeof *scratch);
    bool ok = scratch != NULL;

    for (unsigned i = 0; i <= m->workers; i++)
        ok = ok && gather(&g, m->shards[i]);
    if (ok && g.n)
        qsort(g.list, g.n, sizeof(struct series *), by_key);
    if (ok)
        put_all(out, &g, scratch);
    else
        out->failed = true;
    free(g.list);
    free(scratch);
}
