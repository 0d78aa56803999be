/* SPDX-License-Identifier: Apache-2.0 */
#include "router/router.h"

#include "router/cache/cache.h"
#include "router/route/makers.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/resident.h"
#include "router/gate/rate.h"
#include "router/http/http.h"
#include "router/news.h"
#include "router/notify.h"
#include "router/reload.h"
#include "router/spending.h"
#include "router/upstream/tls_link.h"
#include "router/worker.h"

/* ---- the beginning ---- */

/* What the end of the process before this one left behind. */
static void say_recovered(struct outlog *log)
{
    struct outlog_stats s;

    outlog_stats(log, &s);
    if (s.killed_ms)
        log_event(LOG_WARN, "log recovered",
                  "rows=%llu in_spill=%llu torn_bytes=%llu "
                  "reason=\"the server before was killed\"",
                  (unsigned long long)s.found, (unsigned long long)s.left,
                  (unsigned long long)s.torn);
    else if (s.left || s.torn)
        log_event(LOG_WARN, "log spill",
                  "rows=%llu torn_bytes=%llu effect=\"taken up now\"",
                  (unsigned long long)s.left, (unsigned long long)s.torn);
    if (!s.healthy)
        log_event(LOG_ERROR, "log away", "reason=\"%s\" effect=\"rows spill\"",
                  s.last_error);
}

/* Budgets of the day go on where the process before this one ended. */
static void note_spent(struct router *r, const char *path)
{
    struct err e = {0};

    if (!spending_begin(r->purses, path, r->started_ms, &e))
        log_event(LOG_WARN, "budgets",
                  "reason=\"%s\" effect=\"what today cost before now does not "
                  "count\"",
                  e.msg);
}

static bool open_log(struct router *r, struct err *e)
{
    const struct log_settings *l = &snapshot_settings(r->first)->log;
    struct outlog_options o = {
        .queue_rows = l->queue_rows,
        .queue_bytes = l->queue_bytes,
        .spill_bytes = l->spill_bytes,
        .flush_ms = (unsigned)l->flush_ms,
        .max_age_ms = l->max_age_ms,
        .max_bytes = l->max_bytes,
    };

    if (!*l->path)
        return true;
    note_spent(r, l->path);
    r->log = outlog_open(l->path, &o, e);
    if (r->log)
        say_recovered(r->log);
    return r->log != NULL;
}

static unsigned count_workers(const struct settings *set)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return set->workers ? (unsigned)set->workers
                        : (unsigned)(cores > 0 ? cores : 1);
}

/* The sockets first: what comes behind may be done by another user. */
static bool open_sockets(struct router *r, struct err *e)
{
    const struct settings *set = snapshot_settings(r->first);

    return listeners_open(&r->listeners, set, count_workers(set), e) &&
           listen_as(set->user, e);
}

static bool open_workers(struct router *r, struct err *e)
{
    unsigned n = r->listeners.workers;

    r->metrics = metrics_new(n);
    r->workers = calloc(n, sizeof *r->workers);
    if (!r->metrics || !r->workers)
        return err_set(e, ERR_MEMORY, "router: out of memory");
    for (unsigned i = 0; i < n; i++) {
        r->n_workers = i + 1;
        if (!worker_init(&r->workers[i], r, i, e))
            return false;
    }
    return true;
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
    struct router *r = ctx;

    (void)fd;
    (void)what;
    reload_do_jobs(r);
    if (atomic_load(&r->running) == 0)
        event_base_loopbreak(r->base);
}

static bool open_events(struct router *r, struct err *e)
{
    evthread_use_pthreads();
    r->base = event_base_new();
    r->wake = r->base ? event_new(r->base, -1, EV_PERSIST, on_wake, r) : NULL;
    r->books = (struct books){budget_book_new(), drift_book_new()};
    r->rates = rate_book_new();
    r->purses = purse_book_new();
    r->health = health_book_new();
    r->trusts = tls_trusts_new(e);
    if (!r->wake || !r->rates || !r->purses || !r->books.budgets ||
        !r->books.drifts || !r->health || !r->trusts)
        return err_set(e, ERR_MEMORY, "router: out of memory");
    return true;
}

