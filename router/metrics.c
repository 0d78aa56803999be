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
