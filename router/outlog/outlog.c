/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_queue.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "router/outlog/sql.h"

enum { TRIM_ABOVE = 1 << 20 }; /* bytes in the queue */

static const struct outlog_options DEFAULTS = {
    .queue_rows = 8192,
    .queue_bytes = 4 << 20,
    .spill_bytes = 256 << 20,
    .flush_ms = 200,
    .batch_rows = 256,
    .busy_ms = 500,
    .retry_ms = 1000,
    .prune_ms = 60000,
};

static struct outlog_options with_defaults(const struct outlog_options *o)
{
    struct outlog_options r = o ? *o : DEFAULTS;

    r.queue_rows = r.queue_rows ? r.queue_rows : DEFAULTS.queue_rows;
    r.queue_bytes = r.queue_bytes ? r.queue_bytes : DEFAULTS.queue_bytes;
    r.spill_bytes = r.spill_bytes ? r.spill_bytes : DEFAULTS.spill_bytes;
    r.flush_ms = r.flush_ms ? r.flush_ms : DEFAULTS.flush_ms;
    r.batch_rows = r.batch_rows ? r.batch_rows : DEFAULTS.batch_rows;
    r.busy_ms = r.busy_ms ? r.busy_ms : DEFAULTS.busy_ms;
    r.retry_ms = r.retry_ms ? r.retry_ms : DEFAULTS.retry_ms;
    r.prune_ms = r.prune_ms ? r.prune_ms : DEFAULTS.prune_ms;
    return r;
}

static void count(struct outlog *log, uint64_t *what, uint64_t n)
{
    pthread_mutex_lock(&log->lock);
    *what += n;
    pthread_mutex_unlock(&log->lock);
}

/* The writer thread. */

static void spill_item(struct outlog *log, struct outlog_item *it)
{
    struct span bytes = {it->bytes, it->size};
    bool ok = spill_put(log->spill, it->kind, bytes);

    it->end = ok ? OUTLOG_LABEL_LATER : OUTLOG_LABEL_LOST;
    count(log, ok ? &log->stats.spilled : &log->stats.lost, 1);
}

/* The database has failed: closed, tried again later. */
static void give_up(struct outlog *log, const struct err *e)
{
    outlog_db_close(log->db);
    log->db = NULL;
    guard_unshare(&log->guard);
    log->retry_at = clock_ns() + (uint64_t)log->o.retry_ms * 1000000;
    pthread_mutex_lock(&log->lock);
    log->stats.errors++;
    log->stats.healthy = false;
    span_copy(log->stats.last_error, sizeof log->stats.last_error,
              span_of(e->msg));
    pthread_mutex_unlock(&log->lock);
}

static struct outlog_db *open_shared(struct outlog *log, bool *fatal,
                                     struct err *e)
{
    *fatal = false;
    if (guard_share(&log->guard))
        return outlog_db_open(log->path, log->o.busy_ms, &log->yielder, fatal,
                              e);
    err_set(e, ERR_STATE, "%s: it is being repaired", log->path);
    return NULL;
}

static bool have_db(struct outlog *log)
{
    struct err e;
    bool fatal;

    if (log->db)
        return true;
    if (clock_ns() < log->retry_at)
        return false;
    log->db = open_shared(log, &fatal, &e);
    if (!log->db)
        give_up(log, &e);
    return log->db != NULL;
}

static bool insert_items(struct outlog *log, struct outlog_item *it,
                         struct err *e)
{
    for (; it; it = it->next) {
        struct span bytes = {it->bytes, it->size};
        struct span owner = {it->bytes + it->size, it->owner};
        enum db_step s =
            it->ticket ? outlog_db_label(log->db, bytes, owner, &it->earlier, e)
                       : outlog_db_insert(log->db, it->kind, bytes, e);

        if (s == DB_FAIL)
            return false;
        it->end = s == DB_OK ? OUTLOG_LABEL_WRITTEN : OUTLOG_LABEL_UNKNOWN;
        yielder_offer(&log->yielder); /* a worker may wait for this core */
    }
    return true;
}

static bool write_items(struct outlog *log, struct outlog_item *list)
{
    struct err e;

    if (!have_db(log))
        return false;
    if (outlog_db_begin(log->db, &e) && insert_items(log, list, &e) &&
        outlog_db_commit(log->db, &e))
        return true;
    outlog_db_rollback(log->db);
    give_up(log, &e);
    return false;
}