static struct snapshot *load(struct router *r, struct err *e)
{
    struct snapshot *s = snapshot_load(r->config, &r->books, e);

    if (!s || snapshot_bind(s, r->health, e))
        return s;
    snapshot_unref(s);
    return NULL;
}

/* Authorities are read here, before a worker needs them with others waiting.
 * What is wrong with the system's is said by the calls. */
static void read_authorities(struct router *r, const struct snapshot *s)
{
    const struct settings *set = snapshot_settings(s);
    const struct provider_settings *p = set->providers.at;
    struct err ignored;

    for (size_t i = 0; i < set->providers.n; i++) {
        if (span_starts(span_of(p[i].base_url), "https://"))
            (void)!tls_trusts_read(r->trusts, p[i].ca_file, &ignored);
    }
}

static bool open_all(struct router *r, struct err *e)
{
    const struct settings *set;

    if (!open_events(r, e))
        return false;
    r->first = load(r, e);
    if (!r->first)
        return false;
    set = snapshot_settings(r->first);
    log_setup((enum log_level)set->log.level, (enum log_form)set->log.form);
    if (!snapshot_classifier(r->first))
        log_event(LOG_WARN, "no classifier",
                  "reason=\"%s\" effect=\"reference arms are taken\"",
                  snapshot_unclassified(r->first));
    r->latest = snapshot_ref(r->first);
    /* No core file and no debugger: keys would be in the one and seen by the
     * other. */
    if (!set->core_files && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(e, "core_files: prctl");
    r->sessions = sessions_new(set->sessions.most, e);
    r->makers = makers_new(e);
    if (!r->sessions || !r->makers)
        return false;
    if (set->cache_bytes > 0 && !(r->cache = cache_new(set->cache_bytes, e)))
        return false;
    return open_sockets(r, e) && open_log(r, e) && open_workers(r, e);
}

struct router *router_new(const char *config, char **argv, struct err *e)
{
    struct router *r = calloc(1, sizeof *r);

    if (!r) {
        err_set(e, ERR_MEMORY, "router: out of memory");
        return NULL;
    }
    r->config = config;
    upgrade_init(&r->upgrade, argv);
    r->started_ms = clock_utc_ms();
    pthread_mutex_init(&r->lock, NULL);
    if (!retrain_init(&r->retrain, config))
        err_set(e, ERR_MEMORY, "router: out of memory");
    else if (open_all(r, e)) {
        resident_trim();
        return r;
    }
    router_free(r);
    return NULL;
}

/* ---- reload ---- */

static void note_restart(void *ctx, const char *path)
{
    (void)ctx;
    log_event(LOG_WARN, "reload", "setting=%s effect=\"after a restart\"",
              path);
}

/* What is shown of a classifier that is not there any more is 0. */
static void show_classifiers(struct router *r, const struct snapshot *s,
                             uint64_t value)
{
    const struct classifier *c[2] = {snapshot_classifier(s),
                                     snapshot_canary(s)->classifier};
    const struct span roles[2] = {SPAN("running"), SPAN("canary")};

    for (int i = 0; i < 2; i++) {
        struct span labels[2] = {span_of(c[i] ? classifier_id(c[i]) : NULL),
                                 roles[i]};

        if (c[i])
            metrics_set(r->metrics, METRIC_CLASSIFIER, labels, value);
    }
    metrics_set(r->metrics, METRIC_CANARY_SHARE, NULL,
                (uint64_t)(snapshot_canary(s)->share * 1e6 * (c[1] != NULL) *
                           (value != 0)));
}

static void say_canary(const struct snapshot *s)
{
    const struct canary *c = snapshot_canary(s);

    if (*c->problem)
        log_event(LOG_ERROR, "canary",
                  "reason=\"%s\" effect=\"none is on trial\"", c->problem);
    else if (c->classifier)
        log_event(LOG_INFO, "canary", "classifier=%s share=%g",
                  classifier_id(c->classifier), c->share);
}

static void swap(struct router *r, struct snapshot *next)
{
    struct snapshot *old;

    pthread_mutex_lock(&r->lock);
    old = r->latest;
    r->latest = next;
    atomic_fetch_add_explicit(&r->generation, 1, memory_order_release);
    pthread_mutex_unlock(&r->lock);
    snapshot_unref(old);
    for (unsigned i = 0; i < r->n_workers; i++)
        event_active(r->workers[i].wake, EV_READ, 0);
}

static bool reload(struct router *r, struct err *e)
{
    struct snapshot *next = load(r, e);
    const struct settings *set;

    if (!next) {
        log_event(LOG_ERROR, "reload refused", "reason=\"%s\"", e->msg);
        return false;
    }
    set = snapshot_settings(next);
    schema_changed(&settings_schema, snapshot_settings(r->first), set,
                   note_restart, NULL);
    log_setup((enum log_level)set->log.level, (enum log_form)set->log.form);
    show_classifiers(r, r->latest, 0);
    read_authorities(r, next);
    swap(r, next);
    show_classifiers(r, next, 1);
    say_canary(next);
    retrain_note(&r->retrain, set->classifier);
    resident_trim();
    watch_loaded(&r->watch, r->config, set);
    log_event(LOG_INFO, "reloaded", "config=%s", r->config);
    return true;
}

bool router_reload(struct router *r, struct err *e)
{
    bool ok;

    notify_say("RELOADING=1\nMONOTONIC_USEC=%llu",
               (unsigned long long)(clock_ns() / 1000));
    ok = reload(r, e);
    notify_say("READY=1");
    return ok;
}

/* ---- running ---- */

static void on_hangup(evutil_socket_t fd, short what, void *ctx)
{
    struct err e;

    (void)fd;
    (void)what;
    if (!router_reload(ctx, &e))
        return; /* said in the log; the old one stays */
}

static void on_watch(evutil_socket_t fd, short what, void *ctx)
{
    struct router *r = ctx;
    struct err e;

    (void)fd;
    (void)what;
    if (watch_look(&r->watch, r->config, snapshot_settings(r->latest)) &&
        !router_reload(r, &e))
        return; /* said in the log */
}

static void on_upgrade(evutil_socket_t fd, short what, void *ctx)
{
    struct router *r = ctx;
    struct err e;

    (void)fd;
    (void)what;
    if (!upgrade_start(&r->upgrade, r->base, &r->listeners, &e))
        log_event(LOG_ERROR, "upgrade", "reason=\"%s\"", e.msg);
}

static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
    struct router *r = ctx;

    (void)fd;
    (void)what;
    log_event(LOG_WARN, "drain", "effect=\"cut off what still ran\"");
    for (unsigned i = 0; i < r->n_workers; i++)
        event_base_loopbreak(r->workers[i].base);
}

static void on_stop(evutil_socket_t fd, short what, void *ctx)
{
    struct router *r = ctx;
    uint64_t ms = snapshot_settings(r->first)->limits.drain_ms;
    struct timeval wait = {(time_t)(ms / 1000),
                           (suseconds_t)(ms % 1000 * 1000)};

    (void)fd;
    (void)what;
    notify_say("STOPPING=1");
    retrain_stop(&r->retrain);
    listeners_close(&r->listeners);
    for (unsigned i = 0; i < r->n_workers; i++)
        worker_stop(&r->workers[i]);
    event_base_once(r->base, -1, EV_TIMEOUT, on_deadline, r, &wait);
}

static bool start_workers(struct router *r, struct err *e)
{
    sigset_t all, was;
    bool ok = true;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    for (unsigned i = 0; ok && i < r->n_workers; i++)
        ok = worker_start(&r->workers[i], e);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return ok;
}

static void join_workers(struct router *r)
{
    for (unsigned i = 0; i < r->n_workers; i++) {
        struct worker *w = &r->workers[i];

        if (!w->started)
            continue;
        event_base_loopbreak(w->base);
        pthread_join(w->thread, NULL);
        w->started = false;
    }
}

/* A cycle runs, or is over: what it put in place is loaded. */
static void on_cycle(void *ctx)
{
    struct router *r = ctx;
    const struct settings *set = snapshot_settings(r->latest);
    struct err e;

    retrain_note(&r->retrain, set->classifier);
    if (watch_changed(&r->watch, r->config, set) && !router_reload(r, &e))
        return; /* said in the log */
}