static void count_written(struct outlog *log, const struct outlog_item *it)
{
    pthread_mutex_lock(&log->lock);
    for (; it; it = it->next) {
        bool label = it->kind == OUTLOG_LABEL;

        if (it->end == OUTLOG_LABEL_WRITTEN)
            (*(label ? &log->stats.labels : &log->stats.written))++;
    }
    log->stats.healthy = true;
    log->stats.last_error[0] = '\0';
    pthread_mutex_unlock(&log->lock);
}

/* Whose a request is can only be looked up in the database. */
static void put_away(struct outlog *log, struct outlog_item *it)
{
    if (it->owner > 0)
        it->end = OUTLOG_LABEL_AWAY;
    else
        spill_item(log, it);
}

/* Writes or spills a list, answers its tickets, frees it. */
static void handle(struct outlog *log, struct outlog_item *list)
{
    uint64_t n = 0;

    if (write_items(log, list))
        count_written(log, list);
    else
        for (struct outlog_item *it = list; it; it = it->next)
            put_away(log, it);
    while (list) {
        struct outlog_item *next = list->next;

        if (list->ticket)
            outlog_answer(list->ticket, list->end, &list->earlier);
        free(list);
        list = next;
        n++;
    }
    pthread_mutex_lock(&log->lock);
    log->handled += n;
    pthread_cond_broadcast(&log->done);
    pthread_mutex_unlock(&log->lock);
}

/* One batch of the spill back into the database; false when there is
 * nothing left to do now. */
static bool take_up(struct outlog *log)
{
    uint64_t n[OUTLOG_KINDS] = {0}, seen = 0;
    enum db_step step = DB_OK;
    unsigned kind;
    struct err e;

    if (spill_waiting(log->spill) == 0 || !have_db(log))
        return false;
    if (!outlog_db_begin(log->db, &e))
        step = DB_FAIL;
    while (step != DB_FAIL && seen < log->o.batch_rows &&
           spill_next(log->spill, &kind, &log->scratch)) {
        seen++;
        if (kind >= OUTLOG_KINDS)
            continue;
        step = outlog_db_insert(log->db, (enum outlog_kind)kind,
                                buf_view(&log->scratch), &e);
        n[kind] += step == DB_OK;
    }
    if (step == DB_FAIL || !outlog_db_commit(log->db, &e)) {
        outlog_db_rollback(log->db);
        spill_rewind(log->spill);
        give_up(log, &e);
        return false;
    }
    spill_accept(log->spill);
    pthread_mutex_lock(&log->lock);
    log->stats.recovered += seen;
    log->stats.written += n[OUTLOG_ROW];
    log->stats.labels += n[OUTLOG_LABEL];
    log->stats.healthy = true;
    pthread_mutex_unlock(&log->lock);
    return seen == log->o.batch_rows;
}

static bool keeps_all(const struct outlog *log)
{
    return log->o.max_age_ms == 0 && log->o.max_bytes == 0;
}

/* Old rows go, a few at a time; what waits is written in between. */
static void prune(struct outlog *log)
{
    const struct retention r = {log->o.max_age_ms, log->o.max_bytes};
    uint64_t now = clock_ns(), n = 0;
    struct err e;

    if (keeps_all(log) || now < log->prune_at)
        return;
    log->prune_at = now + (uint64_t)log->o.prune_ms * 1000000;
    if (!have_db(log))
        return;
    if (!outlog_db_prune(log->db, &r, clock_utc_ms(), &n, &e)) {
        outlog_db_rollback(log->db);
        give_up(log, &e);
        return;
    }
    count(log, &log->stats.pruned, n);
    if (n > 0)
        log->prune_at = now;
}

/* Rows with whole prompts fill the queue before they are a batch. */
static bool batch_waits(const struct outlog *log)
{
    return log->n >= log->o.batch_rows || log->bytes >= log->o.queue_bytes / 4;
}

/* What rows wait of their flush_ms; the rest is for writing them. */
static uint64_t wait_ns(const struct outlog *log)
{
    return (uint64_t)log->o.flush_ms * 1000000 / 4 * 3;
}

static uint64_t write_ns(const struct outlog *log)
{
    return (uint64_t)log->o.flush_ms * 1000000 / 4;
}

static bool due(const struct outlog *log)
{
    return log->stop || log->urgent || batch_waits(log) ||
           (log->first && clock_ns() - log->since >= wait_ns(log));
}

/* Sleeps until there is something to do or to try; the lock is held. */
static void wait_for_work(struct outlog *log)
{
    struct timespec t;
    uint64_t until;

    if (due(log))
        return;
    if (!log->first && spill_waiting(log->spill) == 0 && keeps_all(log)) {
        pthread_cond_wait(&log->work, &log->lock);
        return;
    }
    until = log->first ? log->since + wait_ns(log)
                       : clock_ns() + (uint64_t)log->o.retry_ms * 1000000;
    if (!log->first && spill_waiting(log->spill) == 0)
        until = log->prune_at; /* in the past: at once */
    t.tv_sec = (time_t)(until / 1000000000);
    t.tv_nsec = (long)(until % 1000000000);
    pthread_cond_timedwait(&log->work, &log->lock, &t);
}

/*
 * Rows that waited while the disk was slow leave holes in the heap, which
 * malloc keeps: given back when the queue is short again.  The lock is held.
 */
static bool may_trim(struct outlog *log)
{
    if (log->bytes > log->peak)
        log->peak = log->bytes;
    if (log->peak < TRIM_ABOVE || log->bytes > TRIM_ABOVE / 4)
        return false;
    log->peak = log->bytes;
    return true;
}

/* The spill waits while the queue is half full: a row that finds no room
 * there is written twice. */
static bool is_behind(struct outlog *log)
{
    bool behind;

    pthread_mutex_lock(&log->lock);
    behind =
        log->n >= log->o.queue_rows / 2 || log->bytes >= log->o.queue_bytes / 2;
    pthread_mutex_unlock(&log->lock);
    return behind;
}

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* At most a batch from the head of the queue; the lock is held. */
static struct outlog_item *take_batch(struct outlog *log)
{
    struct outlog_item *list = log->first, *it = list, *last = NULL;
    uint64_t oldest;
    unsigned n = 0;

    for (; it && n < log->o.batch_rows; it = it->next, n++) {
        last = it;
        log->bytes -= it->size;
    }
    if (last)
        last->next = NULL;
    log->first = it;
    log->last = it ? log->last : NULL;
    log->n -= n;
    log->urgent = log->urgent && it;
    oldest = log->since;
    log->since = clock_ns();
    /* Yields may take a quarter of the time, and none once a row is late. */
    log->yielder.until = min(log->since, oldest + wait_ns(log)) + write_ns(log);
    atomic_store(&log->yielder.hurry, log->stop || batch_waits(log));
    return list;
}

static void *writer(void *arg)
{
    struct outlog *log = arg;
    bool stop = false, trim, more = true; /* of the spill to take up */

    while (!stop) {
        struct outlog_item *list = NULL;

        pthread_mutex_lock(&log->lock);
        if (!more)
            wait_for_work(log);
        trim = may_trim(log);
        if (due(log))
            list = take_batch(log);
        stop = log->stop && !list;
        pthread_mutex_unlock(&log->lock);
        if (list)
            handle(log, list);
        if (trim)
            malloc_trim(0);
        more = !is_behind(log) && take_up(log);
        (void)!spill_flush(log->spill);
        prune(log);
    }
    return NULL;
}

/* The workers' side. */

/* False when the queue is full or closed. */
static bool enqueue(struct outlog *log, struct outlog_item *it, bool urgent)
{
    bool ok, waited, full;

    pthread_mutex_lock(&log->lock);
    waited = batch_waits(log);
    ok = !log->stop && log->n < log->o.queue_rows &&
         log->bytes + it->size <= log->o.queue_bytes;
    if (ok) {
        if (!log->first)
            log->since = clock_ns();
        *(log->last ? &log->last->next : &log->first) = it;
        log->last = it;
        log->bytes += it->size;
        log->pushed++;
        log->n++;
        full = !waited && batch_waits(log);
        if (full)
            atomic_store(&log->yielder.hurry, true);
        if (full || log->n == 1 || (urgent && !log->urgent))
            pthread_cond_signal(&log->work);
        log->urgent = log->urgent || urgent;
    }
    pthread_mutex_unlock(&log->lock);
    return ok;
}

static bool push(struct outlog *log, enum outlog_kind kind, const void *row)
{
    struct outlog_item *it;
    bool kept;

    if (!outlog_item_make(kind, row, &it)) {
        count(log, &log->stats.lost, 1);
        return false;
    }
    if (enqueue(log, it, false))
        return true;
    spill_item(log, it);
    kept = it->end == OUTLOG_LABEL_LATER;
    free(it);
    return kept;
}

bool outlog_push(struct outlog *log, const struct outlog_row *row)
{
    return push(log, OUTLOG_ROW, row);
}

bool outlog_push_label(struct outlog *log, const struct outlog_label *label)
{
    return push(log, OUTLOG_LABEL, label);
}