/* The new program is up. */
static void on_up(void *ctx)
{
    on_stop(-1, 0, ctx);
}

static bool start_watch(struct router *r)
{
    uint64_t ms = snapshot_settings(r->first)->watch_ms;
    struct timeval every = {(time_t)(ms / 1000),
                            (suseconds_t)(ms % 1000 * 1000)};

    watch_loaded(&r->watch, r->config, snapshot_settings(r->first));
    if (!ms)
        return true;
    r->look = event_new(r->base, -1, EV_PERSIST, on_watch, r);
    return r->look && event_add(r->look, &every) == 0;
}

/* What the log says of promises already is known before the first request. */
static bool start_news(struct router *r)
{
    const char *path = snapshot_settings(r->first)->log.path;

    if (!r->log)
        return true;
    r->news = news_start(r->base, path, r->books.drifts);
    return r->news != NULL;
}

enum { SIGNALS = 4 };

bool router_run(struct router *r,
                void (*ready)(const struct router *r, void *ctx), void *ctx,
                struct err *e)
{
    struct event *signals[SIGNALS] = {
        evsignal_new(r->base, SIGTERM, on_stop, r),
        evsignal_new(r->base, SIGINT, on_stop, r),
        evsignal_new(r->base, SIGHUP, on_hangup, r),
        evsignal_new(r->base, SIGUSR2, on_upgrade, r),
    };
    bool ok =
        start_watch(r) && start_news(r) &&
        retrain_start(&r->retrain, r->base, snapshot_settings(r->latest), e);

    r->retrain.look = on_cycle;
    r->retrain.ctx = r;
    show_classifiers(r, r->first, 1);
    say_canary(r->first);
    r->upgrade.up = on_up;
    r->upgrade.ctx = r;

    for (int i = 0; i < SIGNALS; i++)
        ok = ok && signals[i] && event_add(signals[i], NULL) == 0;
    if (!ok)
        err_set(e, ERR_MEMORY, "router: out of memory");
    ok = ok && start_workers(r, e);
    if (ok) {
        ready(r, ctx);
        upgrade_ready();
        notify_say("READY=1\nMAINPID=%ld", (long)getpid());
        read_authorities(r, r->latest);
        resident_trim();
        event_base_loop(r->base, EVLOOP_NO_EXIT_ON_EMPTY);
    }
    join_workers(r);
    for (int i = 0; i < SIGNALS; i++) {
        if (signals[i])
            event_free(signals[i]);
    }
    return ok;
}

/* ---- the end ---- */

void router_free(struct router *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->n_workers; i++)
        worker_free(&r->workers[i]);
    reload_forget(r);
    retrain_free(&r->retrain);
    free(r->workers);
    /* Who leaves the database last takes its WAL in; a reader cannot. */
    news_stop(r->news);
    if (r->log)
        outlog_close(r->log);
    metrics_free(r->metrics);
    snapshot_unref(r->latest);
    snapshot_unref(r->first);
    budget_book_free(r->books.budgets);
    drift_book_free(r->books.drifts);
    rate_book_free(r->rates);
    purse_book_free(r->purses);
    health_book_free(r->health);
    tls_trusts_free(r->trusts);
    sessions_free(r->sessions);
    makers_free(r->makers);
    cache_free(r->cache);
    listeners_close(&r->listeners);
    upgrade_free(&r->upgrade);
    if (r->look)
        event_free(r->look);
    if (r->wake)
        event_free(r->wake);
    if (r->base)
        event_base_free(r->base);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