bool outlog_submit(struct outlog *log, const struct outlog_label *label,
                   struct outlog_ticket *t)
{
    struct outlog_item *it;

    if (!outlog_item_label(label, &it))
        return false;
    it->ticket = t;
    if (enqueue(log, it, true))
        return true;
    free(it);
    return false;
}

bool outlog_flush(struct outlog *log, unsigned timeout_ms)
{
    uint64_t until = clock_ns() + (uint64_t)timeout_ms * 1000000;
    struct timespec t = {.tv_sec = (time_t)(until / 1000000000),
                         .tv_nsec = (long)(until % 1000000000)};
    uint64_t want;
    bool ok;
    int rc = 0;

    pthread_mutex_lock(&log->lock);
    want = log->pushed;
    log->urgent = log->first != NULL;
    pthread_cond_signal(&log->work);
    while (log->handled < want && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&log->done, &log->lock, &t);
    ok = log->handled >= want;
    pthread_mutex_unlock(&log->lock);
    return ok;
}

void outlog_stats(struct outlog *log, struct outlog_stats *out)
{
    uint64_t waiting = spill_waiting(log->spill);

    pthread_mutex_lock(&log->lock);
    *out = log->stats;
    out->queued = log->n;
    pthread_mutex_unlock(&log->lock);
    out->waiting = waiting;
}

static bool make_cond(pthread_cond_t *c)
{
    pthread_condattr_t a;
    bool ok;

    pthread_condattr_init(&a);
    ok = pthread_condattr_setclock(&a, CLOCK_MONOTONIC) == 0 &&
         pthread_cond_init(c, &a) == 0;
    pthread_condattr_destroy(&a);
    return ok;
}

static bool open_spill(struct outlog *log, struct err *e)
{
    struct buf path;

    if (!guard_take(&log->guard, log->path, clock_utc_ms(), e))
        return false;
    buf_init(&path, 8192);
    guard_spill_path(log->path, log->guard.slot, &path);
    log->spill = spill_open(buf_cstr(&path), log->o.spill_bytes, e);
    buf_free(&path);
    return log->spill != NULL;
}

/* The process before this one did not come to its end: what is there of
 * its rows is said (healthz, the line at the start). */
static void note_killed(struct outlog *log)
{
    struct err ignored;

    log->stats.killed_ms = log->guard.killed_ms;
    if (log->stats.killed_ms)
        (void)!outlog_db_since(log->db, log->stats.killed_ms, &log->stats.found,
                               &log->stats.found_ms, &ignored);
}

/* The first opening: what waiting can mend is no failure. */
static bool open_db(struct outlog *log, struct err *e)
{
    bool fatal;

    log->db = open_shared(log, &fatal, e);
    log->stats.healthy = log->db != NULL;
    log->stats.torn = spill_torn(log->spill);
    log->stats.left = spill_waiting(log->spill);
    if (log->db)
        note_killed(log);
    if (log->db || fatal)
        return log->db != NULL;
    give_up(log, e);
    return true;
}

static void release(struct outlog *log)
{
    bool clean = log->db != NULL;

    outlog_db_close(log->db);
    spill_close(log->spill);
    guard_release(&log->guard, clean);
    buf_free(&log->scratch);
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->work);
    pthread_cond_destroy(&log->done);
    free(log->path);
    free(log);
}

struct outlog *outlog_open(const char *path, const struct outlog_options *o,
                           struct err *e)
{
    struct outlog *log = calloc(1, sizeof *log);

    if (!log) {
        err_set(e, ERR_MEMORY, "no memory for the outcome log");
        return NULL;
    }
    sql_lean();
    log->guard.fd = -1;
    log->o = with_defaults(o);
    log->path = strdup(path);
    buf_init(&log->scratch, (size_t)1 << 30);
    if (pthread_mutex_init(&log->lock, NULL) != 0 || !log->path ||
        !make_cond(&log->work) || !make_cond(&log->done)) {
        err_set(e, ERR_MEMORY, "no memory for the outcome log");
        release(log);
        return NULL;
    }
    if (open_spill(log, e) && open_db(log, e)) {
        if (pthread_create(&log->thread, NULL, writer, log) == 0) {
            pthread_setname_np(log->thread, "log-writer");
            return log;
        }
        err_set(e, ERR_IO, "cannot start the log's writer thread");
    }
    release(log);
    return NULL;
}

void outlog_close(struct outlog *log)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    log->stop = true;
    pthread_cond_signal(&log->work);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    release(log);
}
